"""Table 2 with true Gaussian noise: protocol ``gaussian`` of napari_dran.training.evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.noise import add_gaussian
from napari_dran.training.evaluation import noise_seed

from . import markdown
from . import methods as known
from .comparison import DIGITS, Scores, differences_table, means_table, modalities_table
from .images import TestImage, test_images
from .networks import read_facts
from .scoring import Options, as_levels, measure_methods

NAME = "gaussian"
METHODS = ("noisy", "nlm", "bm3d", "dncnn", "residual-mid", "dran-same", "dran")
BASELINES = {
    "dran": ("nlm", "bm3d"),
    "dran-ensemble": ("bm3d", "dran"),
    "dran-same": ("dncnn", "residual-mid"),
}
"""What DRAN is compared with image by image: as shipped, with an ensemble (with the shipped
weights without one, too), or trained as the baselines are."""

LEARNT = 0.1
"""Gain in dB at some sigma, below which a network has learnt nothing."""

TEXT = """\
White Gaussian noise of standard deviation sigma, in grey levels of 255, is added to clean images
without clipping, from a fixed seed for each image. Networks are not told sigma; "same training" is
that of the section on ablations: the same few steps for each{steps},
run once and as they are, so those rows compare with each other and not with the shipped weights,
which run as the product runs them: at [two scales](concepts/network.md#two-scales), and held to
[white noise](concepts/network.md#only-white-noise-goes). An
[ensemble](concepts/network.md#self-ensemble) is an option of the product. Outputs are clipped to
[0, 1]; PSNR with a data range of 1, SSIM with Gaussian weights; means over images, whose number
stands in brackets. A category is made of all images of its modalities in `corpus/test`; the nuclei
are those of `dsb2018/test`, microscopy too.
The best of each column is bold."""

DIFFERENCES = """\
DRAN minus a baseline on the same noisy image, averaged over images, with the 95 % interval of that
average by bootstrap over images. Bold: the whole interval is above zero, DRAN is better. Networks
are compared with the DRAN of the same training, the others with the shipped one; the ensemble with
BM3D, and with the shipped weights without an ensemble."""


def add_noise(image: TestImage, sigma: float) -> tuple[np.ndarray, float]:
    """Add Gaussian noise, without clipping, and tell its standard deviation."""
    noisy = add_gaussian(image.pixels, sigma, noise_seed(image.name, sigma))
    return noisy, as_levels(sigma)


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on all test images at every sigma."""
    images = list(test_images(corpus))
    measure_methods(methods, images, results / NAME, add_noise, **options)


def tables(results: Path) -> str:
    """Write the section: means, modalities with intervals, differences to each baseline."""
    scores = Scores.read(results / NAME)
    if not scores.by_method:
        return ""
    titles = {name: known.title(name) for name in scores.by_method}
    means = [means_table(scores, sigma, titles) for sigma in scores.sigmas]
    modalities = [
        modalities_table(scores, sigma, score, titles)
        for sigma in scores.sigmas
        for score in DIGITS
    ]
    return markdown.paragraphs(
        "## Gaussian noise (Table 2)",
        TEXT.format(steps=_steps(results)),
        *means,
        _untaught(scores, titles),
        markdown.folded("By modality, with 95 % intervals", markdown.paragraphs(*modalities)),
        *_differences(scores, titles),
    )


def _steps(results: Path) -> str:
    """Say how many steps those trained alike were given, grey and colour."""
    facts = read_facts(results)
    kinds = {
        kind: sorted({int(facts[n]["steps"]) for n in facts if n.endswith("-colour") is colour})
        for kind, colour in (("grey", False), ("colour", True))
    }
    said = [
        f"{' or '.join(f'{n:,}' for n in steps)} for {kind} images"
        for kind, steps in kinds.items()
        if steps
    ]
    return f" ({', '.join(said)})" if said else ""


def _untaught(scores: Scores, titles: dict[str, str]) -> str:
    """Name the networks that return some images as noisy as they were."""
    sentences = []
    for name in scores.by_method:
        gains = {
            modality: [
                gain.mean
                for sigma in scores.sigmas
                if (gain := scores.difference(name, "noisy", [modality], sigma, "psnr"))
            ]
            for modality in scores.modalities
        }
        missed = [modality for modality, found in gains.items() if found and max(found) < LEARNT]
        if missed and name != "noisy":
            sentences.append(
                f"{titles[name]}: images of {' and '.join(missed)} come out as noisy as they "
                "were. In so few steps it has learnt nothing of them, which says nothing of "
                "what this network can reach."
            )
    return " ".join(sentences)


def _differences(scores: Scores, titles: dict[str, str]) -> list[str]:
    found = [
        differences_table(scores, name, [o for o in others if o in scores.by_method], score, titles)
        for name, others in BASELINES.items()
        if name in scores.by_method
        for score in DIGITS
    ]
    return ["### Image by image", DIFFERENCES, *found] if any(found) else []
