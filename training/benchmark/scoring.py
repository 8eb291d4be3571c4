"""Scores of methods on the test images, whatever the noise; one CSV file a method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import numpy as np

from napari_dran.metrics import psnr, ssim
from napari_dran.noise import GREY_LEVELS
from napari_dran.training.evaluation import SIGMAS
from napari_dran.training.methods import Method

from . import methods
from .images import TestImage
from .rows import KEYS, Table

Progress = Callable[[str, int, int], object]
AddNoise = Callable[[TestImage, float], tuple[np.ndarray, float]]
"""Maps an image and a level in grey levels of 255 to the noisy image, float32, and
the standard deviation that methods are told, in units of [0, 1] images."""

Key = TypeVar("Key", bound=tuple[object, ...])
Item = TypeVar("Item")


class Options(TypedDict, total=False):
    """How any experiment is measured.

    Attributes
    ----------
    again : bool
        Measure anew what is there.
    progress : callable
        Gets the name of the method, and how much is done and in all.
    """

    again: bool
    progress: Progress


def score(clean: np.ndarray, output: np.ndarray) -> dict[str, float]:
    """Compare an output with the clean image: PSNR in dB and SSIM.

    Parameters
    ----------
    clean, output : ndarray
        (height, width) or (height, width, 3); the output is clipped to [0, 1].
    """
    output = np.clip(output, 0, 1)
    return {"psnr": psnr(clean, output), "ssim": ssim(clean, output, colour=clean.ndim == 3)}


def measure_images(
    images: Iterable[TestImage],
    folder: Path,
    name: str,
    method: Method,
    add_noise: AddNoise,
    *,
    sigmas: Sequence[float] = SIGMAS,
    **options: Unpack[Options],
) -> None:
    """Measure one method on images, going on where an earlier call was stopped.

    Parameters
    ----------
    images : iterable of TestImage
        Those of a kind that the method does not take are left out.
    folder : Path
        Gets ``<name>.csv``.
    name : str
        Of the method's file.
    method : callable
        The method.
    add_noise : callable
        Makes the noisy image, always the same for an image and a level.
    sigmas : sequence of float
        Levels of the noise, in grey levels of 255.
    options
        See :func:`unmeasured`.
    """
    work = {
        (image.name, float(sigma)): (image, float(sigma))
        for image in images
        if methods.takes(method, _channels(image))
        for sigma in sigmas
    }
    path = folder / f"{name}.csv"
    for table, (image, sigma) in unmeasured(path, work, methods.weights(method), **options):
        noisy, told = add_noise(image, sigma)
        table.add(
            {
                "image": image.name,
                "modality": image.modality,
                "sigma": sigma,
                **score(image.pixels, method(noisy, told)),
                "weights": methods.weights(method, _channels(image)),
            }
        )


def as_levels(sigma: float) -> float:
    """Bring grey levels of 255 to units of [0, 1] images."""
    return sigma / GREY_LEVELS


def measure_methods(
    names: Sequence[str],
    images: Sequence[TestImage],
    folder: Path,
    add_noise: AddNoise,
    *,
    sigmas: Sequence[float] = SIGMAS,
    **options: Unpack[Options],
) -> None:
    """Measure methods one after the other, see :func:`measure_images`."""
    for name in names:
        measure_images(
            images,
            folder,
            methods.stem(name),
            methods.make(name),
            add_noise,
            sigmas=sigmas,
            **options,
        )


def unmeasured(
    path: Path,
    items: Mapping[Key, Item],
    weights: str,
    *,
    keys: Sequence[str] = KEYS,
    parts: Sequence[str] = (),
    again: bool = False,
    progress: Progress = lambda name, done, total: None,
) -> Iterator[tuple[Table, Item]]:
    """Yield what a CSV file has no row of, with its table to add the row to.

    Parameters
    ----------
    path : Path
        The file, named as its method.
    items : mapping
        What to measure, by the values of the key columns.
    weights : str
        Hashes of the method's weights.
    keys : sequence of str
        The key columns.
    parts : sequence of str
        Columns that tell the rows of one item apart, if it has several. They must be
        added together, as one of them tells that the item is measured.
    again, progress
        See :class:`Options`.

    Raises
    ------
    InputError
        What is there was measured with other weights, and ``again`` is false.
    """
    table = Table(path, (*keys, *parts), again=again)
    table.check_weights(weights)
    for done, (key, item) in enumerate(items.items(), start=1):
        if not table.begins(key):
            yield table, item
        progress(path.stem, done, len(items))


def _channels(image: TestImage) -> int:
    return 1 if image.pixels.ndim == 2 else image.pixels.shape[2]
