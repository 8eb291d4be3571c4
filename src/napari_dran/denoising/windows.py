"""Windows of whole images: one, or one for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..intensity import AUTOMATIC_WINDOWS, Window, choose_window
from ..slices import COLOUR_SAMPLES, Index, sample_evenly
from ..volume import Volume


def choose_windows(
    volume: Volume,
    window: str | tuple[float, float] | Window,
    contrast_limits: tuple[float, float] | None,
    indices: list[Index],
) -> tuple[Window | None, ...]:
    """Choose the windows that the slices of a volume are denoised in.

    Parameters
    ----------
    volume : Volume
        The image. Alpha is passed over.
    window, contrast_limits
        See :func:`~napari_dran.intensity.choose_window`.
    indices : list of Index
        Its slices.

    Returns
    -------
    tuple of Window or None
        For windows read off the image, one for each channel of a "c" axis, as
        channels have ranges of their own; otherwise a single one.
    """
    automatic = isinstance(window, str) and window.strip().lower() in AUTOMATIC_WINDOWS
    if not automatic or "c" not in volume.axes:
        return (choose_window(_values(volume, indices, window), window, contrast_limits),)
    windows = []
    # A channel axis is always the first.
    for channel in range(volume.shape[0]):
        its_indices = [index for index in indices if index[0] == channel]
        windows.append(choose_window(_values(volume, its_indices, window, channel), window))
    return tuple(windows)


def _values(
    volume: Volume, indices: list[Index], window: Any, channel: int | None = None
) -> np.ndarray:
    """Return the values to choose a window from, all that are cheap to have."""
    if isinstance(volume.data, np.ndarray):
        values = volume.data if channel is None else volume.data[channel]
        return values[..., :COLOUR_SAMPLES] if volume.rgb else values
    # Dask: reading everything may take hours. The full range needs it, though, and so does
    # an image whose sampled slices are all NaN.
    if not (isinstance(window, str) and window.strip().lower() == "full"):
        sample = np.stack([np.asarray(volume.data[i]) for i in sample_evenly(indices)])
        if np.isfinite(sample).any():
            return sample
    return np.concatenate([_extremes(volume.data[index]) for index in indices])


def _extremes(lazy: Any) -> np.ndarray:
    values = np.asarray(lazy)
    finite = values[np.isfinite(values)]
    return np.array([finite.min(), finite.max()] if finite.size else [], dtype=values.dtype)
