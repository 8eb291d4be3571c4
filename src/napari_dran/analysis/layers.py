"""Layers of a viewer, for those who call this package from a script."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..denoising.entry import METADATA_KEY, axes_of_layer
from ..errors import InputError
from ..volume import Volume


def layer_volume(layer: Any, axes: str | None = None) -> tuple[Volume, tuple[float, float] | None]:
    """Return the image of a layer with the layer's scale, and its contrast limits.

    Raises
    ------
    InputError
        It is no image layer.
    """
    data, look, kind = layer.as_layer_data_tuple()
    if kind != "image":
        raise InputError(
            f"Expected an image layer, got the {kind} layer {look.get('name', '')!r}. "
            "Choose the image that it belongs to."
        )
    data = data[0] if look.get("multiscale", False) else data
    axes = axes or axes_of_layer(data.shape, bool(look.get("rgb")), look.get("axis_labels", ()))
    spatial = "zyx" if "z" in axes else "yx"
    scale = tuple(look.get("scale", (1.0,) * data.ndim))[-len(spatial) :]
    affine = np.diag([*(1.0,) * (3 - len(spatial)), *scale, 1.0])
    units = {str(unit) for unit in tuple(look.get("units") or ("pixel",))[-len(spatial) :]}
    known = {"millimeter": "mm", "mm": "mm", "micrometer": "um", "um": "um"}
    unit = known.get(units.pop(), "pixel") if len(units) == 1 else "pixel"
    limits = tuple(look["contrast_limits"]) if look.get("contrast_limits") else None
    return Volume(data, axes, affine=affine, unit=unit, name=look.get("name", "image")), limits


def labels_layer(layer: Any, labels: Volume, suffix: str) -> Any:
    """Make a Labels layer that lies where the image layer lies.

    Parameters
    ----------
    layer : napari Image layer
        What the labels are of.
    labels : Volume
        Its labels, see :class:`~napari_dran.analysis.Segmentation`.
    suffix : str
        Added to the layer's name.
    """
    # Whoever has a layer has napari; this floor does without it otherwise.
    make = import_module("napari.layers").Labels
    look = layer.as_layer_data_tuple()[1]
    placed = {}
    for key in ("scale", "translate", "units", "axis_labels"):
        if look.get(key) is not None:
            # Colour samples have no place in a layer's scale; channels do, as its first axis.
            placed[key] = tuple(look[key])[-labels.data.ndim :]
    past = dict(look.get("metadata", {}))
    history = {"history": labels.history}
    return make(
        labels.data,
        name=f"{look['name']}{suffix}",
        metadata={**past, METADATA_KEY: {**past.get(METADATA_KEY, {}), **history}},
        **placed,
    )
