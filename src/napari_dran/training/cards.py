"""Weights made of checkpoints, with the cards that say what they are."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..weights import Card, save_weights
from .checkpoints import Checkpoint, find_checkpoint, read_checkpoint
from .recipe import Noise, sigma_range

SCALES = 2
"""What DRAN is run at; the baselines are run as they were published."""


def make_card(checkpoint: Checkpoint, name: str, **changes: Any) -> Card:
    """Write the card of a checkpoint's weights.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where they come from.
    name : str
        For the card.
    **changes
        Other fields of :class:`~napari_dran.weights.Card` to set.
    """
    facts = dict(checkpoint.facts)
    data, licence = facts.pop("data", {}), facts.pop("licence", "not stated")
    recipe = dict(checkpoint.recipe)
    if "weights" in recipe:  # weights are passed on; where they lay is nobody's business
        recipe["weights"] = Path(recipe["weights"]).name
    values: dict[str, Any] = {
        "channels": int(checkpoint.arguments["channels"]),
        **(_analysis_card(recipe) if "task" in recipe else _denoiser_card(checkpoint)),
        "steps": checkpoint.step,
        "data": data,
        "licence": licence,
        "scores": {"validation": dict(checkpoint.scores)},
        "training": {
            "recipe": recipe,
            "minutes": round(checkpoint.elapsed / 60, 1),
            **facts,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    return Card(
        name=name,
        architecture=checkpoint.architecture,
        arguments=dict(checkpoint.arguments),
        **(values | changes),
    )


def _denoiser_card(checkpoint: Checkpoint) -> dict[str, Any]:
    sigmas, models = _noise_of(checkpoint.recipe)
    kind = "grey" if checkpoint.arguments["channels"] == 1 else "colour"
    ours = checkpoint.architecture == "dran"
    return {
        "sigma_range": sigmas,
        "scales": SCALES if ours else 1,
        "white": ours and set(models) == {"gaussian"},
        "description": f"Blind denoiser for {kind} images, trained on noise: {', '.join(models)}.",
    }


def _analysis_card(recipe: Mapping[str, Any]) -> dict[str, Any]:
    task, finds = recipe["task"], recipe["finds"]
    return {
        "task": task,
        "classes": (finds, f"border of {finds}") if recipe["border"] else (finds,),
        **{key: recipe[key] for key in ("border", "copied", "side")},
        "inputs": tuple(recipe["inputs"]),
        "sigma_range": tuple(recipe["noise"]),
        "description": f"{'U-Net that segments' if task == 'segment' else 'Mask R-CNN that finds'} "
        f"{finds}.",
    }


def export_weights(
    checkpoint: str | Path | Checkpoint,
    output: str | Path,
    *,
    name: str | None = None,
    overwrite: bool = False,
    **changes: Any,
) -> Card:
    """Make a weights file of a checkpoint, which ``weights=PATH`` takes at once.

    Parameters
    ----------
    checkpoint : path or Checkpoint
        A checkpoint, or the folder of a run.
    output : path
        The .safetensors file to write.
    name : str, optional
        Name on the card; by default that of the file.
    overwrite : bool
        Replace the file.
    **changes
        Other fields of :class:`~napari_dran.weights.Card` to set.

    Raises
    ------
    WeightsError
        It is no checkpoint.
    FileWriteError
        The file cannot be written.
    """
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = read_checkpoint(find_checkpoint(checkpoint))
    card = make_card(checkpoint, name or Path(output).stem, **changes)
    return save_weights(output, checkpoint.network(), card, overwrite=overwrite)


def _noise_of(recipe: Mapping[str, Any]) -> tuple[tuple[float, float], list[str]]:
    """Return sigma's range and the models' names; the first trainer knew Gaussian noise only."""
    if "noise" not in recipe:
        low, high = recipe["sigma"]
        return (float(low), float(high)), ["gaussian"]
    noises = [Noise(**{**n, "sigma": tuple(n["sigma"])}) for n in recipe["noise"]]
    return sigma_range(noises), [noise.model for noise in noises]
