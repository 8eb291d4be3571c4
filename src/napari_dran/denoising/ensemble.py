"""Self-ensemble: a slice is denoised as it is, mirrored and turned, and the results averaged.

What a network gets wrong differs between the eight orientations of a slice, the truth does
not: Timofte, Rothe, Van Gool, "Seven Ways to Improve Example-Based Single Image Super
Resolution", CVPR 2016, section 3.6. Each pass costs as much as the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import InputError

ORIENTATIONS = tuple((turns, mirrored) for mirrored in (False, True) for turns in (0, 2, 1, 3))
"""Quarter turns, and whether mirrored first. The four turns come first: of all fours, with the
image as it is among them, they helped most (seven val images, sigma 25 and 50)."""

MAX_ENSEMBLE = len(ORIENTATIONS)


def check_ensemble(ensemble: int) -> int:
    """Return the number of orientations.

    Raises
    ------
    InputError
        It is no integer from 1 to :data:`MAX_ENSEMBLE`.
    """
    whole = isinstance(ensemble, int | np.integer) and not isinstance(ensemble, bool)
    if not (whole and 1 <= ensemble <= MAX_ENSEMBLE):
        raise InputError(
            f"Expected an ensemble of 1 to {MAX_ENSEMBLE} orientations of each slice, got "
            f"{ensemble!r}. 1 is fastest, {MAX_ENSEMBLE} leaves least noise."
        )
    return int(ensemble)


def units(ensemble: int) -> tuple[str, str]:
    """Return what progress counts, one and several: slices, or with an ensemble passes."""
    return ("slice", "slices") if ensemble == 1 else ("pass", "passes")


def estimates(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, ensemble: int
) -> Iterator[np.ndarray]:
    """Predict the noise of images, better with each orientation.

    Parameters
    ----------
    predict : callable
        Maps images (N, C, H, W) to their noise.
    images : ndarray
        (N, C, H, W).
    ensemble : int
        How many orientations to average, 1 to :data:`MAX_ENSEMBLE`.

    Yields
    ------
    ndarray
        The mean over the first orientation, the first two, and so on.
    """
    mean: np.ndarray | None = None
    for number, (turns, mirrored) in enumerate(ORIENTATIONS[: check_ensemble(ensemble)], 1):
        noise = _back(predict(_orient(images, turns, mirrored)), turns, mirrored)
        # Not in place: who got the last one may keep it.
        mean = noise if mean is None else mean + (noise - mean) / np.float32(number)
        yield mean


def _orient(images: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    images = images[..., ::-1] if mirrored else images
    return np.ascontiguousarray(np.rot90(images, turns, axes=(-2, -1)))


def _back(images: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    images = np.rot90(images, -turns, axes=(-2, -1))
    return np.ascontiguousarray(images[..., ::-1] if mirrored else images)
