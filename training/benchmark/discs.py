"""Discs planted in slices, as small lesions, and how much of their contrast is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_dran.noise import GREY_LEVELS, add_gaussian
from napari_dran.training.evaluation import noise_seed
from napari_dran.training.methods import Method

from .marks import CONTRASTS, RING, Mark, disc, place, plant

SIGMA = 25.0
SIZES = (2, 3, 4, 5, 6, 8)


@dataclass(frozen=True)
class Spot(Mark):
    """A disc; its size is the diameter."""

    sigma = SIGMA

    @property
    def length(self) -> float:
        """Its diameter."""
        return self.size

    def cover(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return which share of each pixel it covers, float64 (height, width)."""
        return disc(shape, self.y, self.x, self.size)


def spots_for(clean: np.ndarray, seed: int) -> list[Spot]:
    """Choose spots for a slice, see :func:`training.benchmark.marks.place`."""
    return place(clean, seed, SIZES, lambda _, *where_and_what: Spot(*where_and_what))


def kept(spot: Spot, with_spots: np.ndarray, without: np.ndarray) -> float:
    """Return the share of a spot's contrast in the difference of two results.

    The mean of their difference over the disc, weighted by how much of each pixel
    the disc covers, over that of what was planted: 1 if the spot is all there.
    """
    cover = spot.cover(without.shape)
    difference = with_spots.astype(np.float64) - without.astype(np.float64)
    return float((cover * difference).sum() / (cover**2).sum() / spot.amplitude)


def disc_minus_ring(spot: Spot, image: np.ndarray) -> float:
    """Return the mean over a spot's disc minus that over the ring around it, times its sign."""
    cover = spot.cover(image.shape)
    inner, outer = (disc(image.shape, spot.y, spot.x, spot.size + 2 * r) for r in RING)
    ring = outer - inner
    levels = image.astype(np.float64)
    return spot.sign * float(
        (cover * levels).sum() / cover.sum() - (ring * levels).sum() / ring.sum()
    )


@dataclass(frozen=True)
class Contrast:
    """Mean over the spots of one size and contrast in one image."""

    size: int
    contrast: int
    spots: int
    kept: float
    seen: float


def contrasts(name: str, clean: np.ndarray, method: Method) -> Iterator[Contrast]:
    """Measure a method on one image."""
    spots = spots_for(clean, noise_seed(name, 0))
    if not spots:
        return
    planted = plant(clean, spots).astype(np.float32)
    seed, sigma = noise_seed(name, SIGMA), SIGMA / GREY_LEVELS
    without = method(add_gaussian(clean, SIGMA, seed), sigma)
    result = method(add_gaussian(planted, SIGMA, seed), sigma)
    for size in SIZES:
        for contrast in CONTRASTS:
            mine = [s for s in spots if (s.size, s.contrast) == (size, contrast)]
            if mine:
                truth = sum(disc_minus_ring(spot, planted) for spot in mine)
                yield Contrast(
                    size,
                    contrast,
                    len(mine),
                    float(np.mean([kept(spot, result, without) for spot in mine])),
                    sum(disc_minus_ring(spot, result) for spot in mine) / truth,
                )
