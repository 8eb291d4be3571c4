"""What a run is given: a folder, or images that are in memory already."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..volume import Volume
from .data import TOP, TrainingImage, choose_kind, cut_slices, read_folder, split
from .manifest import MANIFEST, corpus_sources
from .recipe import Recipe
from .sources import DICOM_GROUPS

Data = str | Path | Sequence[TrainingImage | Volume | np.ndarray]
"""A folder, or a list of images; each volume or array of it is one patient's."""


def read_images(
    data: Data,
    recipe: Recipe,
    notice: Callable[[str], object],
    reading: Callable[[str], object] = lambda name: None,
) -> list[TrainingImage]:
    """Read a folder, or cut volumes into slices.

    Parameters
    ----------
    data : path, or sequence of TrainingImage, Volume or ndarray
        Clean images. Arrays have axes as :class:`~napari_dran.Volume` guesses them.
    recipe : Recipe
        Says window, slice axis, number of slices and resizing.
    notice : callable
        Gets a sentence for each file that is left out.
    reading : callable
        Gets the name of each folder, file or volume before it is read; folders end in "/".
        What it raises ends the reading.

    Raises
    ------
    InputError
        There is nothing that can be used.
    """
    if isinstance(data, str | Path):
        return read_folder(data, recipe, notice, reading)
    images: list[TrainingImage] = []
    for number, entry in enumerate(data):
        if isinstance(entry, TrainingImage):
            images.append(entry)
            continue
        volume = entry if isinstance(entry, Volume) else Volume(np.asarray(entry))
        reading(volume.name)
        # Two layers or scans may have one name, and yet are two patients' for all we know.
        group = f"{number + 1} {volume.name}"
        for place, pixels in cut_slices(volume, recipe):
            name = volume.name if place is None else f"{volume.name}[{place}]"
            images.append(TrainingImage(name, TOP, pixels, group))
    if not images:
        found = f"all {len(data)} are constant" if len(data) else "got none"
        raise InputError(f"Expected images to train on, {found}. Choose images with structure.")
    return images


def training_and_validation(
    data: Data,
    validation: Data | None,
    recipe: Recipe,
    notice: Callable[[str], object],
    reading: Callable[[str], object] = lambda name: None,
) -> tuple[list[TrainingImage], list[TrainingImage], int]:
    """Read the images to train on and those to validate on, and tell the channels.

    Parameters
    ----------
    data, recipe, notice, reading
        As for :func:`read_images`.
    validation : path, sequence or None
        None keeps a share of ``data``, split by patient.

    Returns
    -------
    training, validation : list of TrainingImage
        The same images if there are too few of them.
    channels : {1, 3}
        Of the network.

    Raises
    ------
    InputError
        As :func:`read_images`; or grey and colour images are mixed.
    """
    images, channels = choose_kind(read_images(data, recipe, notice, reading), recipe, notice)
    if validation is not None:
        held = read_images(validation, recipe, notice, reading)
        if isinstance(data, str | Path) and isinstance(validation, str | Path):
            images = _without(images, Path(data), held, Path(validation), notice)
        notice(f"Training on {len(images)} images, validating on {len(held)}.")
        return images, held, channels
    training, held = split(images, recipe.validation_share)
    if not any(len(image.pixels) == channels for image in held):
        why = "None are kept" if recipe.validation_share == 0 else "There are too few to keep some"
        notice(f"{why} for validation: the scores are of training images.")
        return images, images, channels
    kept, everyone = (len({image.group for image in part}) for part in (held, images))
    single = all(_source(image) == image.group for image in images)
    notice(
        f"Training on {len(training)} images, validating on {len(held)}, of {kept} of {everyone} "
        f"patients{' (each file counts as one)' if single else ''}."
    )
    return training, held, channels


def _without(
    images: list[TrainingImage],
    root: Path,
    held: list[TrainingImage],
    held_root: Path,
    notice: Callable[[str], object],
) -> list[TrainingImage]:
    """Leave out the images to train on that are validated on, or of the same DICOM patient."""
    files = {_file(held_root, image) for image in held}
    patients = {image.group for image in held if image.group.startswith(DICOM_GROUPS)}
    left = [i for i in images if _file(root, i) not in files and i.group not in patients]
    if not left:
        raise InputError(
            f"All images of {root} are validated on, too, or of the same patients, so none is left "
            "to train on. Name another folder for validation, or none: a share is kept then."
        )
    if len(left) < len(images):
        notice(
            f"Left out {len(images) - len(left)} of {len(images)} images to train on, which are "
            f"validated on or of the same patients."
        )
    shared = {image.group for image in left} & {image.group for image in held}
    named = sorted(group for group in shared if group.startswith("group "))
    if named:
        notice(
            f"{len(named)} patients of {MANIFEST} are both trained and validated on, e.g. "
            f"{named[0].removeprefix('group ')!r}. If they are the same ones, scores say too much."
        )
    return left


def _file(root: Path, image: TrainingImage) -> Path:
    """Return the file or series of an image or slice."""
    return (root.expanduser() / _source(image)).resolve()


def _source(image: TrainingImage) -> str:
    """Return the name of the file or series that an image or slice is of."""
    return re.sub(r"\[\d+\]$", "", image.name)


def sources_of(data: Data) -> dict[str, str]:
    """Map each source of the images to its licence, for a weights card."""
    if isinstance(data, str | Path):
        return corpus_sources(data)
    # Names of layers and scans stay out of the card: they may be a patient's.
    return {f"{len(data)} images from memory": "not stated"}
