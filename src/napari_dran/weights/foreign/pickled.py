"""Tensors out of files that others wrote, without running code in them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ..store import CARD_KEY, SUFFIX

if TYPE_CHECKING:
    from torch import Tensor

WHAT_TO_DO = (
    "Save its tensors where it was trained, torch.save(network.state_dict(), 'weights.pt'), and "
    "import that file."
)
NESTED = ("state_dict", "stateDictEG", "model_state_dict", "model", "network", "net", "ema")
"""Where trainers put the state dict in what else they save."""


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
    _refuse_programs(Path(path), expected)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, all meaning the same here
        if found := re.search(r"Unsupported (?:global|class)[^A-Z]*GLOBAL (\S+)", str(error)):
            raise WeightsError(
                f"{path} cannot be read without running code in it: it is a pickle that calls "
                f"{found[1]}, not only tensors. Expected {expected}. {WHAT_TO_DO}"
            ) from error
        raise WeightsError(
            f"{path} is not a checkpoint that can be read without running code in it "
            f"({type(error).__name__}). Expected {expected}."
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a .safetensors, .pt or .pth file.

    Raises
    ------
    WeightsError
        There is none in it, or not without running code.
    """
    import torch

    if path.suffix == SUFFIX:
        return _read_safetensors(path)
    values = read_pickled(path, "a PyTorch state dict")
    for key in NESTED:
        if isinstance(values, Mapping) and isinstance(values.get(key), Mapping):
            values = values[key]
            break
    if not isinstance(values, Mapping) or not values or not all(
        isinstance(value, torch.Tensor) for value in values.values()
    ):  # fmt: skip
        raise WeightsError(f"{path} holds no state dict. Expected names mapped to tensors.")
    return {str(key): value for key, value in values.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"There is no checkpoint {path}. Expected a safetensors file.")
    try:
        with safe_open(path, framework="pt") as file:
            if CARD_KEY in (file.metadata() or {}):
                raise WeightsError(
                    f"{path} has a card of napari-dran already and need not be imported. Give its "
                    "path as weights, or put it into the folder of your own weights."
                )
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}).") from error


def _refuse_programs(path: Path, expected: str) -> None:
    """Raise WeightsError for archives that hold a network's code, or something else.

    Checkpoints that torch writes are zip archives too, of a pickle and of tensors.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise WeightsError(f"{path} is damaged ({error}). Expected {expected}.") from error
    parts = [set(Path(name).parts) for name in names]
    if any("constants.pkl" in part or "code" in part for part in parts):
        raise WeightsError(
            f"{path} is a TorchScript archive: it holds the network as a program, and reading it "
            f"would run that program. Expected {expected}. {WHAT_TO_DO}"
        )
    if any("metadata.json" in part for part in parts):
        raise WeightsError(
            f"{path} looks like a packed MONAI bundle. Unpack it and import the folder."
        )
