"""Fills in what the program says of itself, so that the pages cannot drift from it.

A line ``{{ help denoise }}`` becomes the output of ``napari-dran denoise --help``,
and ``{{ weights }}`` the cards of the shipped weights.
"""

from __future__ import annotations

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of one page."""
    markdown = re.sub(r"^\{\{ help(.*?) \}\}$", _help, markdown, flags=re.MULTILINE)
    return re.sub(r"^\{\{ weights \}\}$", _weights, markdown, flags=re.MULTILINE)


def _help(match: re.Match[str]) -> str:
    from typer.testing import CliRunner

    from napari_dran.cli import app

    size = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(
        app, [*match[1].split(), "--help"], prog_name="napari-dran", env=size
    )
    return f"```text\n{result.output.strip()}\n```"


def _weights(_: re.Match[str]) -> str:
    from napari_dran.weights import list_weights

    return "\n\n".join(
        f"## {card.name}\n\n```json\n{card.to_json()}\n```" for card in list_weights()
    )
