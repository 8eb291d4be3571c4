"""The one function most people need."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..intensity import DEFAULT_WINDOW, Window
from ..volume import AXES_PATTERN, Volume, guess_axes
from .blending import check_strength
from .denoiser import AUTO, Denoiser
from .lazy import denoise_lazily, is_dask
from .plan import PlanOptions

METADATA_KEY = "napari_dran"
"""Key in the metadata of a denoised layer that holds its history."""

LAYER_SUFFIX = " (denoised)"


def denoise(
    image: Any,
    *,
    weights: str | Path = AUTO,
    window: str | tuple[float, float] | Window = DEFAULT_WINDOW,
    axis: int | str = 0,
    strength: float = 1.0,
    device: str = AUTO,
    batch: int | None = None,
    ensemble: int = 1,
    axes: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Any:
    """Denoise an image.

    Parameters
    ----------
    image : ndarray, dask array, Volume, or napari Image layer
        Integers or floats, 2-D to 4-D, in colour one axis more. It is not
        changed.
    weights : str or Path
        "auto", a shipped name, or a .safetensors file.
    window : str, pair of float, or Window
        What the network sees as [0, 1]: "percentile", "full", "contrast-limits"
        (of a layer), a CT preset, "LOW:HIGH". Values outside are left as they are.
    axis : int or str
        The spatial axis that slices are cut across, by number or name.
    strength : float
        Share of the noise to subtract, from 0 to 2; 0 changes nothing.
    device : str
        "auto", "cpu", "cuda", "mps".
    batch : int, optional
        Slices at a time; by default what fits into memory.
    ensemble : int
        Orientations of each slice (as it is, mirrored, turned) to average, 1 to 8:
        less noise is left, and as many times longer it takes.
    axes : str, optional
        Axes of an array, e.g. "zyx", "tzyx", "cyx", "yxs"; guessed by default.
    progress : callable, optional
        Called with (slices done, slices in all), with an ensemble (passes done,
        passes in all); returns False to cancel. Not for dask arrays, which are
        denoised when they are computed.

    Returns
    -------
    ndarray, dask array, Volume, or layer
        What went in, denoised, of the same dtype. Dask arrays stay lazy, with one
        chunk a slice. Volumes gain a history entry. A new layer keeps the look of
        the old, and its metadata says what was done.

    Raises
    ------
    InputError, WeightsError, DeviceError, OutOfMemoryError
        See :meth:`Denoiser.plan` and :meth:`Plan.steps`.
    Cancelled
        ``progress`` returned False.

    Warns
    -----
    UserWarning
        What to know before trusting the result, e.g. noise beyond what the weights
        were trained for (``Denoised.notes``); not for dask arrays.
    """
    strength = check_strength(strength)
    denoiser = Denoiser(weights, device=device, batch=batch)
    options: PlanOptions = {"axes": axes, "window": window, "axis": axis, "ensemble": ensemble}
    if hasattr(image, "as_layer_data_tuple"):
        return _denoise_layer(denoiser, image, options, strength, progress)
    data = image.data if isinstance(image, Volume) else image
    if is_dask(data):
        return denoise_lazily(denoiser, image, strength, **options)
    result = denoiser.run(image, strength=strength, progress=progress, **options)
    for note in result.notes:
        warnings.warn(note, stacklevel=2)
    return result.image


def _denoise_layer(
    denoiser: Denoiser,
    layer: Any,
    options: PlanOptions,
    strength: float,
    progress: Callable[[int, int], object] | None,
) -> Any:
    data, look, kind = layer.as_layer_data_tuple()
    if kind != "image":
        raise InputError(
            f"Expected an image layer, got the {kind} layer {look.get('name', '')!r}. "
            "Choose the image that it belongs to."
        )
    if look.pop("multiscale", False):
        # The levels are copies of the first at lower resolution.
        data = data[0]
    axes = options["axes"] or axes_of_layer(
        data.shape, bool(look.get("rgb")), look.get("axis_labels", ())
    )
    limits = tuple(look["contrast_limits"]) if look.get("contrast_limits") else None
    volume = Volume(data, axes)
    options = {**options, "axes": None, "contrast_limits": limits}
    if is_dask(data):
        clean = denoise_lazily(denoiser, volume, strength, **options)
        history = clean.history
    else:
        result = denoiser.run(volume, strength=strength, progress=progress, **options)
        for note in result.notes:
            warnings.warn(note, stacklevel=3)
        clean, history = result.image, result.image.history
    metadata = dict(look.get("metadata", {}))
    past = metadata.get(METADATA_KEY, {})
    metadata[METADATA_KEY] = {**past, "history": (*past.get("history", ()), *history)}
    look |= {"name": f"{look['name']}{LAYER_SUFFIX}", "metadata": metadata}
    return type(layer)(clean.data, **look)


def axes_of_layer(shape: tuple[int, ...], rgb: bool, labels: Any = ()) -> str:
    """Name the axes of a layer: by its axis labels if they are known letters.

    Parameters
    ----------
    shape : tuple of int
        Shape of its data, colour included.
    rgb : bool
        Whether its last axis holds colour samples.
    labels : sequence of str
        Its axis labels, without one for colour.
    """
    named = "".join(str(label).lower() for label in labels) + ("s" if rgb else "")
    if len(named) == len(shape) and AXES_PATTERN.fullmatch(named):
        return named
    return guess_axes(tuple(shape), rgb)
