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

import numpy as np

from napari_dran.denoising.saturation import limit_beside, saturated_areas
from napari_dran.noise import GREY_LEVELS, add_gaussian, constant_areas
from napari_dran.training.evaluation import CATEGORIES, noise_seed
from napari_dran.training.methods import Method

from . import methods as known
from .cards import taught
from .discs import DARKEST, RING, covered, disc, grid
from .images import grey_images
from .markdown import paragraphs, table, with_interval
from .rows import Table, read
from .scoring import Progress
from .statistics import interval

NAME = "lines"
METHODS = ("noisy", "nlm", "bm3d", "dran", "dran-grey-real")
SIGMA = 10.0
WIDTHS = (1, 2, 3)
CONTRASTS = (3, 5)
LENGTH = 20.0

AS_IT_IS, SATURATED = "as it is", "saturated"
EXPOSURES = (AS_IT_IS, SATURATED)
WHITE_FROM = 2 / 3
"""Quantile of an image, without its background, that becomes white where it is saturated."""


@dataclass(frozen=True)
class Line:
    """A line: middle in pixels (y, x), angle in radians, width in pixels, contrast in sigma."""

    y: float
    x: float
    angle: float
    width: int
    contrast: int
    sign: int

    @property
    def amplitude(self) -> float:
        """How far it is from white or from what is there, in units of [0, 1] images."""
        return self.sign * self.contrast * SIGMA / GREY_LEVELS

    def cover(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return which share of each pixel it covers, float64 (height, width)."""
        sine, cosine = np.sin(self.angle), np.cos(self.angle)

        def inside(down: np.ndarray, right: np.ndarray) -> np.ndarray:
            along, across = right * cosine + down * sine, down * cosine - right * sine
            within: np.ndarray = (abs(along) <= LENGTH / 2) & (abs(across) <= self.width / 2)
            return within

        return covered(shape, self.y, self.x, (LENGTH + self.width) / 2, inside)


def brightened(clean: np.ndarray) -> np.ndarray:
    """Scale an image so that a third of what is not background is beyond white."""
    scene: np.ndarray = clean / np.quantile(clean[clean >= DARKEST], WHITE_FROM)
    return scene


def place(scene: np.ndarray, seed: int) -> list[Line]:
    """Choose lines for a slice; see :func:`training.benchmark.discs.place`."""
    random = np.random.default_rng(seed)
    kinds = [(width, contrast) for width in WIDTHS for contrast in CONTRASTS]
    random.shuffle(kinds)
    lines: list[Line] = []
    seen = scene.clip(0, 1)
    for y, x in grid(scene.shape, random):
        width, contrast = kinds[len(lines) % len(kinds)]
        line = Line(y, x, random.uniform(0, np.pi), width, contrast, 1)
        under = seen[line.cover(scene.shape) > 0]
        if seen[disc(scene.shape, y, x, LENGTH + 2 * RING[1]) > 0].mean() < DARKEST:
            continue
        above, below = 1 - under.max(), under.min()
        sign = 1 if above >= below else -1
        if max(above, below) >= contrast * SIGMA / GREY_LEVELS:
            lines.append(Line(y, x, line.angle, width, contrast, sign))
    return lines


def plant(scene: np.ndarray, lines: Sequence[Line]) -> np.ndarray:
    """Put the lines into a scene; where it is beyond white they are darker than white."""
    planted = scene.astype(np.float64)
    for line in lines:
        cover = line.cover(scene.shape)
        planted += cover * (line.amplitude - (planted - 1).clip(0))
    return planted


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
    lines = place(scene, noise_seed(name, 0))
    seed, sigma = noise_seed(name, SIGMA), SIGMA / GREY_LEVELS

    def result(image: np.ndarray) -> np.ndarray:
        noisy = add_gaussian(image.astype(np.float32), SIGMA, seed)
        noisy = noisy.clip(0, 1) if saturated else noisy
        clean = method(noisy, sigma)
        if isinstance(method, known.Network):
            # As the product does; without saturated areas it changes nothing.
            white = saturated_areas(noisy, constant_areas(noisy))
            clean = noisy - limit_beside(noisy - clean, white)
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
        shares.setdefault((line.width, line.contrast), []).append(float(share))
    for (width, contrast), found in sorted(shares.items()):
        yield Kept(width, contrast, len(found), float(np.mean(found)))


def measure(
    corpus: Path,
    results: Path,
    methods: Sequence[str] = METHODS,
    *,
    again: bool = False,
    progress: Progress = lambda name, done, total: None,
) -> None:
    """Measure methods on a few radiological images a modality, as they are and saturated."""
    images = [i for i in grey_images(corpus) if i.modality in CATEGORIES["radiology"]]
    work = [(exposure, image) for exposure in EXPOSURES for image in images]
    for name in methods:
        method, stem = known.make(name), known.stem(name)
        hashes = known.weights(method, channels=1)
        keys = ("image", "exposure", "width", "contrast")
        scores = Table(results / NAME / f"{stem}.csv", keys=keys, again=again)
        scores.check_weights(hashes)
        measured = {(row["exposure"], row["image"]) for row in scores.rows.values()}
        for done, (exposure, image) in enumerate(work, start=1):
            if (exposure, image.name) not in measured:
                columns = {"image": image.name, "modality": image.modality, "sigma": SIGMA}
                # Together, so that one row of an image tells of all.
                for row in list(contrasts(image.name, image.pixels, exposure, method)):
                    exposed = {**columns, "exposure": exposure, **asdict(row)}
                    scores.add({**exposed, "weights": hashes})
            progress(stem, done, len(work))


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
        "is not background is saturated, noise and all. Kept is the difference between the "
        "denoised image with the lines and the one without them, same noise, of what it is without "
        "noise; with 95 % intervals from resampling images.",
        taught("lines", "planted lines"),
        *parts,
    )
