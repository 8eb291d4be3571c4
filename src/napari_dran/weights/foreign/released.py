"""Checkpoints of the code that the authors of DRAN released."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..card import Card
from .imported import Imported, write_imported
from .pickled import read_state

if TYPE_CHECKING:
    from torch import Tensor

SIGMA_RANGE = (0.0, 50.0)


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
    source = Path(checkpoint)
    found = released(read_state(source), source)
    return write_imported(found, output, {"name": name} if name else {}, overwrite=overwrite)


def released(state: Mapping[str, Tensor], source: Path) -> Imported:
    """Make the network of a released state dict.

    Raises
    ------
    WeightsError
        It is of another network.
    """
    from ...network.released import network_from_released

    return Imported(
        network_from_released(state),
        "dran",
        description=f"Imported from {source.name}, trained with the released code of DRAN.",
        sigma_range=SIGMA_RANGE,
    )
