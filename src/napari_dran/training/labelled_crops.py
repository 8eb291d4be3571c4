"""Random pieces of labelled images, distorted on the device that trains."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..noise import GREY_LEVELS
from .analysis_recipe import AnalysisRecipe
from .labelled import LabelledImage

GRID = 5
"""Points a side that smooth distortions are drawn at."""

OWN_RANGE = (0.001, 0.999)
SMALLEST_RANGE = 0.05
"""Images of less contrast are not stretched to all of [0, 1]: they hold noise only."""

FAINTEST = 0.1
"""Least share of its contrast with the background that an object keeps."""

HALO, EDGE = 7, 5
"""An object that was made fainter takes its halo along, and then meets its surroundings
softly: widths of the two filters in pixels."""

TRIES = 4
"""Places tried for a piece with an object in it."""


class LabelledCrops:
    """Makes batches of pieces.

    Parameters
    ----------
    images : list of LabelledImage
        What they are cut from; kept on the device as bytes.
    recipe : AnalysisRecipe
        Says how large, and how they are distorted.
    device : torch.device
        Where batches are made.
    """

    def __init__(
        self, images: list[LabelledImage], recipe: AnalysisRecipe, device: torch.device
    ) -> None:
        self.recipe, self.device = recipe, device
        self.pixels = [torch.from_numpy(i.pixels).to(device) for i in images]
        self.labels = [torch.from_numpy(i.labels).to(device) for i in images]

    def batch(self, size: int, step: int, rank: int = 0) -> tuple[Tensor, Tensor]:
        """Make the batch of a step; the same step gives the same batch.

        Returns
        -------
        images : Tensor
            float32 (size, 3, crop, crop), about [0, 1].
        labels : Tensor
            int64 (size, crop, crop): 0 and the objects' numbers.
        """
        seed = np.random.SeedSequence((self.recipe.seed, step, rank)).generate_state(2)
        rng = np.random.default_rng(int(seed[0]))
        torch.manual_seed(int(seed[1]))
        images, labels = zip(*(self._piece(rng) for _ in range(size)), strict=True)
        return distort(torch.stack(images), torch.stack(labels), self.recipe)

    def _piece(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Cut (3, crop, crop) and its labels, padded where the image is smaller."""
        index = int(rng.integers(len(self.pixels)))
        pixels, labels = self.pixels[index], self.labels[index]
        crop = self.recipe.crop
        height, width = labels.shape
        for _ in range(TRIES):
            top = int(rng.integers(max(1, height - crop + 1)))
            left = int(rng.integers(max(1, width - crop + 1)))
            its_labels = labels[top : top + crop, left : left + crop]
            if bool(its_labels.any()):
                break
        piece = pixels[top : top + crop, left : left + crop].permute(2, 0, 1).float() / GREY_LEVELS
        down, right = crop - piece.shape[1], crop - piece.shape[2]
        piece = F.pad(piece, (0, right, 0, down), mode="replicate")
        return piece, F.pad(its_labels, (0, right, 0, down)).long()


def distort(images: Tensor, labels: Tensor, recipe: AnalysisRecipe) -> tuple[Tensor, Tensor]:
    """Turn, flip, zoom, bend, and change contrast and brightness, each image otherwise.

    Beyond their border images go on mirrored for a U-Net, and are black for a detector.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) in [0, 1].
    labels : Tensor
        (N, H, W), whole numbers.
    recipe : AnalysisRecipe
        Says how much.
    """
    count, device = len(images), images.device

    def spread(*shape: int) -> Tensor:
        return torch.rand(count, *shape, device=device) * 2 - 1

    angle = spread() * math.radians(recipe.rotation)
    zoom = torch.exp(spread() * math.log(recipe.zoom))
    flip = torch.where(spread() < 0, -1.0, 1.0)
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = spread(2) * (recipe.zoom - 1) / 2
    rows = [cosine * flip, -sine, shift[:, 0], sine * flip, cosine, shift[:, 1]]
    grid = F.affine_grid(
        torch.stack(rows, 1).view(count, 2, 3), list(images.shape), align_corners=False
    )
    if recipe.elastic:
        bends = torch.randn(count, 2, GRID, GRID, device=device) * recipe.elastic
        smooth = F.interpolate(bends, grid.shape[1:3], mode="bicubic", align_corners=False)
        grid = grid + smooth.permute(0, 2, 3, 1)
    if recipe.faint:
        images = faint(images, labels, recipe.faint)
    # A mirrored object has its number twice, which would spoil its box.
    beyond = "reflection" if recipe.task == "segment" else "zeros"
    images = F.grid_sample(images, grid, padding_mode=beyond, align_corners=False)
    moved = F.grid_sample(
        labels[:, None].float(), grid, mode="nearest", padding_mode=beyond, align_corners=False
    )
    stretched = torch.rand(count, 1, 1, 1, device=device) < recipe.stretched
    if bool(stretched.any()):
        images = torch.where(stretched, _to_own_range(images), images)
    images = images.clamp(0, 1) ** torch.exp(spread(3, 1, 1) * recipe.contrast)
    images = (
        images * (1 + spread(3, 1, 1) * recipe.contrast) + spread(3, 1, 1) * recipe.contrast / 6
    )
    single = torch.rand(count, 1, 1, 1, device=device) < recipe.single
    copied = images[:, recipe.copied : recipe.copied + 1].expand_as(images)
    images = torch.where(single, copied, images)
    inverted = torch.rand(count, 1, 1, 1, device=device) < recipe.inverted
    images = torch.where(inverted, 1 - images, images)
    low, high = recipe.noise
    if high:
        sigma = low + (high - low) * torch.rand(count, 1, 1, 1, device=device)
        images = images + torch.randn_like(images) * sigma / GREY_LEVELS
    return images, moved[:, 0].round().long()


def faint(images: Tensor, labels: Tensor, share: float) -> Tensor:
    """Make some objects fainter, each by a factor of its own.

    An object's difference to the median of the background is scaled by a factor whose
    logarithm is uniform, down to ``FAINTEST``.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W).
    labels : Tensor
        (N, H, W), whole numbers; 0 is the background.
    share : float
        Of the objects that are changed.
    """
    count = int(labels.max()) + 1
    device = images.device
    kept = FAINTEST ** torch.rand(len(images), count, device=device)
    kept[torch.rand(kept.shape, device=device) >= share] = 1
    kept[:, 0] = 1
    wide = F.max_pool2d(labels[:, None].float(), HALO, 1, HALO // 2)[:, 0].long()
    wide = torch.where(labels > 0, labels, wide)
    factors = kept.gather(1, wide.flatten(1)).view(labels.shape)[:, None]
    factors = F.avg_pool2d(factors, EDGE, 1, EDGE // 2, count_include_pad=False)
    outside = images.masked_fill((labels > 0)[:, None], torch.nan).flatten(2)
    background = outside.nanmedian(dim=2).values.nan_to_num(0)[..., None, None]
    return background + (images - background) * factors


def _to_own_range(images: Tensor) -> Tensor:
    """Bring all but the outermost values of each image to [0, 1]."""
    flat = images.flatten(1)
    low, high = (torch.quantile(flat, q, dim=1)[:, None, None, None] for q in OWN_RANGE)
    return (images - low) / (high - low).clamp_min(SMALLEST_RANGE)
