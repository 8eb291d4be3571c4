"""From probabilities to objects: what belongs together, and what is too small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SMALLEST_CORE = 4
"""Cores of fewer pixels than this start no object of their own."""
SMOOTHING = 1.0
"""Standard deviation, in pixels, of the Gaussian that evens out how deep pixels lie."""
NECK = 1.5
"""Pixels by which a neck is thinner than what it joins, for these to be two objects. This
and the smoothing are the best on val of `dsb2018`."""
ROUNDING = 1e-9
"""An object of just the smallest size stays, whatever the last digit of its pixels' size."""


def split_touching(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Tell the objects of one slice apart.

    Where a pixel belongs to an object rather than to a border, its distance to the
    nearest that does not says how deep it lies. Each object has one deepest place; from
    there it grows, over its border too (watershed). What has none is an object by itself.

    Parameters
    ----------
    probability : ndarray
        float32 (classes, height, width): background, kinds of object, border.
    threshold : float
        Least probability of object and border together.

    Returns
    -------
    ndarray
        int32 (height, width), objects numbered from 1.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    core, border = probability[1:-1].sum(0), probability[-1]
    mask = inside(probability) >= threshold
    body = mask & (core > border)
    parts = _connected(body)
    body[(np.bincount(parts.ravel()) < SMALLEST_CORE)[parts]] = False
    if not body.any():
        return _connected(mask)
    depth = gaussian_filter(distance_transform_edt(body), SMOOTHING) * body
    deepest = (h_maxima(depth, NECK) > 0) & body
    # What is thinner than a neck all over has no such place, and is whole.
    thin = ~np.isin(parts, np.unique(parts[deepest])) & body
    grown = watershed(-depth, _connected(deepest | thin, corners=True), mask=mask)
    lone = _connected(mask & (grown == 0))
    grown[lone > 0] = lone[lone > 0] + grown.max()
    numbered: np.ndarray = grown.astype(np.int32)
    return numbered


def inside(probability: np.ndarray) -> np.ndarray:
    """Return how likely each pixel is no background, from (classes, height, width)."""
    # A sum, as 1 - background would lose the digits of what is unlikely.
    likely: np.ndarray = np.clip(probability[1:].sum(0), 0, 1)
    return likely


def number_objects(
    labels: np.ndarray, axes: str, across: str, kind: str, smallest: float = 0.0
) -> None:
    """Give each object a number of its own, from 1, and drop small ones; in place.

    Parameters
    ----------
    labels : ndarray
        int32 of every pixel. "mask": 0 and 1. "slices": objects that are numbered in
        each slice by itself. "classes": numbers of classes, which stay.
    axes : str
        ``[t][z]yx``.
    across : str
        The axis that slices were cut across.
    kind : {"mask", "slices", "classes"}
        What the labels say. What is connected, also over corners and from slice to
        slice, is an object of a mask or of a class.
    smallest : float
        Least number of pixels.
    """
    smallest *= 1 - ROUNDING
    last = 0
    for part in labels if "t" in axes else [labels]:
        if kind == "classes":
            for number in np.unique(part[part > 0]):
                _drop_small_parts(part, int(number), smallest)
            continue
        if kind == "slices":
            slices = part[None] if part.ndim == 2 else np.moveaxis(part, "zyx".index(across), 0)
            _number_on(slices)
        else:
            _connected(part > 0, corners=True, into=part)
        last = _drop_small(part, smallest, last)


def mean_inside(labels: np.ndarray, values: np.ndarray) -> dict[int, float]:
    """Return the mean of ``values`` inside each object."""
    sizes = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    sums = np.zeros(len(sizes))
    # Slice by slice: NumPy counts in copies of eight bytes a pixel.
    for plane, its_values in zip(_planes(labels), _planes(values), strict=True):
        found = plane > 0
        sizes += np.bincount(plane[found], minlength=len(sizes))
        sums += np.bincount(plane[found], weights=its_values[found], minlength=len(sizes))
    return {int(n): float(sums[n] / sizes[n]) for n in np.flatnonzero(sizes)}


def _connected(
    mask: np.ndarray, *, corners: bool = False, into: np.ndarray | None = None
) -> np.ndarray:
    """Give what is connected a number, over edges or also over corners.

    SciPy, loaded when it is needed: scikit-image's makes copies of eight bytes a pixel.
    """
    from scipy.ndimage import generate_binary_structure, label

    numbers = np.zeros(mask.shape, np.int32) if into is None else into
    label(mask, generate_binary_structure(mask.ndim, mask.ndim if corners else 1), output=numbers)
    return numbers


def _number_on(slices: np.ndarray) -> None:
    """Let the numbers of each slice go on from the slice before."""
    last = 0
    for plane in slices:
        highest = int(plane.max())
        plane[plane > 0] += last
        last += highest


def _drop_small(labels: np.ndarray, smallest: float, last: int) -> int:
    """Remove objects of fewer pixels; number the others from ``last + 1``; return the last."""
    sizes = _sizes(labels)
    keep = (sizes >= smallest) & (sizes > 0)
    keep[0] = False
    numbers = np.where(keep, last + np.cumsum(keep), 0).astype(np.int32)
    for plane in _planes(labels):
        plane[...] = numbers[plane]
    return last + int(keep.sum())


def _drop_small_parts(labels: np.ndarray, number: int, smallest: float) -> None:
    """Remove the connected parts of a class that have fewer pixels."""
    if smallest <= 1:
        return
    parts = _connected(labels == number, corners=True)
    small = _sizes(parts) < smallest
    small[0] = False
    labels[small[parts]] = 0


def _sizes(labels: np.ndarray) -> np.ndarray:
    """Count the pixels of each number, from 0."""
    sizes = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    for plane in _planes(labels):
        sizes += np.bincount(plane.ravel(), minlength=len(sizes))
    return sizes


def _planes(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of two axes each, the last ones."""
    for index in np.ndindex(array.shape[:-2]):
        yield array[index]
