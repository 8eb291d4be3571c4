"""Gaps: values that are NaN or infinite, which a network cannot be shown."""

from __future__ import annotations

import numpy as np

ROUNDS = 8
"""Rings of pixels that grow into a gap."""


def fill(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Grow the valid values into the gaps, ring by ring; far from any, take their mean.

    Parameters
    ----------
    image : ndarray
        float64 (..., height, width).
    valid : ndarray
        bool, same shape: which values count. Where none does, all become 0.5.

    Returns
    -------
    ndarray
        float64, same shape.
    """
    if not valid.any():
        return np.full_like(image, 0.5)
    filled = np.where(valid, image, 0.0)
    far = filled.sum() / valid.sum()
    known = valid.copy()
    for _ in range(ROUNDS):
        if known.all():
            return filled
        count = _sum_around(known.astype(np.float64))
        mean = _sum_around(filled) / np.maximum(count, 1.0)
        ring = ~known & (count > 0.5)
        filled[ring] = mean[ring]
        known |= ring
    filled[~known] = far
    return filled


def _sum_around(image: np.ndarray) -> np.ndarray:
    """Sum over 3 x 3 pixels of the last two axes, zeros outside."""
    padded = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(1, 1), (1, 1)])
    rows: np.ndarray = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    total: np.ndarray = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return total
