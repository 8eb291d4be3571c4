from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.progress import progress


def start(widget: Any, qtbot: Any, slices: int = 3) -> None:
    """Press Denoise and wait for the first slices."""
    widget.run.native.click()
    assert not widget.run.enabled
    assert widget.cancel.enabled
    qtbot.waitUntil(lambda: widget._running._done >= slices, timeout=10_000)


def wait_for_end(widget: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: widget._running is None, timeout=10_000)


def cancel(widget: Any, how: str) -> None:
    """Press Cancel in the widget, or at the bar in napari's activity dock."""
    if how == "button":
        widget.cancel.native.click()
    else:
        (bar,) = progress._all_instances
        bar.cancel()


@pytest.fixture
def slow(network: Any) -> Any:
    network.delay = 0.05
    return network


@pytest.fixture
def long_volume(viewer: ViewerModel) -> np.ndarray:
    image = np.random.default_rng(0).normal(500, 100, (200, 24, 20)).astype(np.float32)
    viewer.add_image(image, name="long")
    return image


def test_slices_appear_as_they_are_ready(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any
) -> None:
    viewer.dims.set_current_step(0, 1)
    refreshed = 0

    def count(_: Any) -> None:
        nonlocal refreshed
        refreshed += 1

    start(widget, qtbot, 1)
    layer = viewer.layers["long (denoised)"]
    layer.events.set_data.connect(count)
    qtbot.waitUntil(lambda: widget._running._done >= 5, timeout=10_000)
    assert (layer.data[1] != long_volume[1]).any()
    np.testing.assert_array_equal(layer.data[-1], long_volume[-1])
    qtbot.waitUntil(lambda: refreshed > 0, timeout=5000)
    qtbot.waitUntil(lambda: "of 200" in widget.status.value, timeout=5000)
    widget.cancel.native.click()
    wait_for_end(widget, qtbot)


def test_an_ensemble_counts_passes_and_can_be_cancelled_between(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any
) -> None:
    widget.ensemble.value = 4
    start(widget, qtbot, 1)
    qtbot.waitUntil(lambda: "Pass" in widget.status.value, timeout=5000)
    assert "of 800" in widget.status.value
    assert widget.progress.max == 800
    calls = slow.calls
    widget.cancel.native.click()
    wait_for_end(widget, qtbot)
    assert slow.calls <= calls + 2
    assert list(viewer.layers) == [viewer.layers["long"]]


@pytest.mark.parametrize("how", ["button", "activity dock"])
def test_cancel_takes_effect_within_a_batch(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any, how: str
) -> None:
    start(widget, qtbot)
    cancel(widget, how)
    calls, pressed = slow.calls, time.monotonic()
    wait_for_end(widget, qtbot)
    assert slow.calls <= calls + 2
    assert time.monotonic() - pressed < 2
    assert list(viewer.layers) == [viewer.layers["long"]]
    assert "Cancelled" in widget.status.value
    assert widget.run.enabled
    assert not widget.cancel.enabled
    assert not progress._all_instances


@pytest.mark.parametrize("how", ["button", "activity dock"])
def test_cancelling_is_said_until_the_batch_is_over(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any, how: str
) -> None:
    start(widget, qtbot)
    cancel(widget, how)
    if how == "button":
        assert widget.status.value == "Cancelling…"
    # As the next tick does, while the batch goes on.
    widget._running.progressed.emit(4, 200)
    assert widget.status.value == "Cancelling…"
    assert not widget.cancel.enabled
    wait_for_end(widget, qtbot)
    assert "Cancelled" in widget.status.value
    assert viewer.layers.selection.active is viewer.layers["long"]


def test_activity_dock_has_a_cancel_button(
    widget: Any, slow: Any, long_volume: np.ndarray, qtbot: Any
) -> None:
    from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar

    start(widget, qtbot)
    (bar,) = progress._all_instances
    dock = QtLabeledProgressBar(prog=bar)
    qtbot.addWidget(dock)
    assert not dock.cancel_button.isHidden()
    dock.cancel_button.click()
    wait_for_end(widget, qtbot)
    assert "Cancelled" in widget.status.value


def test_bar_counts_the_slices(widget: Any, slow: Any, long_volume: np.ndarray, qtbot: Any) -> None:
    start(widget, qtbot)
    (bar,) = progress._all_instances
    assert bar.total == 200
    qtbot.waitUntil(lambda: bar.n >= 3, timeout=5000)
    assert "long" in str(bar)
    widget.cancel.native.click()
    wait_for_end(widget, qtbot)


def test_second_denoise_while_running_is_refused(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any,
    notifications: list[Any],
) -> None:  # fmt: skip
    start(widget, qtbot)
    first = widget._running
    widget.denoise()
    widget.preview_slice()
    assert widget._running is first
    assert all("already running" in n.message for n in notifications)
    assert len(notifications) == 2
    widget.cancel_run()
    wait_for_end(widget, qtbot)


def test_result_layer_deleted_while_running(
    widget: Any, viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any
) -> None:
    start(widget, qtbot)
    viewer.layers.remove("long (denoised)")
    wait_for_end(widget, qtbot)
    assert "Cancelled" in widget.status.value
    assert not widget.result.enabled


def test_source_layer_deleted_while_running(
    widget: Any, viewer: ViewerModel, network: Any, qtbot: Any, run: Callable[[], Any]
) -> None:
    network.delay = 0.02
    image = np.random.default_rng(0).normal(500, 100, (30, 24, 20)).astype(np.float32)
    viewer.add_image(image, name="short")
    start(widget, qtbot)
    viewer.layers.remove("short")
    wait_for_end(widget, qtbot)
    layer = viewer.layers["short (denoised)"]
    assert (layer.data != image).mean() > 0.5
    assert "Done" in widget.status.value


def test_widget_closed_while_running(
    viewer: ViewerModel, slow: Any, long_volume: np.ndarray, qtbot: Any
) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    from napari_dran.plugin.denoise_widget import DenoiseWidget

    widget = DenoiseWidget(viewer)
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget._running._done >= 2, timeout=10_000)
    running = widget._running
    widget.native.deleteLater()
    QApplication.sendPostedEvents(widget.native, QEvent.Type.DeferredDelete)
    assert widget._closed
    qtbot.waitUntil(lambda: not running.running, timeout=5000)
    assert list(viewer.layers) == [viewer.layers["long"]]
    assert not progress._all_instances
    viewer.layers.clear()


def test_widget_closed_while_previewing_or_looking(
    viewer: ViewerModel, network: Any, ramp: np.ndarray, qtbot: Any
) -> None:
    from qtpy.QtCore import QEvent, QThreadPool
    from qtpy.QtWidgets import QApplication

    from napari_dran.plugin.denoise_widget import DenoiseWidget

    network.delay = 0.3
    viewer.add_image(ramp)
    widget = DenoiseWidget(viewer)
    widget._input._look()
    widget.preview_slice()
    widget.native.deleteLater()
    QApplication.sendPostedEvents(widget.native, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=5000)
    QThreadPool.globalInstance().waitForDone(5000)
    qtbot.wait(50)
    assert len(viewer.layers) == 1


def test_device_memory_is_freed_after_a_cancel(
    widget: Any, slow: Any, long_volume: np.ndarray, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.denoising import Denoiser

    freed = []
    monkeypatch.setattr(Denoiser, "free_cache", lambda self: freed.append(True))
    start(widget, qtbot)
    assert not freed
    widget.cancel.native.click()
    wait_for_end(widget, qtbot)
    assert freed
