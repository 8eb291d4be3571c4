"""NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd) through SimpleITK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileReadError
from ..volume import Source, Volume
from . import history
from .nrrd_header import add_fields, read_fields
from .orientation import (
    file_axes,
    is_usable,
    lies_flat,
    same_place,
    to_volume_order,
)
from .reading import reading

_NRRD = (".nrrd", ".nhdr")
# What ITK images cannot hold, and the next type that holds all of its values.
_WIDER = {"bool": "uint8", "float16": "float32"}


@dataclass(frozen=True)
class ItkHeader:
    """What is needed to write an ITK file again as it was.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the file's array axes, without components: [t] [k] j i.
    spacing, origin, direction : tuple of float
        The file's own, of as many dimensions as it has.
    entries : mapping
        Named entries of the header.
    fields : mapping
        NRRD fields that SimpleITK cannot hand over: the measurement frame.
    spatial_shape : tuple of int
        The volume's, as read.
    time_step : float or None
        The volume's, as read.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    entries: Mapping[str, str]
    fields: Mapping[str, str]
    spatial_shape: tuple[int, ...]
    time_step: float | None


def read_itk(path: Path) -> Volume:
    """Read a NRRD or MetaImage file into memory, in its own dtype.

    Lengths are in mm, as everywhere in ITK. A fourth axis is time in seconds.
    Three or four uint8 values at a voxel are colour, otherwise several values are
    channels.

    Parameters
    ----------
    path : Path
        The file; for .mhd and .nhdr the header, whose data file lies beside it.

    Returns
    -------
    Volume
        A fourth axis of length one is left out, and written again.

    Raises
    ------
    FileReadError
        The file is damaged, holds complex numbers, or has more axes than a volume.
    """
    import SimpleITK

    with (
        reading(path, "MetaImage" if path.suffix.lower() in (".mha", ".mhd") else "NRRD"),
        _quiet(),
    ):
        image = SimpleITK.ReadImage(str(path))
        fields = read_fields(path) if path.suffix.lower() in _NRRD else {}
    if "complex" in image.GetPixelIDTypeAsString():
        raise FileReadError(f"{path} holds complex numbers. Save their magnitude first.")
    dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    data = SimpleITK.GetArrayFromImage(image)
    shape = data.shape[:dimension]
    colour = components in (3, 4) and data.dtype == np.uint8
    times = dimension == 4 and shape[0] > 1
    if dimension not in (2, 3, 4) or (times and components > 1 and not colour):
        raise FileReadError(
            f"{path} has {dimension} axes and {components} values at each voxel. "
            "Expected 2 to 4 axes, and several values only without time; extract a part first."
        )
    if dimension == 4 and not times:
        data = data[0]
    axes = ("t" if times else "") + ("yx" if dimension == 2 else "zyx")
    if components > 1 and colour:
        axes += "s"
    elif components > 1:
        data, axes = np.moveaxis(data, -1, 0), "c" + axes
    first = 1 if axes[0] in "tc" else 0
    flat = dimension == 2
    if flat:
        data = np.expand_dims(data, first)
    data, permutation, flips, affine = to_volume_order(
        data, first, _affine(image), 0 if flat else None
    )
    if flat:
        data = data.squeeze(first)
    time_step = float(image.GetSpacing()[3]) if times else None
    header = ItkHeader(
        shape,
        image.GetSpacing(),
        image.GetOrigin(),
        image.GetDirection(),
        _entries(image),
        fields,
        data.shape[first : first + (2 if flat else 3)],
        time_step,
    )
    source = Source("itk", path, header, permutation, flips, affine.copy())
    return Volume(data, axes, affine, "mm", time_step, path.stem, source)


def write_itk(volume: Volume, path: Path) -> None:
    """Write a volume as NRRD or MetaImage, compressed.

    A volume that was read by :func:`read_itk` gets its file's axes and header
    entries again. bool becomes uint8 and float16 becomes float32; um become mm. A
    slice that lies somewhere in space is written as a volume of one slice, because
    a 2-D file could not say where. The history goes into the entry "napari-dran".

    Parameters
    ----------
    volume : Volume
        The volume.
    path : Path
        Where to write. Next to .mhd and .nhdr a second file holds the data.
    """
    import SimpleITK

    source = volume.source if volume.source and volume.source.format == "itk" else None
    kept: ItkHeader | None = source.header if source else None
    data, first, place = file_axes(volume, source, (0, 1, 2))
    data = data.astype(_WIDER.get(data.dtype.name, data.dtype), copy=False)
    if volume.axes[0] == "c":
        data, first = np.moveaxis(data, 0, -1), 0
    if kept and np.prod(kept.shape) == np.prod(data.shape[: first + 3]):
        dimension = len(kept.shape)
    else:
        flat = "z" not in volume.axes and first == 0 and lies_flat(volume.affine)
        dimension = 2 if flat else 3 + first
    components = data.shape[first + 3 :]
    lengths = (1, *data.shape[: first + 3])[-dimension:]
    data = data.reshape(*lengths, *components)
    with _quiet():
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(data), isVector=bool(components))
        if (
            source
            and kept
            and len(kept.shape) == dimension
            and same_place(volume, source, kept.spatial_shape)
        ):
            spacing, origin, direction = kept.spacing, kept.origin, kept.direction
        else:
            spacing, origin, direction = _geometry(place, volume.unit, dimension)
        if dimension == 4 and volume.time_step and (not kept or volume.time_step != kept.time_step):
            spacing = (*spacing[:3], volume.time_step)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        image.SetDirection(direction)
        nrrd = path.suffix.lower() in _NRRD
        for key, value in (kept.entries if kept else {}).items():
            if key.startswith("NRRD_") <= nrrd and (key != "Modality" or not nrrd):
                image.SetMetaData(key, value)
        if volume.history:
            earlier = kept.entries.get(history.KEY, "") if kept else ""
            image.SetMetaData(history.KEY, history.as_text(volume, earlier))
        SimpleITK.WriteImage(image, str(path), True)
    if nrrd and kept and kept.fields:
        add_fields(path, kept.fields)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ITK's warnings off the terminal."""
    from SimpleITK import ProcessObject

    shown = ProcessObject.GetGlobalWarningDisplay()
    ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        ProcessObject.SetGlobalWarningDisplay(shown)


def _affine(image: Any) -> np.ndarray:
    """Array indices (k, j, i) to world (z, y, x)."""
    dimension = image.GetDimension()
    space = min(dimension, 3)
    direction = np.reshape(image.GetDirection(), (dimension, dimension))[:space, :space]
    affine = np.eye(4)
    affine[:space, :space] = direction * np.array(image.GetSpacing()[:space])
    affine[:space, 3] = image.GetOrigin()[:space]
    affine = affine[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
    return affine if is_usable(affine) else np.eye(4)


def _geometry(
    affine: np.ndarray, unit: str, dimension: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Spacing, origin and direction of ITK from an affine of (k, j, i) to (z, y, x)."""
    affine = affine[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
    affine[:3] *= 1e-3 if unit == "um" else 1.0
    space = min(dimension, 3)
    matrix = affine[:space, :space]
    lengths = np.linalg.norm(matrix, axis=0)
    direction = np.eye(dimension)
    direction[:space, :space] = matrix / lengths
    spacing, origin = np.ones(dimension), np.zeros(dimension)
    spacing[:space], origin[:space] = lengths, affine[:space, 3]
    return tuple(spacing.tolist()), tuple(origin.tolist()), tuple(direction.ravel().tolist())


def _entries(image: Any) -> dict[str, str]:
    entries = {}
    for key in image.GetMetaDataKeys():
        if key.startswith(("ITK_InputFilterName", "ITK_original")) or not _is_utf8(key):
            continue
        value = image.GetMetaData(key)
        # What is no text, SimpleITK cannot hand over; what is no UTF-8, it does not take back.
        if "UNKNOWN_PRINT" not in value and _is_utf8(value):
            entries[key] = value
    return entries


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
