"""Reading DICOM: a file, or a folder with a series."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileReadError
from ..volume import Source, Volume
from .dicom_frames import Frame, frames_of
from .dicom_grid import GeometryWarning, Grid, arrange
from .dicom_pixels import Scale, stored_frames, to_real
from .dicom_series import (
    SeriesInfo,
    choose,
    damaged,
    find,
    frame_count,
    is_dicom,
    is_dicom_file,
    is_image,
    kind_of,
    list_series,
    quiet,
    read_header,
)
from .dicom_times import is_cine
from .orientation import to_volume_order

__all__ = ["DicomHeader", "GeometryWarning", "SeriesInfo", "is_dicom", "list_series", "read_dicom"]


@dataclass(frozen=True)
class DicomHeader:
    """What is needed to write a series like the one that was read.

    Parameters
    ----------
    datasets : tuple of pydicom Dataset
        One a file, without pixels.
    frames : tuple of Frame
        Time point by time point, slice by slice along the slice normal; each
        knows its dataset.
    times, slices : int
        How many of each.
    axes : str
        Axes of the volume as it was read.
    spatial_shape : tuple of int
        Its spatial shape.
    scales : tuple of Scale or None
        How each frame's stored values became real ones; None if that cannot be
        undone (a table, or stored floats).
    """

    datasets: tuple[Any, ...]
    frames: tuple[Frame, ...]
    times: int
    slices: int
    axes: str
    spatial_shape: tuple[int, ...]
    scales: tuple[Scale, ...] | None


def read_dicom(path: str | Path, series: str | None = None) -> Volume:
    """Read a DICOM file, or a series from a folder.

    Slices are sorted by their position along the slice normal. Images that share
    their positions (echoes, b-values, time points) become a leading t axis. A single
    image has no z axis. Stored values become real ones (CT: HU); MONOCHROME1 is
    turned round so that larger is brighter, except in PET, whose values are
    measurements; palettes and YBR become RGB.

    Parameters
    ----------
    path : str or Path
        A file: it alone is read, all frames of it. A folder, or the DICOMDIR in
        it: searched to the bottom.
    series : str, optional
        Which series of the folder: SeriesInstanceUID, the end of it, or its number
        in :func:`list_series`.

    Returns
    -------
    Volume
        Axes "yx", "zyx", "tyx" or "tzyx", and "s" for colour. Unit "mm", or "pixel"
        if the files give no distances.

    Raises
    ------
    FileReadError
        Nothing there, no image, several series and no choice, damaged, or
        compressed in a way that no installed decoder knows.

    Warns
    -----
    GeometryWarning
        Missing or unevenly spaced slices, gantry tilt, slices in several
        directions, irregular time points. Numbers are in the message.
    """
    with quiet():
        return _read(Path(path), series)


def _read(path: Path, series: str | None) -> Volume:
    if path.name.upper() == "DICOMDIR" and path.is_file():
        path = path.parent
    if path.is_dir():
        found = find(path)
        info, headers = choose(path, found, series)
        files, name = list(info.files), info.description
        if found.unreadable:
            names = ", ".join(file.name for file in found.unreadable[:3])
            _warn(f"{len(found.unreadable)} damaged files were left out, e.g. {names}.")
        if name == "no description":
            name = path.name
    else:
        headers, files = [_single_header(path)], [path]
        name = str(headers[0].get("SeriesDescription") or "").strip() or path.stem
    return _assemble(path, files, headers, name)


def _single_header(path: Path) -> Any:
    if not path.is_file():
        raise FileReadError(f"There is no file {path}. Check the path.")
    if not is_dicom_file(path):
        raise damaged(path, None)
    header = read_header(path)
    if not is_image(header):
        raise FileReadError(
            f"{path} holds no image but: {kind_of(header)}. Choose a file with an image."
        )
    return header


def _assemble(path: Path, files: list[Path], headers: list[Any], name: str) -> Volume:
    frames = [
        frame
        for index, (file, header) in enumerate(zip(files, headers, strict=True))
        for frame in frames_of(header, index, file.name)
    ]
    clips = [header for header in headers if frame_count(header) > 1]
    cine = any(is_cine(header) for header in clips)
    if cine and len(headers) > 1 and any(frame.plane is None for frame in frames):
        raise FileReadError(
            f"{path} holds {len(headers)} separate clips and pictures ({len(frames)} frames), "
            "which make no volume. Open one of the files instead."
        )
    grid = arrange(frames, cine)
    for message in grid.warnings:
        _warn(message)
    if any("MOSAIC" in str(header.get("ImageType")) for header in headers):
        _warn(
            "These are Siemens mosaics: each image shows all slices of a volume side by side, and "
            "is read as one picture. Convert them to NIfTI with dcm2niix to have the slices."
        )
    data, scales = _pixels(files, headers, grid)
    return _volume(path, name, headers, grid, data, scales)


def _pixels(
    files: list[Path], headers: list[Any], grid: Grid
) -> tuple[np.ndarray, tuple[Scale, ...] | None]:
    """Read all frames in the grid's order, as real values."""
    place = {(frame.file, frame.number): i for i, frame in enumerate(grid.frames)}
    stored: list[np.ndarray] = [np.empty(0)] * len(grid.frames)
    invertible = True
    for index, (file, header) in enumerate(zip(files, headers, strict=True)):
        array = stored_frames(file, header)
        if array.shape[:3] != (frame_count(header), int(header.Rows), int(header.Columns)):
            raise damaged(file, None)
        if header.get("ModalityLUTSequence"):
            from pydicom.pixels import apply_modality_lut

            array, invertible = np.asarray(apply_modality_lut(array, header)), False
        invertible = invertible and array.dtype.kind in "iu"
        for number, picture in enumerate(array):
            stored[place[index, number]] = picture
    if len({picture.shape for picture in stored}) > 1:
        raise FileReadError(
            f"The series with {files[0]} mixes grey and colour images. Expected one kind. "
            "Open the images of one kind from a folder of their own."
        )
    colour = stored[0].ndim == 3
    scales = [
        Scale()
        if colour or headers[frame.file].get("ModalityLUTSequence")
        else Scale(frame.slope, frame.intercept)
        for frame in grid.frames
    ]
    return to_real(stored, scales), tuple(scales) if invertible else None


def _volume(
    path: Path,
    name: str,
    headers: list[Any],
    grid: Grid,
    data: np.ndarray,
    scales: tuple[Scale, ...] | None,
) -> Volume:
    data = data.reshape(grid.times, grid.slices, *data.shape[1:])
    flat = 0 if grid.slices == 1 else None
    data, permutation, flips, affine = to_volume_order(data, 1, grid.affine, flat)
    axes = "tzyx" + ("s" if data.ndim == 5 else "")
    for letter, length in (("z", grid.slices), ("t", grid.times)):
        if length == 1:
            data = data.squeeze(axes.index(letter))
            axes = axes.replace(letter, "")
    header = DicomHeader(
        datasets=tuple(headers),
        frames=tuple(grid.frames),
        times=grid.times,
        slices=grid.slices,
        axes=axes,
        spatial_shape=data.shape[axes.index("z" if "z" in axes else "y") :][: axes.count("z") + 2],
        scales=scales,
    )
    source = Source("dicom", path, header, permutation, flips, affine)
    return Volume(
        data,
        axes,
        affine,
        unit=grid.unit,
        time_step=grid.time_step,
        name=name,
        source=source,
    )


def _warn(message: str) -> None:
    # 6: past the functions of this module, to the one who called read_volume.
    warnings.warn(message, GeometryWarning, stacklevel=6)
