"""The card of a weights file: what it is, where it comes from, what it was measured to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


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
    scales : int
        Scales it is run at, see :class:`~napari_dran.network.scales.MultiScale`.
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
    scales: int = 1
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
