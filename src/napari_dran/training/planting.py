"""What is planted into clean crops: fields without structure, small spots, thin lines.

Natural training images have few of them, and a network that never saw them draws
texture into flat fields and takes small lesions, vessels and septa for noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEEPEST = 0.5
"""Most that a plane changes from one edge of the crop to the other."""

MOST_SPOTS = 6
SMALLEST, WIDEST = 1.5, 8.0
"""Diameter of spots, in pixels."""

FAINTEST, STRONGEST = 0.05, 0.6
"""Contrast of spots and lines, in units of [0, 1] images."""

MOST_LINES = 6
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
    n, channels, height, width = crops.shape
    chosen = torch.rand(n, generator=choices) < share
    place = torch.rand((2, n, MOST_SPOTS, 1, 1), generator=choices)
    size, strength, sign = torch.rand((3, n, MOST_SPOTS, 1, 1), generator=choices)
    count = torch.randint(1, MOST_SPOTS + 1, (n, 1, 1, 1), generator=choices)
    tint = torch.rand((n, MOST_SPOTS, channels, 1, 1), generator=choices)
    y, x = torch.arange(height)[:, None], torch.arange(width)[None, :]
    distance = torch.hypot(y - place[0] * (height - 1), x - place[1] * (width - 1))
    radius = (SMALLEST + (WIDEST - SMALLEST) * size) / 2
    discs = (radius - distance + 0.5).clamp(0, 1)
    there = torch.arange(MOST_SPOTS)[None, :, None, None] < count
    spots = discs * _contrast(strength, sign) * there * chosen[:, None, None, None]
    return _added(crops, spots, tint)


def with_lines(crops: Tensor, share: float, choices: torch.Generator) -> Tensor:
    """Plant one to six bright or dark thin lines, straight or bent, into a share of crops.

    Each is an arc of a circle that runs through the whole crop, with soft edges.

    Parameters
    ----------
    crops, share, choices
        See :func:`with_planes`. Sums outside [0, 1] are clipped.
    """
    n, channels, height, width = crops.shape
    chosen = torch.rand(n, generator=choices) < share
    place = torch.rand((2, n, MOST_LINES, 1, 1), generator=choices)
    angle, bend, size, strength, sign = torch.rand((5, n, MOST_LINES, 1, 1), generator=choices)
    count = torch.randint(1, MOST_LINES + 1, (n, 1, 1, 1), generator=choices)
    tint = torch.rand((n, MOST_LINES, channels, 1, 1), generator=choices)
    y = torch.arange(height)[:, None] - place[0] * (height - 1)
    x = torch.arange(width)[None, :] - place[1] * (width - 1)
    # Distance to a circle of curvature c through the origin, with u the coordinate along its
    # normal there: R - |p - centre| = f / (1 + sqrt(1 - c f)), f = 2 u - c r^2, which stays
    # exact for straight lines.
    across = y * torch.sin(2 * torch.pi * angle) + x * torch.cos(2 * torch.pi * angle)
    curvature = STRONGEST_BEND * bend**3
    along = 2 * across - curvature * (y**2 + x**2)
    distance = along.abs() / (1 + (1 - curvature * along).clamp_min(0).sqrt())
    thickness = THINNEST + (THICKEST - THINNEST) * size
    lines = ((thickness + 1) / 2 - distance).clamp(0, 1) * thickness.clamp_max(1)
    there = torch.arange(MOST_LINES)[None, :, None, None] < count
    lines = lines * _contrast(strength, sign) * there * chosen[:, None, None, None]
    return _added(crops, lines, tint)


def _contrast(strength: Tensor, sign: Tensor) -> Tensor:
    # Faint ones are more frequent: they are the ones that are lost.
    return FAINTEST * (STRONGEST / FAINTEST) ** strength * torch.where(sign < 0.5, -1.0, 1.0)


def _added(crops: Tensor, planted: Tensor, tint: Tensor) -> Tensor:
    # In colour each has a tint, in grey only its contrast.
    colour = crops.shape[1] > 1
    coloured = (planted[:, :, None] * tint).sum(1) if colour else planted.sum(1, keepdim=True)
    coloured = coloured.to(crops.device)
    return torch.where(coloured == 0, crops, (crops + coloured).clamp(0, 1))
