"""Corners of a slice: where a network keeps notes for itself.

Zeros around the image tell a network where the corners are, and training taught DRAN to
use one as a place for a large value, which the mean over the slice that weighs its
kernels then sees: it says how little noise there is. It comes out as noise of the
first two or three pixels, and the smaller and cleaner the slice, the larger: in one of
48 pixels several times its range. Vision transformers do the same in patches of little
content (Darcet et al., "Vision Transformers Need Registers", ICLR 2024). So in the
corners no more is taken off than the noise beside them says.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CORNER = 6
"""Pixels from a corner along both edges; a quarter of the side in slices of less than 24."""

BESIDE = 32
"""Side in pixels of the square, with the same corner, whose noise tells how much there can be."""

LARGEST = 4.0
"""Most that is taken off, in mean magnitudes of the noise beside: 3.2 standard deviations of
Gaussian noise, and all but 0.14 % of it is within."""


class QuietCorners(nn.Module):
    """Limits the noise that a network before it finds in the corners."""

    def forward(self, noise: Tensor) -> Tensor:
        """Limit noise (N, C, H, W), each image apart from the others."""
        return limit_corners(noise)


def limit_corners(noise: Tensor) -> Tensor:
    """Limit noise (N, C, H, W) in its four corners to what there is beside them."""
    height, width = noise.shape[2:]
    high, wide = min(CORNER, height // 4), min(CORNER, width // 4)
    corners = _corners(height, width, high, wide)
    squares = _corners(height, width, BESIDE, BESIDE)
    limited, beside = noise.clone(), noise.abs()
    counted = torch.ones_like(beside[:1, :1])
    for corner in corners:
        beside[corner] = 0
        counted[corner] = 0
    for corner, square in zip(corners, squares, strict=True):
        most = LARGEST * beside[square].sum((2, 3), keepdim=True) / counted[square].sum()
        limited[corner] = torch.minimum(torch.maximum(noise[corner], -most), most)
    return limited


def _corners(height: int, width: int, high: int, wide: int) -> list[Any]:
    """Index the four corners, ``high`` x ``wide`` pixels each, of (N, C, height, width)."""
    rows = slice(0, high), slice(max(0, height - high), height)
    columns = slice(0, wide), slice(max(0, width - wide), width)
    return [(..., row, column) for row in rows for column in columns]
