"""The upper half of the Train widget: which images, and how to train on them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker

from ..errors import DranError, InputError
from ..volume import Volume
from ..weights import SUFFIX, list_weights, own_weights_folder
from ..weights.store import SHIPPED
from . import settings
from .denoise_panel import AUTO
from .image_choice import is_image
from .layers import layer_to_volume
from .pending import settle
from .torch_loading import load_torch
from .train_panel import FOLDER, LAYERS, START, TrainPanel
from .train_settings import TrainSettings
from .weights_choice import WeightsChoice

PLAIN = ("steps", "crop", "batch", "axis", "other_kind", "loss", "minutes", "validate_every",
         "precision", "seed")  # fmt: skip
"""Keys of the recipe whose controls hold them as they are."""


class TrainInput:
    """Fills the controls of data and settings, and reads them.

    Parameters
    ----------
    panel : TrainPanel
        The controls.
    viewer : napari.viewer.Viewer
        Its images can be chosen.
    """

    def __init__(self, panel: TrainPanel, viewer: Any) -> None:
        self.panel = panel
        self.viewer = viewer
        self._weights = WeightsChoice(panel.weights, "denoise", "Start from weights", START)
        panel.layers.choices = self._images
        device = settings.default_device()
        panel.device.choices = list(dict.fromkeys([AUTO, "cpu", device]))
        panel.device.value = device
        panel.source.changed.connect(self._show_source)

    def open(self) -> None:
        """Begin to follow the viewer."""
        self.viewer.layers.events.inserted.connect(self.panel.reset_choices)
        self.viewer.layers.events.removed.connect(self.panel.reset_choices)
        self._weights.open()
        self.panel.layers.reset_choices()
        chosen = [layer for layer in self.viewer.layers.selection if layer in self._images()]
        self.panel.layers.value = chosen
        self.panel.source.value = LAYERS if self._images() else FOLDER
        self._show_source()
        worker = create_worker(_devices, _start_thread=False)
        worker.returned.connect(self._fill_devices)
        worker.start()

    def close(self) -> None:
        """Let go of the viewer."""
        self.viewer.layers.events.inserted.disconnect(self.panel.reset_choices)
        self.viewer.layers.events.removed.disconnect(self.panel.reset_choices)
        self._weights.close()

    def settings(self) -> TrainSettings:
        """Return what the controls say.

        Raises
        ------
        InputError
            A number is none.
        """
        panel = self.panel
        sigma = (panel.low.value, panel.high.value)
        values: dict[str, Any] = {
            "weights": self._weights.value,
            "noise": [{"model": model, "sigma": sigma} for model in panel.noise.value],
            "learning_rate": _rate(panel.learning_rate.value),
        }
        values |= {key: getattr(panel, key).value for key in PLAIN}
        return TrainSettings(values, panel.device.value, self.folder)

    @property
    def folder(self) -> str | None:
        """The chosen folder; None if layers are trained on."""
        if self.panel.source.value == LAYERS:
            return None
        folder: Path = self.panel.folder.value
        # An empty field reads as the current folder, which nobody chose.
        return str(folder) if self.panel.folder.line_edit.value else ""

    def data(self) -> str | list[Volume]:
        """Return the chosen folder, or the images of the chosen layers.

        Raises
        ------
        InputError
            Nothing is chosen, or a layer cannot be trained on.
        """
        folder = self.folder
        if folder == "":
            raise InputError("No folder is chosen. Choose the one that holds the clean images.")
        if folder is not None:
            return folder
        layers = [layer for layer in self.panel.layers.value if layer in self.viewer.layers]
        if not layers:
            raise InputError(
                "No image layer is chosen. Click one or several in the list, open clean images "
                "first, or train on a folder."
            )
        return [_volume(layer) for layer in layers]

    def name(self) -> str:
        """Suggest a name for the weights: that of the data."""
        if self.folder is not None:
            name = Path(self.folder).resolve().name
        else:
            name = next((layer.name for layer in self.panel.layers.value), "")
        name = re.sub(r"[^\w-]+", "-", name.lower()).strip("-") or "weights"
        folder, number = own_weights_folder(), 1
        tried, known = name, {card.name for card in list_weights(None)}
        while tried in known or (folder / f"{tried}{SUFFIX}").exists():
            number += 1
            tried = f"{name}-{number}"
        return tried

    def show(self, values: dict[str, Any], folder: str | None) -> None:
        """Set the controls to a run's recipe, as far as they know its values."""
        panel = self.panel
        if folder is not None:
            panel.source.value, panel.folder.value = FOLDER, folder
        self._weights.choose(str(values.get("weights", AUTO)))
        noises = values.get("noise", [])
        models = tuple(noise["model"] for noise in noises)
        if models in panel.noise.choices:
            panel.noise.value = models
            panel.low.value, panel.high.value = noises[0]["sigma"]
        rate = values.get("learning_rate")
        panel.learning_rate.value = "" if rate is None else f"{rate:g}"
        for key in PLAIN:
            if key in values:
                getattr(panel, key).value = values[key]

    def _images(self, _: Any = None) -> list[Any]:
        return [layer for layer in self.viewer.layers if is_image(layer)]

    def _show_source(self, *_: Any) -> None:
        layers = self.panel.source.value == LAYERS
        self.panel.layers.visible, self.panel.folder.visible = layers, not layers

    def _fill_devices(self, devices: list[str]) -> None:
        device = self.panel.device.value
        self.panel.device.choices = list(dict.fromkeys([*devices, device]))
        self.panel.device.value = device


def check_name(target: Path) -> None:
    """Raise InputError if weights of this name would hide behind shipped ones."""
    shipped = {path.stem for path in SHIPPED.glob(f"*{SUFFIX}")}
    if target.parent == own_weights_folder() and target.stem in shipped:
        raise InputError(
            f"The name {target.stem!r} is that of shipped weights, which it would stand for. "
            "Choose another name."
        )


def _volume(layer: Any) -> Volume:
    try:
        volume = layer_to_volume(layer)
    except DranError as error:
        raise InputError(f"The layer {layer.name!r} cannot be trained on. {error}") from error
    if settle(layer.data):
        # A result of the Denoise widget, whose strength may be changed meanwhile.
        volume = replace(volume, data=volume.data.copy())
    return volume


def _rate(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"Expected a learning rate such as 1e-4, got {text!r}. Empty takes the usual one."
        ) from None


def _devices() -> list[str]:
    load_torch()
    from ..denoising.devices import available_devices

    return available_devices()
