"""Discs planted in slices, as small lesions, and how much of their contrast is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_dran.noise import GREY_LEVELS, add_gaussian
from napari_dran.training.evaluation import noise_seed
from napari_dran.training.methods import Method

SIGMA = 25.0
SIZES = (2, 3, 4, 5, 6, 8)
CONTRASTS = (3, 5)
CELL = 28
"""Pixels between neighbouring spots, before jitter: more than a receptive field of detail."""

JITTER = 5
BORDER = 16
RING = (2.0, 5.0)
"""Inner and outer radius of the ring, in pixels beyond the disc's."""

DARKEST = 0.04
"""Mean level below which a place is background, where no lesion is."""

FINENESS = 8
"""Subpixels a pixel and axis, for smooth edges."""


@dataclass(frozen=True)
class Spot:
    """A disc: centre in pixels (y, x), diameter in pixels, contrast in sigma, and sign."""

    y: float
    x: float
    size: int
    contrast: int
    sign: int

    @property
    def amplitude(self) -> float:
        """What is added where the disc covers a pixel, in units of [0, 1] images."""
        return self.sign * self.contrast * SIGMA / GREY_LEVELS


def disc(shape: tuple[int, ...], y: float, x: float, diameter: float) -> np.ndarray:
    """Return which share of each pixel a disc covers, float64 (height, width)."""
    return covered(
        shape, y, x, diameter / 2, lambda down, right: down**2 + right**2 <= (diameter / 2) ** 2
    )


def covered(
    shape: tuple[int, ...],
    y: float,
    x: float,
    radius: float,
    inside: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return which share of each pixel a figure covers, float64 (height, width).

    Parameters
    ----------
    shape : tuple of int
        Begins with height and width.
    y, x : float
        Centre of the figure, in pixels.
    radius : float
        No part of it is farther from there.
    inside : callable
        Says which points are in it, given how far they are down and right of the centre.
    """
    cover = np.zeros(shape[:2])
    reach = int(radius) + 2
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    rows = np.arange(top, min(shape[0], int(y) + reach + 1))
    columns = np.arange(left, min(shape[1], int(x) + reach + 1))
    within = (np.arange(FINENESS) + 0.5) / FINENESS - 0.5
    fine_y = (rows[:, None] + within).ravel()[:, None] - y
    fine_x = (columns[:, None] + within).ravel()[None] - x
    points = inside(fine_y, fine_x).astype(np.float64)
    shares = points.reshape(len(rows), FINENESS, len(columns), FINENESS).mean((1, 3))
    cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = shares
    return cover


def grid(shape: tuple[int, ...], random: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Yield places (y, x) that lie apart: a grid with jitter."""
    height, width = shape[:2]
    for top in range(BORDER, height - BORDER + 1, CELL):
        for left in range(BORDER, width - BORDER + 1, CELL):
            y, x = np.array([top, left]) + random.uniform(-JITTER, JITTER, 2)
            yield float(y), float(x)


def place(clean: np.ndarray, seed: int) -> list[Spot]:
    """Choose spots for a slice: a jittered grid, sizes and contrasts in turn.

    Parameters
    ----------
    clean : ndarray
        float32 (height, width) in [0, 1].
    seed : int
        Of jitter and order.

    Returns
    -------
    list of Spot
        Those that stay within [0, 1], bright or dark, whichever has more room;
        none in the background.
    """
    random = np.random.default_rng(seed)
    kinds = [(size, contrast) for size in SIZES for contrast in CONTRASTS]
    random.shuffle(kinds)
    spots: list[Spot] = []
    for y, x in grid(clean.shape, random):
        size, contrast = kinds[len(spots) % len(kinds)]
        under = clean[disc(clean.shape, y, x, size) > 0]
        around = clean[disc(clean.shape, y, x, size + 2 * RING[1]) > 0]
        if not under.size or around.mean() < DARKEST:
            continue
        room_above, room_below = 1 - under.max(), under.min()
        sign = 1 if room_above >= room_below else -1
        if max(room_above, room_below) >= contrast * SIGMA / GREY_LEVELS:
            spots.append(Spot(y, x, size, contrast, sign))
    return spots


def plant(clean: np.ndarray, spots: list[Spot]) -> np.ndarray:
    """Add the spots to an image."""
    planted = clean.astype(np.float64)
    for spot in spots:
        planted += spot.amplitude * disc(clean.shape, spot.y, spot.x, spot.size)
    return planted.astype(np.float32)


def kept(spot: Spot, with_spots: np.ndarray, without: np.ndarray) -> float:
    """Return the share of a spot's contrast in the difference of two results.

    The mean of their difference over the disc, weighted by how much of each pixel
    the disc covers, over that of what was planted: 1 if the spot is all there.
    """
    cover = disc(without.shape, spot.y, spot.x, spot.size)
    difference = with_spots.astype(np.float64) - without.astype(np.float64)
    return float((cover * difference).sum() / (cover**2).sum() / spot.amplitude)


def disc_minus_ring(spot: Spot, image: np.ndarray) -> float:
    """Return the mean over a spot's disc minus that over the ring around it, times its sign."""
    cover = disc(image.shape, spot.y, spot.x, spot.size)
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
    spots = place(clean, noise_seed(name, 0))
    if not spots:
        return
    planted = plant(clean, spots)
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
