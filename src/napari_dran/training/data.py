"""Training images: reading them from folders, and keeping patients apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DranError, InputError
from ..files import read_volume
from ..intensity import choose_window, normalise
from ..slices import sample_evenly, slice_indices
from ..volume import Volume
from .patients import groups_of, hold_out
from .recipe import Recipe
from .sources import Source, find_sources

MAX_GREY = 255.0

FLATTEST = 0.02
"""Slices whose values span less than this are air: nothing is learnt from them."""

TOP = "images"
"""Modality of images that lie in no folder."""


@dataclass(frozen=True)
class TrainingImage:
    """One clean image in [0, 1].

    Parameters
    ----------
    name : str
        Path inside the folder; slices of volumes end in their number.
    modality : str
        Name of the first folder on that path.
    pixels : ndarray
        float32 or float16 (channels, height, width) in [0, 1], 1 or 3 channels.
    group : str
        What must not be split between training and validation: the patient.
    """

    name: str
    modality: str
    pixels: np.ndarray
    group: str = ""


def read_folder(
    folder: str | Path,
    recipe: Recipe | None = None,
    notice: Callable[[str], object] = lambda sentence: None,
    reading: Callable[[str], object] = lambda name: None,
) -> list[TrainingImage]:
    """Read every image below a folder; volumes become their slices.

    Any format that ``napari-dran denoise`` reads, grey or colour, of any dtype.
    Slices that are all but constant are left out.

    Parameters
    ----------
    folder : str or Path
        Searched to the bottom; hidden files and folders are left out.
    recipe : Recipe, optional
        Says window, slice axis, number of slices, resizing, and what tells
        patients apart.
    notice : callable
        Gets one sentence for each file that cannot be read, which is then skipped.
    reading : callable
        Gets the name of each folder before its files are looked at, ending in "/", then
        that of each image before it is read; what it raises ends the reading.

    Returns
    -------
    list of TrainingImage
        By name.

    Raises
    ------
    InputError
        There is no such folder, or no image in it that can be read.
    """
    recipe = recipe or Recipe()
    root = Path(folder).expanduser()
    sources = find_sources(root, reading)
    groups = groups_of(sources, root, recipe.split_by, notice)
    images: list[TrainingImage] = []
    failed = constant = 0
    for source in sources:
        reading(source.name)
        try:
            slices = list(read_source(source, recipe, groups[source.name]))
        except DranError as error:
            failed += 1
            notice(f"Skipped {source.name}: {error}")
            continue
        if not slices:
            constant += 1
            notice(f"Skipped {source.name}: it is all but constant, so nothing is learnt from it.")
        images += slices
    if not images:
        reason = (
            f"none of its {len(sources)} images could be used. Get them again, or name another "
            "folder."
            if failed
            else f"all {constant} are constant. Choose images with structure."
        )
        raise InputError(f"Expected images to train on in {root}, {reason}")
    return images


def read_source(source: Source, recipe: Recipe, group: str = "") -> Iterator[TrainingImage]:
    """Read a file or a DICOM series, and yield its slices that are not all but constant.

    Raises
    ------
    FileReadError
        It is damaged.
    """
    volume = read_volume(source.path, series=source.series)
    for number, pixels in cut_slices(volume, recipe):
        name = source.name if number is None else f"{source.name}[{number}]"
        yield TrainingImage(name, modality_of(source.name), pixels, group)


def modality_of(name: str) -> str:
    """Return the first folder on an image's path, or :data:`TOP`."""
    folder, separator, _ = name.partition("/")
    return folder if separator else TOP


def cut_slices(volume: Volume, recipe: Recipe) -> Iterator[tuple[int | None, np.ndarray]]:
    """Yield (number, float16 pixels (channels, height, width)) of a volume's slices.

    The number is None for an image of a single slice.
    """
    data = np.asarray(volume.data)
    plain = recipe.window == "auto" and data.dtype == np.uint8
    # The alpha of RGBA is no intensity, and must not widen the window.
    window = choose_window(
        data[..., :3] if volume.rgb else data,
        (0.0, MAX_GREY) if plain else "percentile" if recipe.window == "auto" else recipe.window,
    )
    if window is None:
        return
    axis = recipe.axis if "z" in volume.axes else 0
    indices = list(enumerate(slice_indices(data.shape, volume.axes, axis)))
    many = len(indices) > 1
    for number, index in sample_evenly(indices, recipe.slices or len(indices)):
        pixels = np.clip(normalise(data[index], window), 0, 1)
        if pixels.max() - pixels.min() < FLATTEST:
            continue
        pixels = pixels.transpose(2, 0, 1) if volume.rgb else pixels[None]
        if recipe.resize:
            pixels = _resized(pixels, recipe.resize)
        yield number if many else None, np.ascontiguousarray(pixels, dtype=np.float16)


def split(
    images: list[TrainingImage], share: float
) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Part images into training and validation; no group is in both.

    See :func:`~napari_dran.training.patients.hold_out`.

    Returns
    -------
    training, validation : list of TrainingImage
        The second is empty if there is a single group, or ``share`` is 0.
    """
    held = hold_out(((image.modality, image.group) for image in images), share)
    training = [image for image in images if image.group not in held]
    if not training:
        return images, []
    return training, [image for image in images if image.group in held]


def choose_kind(
    images: list[TrainingImage], recipe: Recipe, notice: Callable[[str], object]
) -> tuple[list[TrainingImage], int]:
    """Choose the network's channels, and the images it can be trained on.

    Returns
    -------
    images : list of TrainingImage
        Those of the network's kind, and the others if the recipe uses them.
    channels : {1, 3}
        Of the network.

    Raises
    ------
    InputError
        Grey and colour images are mixed, and the recipe does not say what to do.
    """
    colour = [image for image in images if len(image.pixels) == 3]
    grey = [image for image in images if len(image.pixels) == 1]
    channels = recipe.channels if recipe.channels != "auto" else 1 if grey else 3
    mine, others, kind = (grey, colour, "colour") if channels == 1 else (colour, grey, "grey")
    if not others or recipe.other_kind == "use":
        return images, channels
    if recipe.other_kind == "skip":
        notice(f"Skipped {len(others)} {kind} images.")
        return mine, channels
    raise InputError(
        f"The data mixes {len(grey)} grey and {len(colour)} colour images (e.g. {grey[0].name} "
        f"and {colour[0].name}), and the network has {channels} channel"
        f"{'s' if channels > 1 else ''}. Choose: other-kind 'skip' leaves the {kind} ones out, "
        f"'use' shows them now and then; or channels {4 - channels} for a network of that kind."
        if grey and colour
        else f"The images are {kind}, e.g. {others[0].name}, and the network has {channels} "
        f"channel{'s' if channels > 1 else ''}. Choose channels {4 - channels}."
    )


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Bring the shorter side of (channels, height, width) to ``side`` pixels."""
    from skimage.transform import resize

    height, width = pixels.shape[1:]
    factor = side / min(height, width)
    shape = (len(pixels), max(side, round(height * factor)), max(side, round(width * factor)))
    resized: np.ndarray = resize(pixels, shape, order=1, anti_aliasing=factor < 1)
    return resized
