"""Training images in memory, and the noisy crops cut from them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import FileReadError, InputError

MAX_GREY = 255.0

RARE_SHARE = 0.15
"""Share of crops from images of the other kind: colour for grey networks, and the reverse."""

COARSE_SHARE = 0.3
SCALES = (2, 3)
"""Share of crops that are averaged down, and by which factors."""
MAX_GREY_16 = 65535.0


@dataclass(frozen=True)
class TrainingImage:
    """One clean image in [0, 1].

    Parameters
    ----------
    name : str
        Path inside the corpus.
    modality : str
        Name of its folder.
    pixels : ndarray
        float32 (channels, height, width) in [0, 1], 1 or 3 channels.
    """

    name: str
    modality: str
    pixels: np.ndarray


def read_corpus(folder: str | Path) -> list[TrainingImage]:
    """Read ``<folder>/<modality>/*.png`` (8 or 16 bit, grey or RGB), sorted by name.

    Raises
    ------
    InputError
        The folder holds no such image.
    FileReadError
        An image is damaged.
    """
    return [read_image(path) for path in corpus_files(folder)]


def corpus_files(folder: str | Path) -> list[Path]:
    """List ``<folder>/<modality>/*.png``, sorted by name.

    Raises
    ------
    InputError
        There is no such file.
    """
    root = Path(folder)
    paths = sorted(root.glob("*/*.png"))
    if not paths:
        raise InputError(
            f"Found no images in {root}. Expected PNG files in folders named after the "
            f"modality, e.g. {root / 'mri' / 'image.png'}."
        )
    return paths


def read_image(path: Path) -> TrainingImage:
    """Read ``<modality>/<file>.png``.

    Raises
    ------
    FileReadError
        The image is damaged.
    """
    try:
        with Image.open(path) as image:
            plain = "RGB" if image.mode in ("P", "PA", "RGBA", "CMYK") else "L"
            known = image.mode in ("L", "RGB") or image.mode.startswith("I")
            pixels = np.asarray(image if known else image.convert(plain))
    except (OSError, SyntaxError) as error:
        raise FileReadError(
            f"Could not read {path} ({error}). Remove the file or get it again."
        ) from error
    largest = MAX_GREY if pixels.dtype == np.uint8 else MAX_GREY_16
    scaled = pixels.astype(np.float32) / np.float32(largest)
    scaled = scaled[None] if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    name = f"{path.parent.name}/{path.name}"
    return TrainingImage(name, path.parent.name, np.ascontiguousarray(scaled))


def corpus_sources(folder: str | Path) -> dict[str, str]:
    """Map each source of a corpus manifest to its licence, for a weights card."""
    with (Path(folder) / "manifest.csv").open(newline="") as file:
        return {row["source"]: row["licence"] for row in csv.DictReader(file)}


class NoisyCrops:
    """Random crops with Gaussian noise of random strength, drawn for ever.

    Modalities are drawn with equal probability, so that the large ones do not
    drown the small. Grey networks see colour images as a random channel mix, half
    as often; colour networks see colour images, and now and then a grey one three
    times. Some crops are averaged down, as coarse scans are.

    Parameters
    ----------
    images : list of TrainingImage
        Clean images.
    channels : {1, 3}
        Channels of the network.
    crop : int
        Side of the crops in pixels.
    sigma : tuple of float
        Range of the noise's standard deviation, in grey levels of 255.
    generator : numpy.random.Generator
        Source of every random choice.
    """

    def __init__(
        self,
        images: list[TrainingImage],
        channels: int,
        crop: int,
        sigma: tuple[float, float],
        generator: np.random.Generator,
    ) -> None:
        self.channels = channels
        self.crop = crop
        self.sigma = sigma
        self.generator = generator
        self.groups: dict[str, list[np.ndarray]] = {}
        for image in images:
            if min(image.pixels.shape[1:]) < crop:
                raise InputError(
                    f"{image.name} is {image.pixels.shape[2]} x {image.pixels.shape[1]} pixels, "
                    f"smaller than the crop of {crop}. Lower the crop or remove the image."
                )
            self.groups.setdefault(image.modality, []).append(image.pixels)
        self.colour = [key for key, group in self.groups.items() if group[0].shape[0] == 3]
        if channels == 3 and not self.colour:
            raise InputError("Expected colour images for a network of three channels, got none.")

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Draw ``size`` crops.

        Returns
        -------
        noisy, noise : Tensor
            float32 (size, channels, crop, crop), in units of [0, 1] images. The
            noisy crops are not clipped.
        """
        rng = self.generator
        clean = torch.from_numpy(np.stack([self._crop() for _ in range(size)]))
        sigma = rng.uniform(*self.sigma, size=(size, 1, 1, 1)) / MAX_GREY
        noise = rng.standard_normal(clean.shape, dtype=np.float32) * sigma.astype(np.float32)
        noise_t = torch.from_numpy(noise)
        return clean + noise_t, noise_t

    def _crop(self) -> np.ndarray:
        rng = self.generator
        grey = [key for key in self.groups if key not in self.colour]
        rare, common = (grey, self.colour) if self.channels == 3 else (self.colour, grey)
        pick_rare = rare and (not common or rng.random() < RARE_SHARE)
        keys = rare if pick_rare else common
        group = self.groups[keys[rng.integers(len(keys))]]
        pixels = group[rng.integers(len(group))]
        # Coarse scans have structure at the scale of a pixel; the corpus has little of it.
        scale = int(rng.choice(SCALES)) if rng.random() < COARSE_SHARE else 1
        scale = min(scale, min(pixels.shape[1:]) // self.crop)
        size = scale * self.crop
        y, x = (rng.integers(side - size + 1) for side in pixels.shape[1:])
        crop = pixels[:, y : y + size, x : x + size]
        if scale > 1:
            crop = crop.reshape(-1, self.crop, scale, self.crop, scale).mean(axis=(2, 4))
        if self.channels == 1 and len(crop) == 3:
            mix = rng.dirichlet(np.ones(3)).astype(np.float32)
            crop = np.tensordot(mix, crop, axes=1)[None]
        elif self.channels == 3 and len(crop) == 1:
            crop = crop.repeat(3, axis=0)
        crop = np.rot90(crop, int(rng.integers(4)), axes=(1, 2))
        if rng.random() < 0.5:
            crop = crop[:, :, ::-1]
        if rng.random() < 0.25:
            # Scans arrive with other windows than the corpus: low contrast, inverted.
            gain = rng.uniform(0.3, 1.0)
            crop = crop * np.float32(gain) + np.float32(rng.uniform(0, 1 - gain))
            if rng.random() < 0.3:
                crop = 1 - crop
        return np.ascontiguousarray(crop, dtype=np.float32)
