"""Layers of a viewer, for those who call this package from a script."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from ..denoising.entry import METADATA_KEY, axes_of_layer
from ..errors import InputError
from ..volume import LENGTHS, Volume


def is_layer(image: Any) -> bool:
    """Tell whether it is a layer of a viewer, without importing napari."""
    return hasattr(image, "as_layer_data_tuple")


def layer_volume(layer: Any, axes: str | None = None) -> tuple[Volume, tuple[float, float] | None]:
    """Return the image of a layer, placed as the layer is, and its contrast limits.

    Where the layer's units are no lengths, the unit is "pixel".

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
    count = 3 if "z" in axes else 2
    unit, factors = _unit(look, count)
    affine = np.eye(4)
    affine[3 - count :, 3 - count :] = _world(layer)[-count - 1 :, -count - 1 :]
    affine[3 - count : 3] *= np.reshape(factors, (-1, 1))
    volume = Volume(
        data,
        axes,
        affine=affine,
        unit=unit,
        name=look.get("name", "image"),
        history=tuple(look.get("metadata", {}).get(METADATA_KEY, {}).get("history", ())),
    )
    return volume, tuple(look["contrast_limits"]) if look.get("contrast_limits") else None


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
    past = dict(look.get("metadata", {}))
    history = {"history": labels.history}
    return make(
        labels.data,
        name=f"{look['name']}{suffix}",
        metadata={**past, METADATA_KEY: {**past.get(METADATA_KEY, {}), **history}},
        **placement(layer, look, labels.data.ndim),
    )


def placement(layer: Any, look: Mapping[str, Any], ndim: int) -> dict[str, Any]:
    """Return the place of a layer's last axes, as arguments of another layer."""
    keys = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    if layer.ndim == ndim:
        return {key: look[key] for key in keys if look.get(key) is not None}
    # Channels are the first axis of an image, and labels have none.
    place: dict[str, Any] = {
        key: tuple(look[key])[-ndim:] for key in ("units", "axis_labels") if look.get(key)
    }
    world, scale = _world(layer)[-ndim - 1 :, -ndim - 1 :], tuple(look["scale"])[-ndim:]
    # The scale on its own, for whoever asks the layer; the rest as one matrix.
    return {**place, "scale": scale, "affine": world @ np.diag([*np.divide(1.0, scale), 1.0])}


def _world(layer: Any) -> np.ndarray:
    """Return the (axes + 1, axes + 1) map from a layer's indices to the viewer's world."""
    origin = np.asarray(layer.data_to_world((0.0,) * layer.ndim))
    matrix = np.eye(layer.ndim + 1)
    for axis, step in enumerate(np.eye(layer.ndim)):
        matrix[:-1, axis] = np.asarray(layer.data_to_world(tuple(step))) - origin
    matrix[:-1, -1] = origin
    return matrix


def _unit(look: Mapping[str, Any], count: int) -> tuple[str, list[float]]:
    """Give the unit of the last axes, and the factor of each axis into it."""
    names = [str(unit) for unit in look.get("units") or ["pixel"] * count][-count:]
    lengths = [LENGTHS[name] for name in names if name in LENGTHS]
    if len(lengths) < count:
        return "pixel", [1.0] * count
    unit = lengths[-1][0]
    others = {("um", "mm"): 1e-3, ("mm", "um"): 1e3}
    return unit, [factor * others.get((own, unit), 1.0) for own, factor in lengths]
