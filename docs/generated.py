"""Fills in what the program says of itself, so that the pages cannot drift from it.

A line ``{{ help denoise }}`` becomes the output of ``napari-dran denoise --help``,
and ``{{ weights }}`` the cards of the shipped weights. Cross-references that
docstrings write as ``:class:`~napari_dran.volume.Volume``` become links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

CURVES = Path(__file__).parent / "images/training"

ROLE = re.compile(r":(?:class|func|meth|attr|data|mod):<code>~?([\w.]+)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of one page."""
    markdown = re.sub(r"^\{\{ help(.*?) \}\}$", _help, markdown, flags=re.MULTILINE)
    return re.sub(r"^\{\{ weights \}\}$", _weights, markdown, flags=re.MULTILINE)


def on_page_content(html: str, **_: Any) -> str:
    """Turn the roles of docstrings into links, where their target is on a page."""
    return ROLE.sub(_link, html)


def _link(match: re.Match[str]) -> str:
    name = f"<code>{match[1].rpartition('.')[2]}</code>"
    if not match[1].startswith("napari_dran."):
        return f"<code>{match[1]}</code>"
    return f'<autoref optional identifier="{match[1]}">{name}</autoref>'


def _help(match: re.Match[str]) -> str:
    from typer.testing import CliRunner

    from napari_dran.cli import app

    size = {"COLUMNS": "78", "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(
        app, [*match[1].split(), "--help"], prog_name="napari-dran", env=size
    )
    return f"```text\n{result.output.strip()}\n```"


def _weights(_: re.Match[str]) -> str:
    from napari_dran.weights import read_card
    from napari_dran.weights.store import SHIPPED, SUFFIX

    # Not those of who builds this.
    cards = [read_card(path) for path in sorted(SHIPPED.glob(f"*{SUFFIX}"))]
    return "\n\n".join(
        f"## {card.name}\n\n{_curve(card.name)}```json\n{card.to_json()}\n```" for card in cards
    )


def _curve(name: str) -> str:
    """Show how its validation went, where ``training/export.py`` drew that."""
    if not (CURVES / f"{name}.png").is_file():
        return ""
    return f"![Validation of {name}](../images/training/{name}.png)\n\n"
