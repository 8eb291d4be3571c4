"""What is planted into clean crops: fields without structure, small spots, thin lines.

Natural training images have few of them, and a network that never saw them draws
texture into flat fields and takes small lesions, vessels and septa for noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEEPEST = 0.5
"""Most that a plane changes from one edge of the crop to the other."""

MOST_MARKS = 6
SMALLEST, WIDEST = 1.5, 8.0
"""Diameter of spots, in pixels."""

FAINTEST, STRONGEST = 0.05, 0.6
"""Contrast of spots and lines, in units of [0, 1] images."""

THINNEST, THICKEST = 0.7, 3.0
"""Width of lines, in pixels."""

STRONGEST_BEND = 0.05
"""Largest curvature of lines, in 1 / pixel: half of them are far straighter."""


def with_planes(crops: Tensor, share: float, choices: torch.Generator) -> Tensor:
    """Replace a share of crops by planes of random level and slope.

    Parameters
    ----------
    crops : Tensor
        (N, C, H, W) in [0, 1].
    share : float
        Probability of each crop.
    choices : torch.Generator
        On the CPU; it decides everything.
    """
    n, channels, height, width = crops.shape
    chosen = torch.rand(n, generator=choices) < share
    level = torch.rand((n, channels, 1, 1), generator=choices)
    slopes = torch.rand((2, n, channels, 1, 1), generator=choices) * 2 - 1
    # Half of the planes are level.
    slopes = slopes * STEEPEST * (torch.rand((n, 1, 1, 1), generator=choices) < 0.5)
    y = torch.linspace(-0.5, 0.5, height)[:, None]
    x = torch.linspace(-0.5, 0.5, width)[None, :]
    planes = (level + slopes[0] * y + slopes[1] * x).clamp(0, 1).to(crops.device)
    return torch.where(chosen.to(crops.device)[:, None, None, None], planes, crops)


def with_spots(crops: Tensor, share: float, choices: torch.Generator) -> Tensor:
    """Plant one to six bright or dark discs with soft edges into a share of crops.

    Parameters
    ----------
    crops, share, choices
        See :func:`with_planes`. Sums outside [0, 1] are clipped.
    """
    marks = _Marks(crops, share, 1, choices)
    (size,) = marks.shape
    distance = torch.hypot(marks.y, marks.x)
    radius = (SMALLEST + (WIDEST - SMALLEST) * size) / 2
    return marks.added((radius - distance + 0.5).clamp(0, 1))


def with_lines(crops: Tensor, share: float, choices: torch.Generator) -> Tensor:
    """Plant one to six bright or dark thin lines, straight or bent, into a share of crops.

    Each is an arc of a circle that runs through the whole crop, with soft edges.

    Parameters
    ----------
    crops, share, choices
        See :func:`with_planes`. Sums outside [0, 1] are clipped.
    """
    marks = _Marks(crops, share, 3, choices)
    angle, bend, size = marks.shape
    y, x = marks.y, marks.x
    # Distance to a circle of curvature c through the origin, with u the coordinate along its
    # normal there: R - |p - centre| = f / (1 + sqrt(1 - c f)), f = 2 u - c r^2, which stays
    # exact for straight lines.
    across = y * torch.sin(2 * torch.pi * angle) + x * torch.cos(2 * torch.pi * angle)
    curvature = STRONGEST_BEND * bend**3
    along = 2 * across - curvature * (y**2 + x**2)
    distance = along.abs() / (1 + (1 - curvature * along).clamp_min(0).sqrt())
    thickness = THINNEST + (THICKEST - THINNEST) * size
    return marks.added(((thickness + 1) / 2 - distance).clamp(0, 1) * thickness.clamp_max(1))


class _Marks:
    """One to six marks a crop: where they lie, and how they are added.

    Parameters
    ----------
    crops, share, choices
        See :func:`with_planes`.
    numbers : int
        How many numbers the shape of a mark is made of.

    Attributes
    ----------
    y, x : Tensor
        (N, marks, H, 1) and (N, marks, 1, W): how far each pixel is from a mark.
    shape : Tensor
        (numbers, N, marks, 1, 1), uniform in [0, 1].
    """

    def __init__(self, crops: Tensor, share: float, numbers: int, choices: torch.Generator) -> None:
        self._crops = crops
        n, channels, height, width = crops.shape
        chosen = torch.rand(n, generator=choices) < share
        place = torch.rand((2, n, MOST_MARKS, 1, 1), generator=choices)
        drawn = torch.rand((numbers + 2, n, MOST_MARKS, 1, 1), generator=choices)
        self.shape, strength, sign = drawn[:numbers], drawn[-2], drawn[-1]
        count = torch.randint(1, MOST_MARKS + 1, (n, 1, 1, 1), generator=choices)
        self._tint = torch.rand((n, MOST_MARKS, channels, 1, 1), generator=choices)
        self.y = torch.arange(height)[:, None] - place[0] * (height - 1)
        self.x = torch.arange(width)[None, :] - place[1] * (width - 1)
        # Faint ones are more frequent: they are the ones that are lost.
        contrast = FAINTEST * (STRONGEST / FAINTEST) ** strength
        there = torch.arange(MOST_MARKS)[None, :, None, None] < count
        self._contrast = torch.where(sign < 0.5, -contrast, contrast) * (
            there & chosen[:, None, None, None]
        )

    def added(self, cover: Tensor) -> Tensor:
        """Add them to the crops; ``cover`` is which share of a pixel (N, marks, H, W) each has."""
        planted = cover * self._contrast
        # In colour each has a tint, in grey only its contrast.
        colour = self._crops.shape[1] > 1
        tinted = (
            (planted[:, :, None] * self._tint).sum(1) if colour else planted.sum(1, keepdim=True)
        )
        tinted = tinted.to(self._crops.device)
        return torch.where(tinted == 0, self._crops, (self._crops + tinted).clamp(0, 1))
