"""``napari-dran weights``: list, show and import weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .console import show

if TYPE_CHECKING:
    from ..weights import Card

weights = typer.Typer(
    help="List the weights that have names, show a card, or import a checkpoint.",
    no_args_is_help=True,
)


@weights.command("list")
def list_() -> None:
    """List the weights that have names: the shipped ones, then your own."""
    from ..weights import list_weights

    table = Table("name", "images", "sigma of 255", "steps", "description", box=None)
    for card in list_weights():
        table.add_row(card.name, card.kind, sigma_range(card), f"{card.steps:,}", card.description)
    show(table)


@weights.command()
def info(
    name: Annotated[str, typer.Argument(help="Shipped name or path of a .safetensors file.")],
) -> None:
    """Show what weights are, what they were trained on and how well they do."""
    from ..weights import read_card

    card = read_card(name)
    for field in fields(card):
        _show_value(field.name.replace("_", " "), getattr(card, field.name))


@weights.command("import")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(help="A .pth checkpoint of the code released with the paper.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")],
    name: Annotated[str | None, typer.Option(help="Name on the card.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Convert a PyTorch checkpoint. No code inside it is run."""
    from ..weights import import_checkpoint

    card = import_checkpoint(checkpoint, output, name=name, overwrite=overwrite)
    show(f"Wrote {output}: {card.architecture} for {card.kind} images.")


def sigma_range(card: Card) -> str:
    """Write the noise levels that weights were trained for."""
    low, high = card.sigma_range
    return f"{low:g} to {high:g}"


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
        numbers = [f"{entry:g}" if isinstance(entry, float) else str(entry) for entry in value]
        value = (" to " if len(numbers) == 2 else ", ").join(numbers)
    show(f"{'  ' * indent}{title:<{14 if indent == 0 else 0}} {value}")
