"""Writing label images: the numbers of objects, at the place of the image they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..volume import Source, Volume
from . import DICOM_SUFFIXES, history, write_volume
from .itk import ItkHeader
from .nifti import NiftiHeader

MOST_IN_16_BITS = int(np.iinfo(np.uint16).max)


def write_labels(
    labels: Volume,
    path: str | Path,
    *,
    names: Sequence[str] | Mapping[int, str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a label image in the format of its name.

    The geometry is that of the image's file; what its header says of intensities
    (display range, kind of contrast, gradients, colours) is left out. PNG and TIFF files
    get 16 bits, which most programs read; TIFF files 32 bits if there are too many
    objects for that.

    Parameters
    ----------
    labels : Volume
        Integers from 0, the background.
    path : str or Path
        A name that :func:`~napari_dran.files.write_volume` takes; or one that ends in
        .dcm, for a segmentation object of a DICOM series.
    names : sequence of str or mapping
        What the objects are, for DICOM; see
        :func:`~napari_dran.files.dicom_seg.write_dicom_seg`.
    overwrite : bool
        As for :func:`~napari_dran.files.write_volume`, which says also what is returned.

    Raises
    ------
    InputError
        The format cannot hold these labels: PNG numbers up to 65,535 objects in one slice.
    FileWriteError, OutputExistsError
        See :func:`~napari_dran.files.write_volume`.
    """
    path = Path(path).expanduser()
    name = path.name.lower()
    if name.endswith(DICOM_SUFFIXES):
        from .dicom_seg import write_dicom_seg

        named: dict[str, Any] = {"names": names} if names else {}
        return write_dicom_seg(labels, path, overwrite=overwrite, **named)
    if name.endswith((".tif", ".tiff")) and int(np.max(labels.data)) <= MOST_IN_16_BITS:
        labels = labels.with_data(labels.data.astype(np.uint16))
    return write_volume(replace(labels, source=_place_of(labels.source)), path, overwrite=overwrite)


def _place_of(source: Source | None) -> Source | None:
    """Return a source that says where the image lies, and nothing of its intensities."""
    if source is None:
        return None
    header = source.header
    if source.format == "image":
        # Pictures keep their spacing in the volume alone.
        text = header.get("text", {}) if isinstance(header, dict) else {}
        header = {"text": _past(text)}
    elif isinstance(header, NiftiHeader):
        header = header.for_labels()
    elif isinstance(header, ItkHeader):
        header = replace(header, entries=_past(header.entries), fields={})
    return replace(source, header=header)


def _past(entries: Mapping[str, str]) -> dict[str, str]:
    """Keep what earlier files say of their history."""
    return {key: value for key, value in entries.items() if key == history.KEY}
