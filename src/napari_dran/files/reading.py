"""Turning what parsers raise into one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DranError, FileReadError

# The names of the inner function, which tell a user nothing.
_PREFIX = re.compile(r"^(\[nrrd\] \w+|sitk::ERROR|ITK ERROR|itk::ERROR): ")


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
        # nibabel ends with a guess of its own, which would hide the reason.
        text = str(error).replace("- could the file be damaged?", "")
        lines = text.strip().splitlines() or [type(error).__name__]
        reason = _PREFIX.sub("", lines[-1].strip()).rstrip(".")
        if "No such file" in reason and path.exists():
            reason = "its data are incomplete, or in a second file that is missing"
        raise FileReadError(
            f"Could not read {path} as {format_name}: it is damaged, cut short, or of another "
            f"format ({reason}). Copy or export it again."
        ) from error
