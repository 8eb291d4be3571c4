"""Clean images: how little a method changes what has no or hardly any noise.

Gaussian noise of sigma 0 to 5 on the test images; PSNR of the output against the
clean image. At sigma 0 that is the clean image against itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.noise import GREY_LEVELS

from . import methods as known
from .gaussian import add_noise
from .images import NUCLEI, test_images
from .markdown import paragraphs, table
from .rows import read
from .scoring import Options, measure_methods

NAME = "clean-image"
METHODS = ("dran", "dran-grey-real")
SIGMAS = (0.0, 1.0, 2.0, 3.0, 5.0)
BAR = 45.0
"""In dB, at sigma 0, in every modality."""


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on all images of ``corpus/test``."""
    images = [image for image in test_images(corpus) if image.modality != NUCLEI]
    measure_methods(methods, images, results / NAME, add_noise, sigmas=SIGMAS, **options)


def tables(results: Path) -> str:
    """Return the section of the page."""
    parts = []
    for name in known.METHODS:
        rows = read(results / NAME / f"{name}.csv")
        if not rows:
            continue
        modalities = list(dict.fromkeys(row["modality"] for row in rows))
        cells = [[modality, *(_cell(rows, modality, s) for s in SIGMAS)] for modality in modalities]
        header = [known.title(name), *(f"sigma {sigma:g}" for sigma in SIGMAS)]
        parts.append(table(header, cells))
    if not parts:
        return ""
    noise = ", ".join(f"{20 * np.log10(GREY_LEVELS / sigma):.1f}" for sigma in SIGMAS if sigma)
    return paragraphs(
        "## Clean images stay clean",
        "PSNR in dB of the output against the clean image, the mean over images and the worst; "
        "at sigma 0 this is the clean image against itself, of which at least "
        f"{BAR:g} dB are wanted in every modality. Noise of these sigmas alone leaves {noise} dB.",
        *parts,
    )


def _cell(rows: list[dict[str, str]], modality: str, sigma: float) -> str:
    mine = [row for row in rows if (row["modality"], float(row["sigma"])) == (modality, sigma)]
    values = [float(row["psnr"]) for row in mine]
    return f"{np.mean(values):.1f} (worst {min(values):.1f})" if values else ""
