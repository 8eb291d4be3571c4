"""What training starts from: random values, shipped weights, a file, or a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..denoising.suggestion import COLOUR, GREY
from ..errors import WeightsError
from ..weights import ARCHITECTURES, build_network, load_weights, require_task
from .checkpoints import SUFFIXES, find_checkpoint, read_checkpoint
from .recipe import SCRATCH, Recipe

DENOISER = ARCHITECTURES["dran"]


class Start(NamedTuple):
    """Weights to start from.

    Parameters
    ----------
    architecture, arguments
        See :class:`~napari_dran.weights.Card`.
    weights : mapping
        State dict.
    facts : dict
        For the card: "started from" and, where the start has them, "licence" and "data".
    """

    architecture: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    facts: dict[str, Any]


def start_network(
    recipe: Recipe, channels: int, notice: Callable[[str], object]
) -> tuple[nn.Module, dict[str, Any]]:
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
        For the card: "started from" and, where the start has them, "licence" and "data".

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
    architecture, found, weights, facts = read_start(name, DENOISER.task)
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


def read_start(name: str, task: str | None = None) -> Start:
    """Read the weights to start from.

    Parameters
    ----------
    name : str
        A checkpoint, the folder of a run, a .safetensors file, or a shipped name.
    task : str, optional
        Refuse named weights for another one.

    Raises
    ------
    WeightsError
        There are none, they are for another task, or not finite.
    """
    start = _read(name, task)
    if not all(value.isfinite().all() for value in start.weights.values()):
        raise WeightsError(
            f"The weights {name!r} hold values that are not finite, so nothing can be learnt from "
            f"there. Choose other weights, or '{SCRATCH}'."
        )
    return start


def _read(name: str, task: str | None) -> Start:
    facts: dict[str, Any]
    path = Path(name).expanduser()
    if path.suffix in SUFFIXES or path.is_dir():
        start = read_checkpoint(find_checkpoint(path))
        facts = {**start.origin, "started from": f"{path.name} at step {start.step}"}
        return Start(start.architecture, start.arguments, start.weights, facts)
    network, card = load_weights(name)
    if task is not None:
        require_task(card, task)
    facts = {
        "started from": f"{card.name} at step {card.steps}, sha256 {card.sha256[:12]}",
        "licence": f"That of {card.name}, which training started from: {card.licence}",
        "data": dict(card.data),
    }
    return Start(card.architecture, card.arguments, network.state_dict(), facts)
