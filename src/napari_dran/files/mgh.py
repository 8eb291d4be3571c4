"""FreeSurfer's MGH and MGZ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..volume import Source, Volume
from .orientation import (
    file_axes,
    is_usable,
    ras_from_zyx,
    same_place,
    to_volume_order,
    zyx_from_ras,
)
from .reading import reading

# MGH knows four types; these hold all values of another one.
_WIDER = {"bool": "uint8", "int8": "int16", "uint16": "int32", "float16": "float32"}
_KNOWN = ("uint8", "int16", "int32", "float32")


@dataclass(frozen=True)
class MghHeader:
    """What is needed to write an MGH file again as it was.

    Parameters
    ----------
    header : nibabel.freesurfer.mghformat.MGHHeader
        The file's own.
    spatial_shape : tuple of int
        The volume's, as read.
    time_step : float or None
        The volume's, as read.
    """

    header: Any
    spatial_shape: tuple[int, ...]
    time_step: float | None


def read_mgh(path: Path) -> Volume:
    """Read an MGH or MGZ file into memory, in its own dtype. Frames become time.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    FileReadError
        The file is damaged.
    """
    from nibabel.fileholders import FileHolder
    from nibabel.freesurfer.mghformat import MGHImage
    from nibabel.openers import ImageOpener

    # Opened here, because nibabel would leave an .mgh file open.
    with reading(path, "MGH"), ImageOpener(path) as file:
        image: Any = MGHImage.from_file_map({"image": FileHolder(fileobj=file)}, mmap=False)
        raw = np.asanyarray(image.dataobj)
        affine = image.affine
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    times = raw.ndim == 4
    data = np.moveaxis(raw, 3, 0) if times else raw
    zyx = zyx_from_ras(affine) if is_usable(affine) else zyx_from_ras(np.diag([-1, -1, 1, 1]))
    data, permutation, flips, affine = to_volume_order(data, int(times), zyx)
    step = float(image.header["tr"]) * 1e-3 if times else 0.0
    time_step = step if step > 0 else None
    header = MghHeader(image.header.copy(), data.shape[int(times) :], time_step)
    source = Source("mgh", path, header, permutation, flips, affine.copy())
    return Volume(data, "tzyx" if times else "zyx", affine, "mm", time_step, path.stem, source)


def write_mgh(volume: Volume, path: Path) -> None:
    """Write a volume as MGH or MGZ.

    A volume that was read from MGH gets its file's header again. The format has no
    room for the history. int8 becomes int16, uint16 int32, bool uint8; um become mm.

    Parameters
    ----------
    volume : Volume
        Without colour.
    path : Path
        Where to write; ends in .mgh or .mgz.

    Raises
    ------
    InputError
        The format cannot hold the volume's dtype or colour.
    """
    from nibabel.freesurfer.mghformat import MGHHeader, MGHImage

    source = volume.source if volume.source and volume.source.format == "mgh" else None
    kept: MghHeader | None = source.header if source else None
    data, first, place = file_axes(volume, source, (2, 1, 0))
    data = data.astype(_WIDER.get(data.dtype.name, data.dtype), copy=False)
    if data.dtype.name not in _KNOWN or volume.rgb:
        found = "colour" if volume.rgb else str(data.dtype)
        raise InputError(
            f"MGH files hold {', '.join(_KNOWN)} and no colour, this image has {found}. "
            "Write .nii.gz or .nrrd instead, or convert the image first."
        )
    if first:
        data = np.moveaxis(data, 0, 3)
    header = kept.header.copy() if kept else MGHHeader()
    header.set_data_dtype(data.dtype)
    affine = None
    if not (source and kept and same_place(volume, source, kept.spatial_shape)):
        affine = ras_from_zyx(place)
        affine[:3] *= 1e-3 if volume.unit == "um" else 1.0
    image = MGHImage(data, affine if affine is not None else header.get_affine(), header)
    if volume.time_step and (not kept or volume.time_step != kept.time_step):
        image.header["tr"] = volume.time_step * 1e3
    image.to_filename(path)
