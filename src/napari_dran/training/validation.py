"""Validation while training: scores, best weights, the log, and the checkpoint."""

from __future__ import annotations

import csv
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..files.atomic import writing
from ..metrics import psnr, ssim
from ..network.corners import limit_corners
from ..network.dran import DRAN
from .crops import check_sizes
from .data import TrainingImage
from .noise_models import add_noise, nearest_sigma
from .recipe import Recipe

PANELS = 4
"""Images that TensorBoard shows."""


@dataclass(frozen=True)
class Pair:
    """One image to validate on, (1, C, H, W) in [0, 1], and its noisy version."""

    name: str
    sigma: float
    noisy: Tensor
    clean: Tensor


@dataclass(frozen=True)
class TrainingReport(ABC):
    """What every validation finds.

    Parameters
    ----------
    step : int
        Optimiser steps done; 0 for what training from weights begins with.
    minutes : float
        Minutes of training.
    loss : float
        Mean over the steps since the last validation; NaN before the first.
    learning_rate : float
        At this step.
    best : bool
        Whether the score is the best so far, which the supervision says.
    """

    step: int
    minutes: float
    loss: float
    learning_rate: float
    best: bool = field(default=False, kw_only=True)

    @property
    @abstractmethod
    def score(self) -> float:
        """What the best weights are chosen by: the higher, the better."""

    def row(self) -> dict[str, float]:
        """Return the numbers, one column each, for tables and loggers."""
        return {
            "step": self.step,
            "minutes": round(self.minutes, 3),
            "loss": self.loss,
            "learning_rate": self.learning_rate,
        }


@dataclass(frozen=True)
class Report(TrainingReport):
    """What a validation of a denoiser found, besides what every one finds.

    Parameters
    ----------
    temperature : float
        At this step.
    psnr, ssim : mapping
        Sigma in grey levels of 255 -> mean over the images; PSNR in dB.
    noisy_psnr : mapping
        The same for the images as they were before denoising.
    panel : ndarray
        float32 (height, 3 x width[, 3]) in [0, 1]: one image noisy, denoised, clean.
    """

    temperature: float
    psnr: Mapping[float, float]
    ssim: Mapping[float, float]
    noisy_psnr: Mapping[float, float]
    panel: np.ndarray

    @property
    def score(self) -> float:
        """Mean PSNR over the noise levels, in dB."""
        return float(np.mean(list(self.psnr.values())))

    def row(self) -> dict[str, float]:
        """Return the numbers, one column each, for tables and loggers."""
        return {
            **super().row(),
            "temperature": self.temperature,
            **{f"psnr_{sigma:g}": value for sigma, value in self.psnr.items()},
            **{f"ssim_{sigma:g}": value for sigma, value in self.ssim.items()},
        }


def validation_pairs(images: list[TrainingImage], channels: int, recipe: Recipe) -> list[Pair]:
    """Cut centre crops of a few images a folder and add noise, always the same.

    The noise is the recipe's mixture, at fixed strengths; those beyond what it reaches
    become the nearest that it does.

    Raises
    ------
    InputError
        There is no image of that many channels, or one is smaller than a crop.
    """
    mine = [image for image in images if len(image.pixels) == channels]
    if not mine:
        kind = "grey" if channels == 1 else "colour"
        raise InputError(f"Expected {kind} images to validate on, got none.")
    check_sizes(mine, recipe.crop)
    folders: dict[str, list[TrainingImage]] = {}
    for image in mine:
        folders.setdefault(image.modality, []).append(image)
    sigmas = dict.fromkeys(nearest_sigma(recipe.noise, s) for s in recipe.validation_sigmas)
    pairs = []
    for members in folders.values():
        # Spread over the folder, as neighbours may be slices of one volume.
        count = min(recipe.validation_images, len(members))
        for image in (members[int((i + 0.5) * len(members) / count)] for i in range(count)):
            side = recipe.validation_side
            top, left = (max(0, (length - side) // 2) for length in image.pixels.shape[1:])
            crop = image.pixels[:, top : top + side, left : left + side].astype(np.float32)
            clean = torch.from_numpy(crop)[None]
            for sigma in sigmas:
                digest = hashlib.sha256(f"{image.name} {sigma:g}".encode()).digest()
                generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
                noisy = add_noise(clean, recipe.noise, generator, sigma)
                pairs.append(Pair(image.name, sigma, noisy, clean))
    return pairs


@torch.inference_mode()
def denoise_pairs(network: nn.Module, pairs: list[Pair], device: torch.device) -> list[np.ndarray]:
    """Denoise each pair's noisy image: float32 (C, H, W), clipped to [0, 1]."""
    was_training = network.training
    network.eval()
    outputs = []
    for pair in pairs:
        noisy = pair.noisy.to(device)
        noise = network(noisy).float()
        if isinstance(network, DRAN):  # as it is run, see fuse
            noise = limit_corners(noise)
        outputs.append((noisy - noise).clamp(0, 1)[0].cpu().numpy())
    network.train(was_training)
    return outputs


def score_pairs(
    pairs: list[Pair], outputs: list[np.ndarray]
) -> tuple[dict[float, float], dict[float, float]]:
    """Return the mean PSNR in dB and the mean SSIM, each by sigma."""
    scores: dict[float, list[tuple[float, float]]] = {}
    for pair, output in zip(pairs, outputs, strict=True):
        clean, clean_output = _picture(pair.clean[0].numpy()), _picture(output)
        # Equal images have no finite PSNR; 100 dB is far beyond what shows.
        value = min(psnr(clean, clean_output), 100.0)
        scores.setdefault(pair.sigma, []).append(
            (value, ssim(clean, clean_output, colour=clean.ndim == 3))
        )
    means = {sigma: np.mean(values, axis=0) for sigma, values in scores.items()}
    return {s: float(m[0]) for s, m in means.items()}, {s: float(m[1]) for s, m in means.items()}


def score_noisy(pairs: list[Pair]) -> dict[float, float]:
    """Return the mean PSNR in dB of the noisy images, clipped to [0, 1], by sigma."""
    return score_pairs(pairs, [pair.noisy[0].clamp(0, 1).numpy() for pair in pairs])[0]


def panel(pair: Pair, output: np.ndarray) -> np.ndarray:
    """Lay an image side by side noisy, denoised and clean."""
    three = [pair.noisy[0].clamp(0, 1).numpy(), output, pair.clean[0].numpy()]
    return np.concatenate([_picture(image) for image in three], axis=1)


class Log:
    """The table of a run, one row a validation, which a resumed run goes on with.

    Parameters
    ----------
    path : Path
        The CSV file.
    step : int
        The run goes on from here; later rows are of a future that did not happen.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        self._rows: list[dict[str, Any]] = []
        if step and path.is_file():
            with path.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]

    def add(self, row: Mapping[str, float]) -> None:
        """Append a row; the file is whole at any time."""
        self._rows.append(dict(row))
        columns = list(dict.fromkeys(key for row in self._rows for key in row))
        with writing(self.path, overwrite=True) as temporary, temporary.open("w", newline="") as f:
            table = csv.DictWriter(f, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(self._rows)


def middle(sigmas: Collection[float]) -> float:
    """Return the noise level that panels show."""
    return sorted(sigmas)[len(sigmas) // 2]


def tensorboard_panels(
    experiment: Any, pairs: list[Pair], outputs: list[np.ndarray], step: int, sigma: float
) -> None:
    """Show the first images of a noise level to TensorBoard."""
    shown = [(p, o) for p, o in zip(pairs, outputs, strict=True) if p.sigma == sigma][:PANELS]
    for pair, output in shown:
        formats = "HW" if output.shape[0] == 1 else "HWC"
        name = f"noisy, denoised, clean/{pair.name}"
        experiment.add_image(name, panel(pair, output), step, dataformats=formats)


def all_finite(values: Mapping[float, float]) -> bool:
    """Whether every score is a number."""
    return all(math.isfinite(value) for value in values.values())


def _picture(image: np.ndarray) -> np.ndarray:
    """Bring (C, H, W) to (H, W) or (H, W, 3)."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)
