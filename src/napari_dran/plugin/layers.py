"""From a napari layer to a :class:`Volume` and back; nothing else knows both.

napari draws an oblique affine without its out-of-plane part, and not at all if
it permutes axes. So a volume is shown along its own array axes, ``scale`` and
``translate`` only, and the turn from there to the patient is kept aside in
``layer.metadata["napari_dran"]``. On the way back that turn is applied to what
the layer says *now*: a layer that was moved or cropped gets its true affine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..volume import AXES_PATTERN, LENGTHS, Volume, guess_axes

if TYPE_CHECKING:
    from napari.layers import Image

METADATA_KEY = "napari_dran"

KEPT = (
    *("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "rgb"),
    *("colormap", "contrast_limits", "gamma", "interpolation2d", "interpolation3d"),
    *("rendering", "iso_threshold", "attenuation", "opacity", "blending", "depiction"),
    "projection_mode",
)
"""What a layer made from another one takes over: its place and its look."""

SINGULAR = 1e-6

_SECONDS = {"second": 1.0, "millisecond": 1e-3, "minute": 60.0, "hour": 3600.0}


def volume_to_layer(volume: Volume) -> tuple[Any, dict[str, Any], str]:
    """Describe a volume as a napari image layer.

    Parameters
    ----------
    volume : Volume
        Any. Its voxels are not copied.

    Returns
    -------
    tuple
        A ``LayerData`` tuple: data, arguments of the layer, "image".
    """
    spatial = len(volume.spatial_axes)
    leading = volume.axes[: volume.axes.index(volume.spatial_axes)]
    _, shown = _turn_and_shown(volume)
    scale = [volume.time_step if a == "t" and volume.time_step else 1.0 for a in leading]
    units = ["second" if a == "t" and volume.time_step else "pixel" for a in leading]
    length = {"mm": "millimeter", "um": "micrometer"}.get(volume.unit, "pixel")
    arguments: dict[str, Any] = {
        "name": volume.name,
        "scale": (*scale, *np.diagonal(shown)[3 - spatial : 3].tolist()),
        "translate": (*[0.0] * len(leading), *shown[3 - spatial : 3, 3].tolist()),
        "units": (*units, *[length] * spatial),
        "axis_labels": tuple(volume.axes.removesuffix("s")),
        "rgb": volume.rgb,
        "metadata": {METADATA_KEY: {"volume": _without_data(volume), "history": volume.history}},
    }
    if not volume.rgb:
        arguments["contrast_limits"] = _robust_limits(volume.data)
        arguments["colormap"] = "gray"
    return volume.data, arguments, "image"


def layer_to_volume(layer: Image) -> Volume:
    """Take the volume out of an image layer, at the place where the layer lies.

    Parameters
    ----------
    layer : napari.layers.Image
        Its finest level if it is multiscale. Nothing is copied or computed.

    Raises
    ------
    InputError
        The layer has more axes than an image may have, or holds no numbers.
    """
    if getattr(layer, "_type_string", "image") not in ("image", "labels"):
        raise InputError(f"A {type(layer).__name__} layer is not an image. Choose an Image layer.")
    data, arguments, _ = layer.as_layer_data_tuple()
    return layer_data_to_volume(data, arguments)


def layer_data_to_volume(data: Any, arguments: Mapping[str, Any]) -> Volume:
    """Like :func:`layer_to_volume`, from the data and arguments a writer is given.

    Parameters
    ----------
    data : ndarray, dask array or list of them
        The layer's data; the first level is taken if it is multiscale.
    arguments : mapping
        As ``layer.as_layer_data_tuple()`` gives them.

    Raises
    ------
    InputError
        See :func:`layer_to_volume`.
    """
    if isinstance(data, (list, tuple)) or arguments.get("multiscale"):
        data = data[0]
    kept = arguments.get("metadata", {}).get(METADATA_KEY, {})
    origin: Volume | None = kept.get("volume")
    axes = _axes(data, arguments, origin)
    spatial = 3 if "z" in axes else 2
    ndim = len(axes.removesuffix("s"))
    unit, factors, time_step = _units(axes, arguments, ndim)

    turn, shown = (np.eye(4), np.eye(4)) if origin is None else _turn_and_shown(origin)
    # A 2-D layer does not say where its slice lies across: that stays as it was.
    world = shown.copy()
    ours = [*range(3 - spatial, 3), 3]
    theirs = [*range(ndim - spatial, ndim), ndim]
    world[np.ix_(ours, ours)] = _layer_matrix(arguments, ndim)[np.ix_(theirs, theirs)]
    world[3 - spatial : 3] *= np.reshape(factors[ndim - spatial :], (-1, 1))
    if origin is None:
        return Volume(
            data, axes, world, unit, time_step, str(arguments.get("name", "image")),
            history=tuple(kept.get("history", ())),
        )  # fmt: skip
    # An untouched layer gives back the very numbers of its file.
    untouched = np.allclose(world, shown, rtol=1e-6, atol=1e-6)
    return replace(
        origin,
        data=data,
        axes=axes,
        affine=origin.affine if untouched else turn @ world,
        unit=unit,
        time_step=time_step,
        name=str(arguments.get("name", origin.name)),
        history=tuple(kept.get("history", ())),
    )


def layer_look(layer: Image) -> dict[str, Any]:
    """Collect what a layer made from this one should keep: place, units and look.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer to resemble.

    Returns
    -------
    dict
        Arguments for a layer of the same shape.
    """
    _, arguments, _ = layer.as_layer_data_tuple()
    look = {key: arguments[key] for key in KEPT if key in arguments}
    look["metadata"] = dict(layer.metadata)
    if look.get("rgb"):
        for key in ("colormap", "contrast_limits", "gamma"):
            look.pop(key, None)
    return look


def add_history(metadata: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's metadata with one more thing that was done to it.

    Parameters
    ----------
    metadata : mapping
        Of the layer that was worked on; not changed.
    entry : mapping
        See ``denoising.Provenance.as_dict``.
    """
    kept = dict(metadata.get(METADATA_KEY, {}))
    kept["history"] = (*kept.get("history", ()), dict(entry))
    return {**metadata, METADATA_KEY: kept}


def is_anatomical(layer: Any) -> bool:
    """Tell whether a layer's z, y and x are known to be those of a patient."""
    volume = getattr(layer, "metadata", {}).get(METADATA_KEY, {}).get("volume")
    return volume is not None and volume.unit == "mm" and "z" in volume.axes


def _turn_and_shown(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Split a volume's affine in two, ``turn @ shown``.

    ``shown`` is what napari draws, scale and translation along the array's own
    axes; ``turn`` leads from there to the patient, and has no lengths in it.
    """
    lengths = np.linalg.norm(volume.affine[:3, :3], axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    turn = np.eye(4)
    turn[:3, :3] = volume.affine[:3, :3] / lengths
    if abs(np.linalg.det(turn)) < SINGULAR:
        # No place at all: show it at the origin, and give the affine back untouched.
        return np.eye(4), np.diag([*lengths, 1.0])
    shown = np.diag([*lengths, 1.0])
    shown[:3, 3] = np.linalg.solve(turn[:3, :3], volume.affine[:3, 3])
    return turn, shown


def _without_data(volume: Volume) -> Volume:
    # A layer's metadata is copied about; its voxels must not be, nor kept alive.
    return replace(volume, data=np.zeros((1,) * len(volume.axes), volume.dtype))


def _axes(data: Any, arguments: Mapping[str, Any], origin: Volume | None) -> str:
    rgb = bool(arguments.get("rgb"))
    if origin is not None and len(origin.axes) == data.ndim and origin.rgb == rgb:
        return origin.axes
    labels = [str(label).lower() for label in arguments.get("axis_labels") or ()]
    named = "".join(labels) + "s" * rgb
    if len(named) == data.ndim and AXES_PATTERN.fullmatch(named):
        return named
    return guess_axes(tuple(data.shape), rgb=rgb)


def _units(
    axes: str, arguments: Mapping[str, Any], ndim: int
) -> tuple[str, list[float], float | None]:
    """Give the unit of space, the factor of each axis into it, and the time step."""
    names = [str(unit) for unit in arguments.get("units") or ["pixel"] * ndim]
    spatial = names[ndim - (3 if "z" in axes else 2) :]
    lengths = [LENGTHS.get(name) for name in spatial]
    unit = "pixel" if None in lengths else str(lengths[-1][0])  # type: ignore[index]
    factors = [1.0] * ndim
    if unit != "pixel":
        for axis, (own, factor) in enumerate(lengths, start=ndim - len(spatial)):  # type: ignore[misc]
            factors[axis] = factor * {("um", "mm"): 1e-3, ("mm", "um"): 1e3}.get((own, unit), 1.0)
    time_step = None
    if axes[0] == "t" and names[0] in _SECONDS:
        time_step = float(np.asarray(arguments["scale"])[0]) * _SECONDS[names[0]]
    return unit, factors, time_step


def _layer_matrix(arguments: Mapping[str, Any], ndim: int) -> np.ndarray:
    """Give the (ndim + 1, ndim + 1) map from a layer's indices to napari's world."""
    from napari.utils.transforms import Affine, CompositeAffine

    placed = CompositeAffine(
        scale=arguments.get("scale", (1.0,) * ndim),
        translate=arguments.get("translate", (0.0,) * ndim),
        rotate=arguments.get("rotate"),
        shear=arguments.get("shear"),
        ndim=ndim,
    ).affine_matrix
    affine = arguments.get("affine")
    if affine is None:
        return np.asarray(placed, dtype=np.float64)
    if not isinstance(affine, Affine):
        affine = Affine(affine_matrix=np.asarray(affine), ndim=ndim)
    return np.asarray(affine.affine_matrix @ placed, dtype=np.float64)


def _robust_limits(data: Any) -> tuple[float, float]:
    """Give contrast limits that a few extreme voxels cannot spoil, from a sample of voxels."""
    step = max(1, round((np.prod(data.shape) / 2e6) ** (1 / data.ndim)))
    sample = np.asarray(data[(slice(None, None, step),) * data.ndim], dtype=np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(sample, (0.1, 99.9))
    return (float(low), float(high)) if low < high else (float(low), float(low) + 1.0)


def place_of_part(layer: Any, start: list[int]) -> tuple[float, ...]:
    """Give the ``translate`` of a layer that begins inside another one.

    Parameters
    ----------
    layer : napari.layers.Image
        The whole, whose scale, rotation and affine the part shares.
    start : list of int
        Index of the part's first voxel.
    """
    from napari.utils.transforms import CompositeAffine

    linear = CompositeAffine(
        scale=layer.scale, rotate=layer.rotate, shear=layer.shear, ndim=layer.ndim
    ).linear_matrix
    return tuple((np.asarray(layer.translate) + linear @ np.asarray(start)).tolist())
