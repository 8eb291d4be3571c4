"""``napari-dran weights``: list, show and import weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .console import show, tell

if TYPE_CHECKING:
    from ..weights import Card

_NO_NOISE = (0.0, 0.0)
_RANGES = ("sigma range", "sigma", "noise", "width")
MOST_NAMES = 8
"""Classes that are listed when weights are imported."""

weights = typer.Typer(
    help="List the weights that have names, show a card, or import those of others.",
    no_args_is_help=True,
)


@weights.command("list")
def list_() -> None:
    """List the weights that have names: the shipped ones, then your own."""
    from ..weights import list_weights

    titles = ("name", "task", "images", "sigma of 255", "steps", "description")
    table = Table(*titles, box=None)
    for card in list_weights(None):
        images = f"{len(card.inputs)} inputs" if len(card.inputs) > 1 else card.kind
        steps = f"{card.steps:,}"
        table.add_row(card.name, card.task, images, sigma_range(card), steps, card.description)
    show(table)


@weights.command()
def info(
    name: Annotated[str, typer.Argument(help="Shipped name or path of a .safetensors file.")],
) -> None:
    """Show what weights are, what they were trained on and how well they do."""
    from ..weights import read_card

    card = read_card(name)
    for field in fields(card):
        value = getattr(card, field.name)
        # Most of the card is of one task only.
        if value and value != _NO_NOISE:
            _show_value(field.name.replace("_", " "), value)


@weights.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="The folder of a MONAI bundle, or a .pt, .pth or .safetensors file with the state "
            "dict of a U-Net of ours, of torchvision's Mask R-CNN, or of the DRAN released with "
            "the paper."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")],
    name: Annotated[str | None, typer.Option(help="Name on the card.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="What it finds, e.g. tumour,oedema; without the background."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="Images that its channels are, e.g. T1,FLAIR; none for colours."),
    ] = None,
    copied: Annotated[
        int | None, typer.Option(help="Number of the input that a grey image is, from 0.")
    ] = None,
    border: Annotated[
        bool, typer.Option("--border", help="The last class is the border of objects.")
    ] = False,
    side: Annotated[
        int | None, typer.Option(min=0, help="Longer side in pixels to bring slices to; 0 for any.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="What they may be used for.")] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="JSON file with architecture, arguments and more, for any network."),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Of the frozen batch normalisation of torchvision's Mask R-CNN: 1e-5 if training "
            "began with ImageNet weights, not COCO's."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Convert weights of others, so that they can be used. No code inside them is run."""
    from ..weights import import_weights

    stated: dict[str, Any] = {
        "name": name, "classes": _names(classes), "inputs": _names(inputs), "copied": copied,
        "border": border or None, "side": side, "licence": licence, "epsilon": epsilon,
    }  # fmt: skip
    given = {key: value for key, value in stated.items() if value is not None}
    written = import_weights(source, output, card=card, overwrite=overwrite, **given)
    show(f"Wrote {output}: {written.architecture}, {_purpose(written)}.")
    for note in written.training.get("notes", ()):
        tell(note)


def _names(text: str | None) -> tuple[str, ...] | None:
    """Take names apart that commas join."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _purpose(card: Card) -> str:
    """Say what weights find in which images."""
    images = f"{', '.join(card.inputs)} images" if card.inputs else f"{card.kind} images"
    finds = {"denoise": "denoises", "segment": "segments", "detect": "finds"}[card.task]
    if not card.classes:
        return f"{finds} {images}"
    shown = [*card.classes[:MOST_NAMES], *(["..."] if len(card.classes) > MOST_NAMES else [])]
    return f"{finds} {', '.join(shown)} in {images}"


def sigma_range(card: Card) -> str:
    """Write the noise levels that weights were trained for, if there was any noise."""
    low, high = card.sigma_range
    return f"{low:g} to {high:g}" if high else "none"


def _show_value(title: str, value: Any, indent: int = 0) -> None:
    if isinstance(value, Mapping):
        if value:
            show("  " * indent + title)
        for key, entry in value.items():
            if entry is not None:
                _show_value(f"{key}:", entry, indent + 1)
        return
    if isinstance(value, tuple | list):
        if any(isinstance(entry, Mapping) for entry in value):
            for entry in value:
                _show_value(title, entry, indent)
            return
        words = [f"{entry:g}" if isinstance(entry, float) else str(entry) for entry in value]
        limits = title.rstrip(":") in _RANGES and len(words) == 2
        value = (" to " if limits else ", ").join(words)
    show(f"{'  ' * indent}{title:<{14 if indent == 0 else 0}} {value}")
