"""Images to measure on: PNG files on their own scale, in folders named after their modality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FileReadError, InputError
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
