"""Table 2 with the noise that the authors' released code adds, which is uniform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.metrics import psnr
from napari_dran.noise import GREY_LEVELS
from napari_dran.training.evaluation import SIGMAS, noise_seed

from . import markdown
from . import methods as known
from .comparison import Scores, means_table
from .gaussian import NAME as GAUSSIAN
from .images import NUCLEI, TestImage, test_images
from .rows import Table, read
from .scoring import Options, as_levels, measure_images

NAME = "released"
METHODS = ("noisy", "centred", "nlm", "bm3d", "dncnn", "residual-mid", "dran-same", "dran")
"""``noisy`` is the image as it comes; all others get it with the known mean taken off."""

TITLES = {"noisy": "noisy", "centred": "noisy, its mean taken off"}
NOISE = "noise.csv"
SIDE = 2048
"""The noise itself is measured on a grey square of so many pixels a side."""


def add_released(pixels: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Add the released code's noise to (height, width[, 3]) in [0, 1]: float32, same shape."""
    import torch

    from napari_dran.training.noise_models import released

    generator = torch.Generator().manual_seed(seed % 2**63)
    strength = torch.full((1, 1, 1, 1), as_levels(level))
    return released(torch.from_numpy(pixels)[None, None], strength, generator)[0, 0].numpy()


def formula(level: float) -> tuple[float, float]:
    """Return mean and standard deviation of that noise, in units of [0, 1] images.

    The code draws from [0, s], s = level / 100, for images in [-1, 1], which is
    [0, s / 2] for images in [0, 1].
    """
    largest = level / 100 / 2
    return largest / 2, largest / 12**0.5


def add_noise(image: TestImage, level: float) -> tuple[np.ndarray, float]:
    """Add the noise, and tell its standard deviation."""
    seed = noise_seed(f"{NAME} {image.name}", level)
    return add_released(image.pixels, level, seed), formula(level)[1]


def add_centred(image: TestImage, level: float) -> tuple[np.ndarray, float]:
    """Add the noise and take off its mean, which a network trained on it learns to do."""
    noisy, told = add_noise(image, level)
    return noisy - np.float32(formula(level)[0]), told


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure the noise itself, then methods on all images of ``corpus/test``."""
    measure_noise(results)
    images = [image for image in test_images(corpus) if image.modality != NUCLEI]
    for name in methods:
        measure_images(
            images,
            results / NAME,
            known.stem(name),
            known.make("noisy" if name == "centred" else name),
            add_noise if name == "noisy" else add_centred,
            **options,
        )


def measure_noise(results: Path) -> None:
    """Write what the noise is at each level: mean and deviation, by formula and as drawn."""
    table = Table(results / NAME / NOISE, keys=["level"])
    grey = np.full((SIDE, SIDE), 0.5, np.float32)
    for level in SIGMAS:
        noise = add_released(grey, level, noise_seed(NAME, level)).astype(np.float64) - 0.5
        mean, deviation = formula(level)
        table.add(
            {
                "level": level,
                "smallest": float(noise.min()) * GREY_LEVELS,
                "largest": float(noise.max()) * GREY_LEVELS,
                "mean": float(noise.mean()) * GREY_LEVELS,
                "deviation": float(noise.std()) * GREY_LEVELS,
                "formula_mean": mean * GREY_LEVELS,
                "formula_deviation": deviation * GREY_LEVELS,
                "psnr": psnr(grey, grey + noise),
                "psnr_centred": psnr(grey, grey + noise - mean),
                "psnr_gaussian": -20 * float(np.log10(as_levels(level))),
            }
        )


def tables(results: Path) -> str:
    """Write the section: the noise, why numbers cannot be compared, and the means."""
    noise = read(results / NAME / NOISE)
    if not noise:
        return ""
    scores = Scores.read(results / NAME, METHODS)
    titles = {name: TITLES.get(name) or known.title(name) for name in scores.by_method}
    return markdown.paragraphs(
        "## The released code's noise, and why the paper's Table 2 is another one",
        INTRODUCTION,
        noise_table(noise),
        conclusion(noise),
        _against_gaussian(results, scores),
        METHOD if len(scores.by_method) > 1 else "",
        *(means_table(scores, sigma, titles) for sigma in scores.sigmas),
    )


def noise_table(noise: Sequence[dict[str, str]]) -> str:
    """Write what the noise is at each level."""
    rows = [
        [
            row["level"],
            *(f"{float(row[key]):.2f}" for key in ("smallest", "largest")),
            *(
                f"{float(row[key]):.2f} ({float(row[f'formula_{key}']):.2f})"
                for key in ("mean", "deviation")
            ),
            *(f"{float(row[key]):.2f}" for key in ("psnr", "psnr_centred", "psnr_gaussian")),
        ]
        for row in noise
    ]
    header = [
        "level", "smallest", "largest", "mean (formula)", "deviation (formula)",
        "PSNR", "mean off", "Gaussian",
    ]  # fmt: skip
    return markdown.table(header, rows)


def conclusion(noise: Sequence[dict[str, str]]) -> str:
    """Say in words what the table says, with its numbers."""
    last = noise[-1]
    share = float(last["deviation"]) / float(last["level"])
    gain = float(last["psnr_centred"]) - float(last["psnr_gaussian"])
    offset = float(last["psnr_centred"]) - float(last["psnr"])
    return (
        f'So "{last["level"]}" there is noise of standard deviation '
        f"{float(last['deviation']):.1f}, {share:.2f} of what its name says, about a "
        f"constant of {float(last['mean']):.1f} grey levels. Taking off that constant alone, which "
        "any network learns at once, gains "
        f"{offset:.1f} dB; what remains is {gain:.1f} dB easier than Gaussian noise of that sigma "
        "before anything is denoised. A cell of the paper's Table 2 must therefore not be laid "
        "beside one of the tables above."
    )


def _against_gaussian(results: Path, scores: Scores) -> str:
    """Compare one method under both noises, where both are measured."""
    gaussian = Scores.read(results / GAUSSIAN, ["dran"])
    rows = []
    for sigma in scores.sigmas:
        pair = [
            {image: float(row["psnr"]) for (image, level), row in rows.items() if level == sigma}
            for rows in (s.by_method.get("dran", {}) for s in (scores, gaussian))
        ]
        if common := sorted(set(pair[0]) & set(pair[1])):
            means = [float(np.mean([found[image] for image in common])) for found in pair]
            gain = f"{means[0] - means[1]:+.2f}"
            rows.append([f"{sigma:g}", *(f"{mean:.2f}" for mean in means), gain, f"{len(common)}"])
    if not rows:
        return ""
    header = ["level", "PSNR of DRAN, released noise", "Gaussian noise", "difference", "images"]
    return markdown.table(header, rows)


INTRODUCTION = """\
The code that the authors of DRAN released draws its noise uniformly from 0 to s, adds it to images
in [-1, 1], and calls s = 0.5 "50 of 255". Drawn here on a grey square, in grey levels of 255; then
the PSNR of the noisy square in dB, with the noise's mean taken off, and with Gaussian noise whose
standard deviation is the level:"""

METHOD = """\
The same test images under that noise. Each method but the first row gets the image with the known
mean taken off, and those that are told sigma are told the noise's true standard deviation. No
network here was trained on uniform noise."""
