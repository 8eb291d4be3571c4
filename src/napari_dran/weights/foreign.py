"""Files that ``torch.save`` wrote, read without running code in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from .card import Card
from .store import save_weights


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

    from ..network.released import network_from_released

    source = Path(checkpoint)
    state = read_pickled(source, "a PyTorch state dict")
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


def read_pickled(path: str | Path, expected: str) -> Any:
    """Read a checkpoint with ``weights_only=True``, its tensors onto the CPU.

    Parameters
    ----------
    path : str or Path
        The file.
    expected : str
        What it should hold, for the sentence that says that it does not.

    Raises
    ------
    WeightsError
        There is no such file, or it cannot be read without running code in it.
    """
    import torch

    if not Path(path).is_file():
        raise WeightsError(f"There is no checkpoint {path}. Expected {expected}.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, all meaning the same here
        raise WeightsError(
            f"{path} is not a checkpoint that can be read without running code in it "
            f"({type(error).__name__}). Expected {expected}."
        ) from error
