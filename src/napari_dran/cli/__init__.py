"""The command ``napari-dran``: one module a subcommand."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import show
from .demo import demo
from .denoise import denoise
from .detect import detect
from .evaluate import evaluate
from .info import info
from .segment import segment
from .shell import Shell
from .train import train
from .weights import weights

app = typer.Typer(
    cls=Shell,
    name="napari-dran",
    help="Remove noise from medical images and micrographs; segment them, and detect objects. "
    "Not a medical device.",
    epilog="Start with 'napari-dran demo'. Exit codes: 0 done, 1 some files of a folder failed, "
    "2 error, 130 stopped with Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        show(f"napari-dran {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")
    ] = False,
) -> None:
    """Read the options that stand before a subcommand."""


for command in (denoise, segment, detect, info, evaluate, train, demo):
    app.command()(command)
app.add_typer(weights, name="weights")
