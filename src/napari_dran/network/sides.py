"""Images brought to the size that a network was trained at, when training and after."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def sides_at(height: int, width: int, longest: int) -> list[int]:
    """Return height and width, in proportion, where the longer is ``longest``; 0 keeps them."""
    factor = longest / max(height, width) if longest else 1.0
    return [max(1, round(side * factor)) for side in (height, width)]


def bring_to_side(images: Tensor, longest: int) -> Tensor:
    """Resize images (N, C, H, W) to :func:`sides_at`; smaller ones are low-pass filtered first."""
    height, width = images.shape[-2:]
    new = sides_at(height, width, longest)
    if new == [height, width]:
        return images
    smaller = max(new) < max(height, width)
    return F.interpolate(images, new, mode="bilinear", align_corners=False, antialias=smaller)
