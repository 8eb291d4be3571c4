"""Subtracting noise from an image without losing anything else."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from ..errors import InputError
from ..intensity import Window
from ..slices import Index
from ..volume import not_numbers

MAX_STRENGTH = 2.0
"""1 subtracts the noise that was found; more exaggerates it."""

# float32 holds these integers exactly; wider ones need double precision.
EXACT_IN_FLOAT32 = 2
EXACT_IN_FLOAT64 = 4


def check_strength(strength: float) -> float:
    """Return ``strength`` as a float.

    Raises
    ------
    InputError
        It is not within 0 and :data:`MAX_STRENGTH`.
    """
    value = float(strength)
    if not (math.isfinite(value) and 0 <= value <= MAX_STRENGTH):
        raise InputError(
            f"Expected a strength from 0 (leave as is) to {MAX_STRENGTH:g}, got {value:g}. "
            "1 subtracts all of the noise that was found."
        )
    return value


def blend(
    image: np.ndarray, noise: np.ndarray, strength: float = 1.0, window: Window | None = None
) -> np.ndarray:
    """Subtract ``strength`` times the noise.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any shape, in the image's unit.
    noise : ndarray
        float32, same shape and unit. Where it is zero, nothing changes.
    strength : float
        From 0 to :data:`MAX_STRENGTH`. 0 returns an exact copy.
    window : Window, optional
        Values outside are left as they are.

    Returns
    -------
    ndarray
        A new array of the image's dtype. Integers are rounded to the nearest
        and, like floats, kept within the range of the dtype. NaN, inf, and values
        outside the window are bit-identical to the image's.

    Raises
    ------
    InputError
        Shapes that differ, a dtype that is no number, or a strength out of range.
    """
    strength = check_strength(strength)
    if image.shape != noise.shape:
        raise InputError(f"Expected noise of the image's shape {image.shape}, got {noise.shape}.")
    check_dtype(image.dtype)
    clean = image.copy()
    if strength > 0:
        _subtract(clean, noise, strength, window)
    return clean


def blend_parts(
    image: np.ndarray, noise: np.ndarray, strength: float, size: int = 1_000_000
) -> Generator[tuple[Index, np.ndarray], None, None]:
    """Blend a large image part by part.

    Parameters
    ----------
    image, noise : ndarray
        Of one shape.
    strength : float
        See :func:`blend`.
    size : int
        Pixels in a part, or in a row of the first axis if that is more.

    Yields
    ------
    index : Index
        Selects the part.
    pixels : ndarray
        Its clean pixels.
    """
    rows = max(1, size // max(1, image[0].size))
    for first in range(0, len(image), rows):
        index = (slice(first, first + rows),)
        yield index, blend(image[index], noise[index], strength)


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise InputError unless values of ``dtype`` are integers or floats."""
    if dtype.kind == "b":
        raise InputError(
            "Expected an image of integers or floats, got a bool mask, which holds no noise. "
            "If it is an image of black and white, convert it: image.astype('uint8') * 255."
        )
    if dtype.kind not in "uif":
        raise not_numbers(dtype)


def _subtract(image: np.ndarray, noise: np.ndarray, strength: float, window: Window | None) -> None:
    if image.ndim > 2:
        # Part by part, so that the working copies of a large volume stay small.
        for part, its_noise in zip(image, noise, strict=True):
            _subtract(part, its_noise, strength, window)
        return
    changes = np.isfinite(image) & np.isfinite(noise) & (noise != 0)
    if window is not None:
        changes &= window.contains(image)
    if image.dtype.kind == "f":
        result = _subtract_from_floats(image, noise, strength)
    elif image.dtype.itemsize <= EXACT_IN_FLOAT64:
        result = _subtract_from_integers(image, noise, strength)
    else:
        result = _subtract_from_long_integers(image, noise, strength)
    np.copyto(image, result, where=changes, casting="unsafe")


def _subtract_from_floats(image: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
    working = np.result_type(image.dtype, np.float32)
    limits = np.finfo(image.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        result: np.ndarray = image.astype(working) - working.type(strength) * noise
    np.clip(result, limits.min, limits.max, out=result)
    return result


def _subtract_from_integers(image: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
    small = image.dtype.itemsize <= EXACT_IN_FLOAT32
    working: np.dtype[Any] = np.dtype(np.float32 if small else np.float64)
    limits = np.iinfo(image.dtype)
    result: np.ndarray = image.astype(working) - working.type(strength) * noise
    np.rint(result, out=result)
    np.clip(result, limits.min, limits.max, out=result)
    return result


def _subtract_from_long_integers(
    image: np.ndarray, noise: np.ndarray, strength: float
) -> np.ndarray:
    """Subtract from 64-bit integers, which no float holds exactly."""
    limits = np.iinfo(image.dtype)
    change = np.rint(np.float64(strength) * noise)
    # Unsigned differences wrap around to the right room even for int64.
    values = image.astype(image.dtype.newbyteorder("=")).view(np.uint64)
    lowest = np.array(limits.min, dtype=values.dtype if limits.min == 0 else np.int64)
    room_below = values - lowest.view(np.uint64)
    room_above = np.uint64(limits.max) - values
    largest = np.nextafter(2.0**64, 0)  # that uint64 can hold
    down = np.minimum(np.clip(change, 0, largest).astype(np.uint64), room_below)
    up = np.minimum(np.clip(-change, 0, largest).astype(np.uint64), room_above)
    result: np.ndarray = values - down + up
    return result.view(image.dtype.newbyteorder("="))
