"""Beside saturated areas: what is there is seldom noise.

Where a detector or a file's format is at its end, many neighbours have one value, and
no noise shows. A thin dark septum between two such areas stands on values without noise,
and yet a network that knows speckle may take it for a dark one and fill it in. So next to
saturated areas no more is taken off than the noise around says: of what the network
calls noise, a few times the mean magnitude, with the saturated pixels as ones without noise.
"""

from __future__ import annotations

import numpy as np

REACH = 2
"""Pixels from a saturated area that count as next to it: so a septum of 4 lies between two."""

SIDE = 31
"""Of the square, in pixels, in which the noise around is measured."""

LARGEST = 6.0
"""Most that is taken off, in mean magnitudes of the noise around. Beside a straight edge of
a saturated area, half of whose surroundings have noise, that is 2.4 standard deviations of
Gaussian noise, and all but 1.6 % of it is within."""


def saturated_areas(pixels: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Find areas of one exact value, the largest of the slice.

    Parameters
    ----------
    pixels : ndarray
        (height, width), or (height, width, samples) of which all must be saturated.
    constant : ndarray
        bool (height, width), from :func:`~napari_dran.noise.constant_areas`.

    Returns
    -------
    ndarray
        bool (height, width).
    """
    if not constant.any():
        return constant
    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    areas: np.ndarray = constant & (samples == np.nanmax(samples, axis=(0, 1))).all(-1)
    return areas


class NoiseLimit:
    """Limits the noise next to a slice's saturated areas to what there is around.

    Parameters
    ----------
    pixels, constant : ndarray
        See :func:`saturated_areas`.
    """

    def __init__(self, pixels: np.ndarray, constant: np.ndarray) -> None:
        saturated = saturated_areas(pixels, constant)
        self._any = bool(saturated.any())
        if not self._any:
            return
        from scipy.ndimage import binary_dilation, uniform_filter

        self._judged = binary_dilation(saturated, np.ones((3, 3), bool), iterations=REACH)
        self._near = self._judged & ~saturated
        # What is next to saturated areas is what must be judged, so it tells nothing of the noise.
        seen = uniform_filter((~self._near).astype(np.float32), SIDE)[self._near]
        self._scale = LARGEST / np.maximum(seen, 1 / SIDE**2)

    def __call__(self, noise: np.ndarray) -> np.ndarray:
        """Limit what the network would take off.

        Parameters
        ----------
        noise : ndarray
            float32, of the slice's shape.

        Returns
        -------
        ndarray
            Same shape and unit; ``noise`` itself where nothing is saturated.
        """
        if not self._any:
            return noise
        from scipy.ndimage import uniform_filter

        limited = noise.copy()
        for plane in np.moveaxis(limited if noise.ndim == 3 else limited[..., None], -1, 0):
            strength = np.where(self._judged, np.float32(0), np.abs(plane))
            most = self._scale * uniform_filter(strength, SIDE)[self._near]
            plane[self._near] = np.clip(plane[self._near], -most, most)
        return limited
