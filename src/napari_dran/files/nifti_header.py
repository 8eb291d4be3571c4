"""What the header of a NIfTI file says about place, units, time and history."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..volume import Volume
from . import history
from .orientation import is_usable, ras_from_zyx, zyx_from_ras

_UNITS = {"mm": "mm", "um": "micron", "pixel": "unknown"}
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
_DESCRIP_BYTES = 79


def affine_of(path: Path, header: Any) -> np.ndarray:
    """File indices (i, j, k) to world (z, y, x), in the file's unit."""
    affine = header.get_best_affine()
    if not is_usable(affine):
        logging.getLogger(__name__).warning(
            "%s gives no usable position (its matrix is singular); only its voxel size is used.",
            path.name,
        )
        affine = header.get_base_affine()
        if not is_usable(affine):
            affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    return zyx_from_ras(affine)


def unit_names(header: Any) -> tuple[str, str]:
    """Return the names of the units of space and of time."""
    try:
        space, time = header.get_xyzt_units()
    except KeyError:  # a code that NIfTI does not define
        return "unknown", "unknown"
    return space, time


def unit_of(header: Any) -> tuple[str, float]:
    """Name the volume's unit, and give its number in one unit of the file."""
    name = unit_names(header)[0]
    if name == "unknown":
        placed = int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0
        return ("mm" if placed else "pixel"), 1.0
    return {"mm": ("mm", 1.0), "micron": ("um", 1.0), "meter": ("mm", 1000.0)}[name]


def set_unit(header: Any, unit: str) -> None:
    """Write the unit of a volume."""
    header.set_xyzt_units(_UNITS.get(unit, "unknown"), unit_names(header)[1])


def time_step_of(header: Any) -> float | None:
    """Return the seconds between time points, if the header says so."""
    factor = _SECONDS.get(unit_names(header)[1])
    step = float(header["pixdim"][4])
    return step * factor if factor and np.isfinite(step) and step > 0 else None


def set_time_step(header: Any, seconds: float) -> None:
    """Write the time between time points, in the header's unit if that is one of time."""
    space, time = unit_names(header)
    if time not in _SECONDS or time == "unknown":
        time = "sec"
        header.set_xyzt_units(space, time)
    header["pixdim"][4] = seconds / _SECONDS[time]


def set_geometry(header: Any, volume: Volume, affine: np.ndarray) -> None:
    """Write the volume's place into qform and sform, keeping the meaning of their codes."""
    if volume.unit == "mm" and unit_names(header)[0] == "meter":
        affine = np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ affine
    ras = ras_from_zyx(affine)
    codes = int(header["sform_code"]), int(header["qform_code"])
    header.set_sform(ras, code=codes[0] or codes[1] or 1)
    # The qform has no room for shear; nibabel writes the nearest rotation.
    header.set_qform(ras, code=codes[1] or codes[0] or 1)
    for field in ("slice_start", "slice_end", "slice_code"):
        header[field] = 0


def describe(header: Any, volume: Volume) -> None:
    """Add what was done to the volume to the description and as a comment."""
    from nibabel.nifti1 import Nifti1Extension

    if not volume.history:
        return
    old = bytes(header["descrip"].item()).rstrip(b"\0 ")
    for text in history.short_texts(volume.history[-1]):
        new = (old + b"; " if old else b"") + text.encode("ascii", "replace")
        if len(new) <= _DESCRIP_BYTES:
            header["descrip"] = new
            break
    header.extensions.append(Nifti1Extension("comment", history.as_text(volume).encode()))
