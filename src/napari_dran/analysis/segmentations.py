"""What a segmentation found: labels, and how likely they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..volume import Volume
from ..weights import Card


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a segmentation found.

    Parameters
    ----------
    labels : Volume
        int32, axes ``[t][z]yx``, with the image's geometry: 0 background, each object
        a number of its own, through all time points; of classes, the number of the class.
    probability : Volume
        float32, the same axes: how likely each pixel belongs to an object.
    image : Volume
        What was segmented: the image, or the denoised one.
    card : Card
        Of the weights.
    axis : str
        The axis that slices were cut across.
    denoised : bool
        Whether it was denoised first.
    scores : mapping
        Label -> mean probability inside it.
    notes : tuple of str
        Sentences to read before trusting the result.
    """

    labels: Volume
    probability: Volume
    image: Volume
    card: Card
    axis: str
    denoised: bool = False
    scores: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of labels."""
        return len(self.scores)

    @property
    def names(self) -> dict[int, str]:
        """Label -> what it is."""
        kinds = kinds_of(self.card)
        several = len(kinds) > 1 and not self.card.border
        return {label: kinds[label - 1] if several else kinds[0] for label in self.scores}


def kinds_of(card: Card) -> tuple[str, ...]:
    """Name the kinds of object that a network finds."""
    kinds = card.classes[:-1] if card.border else card.classes
    return kinds or ("object",)
