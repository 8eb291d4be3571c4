"""Invented structure: what is left of pure noise over a flat field.

Flat fields of three levels with Gaussian noise of sigma 10, 25 and 50. Whatever a
method returns beside a constant is noise that stayed or structure that it made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.noise import GREY_LEVELS, add_gaussian
from napari_dran.training.evaluation import SIGMAS, noise_seed
from napari_dran.training.methods import Method

from . import methods as known
from .cards import taught
from .markdown import paragraphs, table
from .rows import read
from .scoring import Options, unmeasured

NAME = "flat-field"
METHODS = ("nlm", "bm3d", "dncnn", "dran", "dran-ensemble", "dran-grey-real")
LEVELS = (0.25, 0.5, 0.75)
SIDE = 256
BAR = 0.03
DRAWN_LEVEL, DRAWN_SIGMA = 0.5, 25.0
DRAWN_REACH = 0.25
"""Grey scale of the pictures: this share of sigma on either side."""


def field(level: float, sigma: float) -> np.ndarray:
    """Return a flat field with noise, float32 (SIDE, SIDE)."""
    clean = np.full((SIDE, SIDE), level, np.float32)
    return add_gaussian(clean, sigma, noise_seed(f"flat/{level:g}", sigma))


def left(level: float, sigma: float, method: Method) -> float:
    """Denoise a flat field: its standard deviation over that of the noise."""
    noisy = field(level, sigma)
    output = method(noisy, sigma / GREY_LEVELS).astype(np.float64)
    return float(output.std() / noisy.std(dtype=np.float64))


def radial_spectrum(image: np.ndarray, bins: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power of an image's deviations over rings of frequency.

    Returns
    -------
    frequency : ndarray
        Middle of each ring, in cycles a pixel, up to 0.5.
    power : ndarray
        Mean of |F|^2 / pixels: for white noise its variance at each frequency.
    """
    deviations = image.astype(np.float64) - image.mean()
    power = np.abs(np.fft.fft2(deviations)) ** 2 / deviations.size
    y, x = (np.fft.fftfreq(length) for length in image.shape)
    radius = np.hypot(y[:, None], x[None])
    edges = np.linspace(0, 0.5, bins + 1)
    ring = np.digitize(radius.ravel(), edges) - 1
    inside = (ring < bins) & (radius.ravel() > 0)
    total = np.bincount(ring[inside], power.ravel()[inside], minlength=bins)
    count = np.bincount(ring[inside], minlength=bins)
    return (edges[1:] + edges[:-1]) / 2, total / np.maximum(count, 1)


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on every field; ``corpus`` is not needed."""
    fields = {
        (f"flat-{level:g}", float(sigma)): (level, float(sigma))
        for level in LEVELS
        for sigma in SIGMAS
    }
    for name in methods:
        method, stem = known.make(name), known.stem(name)
        hashes = known.weights(method, channels=1)
        path = results / NAME / f"{stem}.csv"
        for scores, (level, sigma) in unmeasured(path, fields, hashes, **options):
            columns = {"image": f"flat-{level:g}", "modality": "flat", "sigma": sigma}
            scores.add({**columns, "left": left(level, sigma, method), "weights": hashes})


def draw(corpus: Path, results: Path, images: Path) -> None:
    """Draw what methods leave on a flat field, and its power; ``corpus`` is not needed."""
    from matplotlib.figure import Figure

    names = [name for name in known.METHODS if (results / NAME / f"{name}.csv").is_file()]
    noisy = field(DRAWN_LEVEL, DRAWN_SIGMA)
    outputs = {"noise": noisy}
    for name in names:
        outputs[known.title(name)] = known.make(name)(noisy, DRAWN_SIGMA / GREY_LEVELS)
    figure = Figure(figsize=(10, 2.3 + 3.4), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(2.3, 3.4), squeeze=False).ravel()
    reach = DRAWN_REACH * DRAWN_SIGMA / GREY_LEVELS
    for place, (title, image) in zip(upper.subplots(1, len(outputs)), outputs.items(), strict=True):
        middle = slice(SIDE // 4, 3 * SIDE // 4)
        place.imshow(
            image[middle, middle] - DRAWN_LEVEL,
            cmap="gray",
            vmin=-reach,
            vmax=reach,
            interpolation="nearest",
        )
        place.set_title(title.replace(", ", ",\n"), fontsize=9)
        place.set_axis_off()
    place = lower.subplots()
    for title, image in outputs.items():
        frequency, power = radial_spectrum(image)
        place.semilogy(frequency, power / noisy.var(), label=title)
    place.set_xlabel("cycles a pixel")
    place.set_ylabel("power, of the noise's")
    place.set_xlim(0, 0.5)
    place.spines[["top", "right"]].set_visible(False)
    place.legend(fontsize=8, frameon=False, ncols=3, loc="upper right", bbox_to_anchor=(1, 0.92))
    figure.savefig(images / f"{NAME}.png", dpi=110)


def tables(results: Path) -> str:
    """Return the section of the page."""
    rows = []
    for name in known.METHODS:
        if found := read(results / NAME / f"{name}.csv"):
            left_over = [
                [100 * float(row["left"]) for row in found if float(row["sigma"]) == sigma]
                for sigma in SIGMAS
            ]
            rows.append([known.title(name), *(_cell(values) for values in left_over)])
    if not rows:
        return ""
    header = ["standard deviation left, in %", *(f"sigma {sigma:g}" for sigma in SIGMAS)]
    levels = ", ".join(f"{level:g}" for level in LEVELS)
    return paragraphs(
        "## Nothing invented",
        f"Pure noise over a flat field of {SIDE} x {SIDE} pixels, levels {levels}: the standard "
        "deviation of the output, of the noise's; the mean over the levels and the worst. To be "
        f"below {100 * BAR:g} %.",
        table(header, rows),
        taught("flat", "fields without structure"),
        f"What is left at sigma {DRAWN_SIGMA:g}, black to white {2 * DRAWN_REACH:g} sigma, and its "
        "power over the frequency:",
        f"![What is left of noise over a flat field](images/evidence/{NAME}.png)",
    )


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.1f} (worst {max(values):.1f})" if values else ""
