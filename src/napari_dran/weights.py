"""Weight files: safetensors with a card that says what the weights are.

Nothing is ever unpickled, except a foreign checkpoint that a user imports, and
that one with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import FileWriteError, OutputExistsError, WeightsError

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".safetensors"
CARD_KEY = "napari-dran"
"""Key of the card in the metadata of the safetensors file."""


@dataclass(frozen=True)
class Card:
    """What a weights file is, where it comes from, and what it was measured to do.

    Parameters
    ----------
    name : str
        Short name, as given to ``weights=``.
    architecture : str
        "dran", "dncnn" or "residual-mid".
    arguments : mapping
        Arguments of the network's class.
    channels : int
        Image channels: 1 for grey, 3 for colour.
    sigma_range : tuple of float
        Standard deviations of the noise it was trained for, in grey levels of
        255 of the window.
    description : str
        One sentence for people.
    steps : int
        Optimiser steps.
    training : mapping
        How it was trained: recipe, hardware, time.
    data : mapping
        Source of the training images -> its licence.
    scores : mapping
        Measured results, by test set.
    licence : str
        What the weights may be used for.
    sha256 : str
        Of the tensors; filled in when saved, checked when loaded.
    """

    name: str
    architecture: str
    arguments: Mapping[str, Any]
    channels: int
    sigma_range: tuple[float, float]
    description: str = ""
    steps: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated"
    sha256: str = ""

    @property
    def kind(self) -> str:
        """Kind of images it takes: "grey" or "colour"."""
        return "grey" if self.channels == 1 else "colour"

    def to_json(self) -> str:
        """Return the card as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card from JSON text; keys of later versions are ignored."""
        values = json.loads(text)
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in values.items() if key in known}
        low, high = values["sigma_range"]
        return cls(**{**values, "sigma_range": (float(low), float(high))})


def list_weights() -> list[Card]:
    """Return the cards of the weights that come with the package, by name."""
    return [read_card(path) for path in sorted(_shipped_folder().glob(f"*{SUFFIX}"))]


def read_card(weights: str | Path) -> Card:
    """Read the card of shipped weights or of a file, without loading torch.

    Parameters
    ----------
    weights : str or Path
        A shipped name such as "dran-grey", or the path of a .safetensors file.

    Raises
    ------
    WeightsError
        Unknown name, not a safetensors file, or a file without a card.
    """
    from safetensors import SafetensorError, safe_open

    path = _resolve(weights)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file ({error}). Convert a PyTorch checkpoint with "
            "'napari-dran weights import'."
        ) from error
    try:
        return Card.from_json(metadata[CARD_KEY])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} holds no readable card, so the network it belongs to is not known. "
            "Expected a file written by napari-dran; convert others with "
            "'napari-dran weights import'."
        ) from error


def load_weights(weights: str | Path) -> tuple[nn.Module, Card]:
    """Build the network of a weights file and load it.

    Parameters
    ----------
    weights : str or Path
        A shipped name such as "dran-grey", or the path of a .safetensors file.

    Returns
    -------
    network : Module
        float32, on the CPU, in evaluation mode. Maps images (N, channels, H, W)
        with the window at [0, 1] to their noise in the same units.
    card : Card
        What it is.

    Raises
    ------
    WeightsError
        Unknown name, damaged file, wrong hash, or tensors that do not fit.
    """
    import torch
    from safetensors.numpy import load_file

    card = read_card(weights)
    tensors = load_file(_resolve(weights))
    found = _hash(tensors)
    if found != card.sha256:
        raise WeightsError(
            f"The weights {str(weights)!r} are damaged: their SHA-256 is {found[:12]}..., the card "
            f"says {card.sha256[:12]}... Get the file again."
        )
    network = build_network(card.architecture, card.arguments)
    state = {
        key: torch.from_numpy(value).float() if value.dtype.kind == "f" else torch.from_numpy(value)
        for key, value in tensors.items()
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"The tensors of {str(weights)!r} do not fit {card.architecture}({card.arguments}): "
            f"{error}"
        ) from error
    return network.eval(), card


def build_network(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network by the name a card gives it.

    Raises
    ------
    WeightsError
        Unknown architecture, or arguments it does not have.
    """
    from .network.baselines import DnCNN, ResidualMID
    from .network.dran import DRAN

    classes: dict[str, type[nn.Module]] = {
        "dran": DRAN,
        "dncnn": DnCNN,
        "residual-mid": ResidualMID,
    }
    if architecture not in classes:
        raise WeightsError(
            f"Unknown architecture {architecture!r}. Expected one of {', '.join(classes)}."
        )
    try:
        return classes[architecture](**arguments)
    except TypeError as error:
        raise WeightsError(
            f"Arguments that {architecture} does not have: {error}. The file may come from a later "
            "version of napari-dran."
        ) from error


def save_weights(
    path: str | Path, network: nn.Module, card: Card, *, overwrite: bool = False
) -> Card:
    """Write a network and its card, in half precision.

    Parameters
    ----------
    path : str or Path
        File to write, ending in .safetensors.
    network : Module
        The network; its floats are stored as float16, which halves the file and
        changes the output by less than its own noise (the card's scores are
        measured on what was stored).
    card : Card
        Its ``sha256`` is filled in.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Card
        The card as it was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    target = Path(path)
    if target.suffix != SUFFIX:
        raise FileWriteError(f"Weights are written as {SUFFIX} files, got {target.name!r}.")
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists already. Choose another name or overwrite it.")
    tensors = {
        key: value.detach().cpu().numpy().astype(np.float16)
        if value.is_floating_point()
        else value.detach().cpu().numpy()
        for key, value in network.state_dict().items()
    }
    written = replace(card, sha256=_hash(tensors))
    partial = target.with_name(target.name + ".partial")
    try:
        save_file(tensors, partial, metadata={CARD_KEY: written.to_json()})
        # The library makes files that only their owner may read.
        partial.chmod(0o644)
        partial.replace(target)
    except (SafetensorError, OSError) as error:
        raise FileWriteError(f"Could not write {target}: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def import_checkpoint(
    checkpoint: str | Path,
    output: str | Path,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Card:
    """Convert a checkpoint of the authors' released code.

    Parameters
    ----------
    checkpoint : str or Path
        A ``.pth`` file: a state dict, or the dict with "stateDictEG" that the
        released trainer saves. Read with ``weights_only=True``, so no code in it
        is run.
    output : str or Path
        The .safetensors file to write.
    name : str, optional
        Name on the card; by default that of the output file.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    WeightsError
        Not a checkpoint of the released DRAN.
    """
    import torch

    from .network.released import network_from_released

    source = Path(checkpoint)
    if not source.exists():
        raise WeightsError(f"There is no file {source}.")
    try:
        state = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, all meaning the same here
        raise WeightsError(
            f"{source} is not a checkpoint that can be read without running code in it "
            f"({type(error).__name__}). Expected a PyTorch state dict."
        ) from error
    if isinstance(state, Mapping) and "stateDictEG" in state:
        state = state["stateDictEG"]
    if not isinstance(state, Mapping) or not all(
        isinstance(v, torch.Tensor) for v in state.values()
    ):
        raise WeightsError(f"{source} holds no state dict. Expected names mapped to tensors.")
    network = network_from_released(state)
    card = Card(
        name=name or Path(output).stem,
        architecture="dran",
        arguments=network.arguments,
        channels=network.channels,
        sigma_range=(0.0, 50.0),
        description=f"Imported from {source.name}, trained with the released code of DRAN.",
        licence="that of the checkpoint it was imported from",
    )
    return save_weights(output, network, card, overwrite=overwrite)


def _shipped_folder() -> Path:
    return Path(str(resources.files("napari_dran"))) / "weights"


def _resolve(weights: str | Path) -> Path:
    """Return the path of a shipped name or of a file."""
    if not isinstance(weights, str | Path):
        raise WeightsError(f"Expected a name or a file of weights, got {weights!r}.")
    path = Path(weights)
    if path.suffix or isinstance(weights, Path) or len(path.parts) > 1:
        if not path.is_file():
            raise WeightsError(f"There is no weights file {path}.")
        return path
    shipped = _shipped_folder() / f"{weights}{SUFFIX}"
    if not shipped.is_file():
        known = ", ".join(sorted(p.stem for p in _shipped_folder().glob(f"*{SUFFIX}")))
        raise WeightsError(
            f"Unknown weights {str(weights)!r}. Known are {known}; or give the path of a "
            f"{SUFFIX} file."
        )
    return shipped


def _hash(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of names, types, shapes and values, in order of name."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key]
        digest.update(f"{key} {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
