"""The one plane of an image that the viewer shows: as an index, and back in its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..slices import Index
from ..volume import Volume
from .result import slice_in_view


def plane_in_view(layer: Any, dims: Any, axes: str) -> Index:
    """Give the index of the plane that the viewer shows of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    dims : napari.components.Dims
        The viewer's.
    axes : str
        Axes of the layer's image.

    Raises
    ------
    InputError
        The viewer does not show a plane of space.
    """
    index = slice_in_view(layer, dims)
    shown = "".join(
        letter for letter, part in zip(axes, index, strict=False) if isinstance(part, slice)
    )
    if len(shown) != 2 or not set(shown) <= set("zyx"):
        raise InputError(
            "A single slice needs one plane of the image in view; the viewer shows the axes "
            f"{', '.join(shown)}. Switch to 2-D, with two axes of space."
        )
    return index


def cut_plane(volume: Volume, index: Index) -> Volume:
    """Cut a plane out of an image, all of its channels, with its spacing.

    Parameters
    ----------
    volume : Volume
        The image.
    index : Index
        From :func:`plane_in_view`.
    """
    channels = volume.axes.startswith("c")
    if channels:
        index = (slice(None), *index[1:])
    spacing = dict(zip(volume.spatial_axes, volume.spacing, strict=True))
    kept = [
        letter
        for letter, part in zip(volume.axes, index, strict=False)
        if isinstance(part, slice) and letter in spacing
    ]
    affine = np.diag([1.0, *(spacing[letter] for letter in kept), 1.0])
    return Volume(
        volume.data[index], "c" * channels + "yx" + "s" * volume.rgb, affine, volume.unit,
        name=volume.name, history=volume.history,
    )  # fmt: skip


def start_of(index: Index) -> list[int]:
    """Give the index of a part's first pixel."""
    return [0 if isinstance(part, slice) else part for part in index]


def in_place(pixels: np.ndarray, index: Index) -> np.ndarray:
    """Give a plane the axes of the image it was cut from, those across it of length 1.

    Parameters
    ----------
    pixels : ndarray
        The plane, with colour samples or without.
    index : Index
        Where it was cut.
    """
    return pixels[tuple(slice(None) if isinstance(part, slice) else np.newaxis for part in index)]
