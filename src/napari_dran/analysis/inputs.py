"""What a network that segments or detects is shown of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        Theirs: ``[t][z]yx``.
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

    def pixels(self, index: Index) -> np.ndarray | None:
        """Return a slice as float32 (channels, height, width), the window at [0, 1].

        None where it is constant, as beside the patient: nothing is there to be found.
        """
        # Once for each image: a grey one stands for all channels.
        shown: dict[int, np.ndarray] = {}
        varies = False
        for data, window in zip(self.planes.data, self.windows, strict=True):
            if id(data) not in shown:
                # Copied where it is strided: a slice across x touches the whole volume.
                pixels = np.ascontiguousarray(data[index])
                varies |= window is not None and _varies(pixels)
                shown[id(data)] = (
                    np.zeros(pixels.shape, np.float32)
                    if window is None
                    else normalise(pixels, window)
                )
        return np.stack([shown[id(data)] for data in self.planes.data]) if varies else None


def planes_of(volume: Volume, card: Card) -> Planes:
    """Take an image apart into the channels of a network.

    Raises
    ------
    InputError
        The image has channels that the network has no use for, or not those it needs.
    """
    data = np.asarray(volume.data)
    if volume.rgb:
        _check_colours(volume, card)
        planes = tuple(data[..., sample] for sample in range(COLOUR_SAMPLES))
        return Planes(planes, volume.axes[:-1])
    axes = volume.axes
    if axes[0] == "c":
        if _takes_several(card) and len(data) == card.channels:
            return Planes(tuple(data), axes[1:])
        if len(data) != 1:
            raise InputError(
                f"The weights {card.name!r} take {_wanted(card)}, got {len(data)} channels. "
                f"{_advice_on_channels(card, len(data))}"
            )
        data, axes = data[0], axes[1:]
    if _takes_several(card) and not card.inputs:
        raise InputError(
            f"The weights {card.name!r} take {_wanted(card)}, got a single grey image, and do not "
            f"say which of them it could stand for. {_stack(card)}"
        )
    notes: tuple[str, ...] = ()
    if len(card.inputs) > 1:
        notes = (
            f"The image stands for all inputs of {card.name!r} ({', '.join(card.inputs)}), as if "
            f"it were the {card.inputs[card.copied]}. Give all of them for a better result.",
        )
    return Planes((data,) * card.channels, axes, notes)


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
    shape = planes.data[0].shape
    letter = slice_axis(planes.axes, axis)
    indices = slice_indices(shape, planes.axes, axis)
    height, width = planes.data[0][indices[0]].shape
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"The slices of an image of shape {shape} across {letter} have {height} x {width} "
            f"pixels, expected {SMALLEST_SIDE} x {SMALLEST_SIDE} or more. "
            f"{_advice_on_slices(shape, planes.axes)}"
        )
    windows = _windows(volume, planes.data, card, window, contrast_limits)
    return NetworkInput(planes, windows, letter, indices)


def _windows(
    volume: Volume,
    planes: Sequence[np.ndarray],
    card: Card,
    window: str | tuple[float, float] | Window,
    contrast_limits: tuple[float, float] | None,
) -> tuple[Window | None, ...]:
    """Choose a window for each channel: the colours of one image share theirs."""
    if isinstance(window, str) and window.strip().lower() == AUTO:
        window = (0.0, GREY_LEVELS) if volume.dtype == np.uint8 else "percentile"
    if volume.rgb and not card.inputs:
        samples = np.asarray(volume.data)[..., :COLOUR_SAMPLES]
        return (choose_window(samples, window, contrast_limits),) * len(planes)
    images = {id(plane): plane for plane in planes}
    chosen = {key: choose_window(plane, window, contrast_limits) for key, plane in images.items()}
    return tuple(chosen[id(plane)] for plane in planes)


def _check_colours(volume: Volume, card: Card) -> None:
    """Raise InputError unless colour samples are what the network takes."""
    if volume.shape[-1] not in (COLOUR_SAMPLES, COLOUR_SAMPLES + 1):
        raise InputError(
            f"Expected 3 (RGB) or 4 (RGBA) colour samples, got {volume.shape[-1]} in an image of "
            f"shape {volume.shape}. Name the axes, e.g. axes='zyx', if the last one is no colour."
        )
    if card.channels != COLOUR_SAMPLES:
        advice = "Convert it to grey." if card.channels == 1 else _stack(card)
        raise InputError(
            f"The weights {card.name!r} take {_wanted(card)}, got an image with colour samples. "
            f"{advice} If its last axis is no colour, name the axes, e.g. axes='zyx'."
        )


def _takes_several(card: Card) -> bool:
    """Tell whether the channels are images of their own: neither grey nor the three colours."""
    return bool(card.inputs) or card.channels not in (1, COLOUR_SAMPLES)


def _wanted(card: Card) -> str:
    """Say what a network takes."""
    if card.channels == 1:
        return "a grey image"
    if _takes_several(card):
        names = f" ({', '.join(card.inputs)})" if card.inputs else ""
        return f"{card.channels} channels{names}"
    return "a grey or a colour image"


def _stack(card: Card) -> str:
    """Say how to give all channels."""
    return f"Stack the {card.channels} images along a first axis 'c', e.g. axes='czyx'."


def _advice_on_channels(card: Card, count: int) -> str:
    """Say what to do with a wrong number of channels."""
    if card.channels == 1:
        return "Select one of them."
    if _takes_several(card) and count < card.channels:
        return _stack(card)
    if _takes_several(card):
        return f"Select those {card.channels}{', or a single one' if card.inputs else ''}."
    colours = " If they are colours, move them to the last axis." if count == card.channels else ""
    return f"Select one of them.{colours}"


def _advice_on_slices(shape: Sequence[int], axes: str) -> str:
    """Name an axis across which slices are wide enough, if there is one."""
    lengths = dict(zip(axes, shape, strict=True))
    for number, across in enumerate("zyx" if "z" in axes else ""):
        if min(lengths[letter] for letter in "zyx" if letter != across) >= SMALLEST_SIDE:
            return f"Slice across {across} (axis {number}), or choose a larger image."
    return "Choose a larger image."


def _varies(pixels: np.ndarray) -> bool:
    """Tell whether there are two different values; NaN and inf are none."""
    values = pixels if pixels.dtype.kind in "ui" else pixels[np.isfinite(pixels)]
    return bool(values.size) and bool(values.min() != values.max())
