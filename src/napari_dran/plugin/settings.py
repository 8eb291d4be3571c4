"""What the user chose in napari's Preferences."""

from __future__ import annotations

from ..intensity import DEFAULT_WINDOW

PLUGIN = "napari-dran"


def default_device() -> str:
    """Return the preferred device: "auto", "cpu", "cuda" or "mps"."""
    return _setting("device", "auto")


def default_window() -> str:
    """Return the preferred window: "percentile", "contrast-limits" or "full"."""
    return _setting("window", DEFAULT_WINDOW)


def _setting(key: str, fallback: str) -> str:
    try:
        # New in napari 0.9; and the plugin may run without its manifest, in a script.
        from napari.settings import get_plugin_settings

        return str(getattr(get_plugin_settings(PLUGIN).inference, key))
    except (ImportError, KeyError, AttributeError):
        return fallback
