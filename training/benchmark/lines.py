"""Thin structures: how much contrast lines keep that were planted in real slices.

Septa, vessels and fibres are a pixel or a few wide. Lines 20 pixels long, 1 to 3 wide, of
3 or 5 sigma, in any direction, stand one in each cell of a grid in the radiological
test images, bright or dark, whichever has more room; then noise of sigma 10 is added. The
same is done with each image brightened until a third of what is not background is
saturated: a saturated scan has no noise where it is white, which a denoiser can see, and
the dark lines there are real. Networks run with the product's limit beside saturated
areas there. What a line *kept* is the difference between the results
with lines and without, same noise, over that of the images without noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from napari_dran.denoising.saturation import NoiseLimit
from napari_dran.noise import GREY_LEVELS, add_gaussian, constant_areas
from napari_dran.training.evaluation import noise_seed
from napari_dran.training.methods import Method

from . import methods as known
from .cards import taught
from .images import radiological_images
from .markdown import paragraphs, table, with_interval
from .marks import CONTRASTS, DARKEST, Mark, covered, place, plant
from .rows import read
from .scoring import Options, unmeasured
from .statistics import interval

NAME = "lines"
METHODS = ("noisy", "nlm", "bm3d", "dran", "dran-grey-real")
SIGMA = 10.0
WIDTHS = (1, 2, 3)
LENGTH = 20.0

AS_IT_IS, SATURATED = "as it is", "saturated"
EXPOSURES = (AS_IT_IS, SATURATED)
WHITE_FROM = 2 / 3
"""Quantile of an image, without its background, that becomes white where it is saturated."""


@dataclass(frozen=True)
class Line(Mark):
    """A line; its size is the width. The angle is in radians, from x to y."""

    angle: float = 0.0

    sigma = SIGMA
    length = LENGTH

    def cover(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return which share of each pixel it covers, float64 (height, width)."""
        sine, cosine = np.sin(self.angle), np.cos(self.angle)

        def inside(down: np.ndarray, right: np.ndarray) -> np.ndarray:
            along, across = right * cosine + down * sine, down * cosine - right * sine
            within: np.ndarray = (abs(along) <= LENGTH / 2) & (abs(across) <= self.size / 2)
            return within

        return covered(shape, self.y, self.x, (LENGTH + self.size) / 2, inside)


def brightened(clean: np.ndarray) -> np.ndarray:
    """Scale an image so that a third of what is not background is beyond white."""
    scene: np.ndarray = clean / np.quantile(clean[clean >= DARKEST], WHITE_FROM)
    return scene


def lines_for(scene: np.ndarray, seed: int) -> list[Line]:
    """Choose lines for a slice, see :func:`training.benchmark.marks.place`."""

    def line(random: np.random.Generator, y: float, x: float, width: int, contrast: int) -> Line:
        return Line(y, x, width, contrast, angle=random.uniform(0, np.pi))

    return place(scene, seed, WIDTHS, line)


@dataclass(frozen=True)
class Kept:
    """Mean over the lines of one width and contrast in one image."""

    width: int
    contrast: int
    lines: int
    kept: float


def contrasts(name: str, clean: np.ndarray, exposure: str, method: Method) -> Iterator[Kept]:
    """Measure a method on one image."""
    saturated = exposure == SATURATED
    scene = brightened(clean) if saturated else clean
    lines = lines_for(scene, noise_seed(name, 0))
    seed, sigma = noise_seed(name, SIGMA), SIGMA / GREY_LEVELS

    def result(image: np.ndarray) -> np.ndarray:
        noisy = add_gaussian(image.astype(np.float32), SIGMA, seed)
        noisy = noisy.clip(0, 1) if saturated else noisy
        clean = method(noisy, sigma)
        if isinstance(method, known.Network):
            # As the product does; without saturated areas it changes nothing.
            limit = NoiseLimit(noisy, constant_areas(noisy))
            clean = noisy - limit(noisy - clean)
        return clean.astype(np.float64)

    if not lines:
        return
    planted = plant(scene, lines)
    truth = planted.clip(0, 1) - scene.clip(0, 1)
    difference = result(planted) - result(scene)
    shares: dict[tuple[int, int], list[float]] = {}
    for line in lines:
        there = line.cover(clean.shape) > 0
        share = (truth * difference)[there].sum() / (truth**2)[there].sum()
        shares.setdefault((line.size, line.contrast), []).append(float(share))
    for (width, contrast), found in sorted(shares.items()):
        yield Kept(width, contrast, len(found), float(np.mean(found)))


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    **options: Unpack[Options],
) -> None:
    """Measure methods on a few radiological images a modality, as they are and saturated."""
    images = radiological_images(corpus)
    work = {(i.name, exposure): (i, exposure) for exposure in EXPOSURES for i in images}
    keys, parts = ("image", "exposure"), ("width", "contrast")
    for name in methods:
        method = known.make(name)
        hashes = known.weights(method, channels=1)
        path = results / NAME / f"{known.stem(name)}.csv"
        for scores, (image, exposure) in unmeasured(
            path, work, hashes, keys=keys, parts=parts, **options
        ):
            columns = {"image": image.name, "modality": image.modality, "sigma": SIGMA}
            for row in list(contrasts(image.name, image.pixels, exposure, method)):
                scores.add({**columns, "exposure": exposure, **asdict(row), "weights": hashes})


def by_image(rows: Sequence[dict[str, str]]) -> list[float]:
    """Return the mean over the lines of each image, weighted by how many a row stands for."""
    images: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        images.setdefault(row["image"], []).append(row)
    return [
        float(
            np.average([float(r["kept"]) for r in found], weights=[int(r["lines"]) for r in found])
        )
        for found in images.values()
    ]


def tables(results: Path) -> str:
    """Return the section of the page."""
    found = {name: read(results / NAME / f"{name}.csv") for name in known.METHODS}
    most = max(map(len, found.values()))
    if not most:
        return ""
    kinds = [(contrast, width) for contrast in CONTRASTS for width in WIDTHS]
    header = [f"{contrast} sigma, {width} px" for contrast, width in kinds]
    parts = []
    for exposure in EXPOSURES:
        rows = []
        for name, every in found.items():
            mine = [row for row in every if row["exposure"] == exposure]
            if len(every) < most:
                continue
            cells = [
                100 * float(np.mean(by_image(
                    [r for r in mine if (int(r["contrast"]), int(r["width"])) == kind]
                )))
                for kind in kinds
            ]  # fmt: skip
            whole = interval([100 * value for value in by_image(mine)])
            shown = [f"{cell:.0f}" for cell in cells]
            rows.append([known.title(name), *shown, with_interval(whole, 1)])
        parts.append(table([f"contrast kept in %, {exposure}", *header, "mean"], rows))
    return paragraphs(
        "## Thin lines",
        f"Lines {LENGTH:.0f} pixels long planted in radiological test slices, bright or dark, then "
        f"noise of sigma {SIGMA:g}; and the same with each slice brightened until a third of what "
        "is not background is saturated, noise and all, where networks have the product's "
        "[limit](concepts/noise.md#saturated-scans). Kept is the difference between the denoised "
        "image with the lines and the one without them, same noise, of what it is without "
        "noise; with 95 % intervals from resampling images.",
        taught("lines", "planted lines"),
        *parts,
    )
