from __future__ import annotations

from types import SimpleNamespace

import napari.settings
import pytest

from napari_dran.intensity import DEFAULT_WINDOW
from napari_dran.plugin import settings


def test_preferences_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = SimpleNamespace(inference=SimpleNamespace(device="cpu", window="full"))
    monkeypatch.setattr(
        napari.settings, "get_plugin_settings", lambda name: {"napari-dran": chosen}[name],
        raising=False,
    )  # fmt: skip
    assert settings.default_device() == "cpu"
    assert settings.default_window() == "full"


def test_napari_without_plugin_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(napari.settings, "get_plugin_settings", raising=False)
    assert settings.default_device() == "auto"
    assert settings.default_window() == DEFAULT_WINDOW


def test_plugin_without_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        napari.settings, "get_plugin_settings", lambda name: {}[name], raising=False
    )
    assert settings.default_device() == "auto"
