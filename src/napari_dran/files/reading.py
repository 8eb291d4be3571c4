"""Turning what parsers raise into one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DranError, FileReadError


@contextmanager
def reading(path: Path, format_name: str) -> Iterator[None]:
    """Say clearly that a file cannot be read, whatever its parser raises.

    Parameters
    ----------
    path : Path
        The file.
    format_name : str
        What it should be, for people: "NIfTI", "NRRD".

    Raises
    ------
    FileReadError
        In place of any exception that is not ours.
    """
    try:
        yield
    except DranError:
        raise
    except MemoryError as error:
        raise FileReadError(
            f"Could not read {path}: it does not fit into memory. "
            "Close other programs, or check that the file is not damaged."
        ) from error
    except PermissionError as error:
        raise FileReadError(f"Could not read {path}: no permission to open it.") from error
    except Exception as error:
        # Parsers raise whatever they trip over: EOFError, zlib.error, struct.error, KeyError...
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[-1].strip().rstrip(".")
        raise FileReadError(
            f"Could not read {path} as {format_name}: it is damaged, cut short, or of another "
            f"format ({reason}). Copy or export it again."
        ) from error
