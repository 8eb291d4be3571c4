"""NIfTI-1 and NIfTI-2 (.nii, .nii.gz), header kept to the letter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileReadError, InputError
from ..volume import Source, Volume
from .nifti_header import (
    affine_of,
    describe,
    set_geometry,
    set_time_step,
    set_unit,
    time_step_of,
    unit_of,
)
from .orientation import file_axes, lies_flat, same_place, to_volume_order
from .reading import reading

# What NIfTI cannot hold, and the next type that holds all of its values.
_WIDER = {"bool": "uint8", "float16": "float32"}
_LARGEST_NIFTI1_AXIS = 32767


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed to write a NIfTI file again as it was.

    Parameters
    ----------
    header : nibabel.Nifti1Header
        The file's own, extensions included.
    slope, inter : float
        The scaling of the values on disk; 1 and 0 if there is none.
    spatial_shape : tuple of int
        The volume's, as read.
    time_step : float or None
        The volume's, as read.
    unit : str
        The volume's, as read.
    """

    header: Any
    slope: float
    inter: float
    spatial_shape: tuple[int, ...]
    time_step: float | None
    unit: str

    def for_labels(self) -> NiftiHeader:
        """Return it without what it says of intensities: a display range shows labels black."""
        header = self.header.copy()
        header["cal_min"] = header["cal_max"] = 0
        header.set_intent("none")
        return replace(self, header=header, slope=1.0, inter=0.0)


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI file into memory.

    Values on disk without scaling keep their dtype. Scaled values become float32 if
    it holds each of them exactly, else float64: they are those of nibabel's
    ``get_fdata``, and stay so in whatever is written without changing them. Positions
    come from the sform if its code is set, else from the qform, else from the
    voxel size alone, as in nibabel. Spatial units that are not stated are taken as
    mm if the file has a position, as all NIfTI tools do; metres become mm.

    Parameters
    ----------
    path : Path
        A .nii or .nii.gz file.

    Returns
    -------
    Volume
        Axes yx, zyx, tzyx or czyx; RGB24 and RGBA32 files have s as well.
        Further axes of length one are left out, and written again.

    Raises
    ------
    FileReadError
        The file is missing, damaged, complex, or has more axes than a volume.
    """
    import nibabel

    with reading(path, "NIfTI"):
        image: Any = nibabel.load(path, mmap=False, keep_file_open=False)
        header = image.header.copy()
        raw = image.dataobj.get_unscaled()
        slope, inter = float(image.dataobj.slope), float(image.dataobj.inter)
        affine = affine_of(path, header)
    if raw.dtype.kind == "c":
        raise FileReadError(
            f"{path} holds complex numbers. Save their magnitude as a NIfTI file first."
        )
    axes, index = _axes(path, raw.shape)
    raw = raw.reshape(index)
    colour = raw.dtype.fields is not None
    if colour:
        raw = np.stack([raw[name] for name in raw.dtype.names], axis=-1)
        axes += "s"
    else:
        raw = _scale(raw.astype(raw.dtype.newbyteorder("="), copy=False), slope, inter)
    first = 0
    if axes[0] in "tc":
        raw, first = np.moveaxis(raw, 3, 0), 1
    flat = "z" not in axes
    data, permutation, flips, affine = to_volume_order(raw, first, affine, 2 if flat else None)
    if flat:
        data = data.squeeze(first)
    unit, factor = unit_of(header)
    affine[:3] *= factor
    time_step = time_step_of(header) if axes[0] == "t" else None
    spatial = data.shape[first : first + (2 if flat else 3)]
    kept = NiftiHeader(header, slope, inter, spatial, time_step, unit)
    return Volume(
        data,
        axes,
        affine,
        unit,
        time_step,
        _name(path),
        Source("nifti", path, kept, permutation, flips, affine.copy()),
    )


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a volume as NIfTI.

    A volume that was read from NIfTI gets its file's header again: version, byte
    order, qform, sform and their codes, units, description, intent, extensions.
    If it has been moved, cropped or resampled since, its geometry is written anew
    into qform and sform. Data that the file held as scaled integers go back to
    these integers if that is exact, else they are written as floats with slope 1.
    bool becomes uint8 and float16 becomes float32. A slice that lies somewhere in space
    becomes a volume of one slice, as ITK would lose the place of a 2-D file. The last
    step of the history is added to the description if there is room, and all of it as
    a comment extension. Integers where the file had another type, as labels are, lose
    the image's intent and display range.

    Parameters
    ----------
    volume : Volume
        Colour must be uint8.
    path : Path
        Where to write; ends in .nii or .nii.gz.

    Raises
    ------
    InputError
        Colour samples that NIfTI cannot hold.
    """
    import nibabel

    source = volume.source if volume.source and volume.source.format == "nifti" else None
    kept: NiftiHeader | None = source.header if source else None
    data, first, place = file_axes(volume, source, (2, 1, 0))
    if volume.rgb and data.dtype != np.uint8:
        raise InputError(
            f"NIfTI holds colour as uint8 only, this image has {data.dtype} samples. "
            "Write .tif or .nrrd instead, or convert the image to uint8."
        )
    data = data.astype(_WIDER.get(data.dtype.name, data.dtype), copy=False)
    if first:
        data = np.moveaxis(data, 0, 3)
        if volume.axes[0] == "c":  # NIfTI keeps the fifth axis for several values at a place
            data = np.expand_dims(data, 3)
    if volume.rgb:
        fields = [(name, "u1") for name in "RGBA"[: data.shape[-1]]]
        data = np.ascontiguousarray(data).view(fields)[..., 0]
    if "z" not in volume.axes and data.shape[2:] == (1,) and lies_flat(volume.affine):
        data = data[..., 0]
    header: Any
    slope, inter = 1.0, 0.0
    if kept:
        if _are_labels(volume, kept):
            kept = kept.for_labels()
        data, slope, inter = _unscale(data, kept)
        old_shape = kept.header.get_data_shape()
        if [n for n in old_shape if n > 1] == [n for n in data.shape if n > 1]:
            data = data.reshape(old_shape)
        header = kept.header.copy()
        header.extensions = type(header.extensions)(kept.header.extensions)
    else:
        large = max(data.shape) > _LARGEST_NIFTI1_AXIS
        header = nibabel.Nifti2Header() if large else nibabel.Nifti1Header()
    header.set_data_dtype(data.dtype)
    if header.get_data_shape() != data.shape:
        pixdim = header["pixdim"].copy()
        header.set_data_shape(data.shape)  # which sets the steps of unused axes to one
        header["pixdim"] = pixdim
    if not (source and kept and same_place(volume, source, kept.spatial_shape)):
        set_geometry(header, volume, place)
    if not kept or volume.unit != kept.unit:
        set_unit(header, volume.unit)
    if volume.time_step is not None and (not kept or volume.time_step != kept.time_step):
        set_time_step(header, volume.time_step)
    describe(header, volume)
    second = header["sizeof_hdr"] == 540
    image_class = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    # With an affine of its own, nibabel would replace qform, sform and codes.
    image = image_class(data, None, header)
    image.header.set_slope_inter(slope, inter)  # the constructor has cleared them
    image.to_filename(path)


def _axes(path: Path, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Name the axes of a file, and give its shape with three spatial and at most one more."""
    if len(shape) < 2:
        raise FileReadError(
            f"{path} holds {len(shape)}-D data of shape {shape}, not an image. "
            "Expected at least two axes."
        )
    spatial = (*shape, 1)[:3]
    further = [(axis, n) for axis, n in enumerate(shape) if axis >= 3 and n > 1]
    if len(further) > 1:
        raise FileReadError(
            f"{path} has {3 + len(further)} axes, shape {shape}. "
            "Expected at most four; extract one time point or one component first."
        )
    axes = "yx" if len(shape) == 2 else "zyx"
    if not further:
        return axes, spatial
    axis, length = further[0]
    return ("t" if axis == 3 else "c") + axes, (*spatial, length)


def _scale(raw: np.ndarray, slope: float, inter: float) -> np.ndarray:
    """Scale stored values, to float32 if that holds each of them exactly, else to float64."""
    if (slope, inter) == (1.0, 0.0):
        return raw
    values = raw.astype(np.float64) * slope + inter
    if raw.dtype.kind == "f" and raw.dtype.itemsize > 4:
        return values
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values


def _unscale(data: np.ndarray, kept: NiftiHeader) -> tuple[np.ndarray, float, float]:
    """Return the file's own integers and scaling if they stand for exactly these values."""
    dtype = kept.header.get_data_dtype().newbyteorder("=")
    if (kept.slope, kept.inter) == (1.0, 0.0) or dtype.kind not in "iu" or data.dtype.kind != "f":
        return data, 1.0, 0.0
    if np.all(np.isfinite(data)):
        info = np.iinfo(dtype)
        raw = np.rint((data.astype(np.float64) - kept.inter) / kept.slope)
        if raw.min() >= info.min and raw.max() <= info.max:
            whole = raw.astype(dtype)
            if np.array_equal(_scale(whole, kept.slope, kept.inter).astype(data.dtype), data):
                return whole, kept.slope, kept.inter
    return data, 1.0, 0.0


def _are_labels(volume: Volume, kept: NiftiHeader) -> bool:
    """Whether a volume holds integers of another type than those the file was read as."""
    if volume.dtype.kind not in "biu" or volume.rgb:
        return False
    scaled = (kept.slope, kept.inter) != (1.0, 0.0)
    return scaled or volume.dtype != kept.header.get_data_dtype().newbyteorder("=")


def _name(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".nii"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name
