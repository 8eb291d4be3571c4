"""Bringing a file's voxel axes to the order of a Volume, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..volume import Source, Volume, closest_axes, reorder_affine


def to_volume_order(
    data: np.ndarray, first: int, affine: np.ndarray, flat_axis: int | None = None
) -> tuple[np.ndarray, tuple[int, ...], tuple[bool, ...], np.ndarray]:
    """Reorder and flip the spatial axes of an array so that they run along z, y, x.

    Parameters
    ----------
    data : ndarray
        Has three spatial axes, from axis ``first`` on.
    first : int
        The first of them.
    affine : ndarray
        (4, 4), indices of these axes to world coordinates (z, y, x).
    flat_axis : int, optional
        For a 2-D image: the spatial axis (0 to 2) of length one that stands for
        the missing one. It becomes z, whatever way the slice lies in the world.

    Returns
    -------
    data : ndarray
        Contiguous, of the same dtype.
    permutation, flips : tuple
        As in :class:`napari_dran.volume.Source`.
    affine : ndarray
        (4, 4), for the reordered array.
    """
    permutation: tuple[int, ...]
    flips: tuple[bool, ...]
    permutation, flips = closest_axes(affine)
    if flat_axis is not None:
        # The two axes of the slice keep the order of the world axes they run along.
        pairs = [
            (axis, flip) for axis, flip in zip(permutation, flips, strict=True) if axis != flat_axis
        ]
        permutation = (flat_axis, *(axis for axis, _ in pairs))
        flips = (False, *(flip for _, flip in pairs))
    shape = data.shape[first : first + 3]
    affine = reorder_affine(affine, shape, permutation, flips)
    order = [*range(first), *(first + a for a in permutation), *range(first + 3, data.ndim)]
    data = np.flip(data.transpose(order), tuple(first + i for i, flip in enumerate(flips) if flip))
    return np.ascontiguousarray(data), permutation, flips, affine


def to_file_order(
    data: np.ndarray, first: int, permutation: tuple[int, ...], flips: tuple[bool, ...]
) -> np.ndarray:
    """Undo :func:`to_volume_order` for the array."""
    data = np.flip(data, tuple(first + i for i, flip in enumerate(flips) if flip))
    inverse = [permutation.index(axis) for axis in range(3)]
    return data.transpose(
        [*range(first), *(first + i for i in inverse), *range(first + 3, data.ndim)]
    )


def file_axes(
    volume: Volume, source: Source | None, unread: tuple[int, ...]
) -> tuple[np.ndarray, int, np.ndarray]:
    """Give a volume's voxels and affine along the axes of the file to write.

    Parameters
    ----------
    volume : Volume
        The volume.
    source : Source or None
        The file it was read from, if that had the same format: its axes are taken.
    unread : tuple of int
        Permutation for volumes from elsewhere: (0, 1, 2) leaves z, y, x,
        (2, 1, 0) makes it x, y, z.

    Returns
    -------
    data : ndarray
        The voxels, with three spatial axes.
    first : int
        The first of these.
    affine : ndarray
        (4, 4), their indices to world coordinates (z, y, x).
    """
    permutation, flips = (source.permutation, source.flips) if source else (unread, (False,) * 3)
    data, axes = with_z(volume)
    first = axes.index("z")
    inverse = tuple(permutation.index(axis) for axis in range(3))
    shape, flipped = data.shape[first : first + 3], tuple(flips[target] for target in inverse)
    affine = reorder_affine(volume.affine, shape, inverse, flipped)
    return to_file_order(data, first, permutation, flips), first, affine


def with_z(volume: Volume) -> tuple[np.ndarray, str]:
    """Return the volume's voxels and axes, with a z axis of length one if it has none."""
    data: Any = np.asarray(volume.data)
    if "z" in volume.axes:
        return data, volume.axes
    first = volume.axes.index("y")
    return np.expand_dims(data, first), volume.axes[:first] + "z" + volume.axes[first:]


def same_place(volume: Volume, source: Source, spatial_shape: tuple[int, ...]) -> bool:
    """Whether a volume still lies where its source file put it.

    Parameters
    ----------
    volume : Volume
        The volume.
    source : Source
        The file it came from.
    spatial_shape : tuple of int
        The volume's spatial shape when it was read.
    """
    if source.affine is None or volume.spatial_shape != spatial_shape:
        return False
    # A millionth of a voxel: the difference that a way through napari's scale and
    # rotation makes, and less than the float32 numbers of a header can tell.
    tolerance = 1e-6 * np.linalg.norm(source.affine[:3, :3], axis=0).max()
    return bool(np.allclose(volume.affine, source.affine, rtol=1e-6, atol=tolerance))


def lies_flat(affine: np.ndarray) -> bool:
    """Whether a slice lies in the plane z = 0, where ITK puts every 2-D file."""
    return not (affine[0, 1:].any() or affine[1:3, 0].any())


def is_usable(affine: np.ndarray) -> bool:
    """Whether an affine gives each voxel a place of its own."""
    if not np.all(np.isfinite(affine)):
        return False
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(lengths > 0):
        return False
    return bool(abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-6)


def ras_from_zyx(affine: np.ndarray) -> np.ndarray:
    """Turn the rows of an affine from (z, y, x) to (R, A, S); its columns stay."""
    ras: np.ndarray = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine[[2, 1, 0, 3]]
    return ras


def zyx_from_ras(affine: np.ndarray) -> np.ndarray:
    """Turn the rows of an affine from (R, A, S) to (z, y, x); its columns stay."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=np.float64)
    zyx: np.ndarray = lps[[2, 1, 0, 3]]
    return zyx
