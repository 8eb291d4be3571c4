"""What an import found, and the card that is written with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ...errors import WeightsError
from ..card import Card
from ..networks import ARCHITECTURES
from ..store import save_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

COLOUR = 3
LICENCE = "that of the checkpoint it was imported from"
SHOWN = 3
"""Names of tensors that an error lists."""


class CardFields(TypedDict, total=False):
    """What a user may state of weights, see :class:`~napari_dran.weights.Card`."""

    name: str
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    copied: int
    border: bool
    side: int
    description: str
    licence: str


@dataclass(frozen=True, eq=False)
class Imported:
    """A network with somebody's weights, and what is known of it.

    Parameters
    ----------
    network : Module
        With ``arguments`` and ``channels``.
    architecture : str
        Its name in :data:`~napari_dran.weights.ARCHITECTURES`.
    description, licence, sigma_range, classes, inputs, side
        As on the card.
    notes : tuple of str
        Sentences for the user, kept in the card's ``training``.
    """

    network: nn.Module
    architecture: str
    description: str
    licence: str = LICENCE
    sigma_range: tuple[float, float] = (0.0, 0.0)
    classes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    side: int = 0
    notes: tuple[str, ...] = field(default=())


def write_imported(
    found: Imported, output: str | Path, stated: CardFields, *, overwrite: bool = False
) -> Card:
    """Write what an import found, with a card that says what the user states of it.

    Raises
    ------
    WeightsError
        What is stated does not fit the network.
    FileWriteError
        The file cannot be written, or is there already.
    """
    network: Any = found.network
    card = Card(
        name=Path(output).stem,
        architecture=found.architecture,
        arguments=network.arguments,
        channels=network.channels,
        sigma_range=found.sigma_range,
        task=ARCHITECTURES[found.architecture].task,
        classes=found.classes,
        inputs=found.inputs,
        side=found.side,
        description=found.description,
        training={"notes": list(found.notes)} if found.notes else {},
        licence=found.licence,
    )
    card = replace(card, **stated)
    outputs = class_count(network)
    if not card.classes:
        card = replace(card, classes=numbered_names("class", outputs - 1))
    if not card.inputs and card.channels not in (1, COLOUR):
        card = replace(card, inputs=numbered_names("channel", card.channels))
    check_card(card, outputs)
    return save_weights(output, found.network, card, overwrite=overwrite)


def check_card(card: Card, outputs: int) -> None:
    """Raise WeightsError if a card does not fit its network.

    Parameters
    ----------
    card : Card
        The card.
    outputs : int
        Classes of the network, the background among them; 0 if it has none.
    """
    if len(card.classes) != max(outputs - 1, 0):
        raise WeightsError(
            f"The network tells {outputs} classes apart, the background among them, and got "
            f"{len(card.classes)} names: {', '.join(card.classes)}. Expected {max(outputs - 1, 0)}"
            ", without the background."
        )
    if card.inputs and len(card.inputs) != card.channels:
        raise WeightsError(
            f"The network takes {card.channels} channels and got {len(card.inputs)} names of "
            f"inputs: {', '.join(card.inputs)}. Expected one for each, or none for a colour image."
        )
    if not 0 <= card.copied < max(len(card.inputs), 1):
        raise WeightsError(
            f"There is no input number {card.copied} that a grey image could stand for. Expected "
            f"0 to {max(len(card.inputs), 1) - 1}."
        )
    if card.border and len(card.classes) < 2:
        raise WeightsError(
            "The border of objects is the last class, and there is only one. Expected at least "
            "two, such as nucleus and border."
        )
    if card.side < 0:
        raise WeightsError(f"Expected a side of at least 1 pixel, or 0 for none, got {card.side}.")


def class_count(network: Any) -> int:
    """Return the classes of a network, the background among them; 0 if it has none."""
    return int(getattr(network, "outputs", network.arguments.get("classes", 0)))


def numbered_names(noun: str, count: int) -> tuple[str, ...]:
    """Name what nobody named: "class 1", "class 2"; alone without a number."""
    if count == 1:
        return ("object" if noun == "class" else noun,)
    return tuple(f"{noun} {number}" for number in range(1, count + 1))


def load_into(network: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Load a state dict, whatever trainers put before the names of its tensors.

    Raises
    ------
    WeightsError
        The tensors are those of another network.
    """
    own = network.state_dict()
    fitting = below(state, next(iter(own)))
    try:
        network.load_state_dict({key: value.float() if value.is_floating_point() else value
                                 for key, value in fitting.items()})  # fmt: skip
    except RuntimeError as error:
        counters = ".num_batches_tracked"  # which torch fills in
        missing = [key for key in own if key not in fitting and not key.endswith(counters)]
        strange = [key for key in fitting if key not in own]
        shapes = [
            f"{key} {tuple(fitting[key].shape)} for {tuple(own[key].shape)}"
            for key in own
            if key in fitting and fitting[key].shape != own[key].shape
        ]
        found = {"it lacks": missing, "it has besides": strange, "other shapes:": shapes}
        words = [f"{word} {_first(names)}" for word, names in found.items() if names]
        raise WeightsError(
            f"The tensors of {source} do not fit the network: {'; '.join(words)}."
        ) from error
    network.eval()


def below(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin as one does that ends on ``name``, without that."""
    longer = min((key for key in state if key.endswith(f".{name}")), key=len, default=name)
    start = "" if name in state else longer.removesuffix(name)
    return {key.removeprefix(start): v for key, v in state.items() if key.startswith(start)}


def _first(names: list[str]) -> str:
    """List some names and count the others."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
