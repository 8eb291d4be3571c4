"""Marks planted in slices, discs and lines: where they lie, and what they cover."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from napari_dran.noise import GREY_LEVELS

CONTRASTS = (3, 5)
CELL = 28
"""Pixels between neighbouring marks, before jitter: more than a receptive field of detail."""

JITTER = 5
BORDER = 16
RING = (2.0, 5.0)
"""Inner and outer radius of the ring around a disc, in pixels beyond the disc's."""

DARKEST = 0.04
"""Mean level below which a place is background, where no lesion is."""

FINENESS = 8
"""Subpixels a pixel and axis, for smooth edges."""


@dataclass(frozen=True)
class Mark(ABC):
    """Something planted: centre in pixels (y, x), size in pixels, contrast in sigma, and sign."""

    y: float
    x: float
    size: int
    contrast: int
    sign: int = 1

    sigma: ClassVar[float]
    """Of the noise, in grey levels of 255."""

    @property
    def amplitude(self) -> float:
        """What is added where it covers a pixel, in units of [0, 1] images."""
        return self.sign * self.contrast * self.sigma / GREY_LEVELS

    @property
    @abstractmethod
    def length(self) -> float:
        """How far it reaches from one end to the other, in pixels."""

    @abstractmethod
    def cover(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return which share of each pixel it covers, float64 (height, width)."""


M = TypeVar("M", bound=Mark)


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


def place(
    scene: np.ndarray,
    seed: int,
    sizes: Sequence[int],
    make: Callable[[np.random.Generator, float, float, int, int], M],
) -> list[M]:
    """Choose marks for a slice: a jittered grid, sizes and contrasts in turn.

    Parameters
    ----------
    scene : ndarray
        float (height, width), what is seen of it in [0, 1].
    seed : int
        Of jitter and order.
    sizes : sequence of int
        In pixels.
    make : callable
        Makes a mark of (random, y, x, size, contrast).

    Returns
    -------
    list of Mark
        Those that stay within [0, 1], bright or dark, whichever has more room;
        none in the background.
    """
    random = np.random.default_rng(seed)
    seen = scene.clip(0, 1)
    kinds = [(size, contrast) for size in sizes for contrast in CONTRASTS]
    random.shuffle(kinds)
    marks: list[M] = []
    for y, x in grid(scene.shape, random):
        mark = make(random, y, x, *kinds[len(marks) % len(kinds)])
        under = seen[mark.cover(scene.shape) > 0]
        around = seen[disc(scene.shape, y, x, mark.length + 2 * RING[1]) > 0]
        if not under.size or around.mean() < DARKEST:
            continue
        above, below = 1 - under.max(), under.min()
        if max(above, below) >= abs(mark.amplitude):
            marks.append(replace(mark, sign=1 if above >= below else -1))
    return marks


def plant(scene: np.ndarray, marks: Sequence[Mark]) -> np.ndarray:
    """Put marks into a scene, float64; where it is beyond white they are darker than white."""
    planted = scene.astype(np.float64)
    for mark in marks:
        planted += mark.cover(scene.shape) * (mark.amplitude - (planted - 1).clip(0))
    return planted
