"""The first trainer: one process, one device, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from ..network.dran import DRAN
from .data import MAX_GREY, NoisyCrops, TrainingImage, read_corpus

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    channels : {1, 3}
        Channels of the network.
    batch, crop : int
        Crops a step and their side in pixels.
    sigma : tuple of float
        Range of the noise's standard deviation in grey levels of 255.
    learning_rate : float
        Of Adam; held, then lowered to zero over the last ``cooldown`` of the time.
    minutes : float
        Time to train. The schedule follows the clock, not the step count, as the
        speed of shared machines is not known beforehand.
    warmup : int
        Steps over which the learning rate rises from zero.
    cooldown : float
        Share of the time over which the learning rate falls.
    start_temperature : float
        Temperature of the kernel attention at the start; it falls to 1 over the
        first ``annealing`` of the time.
    annealing : float
        Share of the time over which the temperature falls.
    averaging : float
        Decay of the averaged weights, which are the ones kept.
    seed : int
        Of every random choice.
    """

    channels: int = 1
    batch: int = 8
    crop: int = 64
    sigma: tuple[float, float] = (0.0, 50.0)
    learning_rate: float = 1e-3
    minutes: float = 60.0
    warmup: int = 100
    cooldown: float = 0.4
    start_temperature: float = 30.0
    annealing: float = 0.15
    averaging: float = 0.999
    seed: int = 0


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Return the rate at ``step``, ``progress`` in [0, 1] of the time."""
    rise = min(1.0, (step + 1) / max(1, recipe.warmup))
    left = max(0.0, 1.0 - progress)
    fall = 1.0 if left > recipe.cooldown else 0.5 - 0.5 * math.cos(math.pi * left / recipe.cooldown)
    return recipe.learning_rate * rise * max(fall, 1e-3)


def temperature(recipe: Recipe, progress: float) -> float:
    """Return the attention's temperature at ``progress`` in [0, 1] of the time."""
    if progress >= recipe.annealing:
        return 1.0
    return recipe.start_temperature + (1.0 - recipe.start_temperature) * progress / recipe.annealing


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move ``averaged`` towards ``model`` by ``1 - decay``, batch statistics included."""
    for old, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1.0 - decay)
        else:
            old.copy_(new)


@torch.no_grad()
def validate(model: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Return the mean PSNR in dB of ``model`` over (noisy, clean) pairs in [0, 1]."""
    model.eval()
    scores = []
    for noisy, clean in pairs:
        error = (noisy - model(noisy)).clamp(0, 1) - clean
        scores.append(-10 * math.log10(max(error.square().mean().item(), 1e-10)))
    return float(np.mean(scores))


def validation_pairs(
    images: list[TrainingImage], channels: int, sigma: float, each: int = 3, side: int = 160
) -> list[tuple[Tensor, Tensor]]:
    """Cut (noisy, clean) centre crops from the first ``each`` images of a modality.

    Raises
    ------
    InputError
        There is no image of that many channels.
    """
    rng = np.random.default_rng(1)
    seen: dict[str, int] = {}
    pairs = []
    for image in images:
        if image.pixels.shape[0] != channels or seen.get(image.modality, 0) >= each:
            continue
        seen[image.modality] = seen.get(image.modality, 0) + 1
        top, left = (max(0, (length - side) // 2) for length in image.pixels.shape[1:])
        clean = torch.from_numpy(image.pixels[:, top : top + side, left : left + side].copy())[None]
        noise = rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(sigma / MAX_GREY)
        pairs.append((clean + torch.from_numpy(noise), clean))
    if not pairs:
        kind = "grey" if channels == 1 else "colour"
        raise InputError(f"Expected {kind} images to validate on, got none.")
    return pairs


def train(
    recipe: Recipe,
    train_folder: str | Path,
    val_folder: str | Path,
    run_folder: str | Path,
    device: str = "cpu",
    initial: dict[str, Tensor] | None = None,
    save_minutes: float = 4.0,
    report: Callable[[str], None] = lambda line: None,
) -> DRAN:
    """Train DRAN, or go on from the checkpoint in ``run_folder``.

    Parameters
    ----------
    recipe : Recipe
        How to train.
    train_folder, val_folder : path
        Folders of ``<modality>/*.png``.
    run_folder : path
        Gets ``checkpoint.pt`` and ``log.jsonl``.
    device : str
        A torch device.
    initial : dict, optional
        Start from these weights where names and shapes agree.
    save_minutes : float
        Minutes between validations, each of which also saves.
    report : callable
        Gets one line of text per validation.

    Returns
    -------
    DRAN
        The averaged weights, in evaluation mode.
    """
    run = Path(run_folder)
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    model = DRAN(recipe.channels).to(device)
    if initial:
        own = model.state_dict()
        fitting = {k: v for k, v in initial.items() if k in own and v.shape == own[k].shape}
        model.load_state_dict(fitting, strict=False)
    averaged = deepcopy(model)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
    step, elapsed = 0, 0.0
    if (run / CHECKPOINT).exists():
        state = torch.load(run / CHECKPOINT, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = state["step"], state["elapsed"]
        rng = np.random.default_rng([recipe.seed, step])

    crops = NoisyCrops(read_corpus(train_folder), recipe.channels, recipe.crop, recipe.sigma, rng)
    pairs = [
        (noisy.to(device), clean.to(device))
        for noisy, clean in validation_pairs(read_corpus(val_folder), recipe.channels, 25.0)
    ]
    half = torch.bfloat16
    started, last_save = time.monotonic() - elapsed, time.monotonic()
    losses: list[float] = []
    while True:
        elapsed = time.monotonic() - started
        progress = elapsed / (recipe.minutes * 60)
        finished = progress >= 1
        if finished or time.monotonic() - last_save > save_minutes * 60:
            averaged.set_temperature(model.arguments["temperature"])
            score = validate(averaged, pairs)
            row = {
                "step": step,
                "minutes": round(elapsed / 60, 2),
                "loss": float(np.mean(losses)) if losses else None,
                "psnr25": score,
                "temperature": model.arguments["temperature"],
            }
            with (run / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            report(json.dumps(row))
            partial = run / (CHECKPOINT + ".partial")
            torch.save(
                {
                    "model": model.state_dict(),
                    "averaged": averaged.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step,
                    "elapsed": elapsed,
                    "recipe": asdict(recipe),
                    "arguments": averaged.arguments,
                    "psnr25": score,
                },
                partial,
            )
            partial.replace(run / CHECKPOINT)
            losses, last_save = [], time.monotonic()
        if finished:
            return averaged.eval()

        model.train()
        model.set_temperature(temperature(recipe, progress))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step, progress)
        noisy, noise = (tensor.to(device) for tensor in crops.batch(recipe.batch))
        with torch.autocast(torch.device(device).type, half):
            predicted = model(noisy)
        loss = F.l1_loss(predicted.float(), noise)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"The loss became {loss.item()} at step {step}. The last good weights are in "
                f"{run / CHECKPOINT}. Lower the learning rate (now {recipe.learning_rate})."
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        step += 1
        average(averaged, model, min(recipe.averaging, (1 + step) / (10 + step)))
