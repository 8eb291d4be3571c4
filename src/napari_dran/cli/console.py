"""What the command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

ProgressCallback = Callable[[int, int], None]

PIPE_WIDTH = 250
"""Columns for tables where no terminal limits them."""


def show(item: object = "", style: str = "") -> None:
    """Print a result, a line of plain text or a rich table, on stdout."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    _print(Console(highlight=False, width=width), item, style)


def tell(sentence: str, style: str = "") -> None:
    """Print a sentence about the run on stderr."""
    _print(Console(stderr=True, highlight=False), sentence, style)


def fail(message: str) -> None:
    """Print an error as one red line on stderr."""
    tell(f"Error: {one_line(message)}", "red")


def on_terminal() -> bool:
    """Whether somebody watches stderr."""
    return sys.stderr.isatty()


def one_line(message: object) -> str:
    """Bring a message onto a single line."""
    return " ".join(str(message).split())


def seconds(duration: float) -> str:
    """Write a duration for people, e.g. "3.2 s" or "2 min 5 s"."""
    if duration < 60:
        return f"{duration:.1f} s"
    return f"{int(duration) // 60} min {int(duration) % 60} s"


@contextmanager
def progress_bar(
    title: str, unit: str = "slices", quiet: bool = False
) -> Iterator[ProgressCallback]:
    """Show a bar on stderr if that is a terminal; yield what moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    hidden = quiet or not on_terminal()
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(title, total=None)
        # A callback must not return a truth value: False would cancel the run.
        yield lambda done, total: bar.update(task, completed=done, total=total)


def default(function: Callable[..., Any], name: str) -> Any:
    """Return the default that the library's signature gives an argument."""
    return inspect.signature(function).parameters[name].default


def _print(console: Console, item: object, style: str) -> None:
    if isinstance(item, str):
        # Text, so that brackets in file names are not read as markup.
        item = Text(item, style=style)
    # Lines are left whole: a pipe has no width, and a path must stay in one piece.
    console.print(item, soft_wrap=isinstance(item, Text))
