"""Batches of noisy crops, cut and made noisy on the device that trains.

All images lie in one tensor in the device's memory, and a batch is a few gathers
from it: the device never waits for the CPU. A batch is decided by the seed, the
process and the step alone, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from .data import TrainingImage
from .noise_models import add_noise
from .planting import with_lines, with_planes, with_spots
from .recipe import Recipe

SMALLEST_CROP = 16
"""Side in pixels of the smallest crop that a recipe may ask for."""

RARE_SHARE = 0.15
"""Share of crops from images of the other kind: colour for grey networks, and the reverse."""

SCALES = (2, 3)
"""By which factors coarse crops are averaged down."""

LOWEST_CONTRAST = 0.3
INVERTED_SHARE = 0.3

BRIGHTEST = 2.5
LOWEST_WHITE = 0.6
"""Of clipped crops: most they are brightened, and the darkest white they end at."""


@dataclass(frozen=True)
class Pool:
    """Where the images of one kind, grey or colour, lie in the tensor of all pixels.

    Parameters
    ----------
    channels : int
        Channels of each image.
    images : Tensor
        int64 (images, 3): first pixel, height, width.
    first, count : Tensor
        int64 (folders,): the first image of each folder, and how many it has.
    """

    channels: int
    images: Tensor
    first: Tensor
    count: Tensor


class NoisyCrops:
    """Random crops of clean images, with noise.

    Folders (modalities) are drawn with equal probability, so that the large ones
    do not drown the small. Images of the other kind, if there are any, make up
    15 % of the crops: grey networks see colour as a random mix of its channels,
    colour networks see grey three times.

    Parameters
    ----------
    images : list of TrainingImage
        Clean images.
    channels : {1, 3}
        Channels of the network.
    recipe : Recipe
        Says which crops and which noise.
    device : torch.device
        Where the pixels lie (as float16) and the batches are made.

    Raises
    ------
    InputError
        No images of the network's kind, or some smaller than the crop.
    """

    def __init__(
        self,
        images: list[TrainingImage],
        channels: int,
        recipe: Recipe,
        device: torch.device | str = "cpu",
    ) -> None:
        self.channels = channels
        self.recipe = recipe
        self.device = torch.device(device)
        check_sizes(images, recipe.crop)
        # Half precision moves the clean images by 0.06 grey levels at most; the noise is exact.
        flat = [torch.from_numpy(image.pixels).half().flatten() for image in images]
        starts = np.cumsum([0, *(len(pixels) for pixels in flat)])
        self._pools = {
            kind: pool
            for kind in (1, 3)
            if (pool := _pool([(i, s) for i, s in zip(images, starts, strict=False)
                               if len(i.pixels) == kind], kind))
        }  # fmt: skip
        if channels not in self._pools:
            wanted = "colour" if channels == 3 else "grey"
            raise InputError(
                f"Expected {wanted} images for a network of {channels} channel"
                f"{'s' if channels > 1 else ''}, got none."
            )
        self._pixels = torch.cat(flat).to(self.device) if flat else torch.empty(0)

    def batch(self, size: int, step: int, process: int = 0) -> tuple[Tensor, Tensor]:
        """Make the batch of a step.

        Parameters
        ----------
        size : int
            Number of crops.
        step, process : int
            Decide, with the recipe's seed, every random choice.

        Returns
        -------
        noisy, noise : Tensor
            float32 (size, channels, crop, crop), in units of [0, 1] images. The
            noisy crops are not clipped, but for the recipe's share.
        """
        seeds = np.random.SeedSequence([self.recipe.seed, process, step]).generate_state(2)
        # Choices are drawn on the CPU: sizes that depend on them need no waiting there.
        choices = torch.Generator().manual_seed(int(seeds[0]))
        pixels = torch.Generator(self.device).manual_seed(int(seeds[1]))
        clean = self._clean(size, choices)
        if not self.recipe.clipped:
            noisy = add_noise(clean, self.recipe.noise, pixels)
            return noisy, noisy - clean
        gain, white = self._exposure(size, choices)
        clean = clean * gain
        noisy = torch.minimum(add_noise(clean, self.recipe.noise, pixels), white)
        noisy = torch.where(white.isfinite(), noisy.clamp_min(0), noisy)
        return noisy, noisy - torch.minimum(clean, white)

    def _clean(self, size: int, choices: torch.Generator) -> Tensor:
        other = 4 - self.channels
        rare = int((torch.rand(size, generator=choices) < RARE_SHARE).sum())
        counts = {other: rare if other in self._pools else 0}
        counts[self.channels] = size - counts[other]
        crops = [
            crop
            for kind, count in counts.items()
            if count
            for crop in self._cut(self._pools[kind], count, choices)
        ]
        shown = self._other_windows(torch.cat(crops), choices)
        # Draws that a recipe does not ask for would change what its seed means.
        if self.recipe.flat:
            shown = with_planes(shown, self.recipe.flat, choices)
        if self.recipe.spots:
            shown = with_spots(shown, self.recipe.spots, choices)
        if self.recipe.lines:
            shown = with_lines(shown, self.recipe.lines, choices)
        return shown

    def _exposure(self, size: int, choices: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw by how much each crop is brightened, and the white it ends at."""
        draws = torch.rand((3, size, 1, 1, 1), generator=choices)
        clipped = draws[0] < self.recipe.clipped
        gain = torch.where(clipped, 1 + (BRIGHTEST - 1) * draws[1], 1.0)
        white = torch.where(clipped, LOWEST_WHITE + (1 - LOWEST_WHITE) * draws[2], torch.inf)
        return gain.to(self.device), white.to(self.device)

    def _cut(self, pool: Pool, count: int, choices: torch.Generator) -> list[Tensor]:
        """Cut ``count`` crops from images of one kind, coarse ones apart."""
        folder, image, coarse, scale, top, left, down, right, turn = torch.rand(
            (9, count), generator=choices, dtype=torch.float64
        )
        folders = (folder * len(pool.first)).long()
        chosen = pool.images[pool.first[folders] + (image * pool.count[folders]).long()]
        start, height, width = chosen.unbind(1)
        # Coarse scans have structure at the scale of a pixel; many images have little of it.
        scales = torch.tensor(SCALES)[(scale * len(SCALES)).long()]
        scales = torch.where(coarse < self.recipe.coarse, scales, torch.ones_like(scales))
        scales = torch.minimum(scales, torch.minimum(height, width) // self.recipe.crop)
        cut = []
        for factor in sorted(set(scales.tolist())):
            mine = scales == factor
            side = factor * self.recipe.crop
            y = (top * (height - side + 1)).long()[mine]
            x = (left * (width - side + 1)).long()[mine]
            corner = (start[mine] + y * width[mine] + x).to(self.device)
            row, plane = width[mine].to(self.device), (height * width)[mine].to(self.device)
            ways = [way[mine].to(self.device) < 0.5 for way in (down, right, turn)]
            index = _dihedral(side, row, *ways)[:, None] + corner[:, None, None, None]
            planes = torch.arange(pool.channels, device=self.device)[None, :, None, None]
            crops = self._pixels[index + planes * plane[:, None, None, None]].float()
            crops = F.avg_pool2d(crops, factor) if factor > 1 else crops
            cut.append(self._to_channels(crops, choices))
        return cut

    def _to_channels(self, crops: Tensor, choices: torch.Generator) -> Tensor:
        if crops.shape[1] == self.channels:
            return crops
        if self.channels == 3:
            return crops.expand(-1, 3, -1, -1)
        # Uniform over all mixes (a flat Dirichlet distribution).
        mix = -torch.log1p(-torch.rand((len(crops), 3, 1, 1), generator=choices))
        mix = (mix / mix.sum(1, keepdim=True).clamp_min(1e-12)).to(self.device)
        return (crops * mix).sum(1, keepdim=True)

    def _other_windows(self, crops: Tensor, choices: torch.Generator) -> Tensor:
        """Give some crops a low contrast or invert them: scans arrive with any window."""
        draws = torch.rand((4, len(crops), 1, 1, 1), generator=choices)
        changed = draws[0] < self.recipe.windows
        gain = torch.where(changed, LOWEST_CONTRAST + (1 - LOWEST_CONTRAST) * draws[1], 1.0)
        offset = draws[2] * (1 - gain)
        inverted = changed & (draws[3] < INVERTED_SHARE)
        gain, offset = torch.where(inverted, -gain, gain), torch.where(inverted, 1 - offset, offset)
        return crops * gain.to(self.device) + offset.to(self.device)


def check_sizes(images: list[TrainingImage], crop: int) -> None:
    """Raise InputError if an image is smaller than the crop."""
    small = [image for image in images if min(image.pixels.shape[1:]) < crop]
    if small:
        height, width = small[0].pixels.shape[1:]
        side = min(min(image.pixels.shape[1:]) for image in small)
        lower = (
            f"Lower the crop to {side} or less, or remove" if side >= SMALLEST_CROP else "Remove"
        )
        raise InputError(
            f"{len(small)} of {len(images)} images are smaller than the crop of {crop} x {crop} "
            f"pixels, e.g. {small[0].name} ({width} x {height}). {lower} these images."
        )


def _pool(images: list[tuple[TrainingImage, int]], channels: int) -> Pool | None:
    if not images:
        return None
    folders: dict[str, list[tuple[int, int, int]]] = {}
    for image, start in images:
        height, width = image.pixels.shape[1:]
        folders.setdefault(image.modality, []).append((int(start), height, width))
    counts = [len(members) for members in folders.values()]
    return Pool(
        channels,
        torch.tensor([member for members in folders.values() for member in members]),
        torch.tensor([0, *np.cumsum(counts)[:-1].tolist()]),
        torch.tensor(counts),
    )


def _dihedral(side: int, row: Tensor, down: Tensor, right: Tensor, turn: Tensor) -> Tensor:
    """Index squares of pixels in one of the eight orientations.

    Parameters
    ----------
    side : int
        Of the squares.
    row : Tensor
        (N,) distance between rows in memory.
    down, right, turn : Tensor
        (N,) bool: flipped along y, along x, transposed.

    Returns
    -------
    Tensor
        int64 (N, side, side), from the corner of each square.
    """
    forward = torch.arange(side, device=row.device)
    y = torch.where(down[:, None], side - 1 - forward, forward)
    x = torch.where(right[:, None], side - 1 - forward, forward)
    turned = turn[:, None, None]
    y = torch.where(turned, y[:, None, :], y[:, :, None])
    x = torch.where(turned, x[:, :, None], x[:, None, :])
    return y * row[:, None, None] + x
