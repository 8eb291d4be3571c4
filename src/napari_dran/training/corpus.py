"""Images to measure on: PNG files on their own scale, all else as it is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FileReadError, InputError
from ..metrics import SSIM_SMALLEST_SIDE
from .data import MAX_GREY, TrainingImage, modality_of, read_source
from .recipe import Recipe
from .sources import Source

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


def clean_images(source: Source) -> Iterator[TrainingImage]:
    """Read what can be measured of a file or DICOM series: one image, or the slices of a volume.

    PNG files keep their scale, see :func:`read_image`. All else is cut into slices as
    for training, by the defaults of :class:`~napari_dran.training.recipe.Recipe`.

    Yields
    ------
    TrainingImage
        float32, named as training names it.

    Raises
    ------
    FileReadError
        The file is damaged.
    InputError
        The image is constant, and no PNG file.
    """
    if source.series is None and source.path.suffix.lower() == ".png":
        name = source.name
        yield replace(read_image(source.path), name=name, modality=modality_of(name))
        return
    constant = True
    for image in read_source(source, Recipe()):
        constant = False
        yield replace(image, pixels=image.pixels.astype(np.float32))
    if constant:
        raise InputError(
            f"{source.name} is all but constant, so it says nothing about denoising. Remove it, or "
            "choose an image with structure."
        )


def check_size(image: TrainingImage, name: str) -> None:
    """Raise InputError, which says ``name``, if an image is too small to be measured."""
    height, width = image.pixels.shape[1:]
    if min(height, width) < SSIM_SMALLEST_SIDE:
        raise InputError(
            f"{name} is {width} x {height} pixels. Images of at least "
            f"{SSIM_SMALLEST_SIDE} x {SSIM_SMALLEST_SIDE} pixels can be measured."
        )


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
