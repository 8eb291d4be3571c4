"""The upper half of the Denoise widget: which image, what is known of it, what to do."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from ..denoising import Plan
from ..errors import DranError
from ..volume import Volume
from . import settings
from .denoise_panel import AUTO, CUSTOM, LOAD, DenoisePanel
from .layers import is_anatomical, layer_to_volume
from .new_weights import new_weights
from .preview import contrast_limits
from .recipe import Recipe
from .summary import axis_choices, describe, describe_noise, nothing_to_denoise
from .weights_dialog import ask_for_weights
from .worker import Engine, Failed, look_at

LOOK_MS = 200
"""How long the input has to rest before its noise is measured."""


class InputSection:
    """Fills the controls of the input and the settings, and reads them.

    Parameters
    ----------
    panel : DenoisePanel
        The controls.
    viewer : napari.viewer.Viewer
        Its images can be chosen.
    engine : Engine
        Plans runs; shared with the runs themselves.
    """

    def __init__(self, panel: DenoisePanel, viewer: Any, engine: Engine) -> None:
        self.panel = panel
        self.viewer = viewer
        self.engine = engine
        self._weights = AUTO
        self._loaded: list[str] = []
        self._window_of: Any = None
        self._looking: Any = None
        self._watched: Any = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._fill()
        panel.image.changed.connect(self._on_image)
        panel.weights.changed.connect(self._on_weights)
        panel.window.changed.connect(self._on_window)
        for control in (panel.low, panel.high, panel.axis, panel.device):
            control.changed.connect(self.look_soon)

    def open(self) -> None:
        """Begin to follow the viewer."""
        self.viewer.layers.events.inserted.connect(self._on_layers)
        self.viewer.layers.events.removed.connect(self._on_layers)
        new_weights.saved.connect(self._on_saved)
        self._fill_weights()
        self.panel.image.reset_choices()
        self._on_image()

    def close(self) -> None:
        """Let go of the viewer."""
        self._timer.stop()
        self._looking = None
        self._watch(None)
        self.viewer.layers.events.inserted.disconnect(self._on_layers)
        self.viewer.layers.events.removed.disconnect(self._on_layers)
        new_weights.saved.disconnect(self._on_saved)

    @property
    def layer(self) -> Any:
        """The chosen image layer, or None."""
        layer = self.panel.image.value
        return layer if layer in self.viewer.layers else None

    def volume(self) -> Volume:
        """Return the chosen image.

        Raises
        ------
        InputError
            It cannot be denoised.
        """
        return layer_to_volume(self.layer)

    def recipe(self) -> Recipe:
        """Return what the controls say."""
        panel = self.panel
        window = panel.window.value
        return Recipe(
            weights=self._weights,
            window=(panel.low.value, panel.high.value) if window == CUSTOM else window,
            axis=panel.axis.value or 0,
            device=panel.device.value,
            strength=panel.strength.value,
        )

    def look_soon(self, *_: Any) -> None:
        """Measure the noise anew as soon as the controls rest."""
        if self.layer is not None:
            self._timer.start()

    def _fill(self) -> None:
        panel = self.panel
        panel.image.choices = self._images
        panel.window.value = settings.default_window()
        device = settings.default_device()
        panel.device.choices = list(dict.fromkeys([AUTO, "cpu", device]))
        panel.device.value = device

    def _fill_weights(self) -> None:
        from ..weights import list_weights

        weights = self.panel.weights
        with weights.changed.blocked():
            weights.choices = [
                ("Auto", AUTO),
                *((card.name, card.name) for card in list_weights()),
                *((Path(path).name, path) for path in self._loaded),
                ("Load…", LOAD),
            ]
            if self._weights not in weights.choices:
                # Deleted from the user's folder meanwhile.
                self._weights = AUTO
            weights.value = self._weights

    def _on_saved(self, path: Path) -> None:
        """List weights that were saved this moment; the choice stays."""
        from ..weights import own_weights_folder

        if path.parent != own_weights_folder() and str(path) not in self._loaded:
            self._loaded.append(str(path))
        self._fill_weights()

    def _fill_axes(self, choices: list[tuple[str, int]]) -> None:
        axis = self.panel.axis
        chosen = axis.value
        with axis.changed.blocked():
            # magicgui keeps the old text of a value that it knows already.
            axis.choices = ()
            axis.choices = choices
            if chosen in axis.choices:
                axis.value = chosen

    def _images(self, _: Any = None) -> list[Any]:
        return [layer for layer in self.viewer.layers if _is_image(layer)]

    def _on_layers(self, event: Any) -> None:
        self.panel.image.reset_choices()
        source = getattr(event.value, "source", None)
        opened = event.type == "inserted" and (
            getattr(source, "path", None) or getattr(source, "sample", None)
        )
        if opened and _is_image(event.value):
            # What the user has just opened is what the user wants to work on.
            self.panel.image.value = event.value
        if self.layer is None:
            self._on_image()

    def _on_image(self, *_: Any) -> None:
        panel, layer = self.panel, self.layer
        self._looking = None
        self._watch(layer)
        if layer is None:
            panel.summary.value = nothing_to_denoise(self.viewer.layers)
            return
        try:
            volume = self.volume()
        except DranError as error:
            panel.summary.value = _rich(error)
            return
        self._fill_axes(axis_choices(volume, is_anatomical(layer)))
        panel.summary.value = f"{describe(volume)}<br>measuring the noise…"
        self.look_soon()

    def _on_weights(self, value: str) -> None:
        if value != LOAD:
            self._weights = value
        else:
            path = ask_for_weights(self.panel.native, "Load weights")
            self._load_weights(path)
        self.look_soon()

    def _load_weights(self, path: str) -> None:
        """Offer a file among the weights and choose it; without a path, choose the last again."""
        if path:
            self._loaded = [*(p for p in self._loaded if p != path), path]
            self._weights = path
        self._fill_weights()

    def _on_window(self, value: str) -> None:
        layer = self.layer
        if value == CUSTOM and layer is not None and self._window_of is not layer:
            # Begin with something sensible for this image instead of 0 to 1.
            self.panel.set_custom(*contrast_limits(layer))
            self._window_of = layer
        self.panel.custom.visible = value == CUSTOM
        self.look_soon()

    def _watch(self, layer: Any) -> None:
        if self._watched is not None:
            self._watched.events.contrast_limits.disconnect(self._on_limits)
            self._watched.events.data.disconnect(self._on_image)
        self._watched = layer
        if layer is not None:
            layer.events.contrast_limits.connect(self._on_limits)
            layer.events.data.connect(self._on_image)

    def _on_limits(self, _: Any = None) -> None:
        if self.panel.window.value == "contrast-limits":
            self.look_soon()

    def _look(self) -> None:
        layer = self.layer
        if layer is None:
            return
        try:
            volume = self.volume()
        except DranError as error:
            self.panel.summary.value = _rich(error)
            return
        worker = create_worker(
            look_at, self.engine, volume, self.recipe(), contrast_limits(layer), _start_thread=False
        )
        self._looking = worker
        worker.returned.connect(
            lambda found: self._show(volume, *found) if worker is self._looking else None
        )
        worker.start()

    def _show(self, volume: Volume, plan: Plan | Failed, devices: list[str]) -> None:
        """Show what the worker found; a reason why not is no alarm, just a sentence."""
        panel = self.panel
        if list(panel.device.choices) != devices:
            device = panel.device.value
            with panel.device.changed.blocked():
                panel.device.choices = list(dict.fromkeys([*devices, device]))
                panel.device.value = device
        noise = _rich(plan.error) if isinstance(plan, Failed) else describe_noise(plan)
        panel.summary.value = f"{describe(volume)}<br>{noise}"


def _rich(error: DranError) -> str:
    return escape(str(error), quote=False)


def _is_image(layer: Any) -> bool:
    return getattr(layer, "_type_string", "") == "image"
