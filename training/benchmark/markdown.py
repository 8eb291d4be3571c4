"""Markdown of the page."""

from __future__ import annotations

from collections.abc import Sequence

from .statistics import Interval


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table, the first column to the left and the others to the right."""
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def folded(summary: str, text: str) -> str:
    """Hide a text behind a line that opens it."""
    return f'<details markdown="1">\n<summary>{summary}</summary>\n\n{text}\n</details>\n'


def with_interval(value: Interval, digits: int, *, signed: bool = False) -> str:
    """Write a mean with its interval; bold if it is a difference that is above zero."""
    mean = f"{value.mean:{'+' if signed else ''}.{digits}f}"
    mean = f"**{mean}**" if signed and value.low > 0 else mean
    return f"{mean} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def paragraphs(*texts: str) -> str:
    """Join texts with empty lines between; those that are empty vanish."""
    return "\n\n".join(text.strip("\n") for text in texts if text.strip()) + "\n"
