"""Images to measure on: PNG files on their own scale, in folders named after their modality."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FileReadError, InputError
from ..files import is_readable
from .data import MAX_GREY, TrainingImage

MAX_GREY_16 = 65535.0


def corpus_files(folder: str | Path) -> list[Path]:
    """List ``<folder>/<modality>/*.png``, sorted by name.

    Raises
    ------
    InputError
        There is no such file.
    """
    root = Path(folder)
    paths = sorted(root.glob("*/*.png"))
    if not paths:
        raise InputError(
            f"Found no images in {root}. Expected PNG files in folders named after the "
            f"modality, e.g. {root / 'mri' / 'image.png'}."
        )
    return paths


def find_images(root: Path, notice: Callable[[str], object]) -> list[Path]:
    """List what :func:`corpus_files` does, and tell of other images below the folder."""
    try:
        paths = corpus_files(root)
    except InputError as error:
        raise InputError(f"{error} {_left_out(root, ())}".rstrip()) from error
    if sentence := _left_out(root, paths):
        notice(sentence)
    return paths


def _left_out(root: Path, paths: Sequence[Path]) -> str:
    """Say which images below a folder are not among ``paths``, and why; "" if all are."""
    taken = set(paths)
    found: dict[str, list[str]] = {}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            if path not in taken and path.is_file() and is_readable(path):
                inside = path.relative_to(root)
                depth = len(inside.parts)
                reason = "in no folder" if depth < 2 else "deeper" if depth > 2 else "not .png"
                found.setdefault(reason, []).append(inside.as_posix())
    if not found:
        return ""
    reasons = ", ".join(f"{len(f)} {reason} (e.g. {f[0]})" for reason, f in found.items())
    return f"Left out other images: {reasons}. Only <modality>/*.png are measured."


def read_image(path: Path) -> TrainingImage:
    """Read ``<modality>/<file>.png``, 8 or 16 bit, its largest possible value as 1.

    Raises
    ------
    FileReadError
        The image is damaged.
    """
    try:
        with Image.open(path) as image:
            plain = "RGB" if image.mode in ("P", "PA", "RGBA", "CMYK") else "L"
            known = image.mode in ("L", "RGB") or image.mode.startswith("I")
            pixels = np.asarray(image if known else image.convert(plain))
    except (OSError, SyntaxError) as error:
        raise FileReadError(
            f"Could not read {path} ({error}). Remove the file or get it again."
        ) from error
    largest = MAX_GREY if pixels.dtype == np.uint8 else MAX_GREY_16
    scaled = pixels.astype(np.float32) / np.float32(largest)
    scaled = scaled[None] if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    name = f"{path.parent.name}/{path.name}"
    return TrainingImage(name, path.parent.name, np.ascontiguousarray(scaled))
