"""The upper half of the Denoise widget: which image, what is known of it, what to do."""

from __future__ import annotations

from html import escape
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from ..denoising import Plan
from ..errors import DranError
from ..volume import Volume
from . import settings
from .denoise_panel import AUTO, CUSTOM, DenoisePanel
from .image_choice import ImageChoice
from .layers import is_anatomical, layer_to_volume
from .preview import contrast_limits
from .recipe import Recipe
from .summary import axis_choices, describe, describe_noise, nothing_to_denoise
from .weights_choice import WeightsChoice
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
        self._images = ImageChoice(panel.image, viewer, self._on_image)
        self._weights = WeightsChoice(panel.weights, "denoise", "Load weights", [("Auto", AUTO)])
        self._window_of: Any = None
        self._looking: Any = None
        self._watched: Any = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._fill()
        panel.image.changed.connect(self._on_image)
        panel.window.changed.connect(self._on_window)
        for control in (panel.weights, panel.low, panel.high, panel.axis, panel.device):
            control.changed.connect(self.look_soon)

    def open(self) -> None:
        """Begin to follow the viewer."""
        self._weights.open()
        self._images.open()
        self._on_image()

    def close(self) -> None:
        """Let go of the viewer."""
        self._timer.stop()
        self._looking = None
        self._watch(None)
        self._weights.close()
        self._images.close()

    @property
    def layer(self) -> Any:
        """The chosen image layer, or None."""
        return self._images.layer

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
            weights=self._weights.value,
            window=(panel.low.value, panel.high.value) if window == CUSTOM else window,
            axis=panel.axis.value or 0,
            device=panel.device.value,
            strength=panel.strength.value,
            ensemble=panel.ensemble.value,
        )

    def look_soon(self, *_: Any) -> None:
        """Measure the noise anew as soon as the controls rest."""
        if self.layer is not None:
            self._timer.start()

    def _fill(self) -> None:
        panel = self.panel
        panel.window.value = settings.default_window()
        device = settings.default_device()
        panel.device.choices = list(dict.fromkeys([AUTO, "cpu", device]))
        panel.device.value = device

    def _fill_axes(self, choices: list[tuple[str, int]]) -> None:
        axis = self.panel.axis
        chosen = axis.value
        with axis.changed.blocked():
            # magicgui keeps the old text of a value that it knows already.
            axis.choices = ()
            axis.choices = choices
            if chosen in axis.choices:
                axis.value = chosen

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
