"""Weight files: safetensors whose metadata hold the card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FileWriteError, OutputExistsError, WeightsError
from .card import Card
from .networks import build_network
from .own import own_weights_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".safetensors"
CARD_KEY = "napari-dran"
"""Key of the card in the metadata of the safetensors file."""

SHIPPED = Path(__file__).parent
"""The folder of the weights that come with the package."""


def list_weights(task: str | None = "denoise") -> list[Card]:
    """Return the cards of the weights that have names: the shipped ones, then the user's own.

    Parameters
    ----------
    task : {"denoise", "segment", "detect"} or None
        What they are for; None for all.

    Notes
    -----
    The user's own lie in :func:`~napari_dran.weights.own_weights_folder`; their names are
    those of the files. A file there that holds no weights is passed over.
    """
    cards = []
    for name, path in _named().items():
        try:
            cards.append(replace(read_card(path), name=name))
        except WeightsError:
            if path.parent == SHIPPED:
                raise
    return [card for card in cards if task in (None, card.task)]


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

    path = weights_file(weights)
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
    tensors = load_file(weights_file(weights))
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


def weights_file(weights: str | Path) -> Path:
    """Return the path of shipped weights, of the user's own by their name, or of a file.

    Raises
    ------
    WeightsError
        There are no such weights.
    """
    if not isinstance(weights, str | Path):
        raise WeightsError(f"Expected a name or a file of weights, got {weights!r}.")
    named = _named()
    if isinstance(weights, str) and weights in named:
        return named[weights]
    path = Path(weights).expanduser()
    if path.suffix or isinstance(weights, Path) or len(path.parts) > 1:
        if not path.is_file():
            raise WeightsError(f"There is no weights file {path}.")
        return path
    raise WeightsError(
        f"Unknown weights {str(weights)!r}. Known are {', '.join(named)}; or give the path of a "
        f"{SUFFIX} file."
    )


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
        measured on what was stored). Tensors beyond its range stay float32.
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

    target = Path(path).expanduser()
    if target.suffix != SUFFIX:
        raise FileWriteError(f"Weights are written as {SUFFIX} files, got {target.name!r}.")
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists already. Choose another name or overwrite it.")
    tensors = {key: _stored(value) for key, value in network.state_dict().items()}
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


def _named() -> dict[str, Path]:
    """Map names to files; a shipped name is never another file's."""
    folders = (SHIPPED, own_weights_folder())
    paths = [path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))]
    named: dict[str, Path] = {}
    for path in paths:
        named.setdefault(path.stem, path)
    return named


def _stored(value: Tensor) -> np.ndarray:
    """Return a tensor as it is stored: floats in half precision, if that can hold them."""
    if not value.is_floating_point():
        return np.asarray(value.cpu().numpy())
    whole: np.ndarray = value.detach().cpu().float().numpy()
    with np.errstate(over="ignore"):
        half = whole.astype(np.float16)
    return half if np.array_equal(np.isfinite(half), np.isfinite(whole)) else whole


def _hash(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of names, types, shapes and values, in order of name."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key]
        digest.update(f"{key} {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
