"""How well a method removes known noise: protocol ``gaussian``.

Images are in [0, 1]; Gaussian noise of standard deviation sigma / 255 is added
without clipping; the method gets the unclipped noisy image and, unless it is
told, does not know sigma; what it returns is clipped to [0, 1] and compared
with the clean image: PSNR with a data range of 1, SSIM with Gaussian weights.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..denoising import AUTO
from ..errors import DranError, InputError, WeightsError
from ..files.atomic import writing
from ..metrics import SSIM_SMALLEST_SIDE, psnr, ssim
from ..noise import GREY_LEVELS, add_gaussian
from .methods import Method, NetworkMethod

if TYPE_CHECKING:
    from .data import TrainingImage

SIGMAS = (10.0, 25.0, 50.0)

CATEGORIES = {
    "radiology": ("xray", "mri", "ct", "ultrasound"),
    "microscopy": ("histopathology", "fluorescence"),
    "dermatology": ("dermatology",),
}
"""Which modalities make up which category of the paper's tables."""


@dataclass(frozen=True)
class Row:
    """Scores of one image at one noise level.

    Parameters
    ----------
    image : str
        ``modality/file.png``.
    modality : str
        Name of its folder.
    sigma : float
        Standard deviation of the added noise, in grey levels of 255.
    psnr, ssim : float
        Of the method's output, PSNR in dB.
    psnr_noisy, ssim_noisy : float
        Of the noisy image itself, clipped to [0, 1].
    """

    image: str
    modality: str
    sigma: float
    psnr: float
    ssim: float
    psnr_noisy: float
    ssim_noisy: float


@dataclass(frozen=True)
class Mean:
    """Mean scores over the images of a modality or of a category."""

    group: str
    sigma: float
    images: int
    psnr: float
    ssim: float
    psnr_noisy: float
    ssim_noisy: float


def evaluate(
    root: str | Path,
    weights: str | Path = AUTO,
    sigmas: Sequence[float] = SIGMAS,
    *,
    method: Method | None = None,
    device: str = AUTO,
    ensemble: int = 1,
    progress: Callable[[int, int], object] | None = None,
    notice: Callable[[str], object] = lambda sentence: None,
    failed: Callable[[str], object] | None = None,
    measured: Callable[[Row], object] = lambda row: None,
) -> list[Row]:
    """Measure weights, or any other method, on clean images with added noise.

    Grey weights are measured on grey images and colour weights on RGB images;
    images of the other kind are skipped, and ``notice`` is told once. (Grey
    weights could run on each colour channel, but that is not how they are used.)

    Parameters
    ----------
    root : str or Path
        Folder of ``<modality>/*.png``, 8 or 16 bit, grey or RGB.
    weights : str or Path
        A shipped name, a .safetensors file, or "auto" for the shipped weights
        that fit each image.
    sigmas : sequence of float
        Standard deviations of the noise, in grey levels of 255.
    method : callable, optional
        Measure this instead of weights.
    device : str
        "auto", or a torch device.
    ensemble : int
        Orientations that weights average, 1 to 8.
    progress : callable, optional
        Gets the number of images done and in all.
    notice : callable
        Gets a sentence if images are skipped, and one if other images lie in the folder.
    failed : callable, optional
        Gets a sentence for each image that cannot be measured, and the others go on;
        by default the first of them ends the evaluation.
    measured : callable
        Gets each row as soon as it is there, to keep if the evaluation is interrupted.

    Returns
    -------
    list of Row
        One an image and sigma, by image name, then in the order of ``sigmas``.

    Raises
    ------
    InputError
        No images, none that can be measured, or a sigma that is negative; without
        ``failed``, an image that is too small.
    FileReadError
        Without ``failed``, an image that is damaged.
    WeightsError
        Unknown weights, those of another task, or none of the images is of their kind.
    """
    from .corpus import find_images, read_image

    _check_sigmas(sigmas)
    paths = find_images(Path(root), notice)
    run: Method = method or NetworkMethod(weights, device, ensemble=ensemble)
    rows: list[Row] = []
    skipped: list[str] = []
    for done, path in enumerate(paths, 1):
        try:
            image = read_image(path)
            taken = not isinstance(run, NetworkMethod) or run.takes(len(image.pixels))
            # An image counts at every sigma or at none, so that means compare.
            scores = _scores(image, sigmas, run) if taken else []
        except WeightsError:  # every image would meet it
            raise
        except Exception as error:  # one bad image must not stop the rest
            if failed is None:
                raise
            failed(_sentence(error, path))
        else:
            if not taken:
                skipped.append(image.modality)
            for row in scores:
                rows.append(row)
                measured(row)
        if progress:
            progress(done, len(paths))
    if skipped:
        kind = "colour" if isinstance(run, NetworkMethod) and run.takes(1) else "grey"
        sentence = (
            f"{len(skipped)} of {len(paths)} images are {kind} "
            f"({', '.join(sorted(set(skipped)))}), which the weights {str(weights)!r} do not take"
        )
        if not rows:
            raise WeightsError(f"{sentence}. Use --weights auto, or weights for {kind} images.")
        notice(f"{sentence}: skipped. Use --weights auto to measure every image.")
    if not rows:
        raise InputError(f"None of the images in {root} could be measured.")
    return rows


def score(name: str, clean: np.ndarray, sigma: float, method: Method) -> Row:
    """Add noise to one image, remove it, and measure.

    Parameters
    ----------
    name : str
        ``modality/file.png``; it also decides the noise.
    clean : ndarray
        float32 (height, width) or (height, width, 3) in [0, 1].
    sigma : float
        Standard deviation of the noise, in grey levels of 255.
    method : callable
        What removes it.
    """
    noisy = add_gaussian(clean, sigma, noise_seed(name, sigma))
    output = np.clip(method(noisy, sigma / GREY_LEVELS), 0, 1)
    before = np.clip(noisy, 0, 1)
    colour = clean.ndim == 3
    return Row(
        image=name,
        modality=name.split("/")[0],
        sigma=float(sigma),
        psnr=psnr(clean, output),
        ssim=ssim(clean, output, colour=colour),
        psnr_noisy=psnr(clean, before),
        ssim_noisy=ssim(clean, before, colour=colour),
    )


def noise_seed(name: str, sigma: float) -> int:
    """Return the seed of an image's noise: the same on every machine and run."""
    digest = hashlib.sha256(f"{name} {sigma:g}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def summarise(rows: Iterable[Row]) -> list[Mean]:
    """Return means by modality, then by category, for each sigma.

    A category's mean is over all of its images; modalities that belong to none
    (see :data:`CATEGORIES`) appear by themselves only.
    """
    rows = list(rows)
    modalities = list(dict.fromkeys(row.modality for row in rows))
    groups: list[tuple[str, tuple[str, ...]]] = [(name, (name,)) for name in modalities]
    groups += [
        (category, members)
        for category, members in CATEGORIES.items()
        if members != (category,) and set(members) & set(modalities)
    ]
    sigmas = sorted({row.sigma for row in rows})
    means = []
    for group, members in groups:
        for sigma in sigmas:
            mine = [row for row in rows if row.modality in members and row.sigma == sigma]
            if mine:
                means.append(_mean(group, sigma, mine))
    return means


def write_rows(rows: Iterable[Row], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write rows as CSV, one column a field of :class:`Row`.

    Raises
    ------
    FileWriteError
        The folder does not exist, or the file does and ``overwrite`` is false.
    """
    with writing(path, overwrite) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        table.writeheader()
        for row in rows:
            values = asdict(row)
            scores = {key: f"{values[key]:.6g}" for key in values if key not in _WORDS}
            table.writerow({**values, **scores})
    return Path(path)


_WORDS = ("image", "modality")


def _mean(group: str, sigma: float, rows: list[Row]) -> Mean:
    columns = ("psnr", "ssim", "psnr_noisy", "ssim_noisy")
    means = {c: float(np.mean([getattr(row, c) for row in rows])) for c in columns}
    return Mean(group, sigma, len(rows), **means)


def _check_sigmas(sigmas: Sequence[float]) -> None:
    wrong = [sigma for sigma in sigmas if not (math.isfinite(sigma) and sigma >= 0)]
    if wrong or not sigmas:
        raise InputError(
            f"Expected noise levels of 0 or more grey levels of 255, got {list(sigmas)}."
        )


def _scores(image: TrainingImage, sigmas: Sequence[float], method: Method) -> list[Row]:
    """Measure one image at each sigma."""
    pixels = image.pixels
    clean = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    _check_size(clean, image.name)
    return [score(image.name, clean, sigma, method) for sigma in sigmas]


def _sentence(error: Exception, path: Path) -> str:
    """Name the image of an error; those that are raised on purpose do so themselves."""
    if isinstance(error, DranError):
        return str(error)
    return f"{path.parent.name}/{path.name}: unexpected {type(error).__name__}: {error}"


def _check_size(clean: np.ndarray, name: str) -> None:
    if min(clean.shape[:2]) < SSIM_SMALLEST_SIDE:
        raise InputError(
            f"{name} is {clean.shape[1]} x {clean.shape[0]} pixels. Images of at least "
            f"{SSIM_SMALLEST_SIDE} x {SSIM_SMALLEST_SIDE} pixels can be measured."
        )
