"""Checkpoints: what a run leaves behind, what it starts from, and weights made of it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..denoising.suggestion import COLOUR, GREY
from ..errors import WeightsError
from ..weights import (
    ARCHITECTURES,
    Card,
    build_network,
    load_weights,
    read_pickled,
    require_task,
    save_weights,
)
from .recipe import SCRATCH, Noise, Recipe, sigma_range

SUFFIXES = (".ckpt", ".pt")
AVERAGED = "averaged."
DENOISER = ARCHITECTURES["dran"]

SCALES = 2
"""What DRAN is run at; the baselines are run as they were published."""


@dataclass(frozen=True)
class Checkpoint:
    """What of a checkpoint is needed to make weights.

    Parameters
    ----------
    architecture, arguments
        See :class:`~napari_dran.weights.Card`.
    weights : mapping
        State dict of the averaged network.
    step : int
        Optimiser steps.
    elapsed : float
        Seconds of training.
    recipe : mapping
        The recipe, as plain values.
    scores : mapping
        Of the last validation.
    facts : mapping
        What else a card shall say: "started from", "data", "licence", ...
    """

    architecture: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    step: int
    elapsed: float
    recipe: Mapping[str, Any]
    scores: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def network(self) -> nn.Module:
        """Build the averaged network, in evaluation mode.

        Raises
        ------
        WeightsError
            The weights do not fit the architecture.
        """
        network = build_network(self.architecture, self.arguments)
        try:
            network.load_state_dict(dict(self.weights))
        except RuntimeError as error:
            raise WeightsError(f"The checkpoint does not fit its own network: {error}") from error
        return network.eval()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of ``napari-dran train``, or of the first trainer.

    No code in it is run.

    Raises
    ------
    WeightsError
        There is no such file, or it is no such checkpoint.
    """
    values = read_pickled(path, "one that 'napari-dran train' wrote")
    try:
        if "psnr25" in values:  # the first trainer's
            return Checkpoint(
                architecture="dran",
                arguments=values["arguments"],
                weights=values["averaged"],
                step=values["step"],
                elapsed=values["elapsed"],
                recipe=values["recipe"],
                scores={"PSNR in dB at sigma 25": round(values["psnr25"], 3)},
                facts={"precision": "bfloat16 autocast"},
            )
        return Checkpoint(
            weights={
                key.removeprefix(AVERAGED): value
                for key, value in values["state_dict"].items()
                if key.startswith(AVERAGED)
            },
            **values["napari-dran"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{path} is a checkpoint of something else ({error} is missing or wrong). "
            "Expected one that 'napari-dran train' wrote."
        ) from error


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
    return {
        "sigma_range": sigmas,
        "scales": SCALES if checkpoint.architecture == "dran" else 1,
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


def find_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint of a run's folder, or the file itself."""
    path = Path(path)
    if path.is_dir():
        for suffix in SUFFIXES:
            if (path / f"checkpoint{suffix}").is_file():
                return path / f"checkpoint{suffix}"
        raise WeightsError(f"The folder {path} holds no checkpoint. Expected 'checkpoint.ckpt'.")
    return path


def start_network(
    recipe: Recipe, channels: int, notice: Callable[[str], object]
) -> tuple[nn.Module, dict[str, str]]:
    """Build the network that training starts with.

    Parameters
    ----------
    recipe : Recipe
        Says what to start from.
    channels : {1, 3}
        Of the network. Where the weights have other channels, the first and the
        last convolution start anew.
    notice : callable
        Gets a sentence if they do.

    Returns
    -------
    network : Module
        In training mode.
    facts : dict
        For the card: "started from" and, where the start has one, "licence".

    Raises
    ------
    WeightsError
        The weights are of another architecture than the recipe's.
    """
    torch.manual_seed(recipe.seed)
    if ARCHITECTURES.get(recipe.architecture, DENOISER).task != DENOISER.task:
        raise WeightsError(
            f"The architecture {recipe.architecture!r} does not denoise. A recipe of a network "
            "that segments or detects has the key 'task'."
        )
    if recipe.weights == SCRATCH:
        arguments = {**recipe.network, "channels": channels}
        if recipe.architecture == "dran":
            arguments.setdefault("temperature", recipe.start_temperature)
        return build_network(recipe.architecture, arguments).train(), {
            "started from": "random weights"
        }
    name = (GREY if channels == 1 else COLOUR) if recipe.weights == "auto" else recipe.weights
    architecture, found, weights, facts = _read_start(name)
    wrong = [f"{k} {found.get(k)} instead of {v}" for k, v in recipe.network.items()
             if k != "channels" and found.get(k) != v]  # fmt: skip
    if architecture != recipe.architecture or wrong:
        found_text = architecture if architecture != recipe.architecture else ", ".join(wrong)
        raise WeightsError(
            f"The weights {name!r} are of another architecture than the recipe's "
            f"{recipe.architecture}: {found_text}. Choose other weights, or weights "
            f"'{SCRATCH}' to start from random ones."
        )
    network = build_network(architecture, {**found, "channels": channels})
    own = network.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    network.load_state_dict(fitting, strict=False)
    if len(fitting) < len(own):
        notice(
            f"{len(own) - len(fitting)} of {len(own)} tensors start from random values: "
            f"{name} has {found['channels']} channels, the network {channels}."
        )
    return network.train(), facts


def _read_start(
    name: str,
) -> tuple[str, Mapping[str, Any], Mapping[str, Tensor], dict[str, str]]:
    path = Path(name)
    if path.suffix in SUFFIXES or path.is_dir():
        start = read_checkpoint(find_checkpoint(path))
        facts = {"started from": f"{path.name} at step {start.step}"}
        if "licence" in start.facts:
            facts["licence"] = start.facts["licence"]
        return start.architecture, start.arguments, start.weights, facts
    network, card = load_weights(name)
    require_task(card, DENOISER.task)
    facts = {
        "started from": f"{card.name} at step {card.steps}, sha256 {card.sha256[:12]}",
        "licence": f"That of {card.name}, which training started from: {card.licence}",
    }
    return card.architecture, card.arguments, network.state_dict(), facts


def _noise_of(recipe: Mapping[str, Any]) -> tuple[tuple[float, float], list[str]]:
    """Return sigma's range and the models' names; the first trainer knew Gaussian noise only."""
    if "noise" not in recipe:
        low, high = recipe["sigma"]
        return (float(low), float(high)), ["gaussian"]
    noises = [Noise(**{**n, "sigma": tuple(n["sigma"])}) for n in recipe["noise"]]
    return sigma_range(noises), [noise.model for noise in noises]
