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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from ..denoising import AUTO
from ..errors import DranError, InputError, WeightsError
from ..files.atomic import writing
from ..metrics import psnr, ssim
from ..noise import GREY_LEVELS, add_gaussian
from .data import modality_of
from .methods import Method, NetworkMethod
from .sources import Source, find_sources

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
        Path inside the folder, e.g. ``modality/file.png``; slices of volumes end in their number.
    modality : str
        Name of the first folder on that path, or "images".
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
        Folder of clean images, grey or RGB, of any format and depth, as
        :func:`~napari_dran.training.data.read_folder` finds them. PNG files keep their
        scale: their largest possible value is 1. All else gets window and slices as in
        training, by the defaults of :class:`~napari_dran.training.recipe.Recipe`.
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
        Gets the number of files (or DICOM series) done and in all.
    notice : callable
        Gets a sentence if images are skipped.
    failed : callable, optional
        Gets a sentence for each file that cannot be measured, and the others go on; the
        slices of a volume count up to the first that fails. By default the first such
        file ends the evaluation.
    measured : callable
        Gets each row as soon as it is there, to keep if the evaluation is interrupted.

    Returns
    -------
    list of Row
        One an image or slice and sigma, by file name, then in the order of ``sigmas``.

    Raises
    ------
    InputError
        No such folder, no images, none that can be measured, or a sigma that is negative;
        without ``failed``, an image that is too small or constant.
    FileReadError
        Without ``failed``, an image that is damaged.
    WeightsError
        Unknown weights, those of another task, or none of the images is of their kind.
    """
    _check_sigmas(sigmas)
    run: Method = method or NetworkMethod(weights, device, ensemble=ensemble)
    sources = find_sources(root)
    rows: list[Row] = []
    skipped: list[str] = []
    for done, source in enumerate(sources, 1):
        for scores in _measure(source, sigmas, run, failed):
            if not scores:
                skipped.append(modality_of(source.name))
            for row in scores:
                rows.append(row)
                measured(row)
        if progress:
            progress(done, len(sources))
    if skipped:
        kind = "colour" if isinstance(run, NetworkMethod) and run.takes(1) else "grey"
        sentence = (
            f"{len(skipped)} of {len(sources)} images are {kind} "
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
        As :attr:`Row.image`; it also decides the noise.
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
        modality=modality_of(name),
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


def _measure(
    source: Source,
    sigmas: Sequence[float],
    method: Method,
    failed: Callable[[str], object] | None,
) -> Iterator[list[Row]]:
    """Yield the rows of each image of a source; none where the method takes another kind.

    It ends at the first that fails: so would the other slices, and it shall be told once.
    """
    from .corpus import check_size, clean_images

    try:
        for image in clean_images(source):
            if isinstance(method, NetworkMethod) and not method.takes(len(image.pixels)):
                yield []
                return
            check_size(image, source.name)
            pixels = image.pixels
            clean = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
            # An image counts at every sigma or at none, so that means compare.
            yield [score(image.name, clean, sigma, method) for sigma in sigmas]
    except WeightsError:  # every image would meet it
        raise
    except Exception as error:  # one bad image must not stop the rest
        if failed is None:
            raise
        failed(_sentence(error, source))


def _sentence(error: Exception, source: Source) -> str:
    """Name the image of an error; most that are raised on purpose do so themselves."""
    if not isinstance(error, DranError):
        return f"{source.name}: unexpected {type(error).__name__}: {error}"
    return str(error) if source.path.name in str(error) else f"{source.name}: {error}"
