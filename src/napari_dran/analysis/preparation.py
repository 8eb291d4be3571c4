"""What comes before a network is run: checks, denoising if asked for, windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from ..denoising.images import as_volume
from ..errors import InputError
from ..intensity import Window
from ..volume import Volume
from ..weights import Card
from .denoising_first import (
    Denoise,
    KeptDenoiser,
    Progress,
    denoise_first,
    denoise_options,
    share,
    steps,
)
from .inputs import AUTO, NetworkInput, network_input

PIXEL = "pixel"


class Options(TypedDict, total=False):
    """How an image is looked at, whatever is looked for.

    Attributes
    ----------
    axes : str, optional
        Axes of an array.
    window : str, pair of float, or Window
        What the network sees as [0, 1], as for ``denoise``; "auto" takes 0 to 255 for
        8-bit images, and "percentile" for others.
    axis : int or str
        The spatial axis that slices are cut across.
    denoise : bool or mapping
        Denoise first; a mapping gives weights, window, axis, strength, ensemble.
    contrast_limits : pair of float, optional
        For the window "contrast-limits".
    progress : callable, optional
        Called with (steps done, steps in all); returns False to cancel.
    """

    axes: str | None
    window: str | tuple[float, float] | Window
    axis: int | str
    denoise: Denoise
    contrast_limits: tuple[float, float] | None
    progress: Callable[[int, int], object] | None


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image that is ready for a network.

    Parameters
    ----------
    image : Volume
        The image, in memory: denoised if asked for.
    seen : NetworkInput
        What the network is shown of it.
    tell : callable
        Called with (slices done, slices in all); raises Cancelled.
    denoised : bool
        Whether it was denoised.
    notes : tuple of str
        What to know before trusting the result.
    """

    image: Volume
    seen: NetworkInput
    tell: Progress
    denoised: bool
    notes: tuple[str, ...]


def prepare(
    image: Any,
    card: Card,
    denoiser: KeptDenoiser,
    *,
    axes: str | None = None,
    window: str | tuple[float, float] | Window = AUTO,
    axis: int | str = 0,
    denoise: Denoise = False,
    contrast_limits: tuple[float, float] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Prepared:
    """Prepare an image for a network.

    Parameters
    ----------
    image : ndarray, dask array or Volume
        The image.
    card : Card
        The network's.
    denoiser : KeptDenoiser
        What denoises, if that is asked for.
    axes, window, axis, denoise, contrast_limits, progress
        See :class:`Options`.

    Raises
    ------
    InputError
        The image does not fit the network, or an argument cannot be.
    Cancelled
        ``progress`` returned False.
    """
    volume, options = as_volume(image, axes), denoise_options(denoise)
    # Lazy arrays are computed once, here.
    volume = replace(volume, data=np.asarray(volume.data))
    seen = network_input(volume, card, window, axis, contrast_limits)
    count, before = len(seen.indices), 0
    notes = seen.planes.notes
    if options is not None:
        before = steps(volume, card, options)
        volume, its_notes = denoise_first(
            volume, card, options, denoiser, share(progress, 0, before + count), contrast_limits
        )
        # Windows are read off what the network is to see.
        seen = network_input(volume, card, window, axis, contrast_limits)
        notes = (*notes, *its_notes)
    if not any(window is not None for window in seen.windows):
        notes = (*notes, "The image is constant: there is nothing to be found.")
    tell = share(progress, before, before + count)
    return Prepared(volume, seen, tell, options is not None, notes)


def check_share(name: str, value: object) -> float:
    """Return a share; raise InputError if it is not within 0 and 1."""
    number = _number(value)
    if not 0 <= number <= 1:
        raise InputError(f"Expected a {name} from 0 to 1, got {value!r}.")
    return number


def check_size(value: object) -> float:
    """Return a smallest size; raise InputError if it is negative or no number."""
    number = _number(value)
    if not number >= 0:
        raise InputError(f"Expected a minimum size of 0 or more, got {value!r}.")
    return number


def _number(value: object) -> float:
    """Return a number; NaN for what is none, which no range holds."""
    return float(value) if isinstance(value, int | float | np.number) else math.nan


def pixels_of(size: float, volume: Volume, axes: str | None = None) -> float:
    """Return how many pixels are an area or a volume.

    Parameters
    ----------
    size : float
        In the square or the cube of the volume's unit.
    volume : Volume
        Says how large its pixels are.
    axes : str, optional
        Letters of the spatial axes that count; all by default.
    """
    spacing = zip(volume.spatial_axes, lengths(volume), strict=True)
    pixel = math.prod(length for letter, length in spacing if axes is None or letter in axes)
    if size == 0:
        return 0.0
    return size / pixel if pixel else math.inf


def lengths(volume: Volume) -> tuple[float, ...]:
    """Return the spacing that sizes are measured with: 1 where the unit is the pixel.

    A scale without a unit may be anything, so that sizes are then numbers of pixels.
    """
    if volume.unit == PIXEL:
        return (1.0,) * len(volume.spatial_axes)
    return volume.spacing
