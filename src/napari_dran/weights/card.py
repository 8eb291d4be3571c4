"""The card of a weights file: what it is, where it comes from, what it was measured to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import WeightsError


@dataclass(frozen=True)
class Card:
    """What a weights file is, where it comes from, and what it was measured to do.

    Parameters
    ----------
    name : str
        Short name, as given to ``weights=``.
    architecture : str
        One of :data:`~napari_dran.weights.ARCHITECTURES`.
    arguments : mapping
        Arguments of the network's class.
    channels : int
        Image channels: 1 for grey, 3 for colour or three inputs.
    sigma_range : tuple of float
        Standard deviations of the noise it was trained for, in grey levels of
        255 of the window; 0 for those that do not denoise unless trained with noise.
    task : {"denoise", "segment", "detect"}
        What it is for.
    classes : tuple of str
        Names of what it finds, without the background.
    border : bool
        Whether its last class is the border of objects, which tells those apart
        that touch.
    inputs : tuple of str
        Names of the images that its channels are, e.g. MR sequences; none if they
        are the colours of one image.
    copied : int
        The input that a grey image stands for; the others get copies of it.
    side : int
        Longer side in pixels that slices are brought to; 0 leaves them as they are.
    scales : int
        Scales it is run at, see :class:`~napari_dran.network.scales.MultiScale`.
    white : bool
        Whether only white noise may be taken away, see
        :class:`~napari_dran.network.whiteness.WhiteOnly`.
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
    sigma_range: tuple[float, float] = (0.0, 0.0)
    task: str = "denoise"
    classes: tuple[str, ...] = ()
    border: bool = False
    inputs: tuple[str, ...] = ()
    copied: int = 0
    side: int = 0
    scales: int = 1
    white: bool = False
    description: str = ""
    steps: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated"
    sha256: str = ""

    @property
    def kind(self) -> str:
        """Kind of images it takes: "grey", "colour", or a number of inputs."""
        if self.inputs or self.channels not in (1, 3):
            return f"{self.channels} inputs"
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
        values["sigma_range"] = (float(low), float(high))
        for name in ("classes", "inputs"):
            values[name] = tuple(str(entry) for entry in values.get(name, ()))
        return cls(**values)


VERBS = {"denoise": "denoises", "segment": "segments", "detect": "detects objects"}


def require_task(card: Card, task: str) -> Card:
    """Return the card if its weights are for a task.

    Raises
    ------
    WeightsError
        They are for another one.
    """
    if card.task != task:
        raise WeightsError(
            f"The weights {card.name!r} are of a network that {VERBS.get(card.task, card.task)}, "
            f"expected one that {VERBS[task]}. 'napari-dran weights list' shows what there is."
        )
    return card
