"""What is planted into clean crops: fields without structure, and small spots.

Natural training images have few of either, and a network that never saw them draws
texture into flat fields and takes small lesions for noise.
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
"""Contrast of spots, in units of [0, 1] images."""


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
    # Faint spots are more frequent: they are the ones that are lost.
    contrast = FAINTEST * (STRONGEST / FAINTEST) ** strength * torch.where(sign < 0.5, -1.0, 1.0)
    there = torch.arange(MOST_SPOTS)[None, :, None, None] < count
    spots = discs * contrast * there * chosen[:, None, None, None]
    # In colour each spot has a tint, in grey only its contrast.
    coloured = (spots[:, :, None] * tint).sum(1) if channels > 1 else spots.sum(1, keepdim=True)
    coloured = coloured.to(crops.device)
    return torch.where(coloured == 0, crops, (crops + coloured).clamp(0, 1))
