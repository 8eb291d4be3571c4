"""Weights of others: checkpoints and bundles, converted without running code in them."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from ..card import Card
from .bundle import import_bundle, is_bundle
from .imported import CardFields
from .pickled import read_pickled
from .released import import_checkpoint
from .state_dicts import COCO_EPSILON, import_state_dict

__all__ = [
    "CardFields",
    "import_bundle",
    "import_checkpoint",
    "import_state_dict",
    "import_weights",
    "read_pickled",
]


def import_weights(
    source: str | Path,
    output: str | Path,
    *,
    card: str | Path | None = None,
    epsilon: float = COCO_EPSILON,
    overwrite: bool = False,
    **stated: Unpack[CardFields],
) -> Card:
    """Convert whatever can be: a MONAI bundle, or the state dict of a known network.

    Parameters
    ----------
    source : str or Path
        See :func:`import_bundle` and :func:`import_state_dict`.
    output : str or Path
        The .safetensors file to write.
    card, epsilon
        See :func:`import_state_dict`.
    overwrite : bool
        Whether an existing file may be replaced.
    **stated
        Fields of the card: name, classes (without the background), inputs, copied,
        border, side, description, licence.

    Returns
    -------
    Card
        As it was written.

    Raises
    ------
    WeightsError
        What it is cannot be told, or not without running code in it.
    """
    path = Path(source)
    if is_bundle(path) and card is None:
        return import_bundle(path, output, overwrite=overwrite, **stated)
    return import_state_dict(
        path, output, card=card, epsilon=epsilon, overwrite=overwrite, **stated
    )
