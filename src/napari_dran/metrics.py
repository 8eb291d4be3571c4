"""How close an image is to its reference."""

from __future__ import annotations

import math

import numpy as np

from .errors import InputError

SSIM_SIGMA = 1.5
SSIM_SMALLEST_SIDE = 11


def psnr(reference: np.ndarray, image: np.ndarray, data_range: float = 1.0) -> float:
    """Compute the peak signal-to-noise ratio.

    Parameters
    ----------
    reference, image : ndarray
        Same shape, any number type.
    data_range : float
        Distance between the smallest and largest possible value.

    Returns
    -------
    float
        In dB; inf for equal images.

    Raises
    ------
    InputError
        The shapes differ.
    """
    _check_shapes(reference, image)
    difference = reference.astype(np.float64) - image.astype(np.float64)
    mean_square = float(np.mean(difference**2))
    return math.inf if mean_square == 0 else 10 * math.log10(data_range**2 / mean_square)


def ssim(
    reference: np.ndarray, image: np.ndarray, data_range: float = 1.0, colour: bool = False
) -> float:
    """Compute the structural similarity with Gaussian weights (sigma 1.5).

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 2004;
    population, not sample, covariance, as in the paper.

    Parameters
    ----------
    reference, image : ndarray
        Same shape: (height, width) or, with ``colour``, (height, width,
        channels). A volume (depth, height, width) is compared in 3-D.
    data_range : float
        Distance between the smallest and largest possible value.
    colour : bool
        Whether the last axis holds channels, over which the mean is taken.

    Returns
    -------
    float
        1 for equal images.

    Raises
    ------
    InputError
        The shapes differ, or a side is shorter than 11 pixels.
    """
    _check_shapes(reference, image)
    sides = reference.shape[:-1] if colour else reference.shape
    if min(sides) < SSIM_SMALLEST_SIDE:
        raise InputError(
            f"SSIM needs at least {SSIM_SMALLEST_SIDE} pixels a side, got shape "
            f"{reference.shape}. Compare larger images."
        )
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            reference.astype(np.float64),
            image.astype(np.float64),
            data_range=data_range,
            channel_axis=-1 if colour else None,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            use_sample_covariance=False,
        )
    )


def _check_shapes(reference: np.ndarray, image: np.ndarray) -> None:
    if reference.shape != image.shape:
        raise InputError(
            f"Expected two images of one shape, got {reference.shape} and {image.shape}."
        )
