"""The slices of an image: what the network is shown at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from .errors import InputError

Index: TypeAlias = tuple[int | slice, ...]
"""Selects one slice of an array: (height, width), or (height, width, 3) in colour."""

COLOUR_SAMPLES = 3

ANATOMICAL = {"axial": "z", "coronal": "y", "sagittal": "x"}

SAMPLED_SLICES = 16
"""Slices looked at where looking at all of them would take too long."""


def slice_axis(axes: str, axis: int | str = 0) -> str:
    """Find the axis that slices are cut across.

    Parameters
    ----------
    axes : str
        Axes of the image, see :class:`~napari_dran.volume.Volume`.
    axis : int or str
        Number among the spatial axes, from 0 or, negative, from the end; or "z",
        "y", "x", "axial", "coronal", "sagittal". A single 2-D image is its own
        slice, across z.

    Returns
    -------
    str
        "z", "y" or "x".

    Raises
    ------
    InputError
        The image has no such axis.
    """
    letters = "zyx" if "z" in axes else "z"
    if isinstance(axis, str):
        name = axis.strip().lower()
        name = ANATOMICAL.get(name, name)
        if len(name) == 1 and name in letters:
            return name
        # Numbers come as text from a command line.
        if not name.removeprefix("-").isdecimal():
            raise _no_such_axis(axes, axis)
        axis = int(name)
    whole = isinstance(axis, int | np.integer) and not isinstance(axis, bool)
    if not whole or not -len(letters) <= axis < len(letters):
        raise _no_such_axis(axes, axis)
    return letters[axis]


def _no_such_axis(axes: str, axis: object) -> InputError:
    if "z" in axes:
        allowed = "0 (z, axial), 1 (y, coronal) or 2 (x, sagittal)"
    else:
        allowed = "0, as it is a 2-D image"
    return InputError(
        f"There is no slice axis {axis!r} in an image with axes {axes!r}. Expected {allowed}."
    )


def slice_indices(shape: Sequence[int], axes: str, axis: int | str = 0) -> list[Index]:
    """List the slices of an image, in order.

    Parameters
    ----------
    shape : sequence of int
        Shape of the image.
    axes : str
        Its axes.
    axis : int or str
        See :func:`slice_axis`.

    Returns
    -------
    list of Index
        One for each time point or channel, and position along ``axis``. Colour
        samples stay together; a fourth sample, alpha, is left out.

    Raises
    ------
    InputError
        No such axis, or colour samples that are not RGB or RGBA.
    """
    across = slice_axis(axes, axis)
    if axes.endswith("s") and shape[-1] not in (COLOUR_SAMPLES, COLOUR_SAMPLES + 1):
        raise InputError(
            f"Expected 3 (RGB) or 4 (RGBA) colour samples, got {shape[-1]} in an image of shape "
            f"{tuple(shape)}. Name the axes, e.g. axes='zyx', if the last one is no colour."
        )
    choices: list[Sequence[int | slice]] = []
    for letter, length in zip(axes, shape, strict=True):
        if letter in "tc" or letter == across:
            choices.append(range(length))
        else:
            choices.append([slice(0, COLOUR_SAMPLES) if letter == "s" else slice(None)])
    return list(product(*choices))


def sample_evenly(items: Sequence[Any], count: int = SAMPLED_SLICES) -> list[Any]:
    """Take at most ``count`` items, spread evenly, without the very ends."""
    if len(items) <= count:
        return list(items)
    return [items[int((i + 0.5) * len(items) / count)] for i in range(count)]
