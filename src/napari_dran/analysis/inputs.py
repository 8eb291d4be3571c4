"""What a network that segments or detects is shown of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..intensity import Window, choose_window, normalise
from ..noise import GREY_LEVELS
from ..slices import COLOUR_SAMPLES, Index, slice_axis, slice_indices
from ..volume import Volume
from ..weights import Card

AUTO = "auto"
SMALLEST_SIDE = 8
"""Slices narrower than this many pixels hold nothing that could be found."""


@dataclass(frozen=True, eq=False)
class Planes:
    """The channels that a network is shown, one image each, with axes of their own.

    Parameters
    ----------
    data : tuple of ndarray
        One for each channel of the network; the same one several times for a grey
        image.
    axes : str
        Theirs: "[t][z]yx".
    notes : tuple of str
        What the user should know about how they were made.
    """

    data: tuple[np.ndarray, ...]
    axes: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """An image as a network sees it.

    Parameters
    ----------
    planes : Planes
        Its channels.
    windows : tuple of Window or None
        What becomes [0, 1], for each channel; None for a constant one.
    axis : str
        The axis that slices are cut across.
    indices : list of Index
        The slices, in order.
    """

    planes: Planes
    windows: tuple[Window | None, ...]
    axis: str
    indices: list[Index]

    def pixels(self, index: Index) -> np.ndarray:
        """Return a slice as float32 (channels, height, width), the window at [0, 1]."""
        slices = []
        for data, window in zip(self.planes.data, self.windows, strict=True):
            pixels = np.ascontiguousarray(data[index])
            if window is None:
                slices.append(np.zeros(pixels.shape, np.float32))
            else:
                slices.append(normalise(pixels, window))
        return np.stack(slices)


def planes_of(volume: Volume, card: Card) -> Planes:
    """Take an image apart into the channels of a network.

    Raises
    ------
    InputError
        The image has channels that the network has no use for.
    """
    data = np.asarray(volume.data)
    names = ", ".join(card.inputs)
    if volume.rgb:
        if card.channels == 1:
            raise InputError(
                f"The weights {card.name!r} are for grey images and this one has colour samples. "
                "Convert it to grey, or name the axes if the last one is no colour, "
                "e.g. axes='zyx'."
            )
        planes = tuple(data[..., sample] for sample in range(COLOUR_SAMPLES))
        return Planes(planes, volume.axes[:-1])
    if "c" in volume.axes:
        if not card.inputs or len(data) != card.channels:
            wanted = f"{card.channels} ({names})" if card.inputs else "a grey or a colour image"
            raise InputError(
                f"The weights {card.name!r} take {wanted}, got {len(data)} channels. Select those "
                "that belong to it, or a single one."
            )
        return Planes(tuple(data), volume.axes[1:])
    notes: tuple[str, ...] = ()
    if card.inputs:
        notes = (
            f"The image stands for all inputs of {card.name!r} ({names}), as if it were the "
            f"{card.inputs[card.copied]}. Give all of them for a better result.",
        )
    return Planes((data,) * card.channels, volume.axes, notes)


def network_input(
    volume: Volume,
    card: Card,
    window: str | tuple[float, float] | Window = AUTO,
    axis: int | str = 0,
    contrast_limits: tuple[float, float] | None = None,
) -> NetworkInput:
    """Prepare an image for a network.

    Parameters
    ----------
    volume : Volume
        The image.
    card : Card
        The network's.
    window : str, pair of float, or Window
        What becomes [0, 1], see :func:`~napari_dran.intensity.choose_window`; "auto"
        takes 0 to 255 for 8-bit images and "percentile" for others. Inputs that are
        images of their own have windows of their own.
    axis : int or str
        The spatial axis that slices are cut across.
    contrast_limits : pair of float, optional
        For the window "contrast-limits".

    Raises
    ------
    InputError
        The image does not fit the network, or its slices are too narrow.
    """
    planes = planes_of(volume, card)
    if isinstance(window, str) and window == AUTO:
        window = (0.0, GREY_LEVELS) if volume.dtype == np.uint8 else "percentile"
    if card.inputs:
        chosen = {id(p): choose_window(p, window, contrast_limits) for p in _once(planes.data)}
        windows = tuple(chosen[id(plane)] for plane in planes.data)
    else:
        samples = np.asarray(volume.data)
        samples = samples[..., :COLOUR_SAMPLES] if volume.rgb else samples
        windows = (choose_window(samples, window, contrast_limits),) * len(planes.data)
    shape = planes.data[0].shape
    indices = slice_indices(shape, planes.axes, axis)
    height, width = planes.data[0][indices[0]].shape
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"The slices of an image of shape {shape} across its axis {axis!r} have {height} x "
            f"{width} pixels, expected {SMALLEST_SIDE} x {SMALLEST_SIDE} or more. Slice along "
            "another axis."
        )
    return NetworkInput(planes, windows, slice_axis(planes.axes, axis), indices)


def _once(planes: Iterable[np.ndarray]) -> Iterable[Any]:
    """Yield each array once, however often it stands for a channel."""
    return {id(plane): plane for plane in planes}.values()
