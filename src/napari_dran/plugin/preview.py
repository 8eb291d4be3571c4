"""The preview: only the slice in view, as a layer that lies exactly there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import create_worker

from ..volume import Volume
from .layers import layer_look, place_of_part
from .planes import in_place, plane_in_view, start_of
from .worker import Engine, Failed, Work

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from .recipe import Recipe


class Preview:
    """Denoises one slice of a layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Shows the slice, and later the preview.
    source : napari.layers.Image
        The noisy layer.
    volume : Volume
        Its image.
    engine : Engine
        Gives the denoiser.
    recipe : Recipe
        What to do. Its axis does not matter: the plane in view is denoised.

    Raises
    ------
    InputError
        The viewer does not show a plane of space.
    """

    def __init__(
        self, viewer: Viewer, source: Image, volume: Volume, engine: Engine, recipe: Recipe
    ) -> None:
        self.viewer = viewer
        self.source = source
        self.index = plane_in_view(source, viewer.dims, volume.axes)
        pixels = Volume(volume.data[self.index], "yxs" if volume.rgb else "yx")
        limits = contrast_limits(source)
        recipe = replace(recipe, axis=0)
        self.work = Work(engine, pixels, recipe, limits, part_of=(volume, self.index))
        self._stop = Event()
        self._worker: Any = None

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._stop.is_set()

    def start(
        self,
        returned: Callable[[np.ndarray | Failed | None], object],
        finished: Callable[[], object],
    ) -> None:
        """Denoise the slice in a thread; returns at once.

        Parameters
        ----------
        returned : callable
            Gets the clean slice, (height, width) or (height, width, samples), or what
            went wrong, or None if it was cancelled.
        finished : callable
            Called last, whatever happened.
        """
        self._worker = create_worker(self.work.denoise_at_once, self._stop, _start_thread=False)
        self._worker.returned.connect(returned)
        self._worker.finished.connect(finished)
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the running pass of the network."""
        self._stop.set()

    def show(self, pixels: np.ndarray) -> Image:
        """Add the layer.

        Parameters
        ----------
        pixels : ndarray
            The clean slice.
        """
        look = layer_look(self.source)
        look["translate"] = place_of_part(self.source, start_of(self.index))
        look["name"] = f"{self.source.name} (preview)"
        layer: Image = self.viewer.add_image(in_place(pixels, self.index), **look)
        return layer


def contrast_limits(layer: Any) -> tuple[float, float]:
    """Return a layer's contrast limits; colour is always shown over its type's whole range."""
    if layer.rgb:
        whole = np.iinfo(layer.dtype).max if np.issubdtype(layer.dtype, np.integer) else 1
        return 0.0, float(whole)
    low, high = layer.contrast_limits
    return float(low), float(high)
