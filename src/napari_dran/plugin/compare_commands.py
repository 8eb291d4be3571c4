"""The menu's entries that compare results on the noisy and on the denoised image."""

from __future__ import annotations

from typing import Any

PLUGIN = "napari-dran"


def compare_segmentation() -> None:
    """Segment the active layer noisy and denoised, in the Segment widget."""
    _compare("Segment (U-Net)")


def compare_detection() -> None:
    """Detect objects in the active layer noisy and denoised, in the Detect widget."""
    _compare("Detect (Mask R-CNN)")


def _compare(name: str) -> None:
    import napari

    viewer: Any = napari.current_viewer()
    active = viewer.layers.selection.active
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    widget.analyse_layer(active)
