"""From probabilities to objects: what belongs together, and what is too small."""

from __future__ import annotations

import numpy as np
from skimage.measure import label as connected
from skimage.segmentation import relabel_sequential, watershed

OBJECT, BORDER = 1, 2
SMALLEST_CORE = 4
"""Cores of fewer pixels than this start no object of their own."""


def split_touching(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Tell the objects of one slice apart by their cores.

    A core is where a pixel belongs to an object rather than to a border; from there
    each object grows over its border (watershed). What has no core is an object by
    itself.

    Parameters
    ----------
    probability : ndarray
        float32 (3, height, width): background, object, border.
    threshold : float
        Least probability of object and border together.

    Returns
    -------
    ndarray
        int32 (height, width), objects numbered from 1.
    """
    inside = 1 - probability[0]
    mask = inside >= threshold
    cores = connected(mask & (probability[OBJECT] > probability[BORDER]), connectivity=1)
    sizes = np.bincount(cores.ravel())
    cores[(sizes < SMALLEST_CORE)[cores]] = 0
    grown = watershed(-probability[OBJECT], cores, mask=mask)
    lone = connected(mask & (grown == 0), connectivity=1)
    grown[lone > 0] = lone[lone > 0] + grown.max()
    numbered: np.ndarray = grown.astype(np.int32)
    return numbered


def connected_objects(mask: np.ndarray) -> np.ndarray:
    """Give what is connected, also over corners, a number; in (z, y, x) or (y, x)."""
    numbered: np.ndarray = connected(mask, connectivity=mask.ndim).astype(np.int32)
    return numbered


def drop_small(labels: np.ndarray, smallest: float) -> np.ndarray:
    """Remove objects of fewer than ``smallest`` pixels, and number the others anew."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= smallest
    keep[0] = False
    kept = np.where(keep[labels], labels, 0)
    renumbered: np.ndarray = relabel_sequential(kept)[0].astype(np.int32)
    return renumbered


def mean_inside(labels: np.ndarray, values: np.ndarray) -> dict[int, float]:
    """Return the mean of ``values`` inside each object."""
    sizes = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=values.ravel())
    return {int(n): float(sums[n] / sizes[n]) for n in np.flatnonzero(sizes) if n}
