"""Labelled images: what networks that segment and detect are trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from skimage.measure import label as connected
from skimage.segmentation import relabel_sequential

from ..errors import DranError, InputError
from ..files import is_readable, read_volume
from ..intensity import choose_window, normalise
from ..volume import Volume
from .data import MAX_GREY
from .manifest import MANIFEST, read_manifest

COLUMNS = (("labels", True), ("mask", False))
"""Columns of a manifest that name the labels, and whether their values tell objects apart."""

IMAGES, LABELS, MASKS = "images", "labels", "masks"
"""Folders, where there is no manifest."""

COLOUR = np.array([2**32, 2**16, 1])
"""Makes one number of red, green and blue; black is 0."""


@dataclass(frozen=True)
class LabelledImage:
    """One image and its objects.

    Parameters
    ----------
    name : str
        Name of the file.
    pixels : ndarray
        uint8 (height, width, 3); grey images three times.
    labels : ndarray
        int32 (height, width): 0 for background, each object a number of its own.
    group : str
        What must not be in both training and validation: the patient.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    group: str


def read_labelled(
    folder: str | Path, notice: Callable[[str], object] = lambda sentence: None
) -> list[LabelledImage]:
    """Read images and their labels or masks.

    Parameters
    ----------
    folder : str or Path
        Holds ``manifest.csv`` with the columns ``image`` and ``mask`` or ``labels``
        (paths in the folder) and, if patients have several images, ``patient`` or
        ``group``; or the folders ``images`` and ``masks`` or ``labels`` with files of
        the same names. In masks every value but 0 is object, and objects are what is
        connected; in labels each object has a value of its own.
    notice : callable
        Gets one sentence for each image that cannot be used, which is then skipped.

    Returns
    -------
    list of LabelledImage
        In the manifest's order, or by name.

    Raises
    ------
    InputError
        There is no such folder, or no pair of image and labels in it.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"There is no folder {root}. Name the folder that holds the images.")
    images, failed = [], 0
    for image, labels, group, numbered in _pairs(root):
        try:
            images.append(_read(image, labels, group, numbered))
        except DranError as error:
            failed += 1
            notice(f"Skipped {image.name}: {error}")
    if not images:
        reason = f", and none of its {failed} pairs could be used" if failed else ""
        raise InputError(
            f"Found no labelled images in {root}{reason}. Expected {MANIFEST} with the columns "
            f"'image' and 'mask' or 'labels'; or the folders {IMAGES!r} and {MASKS!r} or "
            f"{LABELS!r} with files of the same names."
        )
    return images


def _pairs(root: Path) -> list[tuple[Path, Path, str, bool]]:
    """List image, labels, group, and whether the labels' values tell objects apart."""
    rows = read_manifest(root)
    for column, numbered in COLUMNS:
        if rows and {"image", column} <= set(rows[0]):
            return [
                (
                    root / row["image"],
                    root / row[column],
                    row.get("patient") or row.get("group") or row["image"],
                    numbered,
                )
                for row in rows
                if row["image"] and row[column]
            ]
    for name, numbered in ((LABELS, True), (MASKS, False)):
        if (root / IMAGES).is_dir() and (root / name).is_dir():
            files = sorted(p for p in (root / IMAGES).iterdir() if is_readable(p))
            return [(p, root / name / p.name, p.name, numbered) for p in files]
    return []


def _read(image: Path, labels: Path, group: str, numbered: bool) -> LabelledImage:
    volume, found = read_volume(image), read_volume(labels)
    pixels = as_bytes(volume)
    values = np.asarray(found.data)
    if found.rgb:
        values = values[..., :3].astype(np.int64) @ COLOUR
    values = np.squeeze(values)
    if values.shape != pixels.shape[:2]:
        raise InputError(
            f"The labels have the shape {values.shape}, the image {pixels.shape[:2]}. Expected the "
            "same number of pixels."
        )
    numbers = _numbers(values) if numbered else connected(values != 0)
    return LabelledImage(image.name, pixels, numbers.astype(np.int32), group)


def _numbers(values: np.ndarray) -> np.ndarray:
    """Count objects from 1: networks compare their numbers as float32."""
    if not (np.all(values >= 0) and np.array_equal(values, np.rint(values))):
        raise InputError(
            "Expected labels that are whole numbers of 0 or more, got values of "
            f"{values.min():g} to {values.max():g}. Masks belong into a column 'mask' or a folder "
            f"{MASKS!r}."
        )
    numbers: np.ndarray = relabel_sequential(values.astype(np.int64))[0]
    return numbers


def brought_to(image: LabelledImage, side: int) -> LabelledImage:
    """Resize an image so that its longer side has ``side`` pixels, 0 for as it is.

    The network will see images so: see :func:`~napari_dran.network.sides.bring_to_side`.
    """
    height, width = image.labels.shape
    if side in (0, max(height, width)):
        return image
    import torch
    from torch.nn import functional as F

    from ..network.sides import bring_to_side, sides_at

    pixels = torch.from_numpy(image.pixels).permute(2, 0, 1)[None].float()
    pixels = bring_to_side(pixels, side)[0].permute(1, 2, 0)
    labels = torch.from_numpy(image.labels)[None, None].double()
    labels = F.interpolate(labels, sides_at(height, width, side), mode="nearest-exact")[0, 0]
    return replace(
        image,
        pixels=np.rint(pixels.numpy()).astype(np.uint8),
        labels=labels.numpy().astype(np.int32),
    )


def as_bytes(volume: Volume) -> np.ndarray:
    """Return a 2-D image as uint8 (height, width, 3), 8-bit values as they are.

    Raises
    ------
    InputError
        The image has several slices.
    """
    data = np.asarray(volume.data)
    if volume.rgb:
        data = data[..., :3]
    flat = np.squeeze(data)
    if flat.ndim != 2 + volume.rgb:
        raise InputError(
            f"Expected a single slice, got shape {data.shape}. Write each slice as a file."
        )
    if flat.dtype != np.uint8:
        window = choose_window(flat)
        scaled = np.zeros(flat.shape) if window is None else normalise(flat, window)
        flat = np.rint(np.clip(scaled, 0, 1) * MAX_GREY).astype(np.uint8)
    return flat if volume.rgb else np.repeat(flat[..., None], 3, axis=-1)
