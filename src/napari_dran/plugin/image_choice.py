"""Choosing one of the viewer's images, in any of the plugin's widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import ComboBox


class ImageChoice:
    """Keeps a box of the viewer's image layers up to date.

    What the user opens while it follows the viewer is chosen.

    Parameters
    ----------
    box : ComboBox
        The control.
    viewer : napari.viewer.Viewer
        Its images can be chosen.
    lost : callable
        Called when layers came or went and no image is chosen.
    """

    def __init__(self, box: ComboBox, viewer: Any, lost: Callable[[], object]) -> None:
        self.box = box
        self.viewer = viewer
        self._lost = lost
        box.choices = self._images

    def open(self) -> None:
        """Begin to follow the viewer."""
        self.viewer.layers.events.inserted.connect(self._on_layers)
        self.viewer.layers.events.removed.connect(self._on_layers)
        self.box.reset_choices()

    def close(self) -> None:
        """Let go of the viewer."""
        self.viewer.layers.events.inserted.disconnect(self._on_layers)
        self.viewer.layers.events.removed.disconnect(self._on_layers)

    @property
    def layer(self) -> Any:
        """The chosen image layer, or None."""
        layer = self.box.value
        return layer if layer in self.viewer.layers else None

    def _images(self, _: Any = None) -> list[Any]:
        return [layer for layer in self.viewer.layers if is_image(layer)]

    def _on_layers(self, event: Any) -> None:
        self.box.reset_choices()
        source = getattr(event.value, "source", None)
        opened = event.type == "inserted" and (
            getattr(source, "path", None) or getattr(source, "sample", None)
        )
        if opened and is_image(event.value):
            # What the user has just opened is what the user wants to work on.
            self.box.value = event.value
        if self.layer is None:
            self._lost()


def is_image(layer: Any) -> bool:
    """Tell whether a layer is an image."""
    return getattr(layer, "_type_string", "") == "image"
