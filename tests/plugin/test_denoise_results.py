"""What the Denoise widget does with results: strength, residual, comparison, preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.denoising import blend
from napari_dran.plugin.layers import METADATA_KEY


def test_strength_is_blended_at_once(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], network: Any, ramp: np.ndarray
) -> None:
    viewer.add_image(ramp)
    layer = run()
    calls = network.calls
    noise = widget._results.current.noise
    for strength in (0.0, 0.37, 1.0):
        widget.strength.value = strength
        np.testing.assert_array_equal(layer.data, blend(ramp, noise, strength))
        assert layer.metadata[METADATA_KEY]["history"][-1]["strength"] == strength
    widget.strength.value = 0.0
    np.testing.assert_array_equal(layer.data, ramp)
    assert network.calls == calls


def test_strength_of_a_large_image_is_blended_in_view_first(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray, qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("napari_dran.plugin.result.AT_ONCE", 100)
    viewer.add_image(ramp)
    viewer.dims.set_current_step(0, 2)
    layer = run()
    noise = widget._results.current.noise
    full = layer.data.copy()
    wanted = blend(ramp, noise, 0.5)
    widget.strength.value = 0.9
    widget.strength.value = 0.5
    np.testing.assert_array_equal(layer.data[2], wanted[2])
    np.testing.assert_array_equal(layer.data[0], full[0])
    viewer.dims.set_current_step(0, 4)
    np.testing.assert_array_equal(layer.data[4], wanted[4])
    qtbot.waitUntil(lambda: np.array_equal(layer.data, wanted), timeout=5000)
    qtbot.waitUntil(
        lambda: layer.metadata[METADATA_KEY]["history"][-1]["strength"] == 0.5, timeout=5000
    )


def test_residual_layer_is_what_was_taken_away(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    viewer.add_image(ramp, name="scan", scale=(3, 1, 1))
    widget.residual.value = True
    layer = run()
    residual = viewer.layers["scan (residual)"]
    np.testing.assert_allclose(residual.data, ramp - layer.data, atol=1e-3)
    np.testing.assert_array_equal(residual.scale, layer.scale)
    low, high = residual.contrast_limits
    assert low == -high < 0
    widget.residual.value = False
    assert "scan (residual)" not in viewer.layers


def test_residual_of_a_colour_image(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (32, 24, 4), dtype=np.uint8)
    viewer.add_image(image, name="slide", rgb=True)
    run()
    widget.residual.value = True
    residual = viewer.layers["slide (residual)"]
    assert residual.rgb
    assert residual.data.min() >= 0
    assert (residual.data[..., 3] == 1).all()


def test_flip_and_side_by_side(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    other = viewer.add_image(ramp, name="other")
    source = viewer.add_image(ramp, name="scan")
    widget.image.value = source
    layer = run()
    widget.flip.native.click()
    assert (source.visible, layer.visible) == (True, False)
    assert widget.flip.text == "Show result"
    widget.flip.native.click()
    assert layer.visible
    grid = viewer.canvas.grid
    widget.side_by_side.native.click()
    assert grid.enabled
    assert grid.actual_shape(viewer.layers) == (1, 2)
    assert not other.visible
    assert grid.position(1, viewer.layers) == (0, 0), "noisy to the left"
    widget.residual.value = True
    assert grid.actual_shape(viewer.layers) == (1, 3)
    widget.side_by_side.native.click()
    assert not grid.enabled
    assert other.visible
    widget.flip.native.click()
    assert not viewer.layers["scan (residual)"].visible


def test_compare_without_the_noisy_layer_is_explained(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray,
    notifications: list[Any],
) -> None:  # fmt: skip
    source = viewer.add_image(ramp)
    layer = run()
    viewer.layers.remove(source)
    widget.flip.native.click()
    widget.side_by_side.native.click()
    assert layer.visible
    assert not widget.side_by_side.native.isChecked()
    assert all("noisy layer was deleted" in n.message for n in notifications)


def test_preview_denoises_only_the_slice_in_view(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], network: Any, ramp: np.ndarray,
    qtbot: Any,
) -> None:  # fmt: skip
    viewer.add_image(ramp, name="scan", scale=(3, 1, 1), translate=(7, 0, 0))
    viewer.dims.set_current_step(0, 4)
    widget.preview.native.click()
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=5000)
    preview = viewer.layers["scan (preview)"]
    assert network.calls == 1
    assert preview.data.shape == (1, 24, 20)
    assert preview.data_to_world((0, 0, 0)) == viewer.layers["scan"].data_to_world((4, 0, 0))
    assert widget.image.value.name == "scan"
    layer = run()
    # The same window as for the whole volume, so the same pixels.
    np.testing.assert_allclose(preview.data[0], layer.data[4], rtol=1e-5)
    assert "scan (preview)" not in viewer.layers


def preview_slowly(widget: Any, viewer: ViewerModel, network: Any, image: np.ndarray) -> None:
    """Begin the preview of a slice with eight passes of a tenth of a second."""
    network.delay = 0.1
    viewer.add_image(image, name="scan")
    widget.ensemble.value = 8
    widget.preview.native.click()


def test_preview_of_an_ensemble_can_be_cancelled_between_passes(
    widget: Any, viewer: ViewerModel, network: Any, ramp: np.ndarray, qtbot: Any
) -> None:
    preview_slowly(widget, viewer, network, ramp)
    assert widget.cancel.enabled
    assert not widget.progress.native.isHidden()
    qtbot.waitUntil(lambda: network.calls >= 1, timeout=5000)
    widget.cancel.native.click()
    assert "Cancelling" in widget.status.value
    assert not widget.cancel.enabled
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=5000)
    assert network.calls < 8
    assert "no preview was made" in widget.status.value
    assert [layer.name for layer in viewer.layers] == ["scan"]
    assert widget.preview.enabled
    assert widget.progress.native.isHidden()


def test_closing_the_widget_stops_its_preview(
    widget: Any, viewer: ViewerModel, network: Any, ramp: np.ndarray, qtbot: Any
) -> None:
    preview_slowly(widget, viewer, network, ramp)
    qtbot.waitUntil(lambda: network.calls >= 1, timeout=5000)
    widget.close_down()
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=5000)
    assert network.calls < 8
    assert [layer.name for layer in viewer.layers] == ["scan"]


def test_preview_of_a_channel_has_the_window_of_that_channel(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray, qtbot: Any
) -> None:
    image = np.stack([ramp, 100 * ramp + 3])
    viewer.add_image(image, name="scan", axis_labels=("c", "z", "y", "x"))
    viewer.dims.set_point((0, 1), (1, 2))
    widget.preview.native.click()
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=5000)
    preview = viewer.layers["scan (preview)"].data.copy()
    np.testing.assert_allclose(preview[0, 0], run().data[1, 2], rtol=1e-5)


def test_preview_needs_a_plane_of_space(
    widget: Any, viewer: ViewerModel, notifications: list[Any]
) -> None:
    viewer.add_image(np.random.default_rng(0).normal(0, 1, (3, 16, 16)),
                     axis_labels=("t", "y", "x"))  # fmt: skip
    viewer.dims.order = (1, 0, 2)
    widget.preview.native.click()
    assert "Switch to 2-D" in notifications[0].message


def test_second_result_and_selection(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    viewer.add_image(ramp, name="scan")
    first = run()
    widget.strength.value = 0.25
    widget.axis.value = 1
    second = run()
    assert first is not second
    assert second.metadata[METADATA_KEY]["history"][-1]["axis"] == "y"
    widget.strength.value = 0.75
    viewer.layers.selection.active = first
    assert widget.strength.value == 0.25
    viewer.layers.remove(first)
    assert widget.strength.value == 0.75
    viewer.layers.remove(second)
    assert not widget.strength.enabled
    assert widget.strength.value == 1.0
