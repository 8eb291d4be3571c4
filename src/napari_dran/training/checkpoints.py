"""Checkpoints: what a run leaves behind, to go on from or to make weights of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import WeightsError
from ..weights import build_network, read_pickled

SUFFIXES = (".ckpt", ".pt")
AVERAGED = "averaged."


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

    @property
    def origin(self) -> dict[str, Any]:
        """The facts that came with what the run started from."""
        known = ("started from", "licence", "data")
        return {key: self.facts[key] for key in known if key in self.facts}

    def resumed(self) -> tuple[nn.Module, dict[str, Any]]:
        """Return the network, in training mode, and the origin of a run that goes on.

        What it started from is not read again: it may be gone, or be another by now.
        """
        return self.network().train(), self.origin

    def blended(self, other: Checkpoint, share: float) -> Checkpoint:
        """Mix the averaged weights of another run of the same network into these.

        Between the ends of two runs, one of which led to the other or which began at
        the same weights, the error is mostly lower than at either (Izmailov et al. 2018).

        Parameters
        ----------
        other : Checkpoint
            Of the other run.
        share : float
            Of its weights, from 0 (none) to 1 (only its).

        Raises
        ------
        WeightsError
            The networks differ.
        """
        if (other.architecture, other.arguments) != (self.architecture, self.arguments):
            raise WeightsError(
                f"Weights of two networks cannot be mixed: {self.architecture} {self.arguments} "
                f"and {other.architecture} {other.arguments}. Expected runs of the same network."
            )
        mixed = {
            key: (share * other.weights[key] + (1 - share) * value).to(value.dtype)
            for key, value in self.weights.items()
        }
        return replace(self, weights=mixed)


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


def find_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint of a run's folder, or the file itself."""
    path = Path(path)
    if path.is_dir():
        for suffix in SUFFIXES:
            if (path / f"checkpoint{suffix}").is_file():
                return path / f"checkpoint{suffix}"
        raise WeightsError(f"The folder {path} holds no checkpoint. Expected 'checkpoint.ckpt'.")
    return path
