"""A denoised image in the viewer, whose strength can be changed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from ..denoising.blending import blend, blend_parts
from ..slices import Index
from .layers import METADATA_KEY, add_history, layer_look
from .pending import watch
from .worker import Begun, Cleaned

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

AT_ONCE = 1_000_000
"""Pixels that are blended at once, without the window feeling it."""

REST_MS = 150
"""How long the slider has to rest before a large image is blended as a whole."""


class Result:
    """The outcome of a run: noisy image, noise, and the layer that shows them blended.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Shows it.
    source : napari.layers.Image
        The noisy layer.
    begun : Begun
        The arrays. ``clean`` becomes the data of the new layer.
    strength : float
        What ``clean`` is being blended with.
    """

    def __init__(self, viewer: Viewer, source: Image, begun: Begun, strength: float) -> None:
        self.viewer = viewer
        self.source = source
        self.image, self.clean, self.noise = begun.image, begun.clean, begun.noise
        self.plan = begun.plan
        self.strength = strength
        self.residual: Image | None = None
        self._stale = False
        self._worker: Any = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._blend_rest)
        look = layer_look(source)
        look["name"] = f"{source.name} (denoised)"
        self._metadata = look["metadata"]
        self._entry: dict[str, Any] = {}
        self.layer: Image = viewer.add_image(self.clean, **look)
        watch(self)

    def write(self, cleaned: Cleaned) -> bool:
        """Put a slice in its place; returns whether it is in view."""
        index = cleaned.step.index
        self.noise[index] = cleaned.step.noise
        self.clean[index] = cleaned.pixels
        return meets(index, slice_in_view(self.layer, self.viewer.dims))

    def refresh(self) -> None:
        """Draw the layers anew after their data changed in place."""
        for layer in (self.layer, self.residual):
            if layer is not None and layer.visible and layer in self.viewer.layers:
                layer.refresh(extent=False)

    def set_strength(self, strength: float) -> None:
        """Blend anew from the stored noise: the slice in view now, a large rest soon."""
        self.strength = strength
        if self._entry:
            self.finish(self._entry)
        self._stop_worker()
        if self.image.size <= AT_ONCE:
            self.clean[...] = blend(self.image, self.noise, strength)
            self._blended()
        else:
            self._stale = True
            self.blend_view()
            self._timer.start()

    def settle(self) -> None:
        """Blend at once what the last change of strength left for later."""
        if not self._stale:
            return
        self.close()
        for index, pixels in blend_parts(self.image, self.noise, self.strength):
            self.clean[index] = pixels
        self._blended()

    def blend_view(self, event: Any = None) -> None:
        """Blend the slice in view, if the last change of strength did not reach it yet."""
        if not self._stale or self.viewer.dims.ndisplay != 2:
            return
        index = slice_in_view(self.layer, self.viewer.dims)
        self.clean[index] = blend(self.image[index], self.noise[index], self.strength)
        self.refresh()

    def finish(self, entry: dict[str, Any]) -> None:
        """Note in the layer's metadata how it was made."""
        self._entry = {**entry, "strength": self.strength}
        kept = add_history(self._metadata, self._entry)[METADATA_KEY]
        self.layer.metadata = {**self.layer.metadata, METADATA_KEY: kept}

    def show_residual(self, shown: bool) -> None:
        """Add or remove the layer of the noise that was found."""
        if self.residual is not None and self.residual in self.viewer.layers:
            self.viewer.layers.remove(self.residual)
        self.residual = None
        if not shown:
            return
        look = layer_look(self.layer)
        look["name"] = f"{self.source.name} (residual)"
        limit = self._noise_limit()
        if look.get("rgb"):
            # Colour layers cannot show negative values: grey is zero.
            data = np.clip(0.5 + self.noise / (2 * limit), 0, 1)
            if data.shape[-1] > 3:
                data[..., 3] = 1
        else:
            data = self.noise
            look |= {"colormap": "gray", "contrast_limits": (-limit, limit), "gamma": 1.0}
        self.residual = self.viewer.add_image(data, **look)

    def close(self) -> None:
        """Stop what is still going on."""
        self._timer.stop()
        self._stop_worker()

    def _noise_limit(self) -> float:
        """Give the value that the residual is shown up to: three standard deviations."""
        step = max(1, round((self.noise.size / 1e6) ** (1 / self.noise.ndim)))
        sample = self.noise[(slice(None, None, step),) * self.noise.ndim]
        changed = sample[sample != 0]
        return 3 * float(np.std(changed)) or 1.0 if changed.size else 1.0

    def _blend_rest(self) -> None:
        self._stop_worker()
        worker = create_worker(
            blend_parts, self.image, self.noise, self.strength, _start_thread=False
        )
        worker.yielded.connect(lambda part: self._take(worker, part))
        worker.returned.connect(lambda _: self._blended() if worker is self._worker else None)
        self._worker = worker
        worker.start()

    def _take(self, worker: Any, part: tuple[Index, np.ndarray]) -> None:
        # Parts of a strength that has been changed since may still be on their way.
        if worker is self._worker:
            index, pixels = part
            self.clean[index] = pixels

    def _blended(self) -> None:
        self._stale = False
        self._worker = None
        self.refresh()

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.quit()
            self._worker = None


def slice_in_view(layer: Any, dims: Any) -> Index:
    """Give the index of a layer's slice that the viewer shows; all of it in 3-D.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    dims : napari.components.Dims
        The viewer's.
    """
    missing = dims.ndim - layer.ndim
    displayed = {axis - missing for axis in dims.displayed}
    point = layer.world_to_data(dims.point)
    shape = layer.data.shape
    index: list[int | slice] = []
    for axis in range(layer.ndim):
        if axis in displayed:
            index.append(slice(None))
        else:
            index.append(int(np.clip(round(float(point[axis])), 0, shape[axis] - 1)))
    return tuple(index)


def meets(first: Index, second: Index) -> bool:
    """Tell whether two selections of whole slices have pixels in common."""
    return all(
        isinstance(a, slice) or isinstance(b, slice) or a == b
        for a, b in zip(first, second, strict=False)
    )
