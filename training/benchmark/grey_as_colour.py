"""What replicating a grey image into three channels, each with its own noise, brings.

The released code does so with grey images (DESIGN: noise in three channels). The
mean of the channels, which is no denoising at all, has a third of the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.noise import add_gaussian
from napari_dran.training.evaluation import SIGMAS, noise_seed
from napari_dran.training.methods import Method

from . import markdown
from . import methods as known
from .images import TestImage, grey_images
from .rows import read
from .scoring import Options, as_levels, score, unmeasured
from .statistics import interval, paired

NAME = "grey-as-colour"
ONE, THREE, THREE_SAME = "one channel", "three channels, own noise", "three channels, same noise"

Use = Callable[[Method, np.ndarray, float], np.ndarray]


def first_channel(method: Method, noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Denoise one channel alone."""
    return method(noisy[..., 0], sigma)


def mean_first(method: Method, noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Average the channels, then denoise the mean, whose noise is weaker."""
    return method(noisy.mean(-1), sigma / 3**0.5)


def mean_last(method: Method, noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Denoise as a colour image, then average the channels."""
    return np.asarray(method(noisy, sigma).mean(-1))


def same_noise(method: Method, noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Denoise one channel shown three times as a colour image."""
    return np.asarray(method(np.repeat(noisy[..., :1], 3, -1), sigma).mean(-1))


# Name of the CSV file -> the method, how it is used, what the table calls it.
USES: dict[str, tuple[str, Use, str, str]] = {
    "noisy": ("noisy", first_channel, ONE, "nothing"),
    "mean": ("noisy", mean_last, THREE, "their mean"),
    "dran-grey": ("dran-grey", first_channel, ONE, "dran-grey"),
    "dran-grey-of-mean": ("dran-grey", mean_first, THREE, "their mean, then dran-grey"),
    "dran-colour": ("dran-colour", mean_last, THREE, "dran-colour, then the mean"),
    "dran-colour-same-noise": (
        "dran-colour", same_noise, THREE_SAME, "dran-colour, then the mean",
    ),
}  # fmt: skip
METHODS = tuple(USES)


def three_channels(image: TestImage, sigma: float) -> np.ndarray:
    """Replicate a grey image and add noise of its own to each channel; float32 (H, W, 3).

    The first channel has the noise of protocol ``gaussian``.
    """
    channels = []
    for number in range(3):
        name = image.name if number == 0 else f"{image.name} channel {number}"
        channels.append(add_gaussian(image.pixels, sigma, noise_seed(name, sigma)))
    return np.stack(channels, -1)


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure ways to use grey and colour weights on a few grey images a modality."""
    images = list(grey_images(corpus))
    work = {(image.name, sigma): (image, sigma) for image in images for sigma in SIGMAS}
    for name in methods:
        base, use, _, _ = USES[name]
        method = known.make(base)
        path, hashes = results / NAME / f"{name}.csv", known.weights(method)
        for table, (image, sigma) in unmeasured(path, work, hashes, **options):
            output = use(method, three_channels(image, sigma), as_levels(sigma))
            table.add(
                {
                    "image": image.name,
                    "modality": image.modality,
                    "sigma": sigma,
                    **score(image.pixels, output),
                    "weights": hashes,
                }
            )


def tables(results: Path) -> str:
    """Write the section."""
    found = {
        name: {(row["image"], row["sigma"]): float(row["psnr"]) for row in rows}
        for name in USES
        if (rows := read(results / NAME / f"{name}.csv"))
    }
    # Means of different images cannot be compared: half measured uses wait.
    if len(found) < len(USES) or len({len(scores) for scores in found.values()}) > 1:
        return ""
    keys = list(found["noisy"])
    sigmas = list(dict.fromkeys(sigma for _, sigma in keys))
    lines = []
    for name, (_, _, given, does) in USES.items():
        cells = []
        for sigma in sigmas:
            mine, one = (
                [found[other][key] for key in keys if key[1] == sigma]
                for other in (name, "dran-grey" if "dran" in name else "noisy")
            )
            gain = "" if mine == one else f", {paired(mine, one).mean:+.2f}"
            cells.append(f"{interval(mine).mean:.2f}{gain}")
        lines.append([given, does, *cells])
    header = ["the network gets", "what is done", *(f"sigma {sigma}" for sigma in sigmas)]
    images = len({image for image, _ in keys})
    return markdown.paragraphs(
        "## Grey images in three channels",
        TEXT.format(images=images, limit=10 * np.log10(3)),
        markdown.table(header, lines),
    )


TEXT = """\
The released code replicates a grey image into three channels and gives each a noise of its own.
Their mean then has a third of the variance: 10 log₁₀ 3 = {limit:.2f} dB for free. PSNR in dB on
{images} grey test images, and the difference to the same with one channel. Real grey scans have one
channel, so none of this gain is theirs."""
