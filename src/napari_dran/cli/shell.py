"""From exceptions to one red line and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from ..errors import DranError
from .console import fail, one_line, tell

INTERRUPTED = 130
FAILED = 2
SOME_FILES_FAILED = 1
DEBUG = "--debug"


class Shell(TyperGroup):
    """The command's outermost layer.

    Exit codes: 0 all done, 1 some files of a folder failed, 2 error, 130
    stopped with Ctrl-C. ``--debug``, which may stand anywhere, lets exceptions
    pass for their traceback.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line ``args``."""
        words = list(sys.argv[1:] if args is None else args)
        debug = DEBUG in words
        words = [word for word in words if word != DEBUG]
        try:
            with warnings.catch_warnings():
                _show_warnings()
                code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except (KeyboardInterrupt, typer.Abort):
            tell("Stopped. Nothing half-written was left behind.", "yellow")
            sys.exit(INTERRUPTED)
        except Exception as error:
            if debug:
                raise
            fail(_sentence(error))
            sys.exit(FAILED)
        if code == INTERRUPTED:
            tell("Stopped. Nothing half-written was left behind.", "yellow")
        sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: Exception) -> str:
    if isinstance(error, DranError):
        return str(error)
    if hasattr(error, "format_message"):  # a usage error of click
        return f"{error.format_message()} See 'napari-dran --help'."
    return (
        f"Unexpected {type(error).__name__}: {error}. Add {DEBUG} to see where, and please "
        "report it."
    )


def _show_warnings() -> None:
    """Show warnings meant for users as one yellow line each."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, UserWarning):
            tell(f"Warning: {one_line(message)}", "yellow")

    warnings.simplefilter("ignore")
    warnings.simplefilter("default", UserWarning)
    warnings.showwarning = show
