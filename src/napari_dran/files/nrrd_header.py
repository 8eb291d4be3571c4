"""The one part of NRRD headers that SimpleITK does not hand over.

Diffusion gradients in NRRD files are given in the measurement frame, three
vectors in the file's world. Without it they would point elsewhere. Fields as
defined at https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_FRAME = "measurement frame"


def read_fields(path: Path) -> dict[str, str]:
    """Return the measurement frame of a NRRD file, turned to the axes L, P, S.

    Parameters
    ----------
    path : Path
        The file or its detached header.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for line in file:
            name, colon, value = line.decode("latin-1").strip().partition(": ")
            if not name:
                break
            if colon:
                found[name.lower()] = value
    if _FRAME not in found:
        return {}
    space = found.get("space", "left-posterior-superior").lower()
    letters = space.split("-") if "-" in space else list(space)
    signs = [
        -1.0 if letters[0].startswith("r") else 1.0,
        -1.0 if letters[1].startswith("a") else 1.0,
        1.0,
    ]
    try:
        vectors = [
            [sign * float(n) + 0.0 for sign, n in zip(signs, vector.split(","), strict=True)]
            for vector in re.findall(r"\(([^)]*)\)", found[_FRAME])
        ]
    except (ValueError, IndexError):
        return {}
    return {_FRAME: " ".join("(" + ",".join(f"{n:.17g}" for n in v) + ")" for v in vectors)}


def add_fields(path: Path, fields: Mapping[str, str]) -> None:
    """Insert fields into the header of a NRRD file just written.

    Parameters
    ----------
    path : Path
        The file or its detached header.
    fields : mapping
        From :func:`read_fields`.
    """
    content = path.read_bytes()
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()
    # The frame may only follow the line that says how many axes the world has,
    # and came with the fifth version of the format.
    before, mark, after = content.partition(b"\nspace origin:")
    if mark:
        before = before.replace(b"NRRD0004", b"NRRD0005", 1)
        path.write_bytes(before + b"\n" + lines + mark[1:] + after)
