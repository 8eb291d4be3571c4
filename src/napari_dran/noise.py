"""Noise: how much of it an image has, and adding some."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from .slices import sample_evenly, slice_indices
from .volume import Volume

GREY_LEVELS = 255.0
"""Sigma is given in grey levels of this many a window, as the literature does."""

LONGEST_REACH = 128
"""How far from its constant blocks an area reaches, in pixels: the strip between a round
field of view and the edge of its image is narrow and about this long."""

CONSTANT_SIDE = 9
"""Constant areas are at least as many pixels wide and high: more than JPEG's blocks of 8,
which strong compression leaves constant where the image is not."""

ROUNDING = 1e-12
"""Wavelet details below this share of the local mean are rounding errors."""

NOISY_SHARE = 0.25
"""Noise fills areas: if fewer of the details that are not zero have only such around them,
they are edges of a phantom, a mask or labels. (Scans have 0.7 and more, phantoms 0.1.)"""

MEDIAN_OF_NORMAL = 0.6744897501960817
"""Median magnitude of normally distributed values of standard deviation 1."""

SMALLEST_SIDE = 5
"""Slices narrower than this (in pixels) are too small to tell noise from structure."""


def estimate_sigma(image: Any, axes: str | None = None, axis: int | str = 0) -> float:
    """Estimate the standard deviation of an image's noise.

    The median absolute wavelet detail of each slice (Donoho and Johnstone 1994,
    as in scikit-image), then the median over at most 16 slices. Areas of exactly
    constant value, such as masked background, do not count.

    Parameters
    ----------
    image : ndarray, dask array, or Volume
        Integers or floats. NaN and inf are passed over.
    axes : str, optional
        Axes of an array, see :class:`~napari_dran.volume.Volume`; guessed by default.
    axis : int or str
        The axis that slices are cut across.

    Returns
    -------
    float
        Sigma in the image's unit; 0 for an image of constant areas (a phantom, a mask,
        labels), or slices narrower than 5 pixels.

    Raises
    ------
    InputError
        Axes that do not fit, or values that are no numbers.
    """
    if not isinstance(image, Volume):
        image = Volume(image if hasattr(image, "dtype") else np.asarray(image), axes or "")
    indices = sample_evenly(slice_indices(image.shape, image.axes, axis))
    return median_of_positive([sigma_of_slice(np.asarray(image.data[index])) for index in indices])


def median_of_positive(sigmas: list[float]) -> float:
    """Return the median of what is above zero; zero if nothing is."""
    positive = [sigma for sigma in sigmas if sigma > 0]
    return float(np.median(positive)) if positive else 0.0


def sigma_of_slice(pixels: np.ndarray) -> float:
    """Estimate sigma of one slice (height, width[, 3]): the mean over its samples."""
    samples = [pixels] if pixels.ndim == 2 else list(np.moveaxis(pixels, -1, 0))
    found = [sigma for sample in samples if (sigma := _sigma_of_sample(sample)) > 0]
    return float(np.mean(found)) if found else 0.0


def _sigma_of_sample(pixels: np.ndarray) -> float:
    values = pixels.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return 0.0
    # A constant fill makes no details, which do not count; what differs is the rim.
    values[~finite] = np.median(values[finite])
    scale = float(np.abs(values).max())
    if values.min() == values.max() or min(values.shape) < SMALLEST_SIDE:
        return 0.0
    import pywt
    from scipy.ndimage import binary_erosion

    # Scaled, as details of very large or very small values would overflow.
    mean, (_, _, details) = pywt.dwt2(values / scale, "db2")
    details = np.abs(details)
    # scikit-image leaves out zeros only, but constant areas leave rounding errors.
    found = details > ROUNDING * np.abs(mean)
    inner = binary_erosion(found, np.ones((3, 3)), border_value=1)
    if inner.sum() <= NOISY_SHARE * found.sum():
        return 0.0
    return float(np.median(details[found])) / MEDIAN_OF_NORMAL * scale


def constant_areas(pixels: np.ndarray) -> np.ndarray:
    """Find areas of exactly constant value, such as masked background or padding.

    Every pixel of a scan has noise of its own, so where many neighbours are equal
    to the last digit, they were set by a program (or cut off by the range of the
    dtype), and there is no noise to be taken off.

    Parameters
    ----------
    pixels : ndarray
        (height, width), or (height, width, samples) of which all must be constant.

    Returns
    -------
    ndarray
        bool (height, width): pixels in a block of :data:`CONSTANT_SIDE` squared
        equal ones, and all of the same value that hang on them, up to the ragged
        edge of a mask.
    """
    height, width = pixels.shape[:2]
    areas = np.zeros((height, width), dtype=bool)
    if min(height, width) < CONSTANT_SIDE:
        return areas
    samples = [pixels] if pixels.ndim == 2 else list(np.moveaxis(pixels, -1, 0))
    right = reduce(np.logical_and, [sample[:, 1:] == sample[:, :-1] for sample in samples])
    below = reduce(np.logical_and, [sample[1:] == sample[:-1] for sample in samples])
    # A block is constant if its rows are, and its first column.
    steps = CONSTANT_SIDE - 1
    blocks = _all_along(_all_along(right, steps, 1), CONSTANT_SIDE, 0)
    blocks &= _all_along(below, steps, 0)[:, : width - steps]
    if not blocks.any():
        return areas
    outside = ~np.pad(blocks, steps)
    areas = ~_all_along(_all_along(outside, CONSTANT_SIDE, 0), CONSTANT_SIDE, 1)
    size = 0
    for _ in range(LONGEST_REACH):
        grown = int(np.count_nonzero(areas))
        if grown == size:
            break
        size = grown
        areas[:, 1:] |= areas[:, :-1] & right
        areas[:, :-1] |= areas[:, 1:] & right
        areas[1:] |= areas[:-1] & below
        areas[:-1] |= areas[1:] & below
    return areas


def _all_along(mask: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Tell for each place whether ``count`` values from there on are all true."""
    mask, length = np.moveaxis(mask, axis, 0), 1
    while length < count:
        step = min(length, count - length)
        mask, length = mask[:-step] & mask[step:], length + step
    return np.moveaxis(mask, 0, axis)


def add_gaussian(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Add Gaussian noise, without clipping.

    Parameters
    ----------
    image : ndarray
        Clean image in [0, 1].
    sigma : float
        Standard deviation in grey levels of 255.
    seed : int
        Of the generator: the same seed gives the same noise.

    Returns
    -------
    ndarray
        float32, same shape.
    """
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    return (image + noise * (sigma / GREY_LEVELS)).astype(np.float32)


def add_uniform(image: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Add the noise that the authors' released code adds, which is not Gaussian.

    That code works on [-1, 1] and draws uniformly from [0, s], never below
    zero; here the image is in [0, 1], so the noise is half of that.

    Parameters
    ----------
    image : ndarray
        Clean image in [0, 1].
    strength : float
        s, at most 0.5 in the released code.
    seed : int
        Of the generator.

    Returns
    -------
    ndarray
        float32, same shape.
    """
    noise = np.random.default_rng(seed).uniform(0.0, strength / 2, image.shape)
    return (image + noise).astype(np.float32)
