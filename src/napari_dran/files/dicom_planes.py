"""Where the slices of a volume lie, in DICOM's words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..volume import Volume
from .dicom_frames import Plane

_MILLIMETRES = {"mm": 1.0, "um": 1e-3}


@dataclass(frozen=True)
class Planes:
    """Planes of slices that follow one another; lengths are in mm.

    Parameters
    ----------
    planes : tuple of Plane
        One a slice.
    spacing : tuple of float
        Distance between rows, and between columns.
    thickness : float
        Distance between the first pixels of neighbouring slices.
    step : float
        Distance between neighbouring slices along their normal, which is smaller in a
        slanted volume.
    """

    planes: tuple[Plane, ...]
    spacing: tuple[float, float]
    thickness: float
    step: float


def planes_of(volume: Volume) -> Planes | None:
    """Give the planes of a volume's slices along z from its affine.

    Parameters
    ----------
    volume : Volume
        One without a z axis has one slice.

    Returns
    -------
    Planes or None
        None if the volume's unit is no length.

    Raises
    ------
    InputError
        Its slices are no rectangles, as DICOM's are.
    """
    unit = _MILLIMETRES.get(volume.unit)
    if unit is None:
        return None
    affine = np.array(volume.affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    cosine = affine[:3, 1] @ affine[:3, 2] / (spacing[1] * spacing[2])
    if not np.isfinite(cosine) or abs(cosine) > 1e-3:
        raise InputError(
            "DICOM slices are rectangles, and this volume's rows and columns are not at a "
            f"right angle (cosine {cosine:.3g}). Write NIfTI, or resample it first."
        )
    count = volume.spatial_shape[0] if "z" in volume.axes else 1
    along_row, along_column = affine[2::-1, 2] / spacing[2], affine[2::-1, 1] / spacing[1]
    positions = [(affine @ [index, 0, 0, 1])[2::-1] * unit for index in range(count)]
    planes = tuple(Plane(position, along_row, along_column) for position in positions)
    step = abs(affine[2::-1, 0] @ planes[0].normal)
    rows, columns = float(spacing[1] * unit), float(spacing[2] * unit)
    return Planes(planes, (rows, columns), float(spacing[0] * unit), float(step * unit))
