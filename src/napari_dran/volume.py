"""Volume: an image together with where it lies in the patient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError

AXES_PATTERN = re.compile(r"[tc]?z?yxs?")
"""t time or diffusion, c independent channels, z y x space, s colour samples."""

LENGTHS = {
    "meter": ("mm", 1000.0),
    "centimeter": ("mm", 10.0),
    "millimeter": ("mm", 1.0),
    "micrometer": ("um", 1.0),
    "micron": ("um", 1.0),
    "nanometer": ("um", 0.001),
}
"""Units of length by the names that napari has for them (pint's) -> the unit that a volume
has for them, and how many of it one is."""


def guess_axes(shape: tuple[int, ...], rgb: bool | None = None) -> str:
    """Name the axes of an array that comes without names.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    rgb : bool, optional
        Whether the last axis holds colour samples. By default it does when its
        length is 3 or 4: a slice that narrow could not be denoised anyway.

    Returns
    -------
    str
        One letter an axis, see :class:`Volume`.

    Raises
    ------
    InputError
        The array has fewer than two or more than four axes, colour not counted.
    """
    if rgb is None:
        rgb = len(shape) >= 3 and shape[-1] in (3, 4)
    plain = len(shape) - rgb
    if not 2 <= plain <= 4:
        raise InputError(
            f"Expected a 2-D, 3-D or 4-D image (plus a colour axis), got shape {tuple(shape)}. "
            "Select one channel or one time point first."
        )
    return "tzyx"[4 - plain :] + ("s" if rgb else "")


def not_numbers(dtype: np.dtype[Any]) -> InputError:
    """Make the error for an image whose values are neither integers nor floats."""
    advice = "Convert it, e.g. with image.astype('float32')."
    if dtype.kind == "c":
        advice = "Pass its magnitude, abs(image), or real and imaginary part one by one."
    return InputError(f"Expected an image of integers or floats, got dtype {dtype}. {advice}")


@dataclass(frozen=True, eq=False)
class Source:
    """The file a volume came from, untouched.

    Parameters
    ----------
    format : str
        "nifti", "dicom", "itk" (NRRD, MetaImage), "mgh", "minc", "image" (TIFF, PNG).
    path : Path or None
        Where it was read from.
    header : object
        What the format's module needs to write the same header again; only
        that module looks inside.
    permutation : tuple of int
        For each spatial axis of the volume (z, y, x), the spatial axis of the
        file's array, as the file's library presents it, that it was taken from.
    flips : tuple of bool
        For each spatial axis of the volume, whether it was reversed.
    affine : ndarray or None
        The volume's affine as it was read; if the volume's affine still equals
        it, the file's own geometry is written back exactly.
    """

    format: str
    path: Path | None = None
    header: Any = None
    permutation: tuple[int, ...] = ()
    flips: tuple[bool, ...] = ()
    affine: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Volume:
    """An image, its axes and its geometry. Frozen: operations return a new one.

    Parameters
    ----------
    data : ndarray or dask array
        Bool, integer or float values, axes in the order of ``axes``.
    axes : str, optional
        One letter an axis, matching ``[tc]?z?yxs?``: t time or diffusion
        direction, c independent channels, z y x space, s colour samples (RGB or
        RGBA). Guessed by :func:`guess_axes` if not given.
    affine : ndarray, optional
        float64 (4, 4). Maps homogeneous array indices (z, y, x, 1) to world
        coordinates (z, y, x, 1) in ``unit``, in the patient system of DICOM and
        ITK: x towards the left, y towards the posterior, z towards the head. A
        volume without a z axis has z index 0. Identity by default. Readers
        reorder voxels so that each array axis runs along its own world axis, in
        its direction, as closely as the scan allows.
    unit : str
        Unit of the world coordinates: "mm", "um" or "pixel" (unknown).
    time_step : float, optional
        Seconds between time points.
    name : str
        Short name for people.
    source : Source, optional
        The file it came from.
    history : tuple of mapping
        What was done to it since, oldest first (see ``denoising.Provenance``).

    Raises
    ------
    InputError
        Axes that do not fit the data, or a dtype that is not a number.
    """

    data: Any
    axes: str = ""
    affine: np.ndarray = field(default_factory=lambda: np.eye(4))
    unit: str = "pixel"
    time_step: float | None = None
    name: str = "image"
    source: Source | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        shape, dtype = tuple(self.data.shape), np.dtype(self.data.dtype)
        if dtype.kind not in "buif":
            raise not_numbers(dtype)
        if not self.axes:
            object.__setattr__(self, "axes", guess_axes(shape))
        if not AXES_PATTERN.fullmatch(self.axes) or len(self.axes) != len(shape):
            raise InputError(
                f"The axes {self.axes!r} do not fit an image of shape {shape}. Expected one "
                "letter an axis in the order [t or c] [z] y x [s], e.g. 'zyx' or 'yxs'."
            )
        if 0 in shape:
            raise InputError(f"Expected an image with pixels, got shape {shape}.")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise InputError(f"Expected an affine of shape (4, 4), got {affine.shape}.")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the voxels."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def rgb(self) -> bool:
        """Whether the last axis holds colour samples."""
        return self.axes.endswith("s")

    @property
    def spatial_axes(self) -> str:
        """The letters of the spatial axes: "yx" or "zyx"."""
        return "zyx" if "z" in self.axes else "yx"

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Length of each spatial axis."""
        first = self.axes.index(self.spatial_axes)
        return self.shape[first : first + len(self.spatial_axes)]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between voxel centres along each spatial axis, in ``unit``."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return tuple(float(s) for s in lengths[3 - len(self.spatial_axes) :])

    @property
    def affine_ras(self) -> np.ndarray:
        """The affine as nibabel writes it: indices (x, y, z) to R, A, S in ``unit``."""
        lps = self.affine[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
        ras: np.ndarray = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps
        return ras

    def with_data(self, data: Any, **changes: Any) -> Volume:
        """Return a volume with other voxels at the same place.

        Parameters
        ----------
        data : ndarray or dask array
            As many axes as before, of the same spatial shape.
        **changes
            Other attributes to change.

        Raises
        ------
        InputError
            The spatial shape differs.
        """
        changed = replace(self, data=data, **changes)
        if changed.spatial_shape != self.spatial_shape:
            raise InputError(
                f"Expected data of spatial shape {self.spatial_shape}, "
                f"got {changed.spatial_shape}. Make a new Volume to change the geometry."
            )
        return changed


def affine_from_ras(affine: np.ndarray) -> np.ndarray:
    """Turn a nibabel affine, (x, y, z) indices to R, A, S, into a Volume's."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=np.float64)
    return lps[[2, 1, 0, 3]][:, [2, 1, 0, 3]]


def closest_axes(affine: np.ndarray) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Find the reordering that brings voxel axes closest to the world's.

    Parameters
    ----------
    affine : ndarray
        (4, 4), indices of an array's three spatial axes, in the array's order,
        to world coordinates (z, y, x).

    Returns
    -------
    permutation : tuple of int
        For world axis z, y, x: the array axis that runs along it.
    flips : tuple of bool
        For world axis z, y, x: whether that array axis runs against it.
    """
    # The assignment with the largest sum of direction cosines is the closest one.
    directions = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    best = max(orders, key=lambda order: sum(abs(directions[w, a]) for w, a in enumerate(order)))
    flips = [bool(directions[world, axis] < 0) for world, axis in enumerate(best)]
    return best, (flips[0], flips[1], flips[2])


def reorder_affine(
    affine: np.ndarray,
    shape: tuple[int, ...],
    permutation: tuple[int, ...],
    flips: tuple[bool, ...],
) -> np.ndarray:
    """Give the affine of an array after :func:`closest_axes` was applied to it.

    Parameters
    ----------
    affine : ndarray
        (4, 4), before.
    shape : tuple of int
        Lengths of the three spatial axes, before.
    permutation, flips : tuple
        From :func:`closest_axes`.
    """
    result = np.array(affine, dtype=np.float64)
    for target, (axis, flip) in enumerate(zip(permutation, flips, strict=True)):
        column = affine[:3, axis]
        result[:3, target] = -column if flip else column
        if flip:
            result[:3, 3] += column * (shape[axis] - 1)
    return result
