"""A real window: what it draws, and that it never stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_dran.plugin.denoise_panel import SHOW_DENOISED, SHOW_NOISY

pytestmark = pytest.mark.viewer

BEAT_MS = 10
ALLOWED = 0.1
"""Seconds the window may stand still."""
SHARE = 95
"""Of a hundred beats, so many have to be in time. On a shared machine some are late without
our doing: another process took the core from the X server, or from the thread with the GIL."""
TRIES = 3
"""A window that stands still by our doing does so each time."""
SCHEDULE = Path("/proc/thread-self/schedstat")


class Heartbeat:
    """Beats in the window's thread and notes by how many seconds each beat was late.

    Time that the thread could have run but was given no core, because other
    processes had them, is not counted: Linux tells how long that was.
    """

    def __init__(self) -> None:
        self.late: list[float] = []
        self._last = self._now()
        self._timer = QTimer()
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _now(self) -> float:
        waited = int(SCHEDULE.read_text().split()[1]) if SCHEDULE.exists() else 0
        return time.perf_counter() - waited * 1e-9

    def _beat(self) -> None:
        now = self._now()
        self.late.append(now - self._last - BEAT_MS / 1000)
        self._last = now

    def stop(self) -> tuple[float, float]:
        """Return how late most beats were at worst, and the worst of all."""
        self._timer.stop()
        most, worst = float(np.percentile(self.late, SHARE)), max(self.late)
        print(f"late by {worst:.3f} s at worst, {most:.3f} s in {SHARE} of 100")
        return most, worst


def napari_needs(viewer: Any, image: np.ndarray, qtbot: Any) -> float:
    """Measure how long the window stands still when napari just adds a layer."""
    heart = Heartbeat()
    viewer.add_image(image.copy(), contrast_limits=(200, 800))
    qtbot.wait(300)
    viewer.layers.remove(viewer.layers[-1])
    qtbot.wait(100)
    return heart.stop()[1]


@pytest.fixture
def window(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    return make_napari_viewer_proxy(show=True)


def dock(viewer: Any) -> Any:
    from npe2 import PluginManager

    import napari_dran

    manager = PluginManager.instance()
    if "napari-dran" not in manager._manifests:
        manager.register(str(Path(napari_dran.__file__).with_name("napari.yaml")))
    _, widget = viewer.window.add_plugin_dock_widget("napari-dran", "Denoise")
    return widget


def skip_if_machine_is_busy(qtbot: Any) -> None:
    """Skip the test if even a window that has nothing to do stands still on this machine."""
    heart = Heartbeat()
    qtbot.wait(3000)
    most, worst = heart.stop()
    if most > ALLOWED / 4 or worst > ALLOWED / 2:
        # Not a fault of the widget: an empty window would fail, too.
        pytest.skip(f"the machine is too busy to time a window: idle, it is {worst:.3f} s late")


def test_window_never_stands_still_while_a_volume_runs(
    window: Any, network: Any, qtbot: Any
) -> None:
    network.delay = 0.005
    image = np.random.default_rng(0).normal(500, 100, (100, 256, 256)).astype(np.float32)
    window.add_image(image, name="scan", contrast_limits=(200, 800))
    widget = dock(window)
    qtbot.waitUntil(lambda: "measuring" not in widget.summary.value, timeout=20_000)
    found = []
    for _ in range(TRIES):
        allowed = max(ALLOWED, 2 * napari_needs(window, image, qtbot))
        heart = Heartbeat()
        widget.run.native.click()
        qtbot.waitUntil(lambda: widget._running is None, timeout=60_000)
        qtbot.wait(200)
        most, worst = heart.stop()
        assert "Done" in widget.status.value
        if most < ALLOWED and worst < allowed:
            return
        found.append((most, worst, allowed))
        window.layers.remove("scan (denoised)")
    skip_if_machine_is_busy(qtbot)
    pytest.fail(f"late by (most of the time, at worst, allowed) seconds: {found}")


def test_strength_slider_is_quick_on_a_large_volume(window: Any, network: Any, qtbot: Any) -> None:
    image = np.random.default_rng(0).normal(500, 100, (60, 256, 256)).astype(np.float32)
    window.add_image(image, name="scan", contrast_limits=(200, 800))
    widget = dock(window)
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget._running is None, timeout=60_000)
    for _ in range(TRIES):
        took = []
        for strength in np.linspace(1, 0, 11):
            # The thread's own time: what other processes do does not count.
            started = time.thread_time()
            widget.strength.value = float(strength)
            took.append(time.thread_time() - started)
            qtbot.wait(30)
        if max(took) < ALLOWED:
            break
    else:
        skip_if_machine_is_busy(qtbot)
        pytest.fail(f"a move of the slider took {max(took):.3f} s")
    layer = window.layers["scan (denoised)"]
    qtbot.waitUntil(lambda: not widget._results.current._stale, timeout=20_000)
    np.testing.assert_array_equal(layer.data, image)


def test_widget_opens_from_the_plugin_and_is_narrow(window: Any, network: Any, qtbot: Any) -> None:
    window.add_image(np.random.default_rng(0).normal(0, 1, (4, 64, 64)), name="a very long " * 9)
    widget = dock(window)
    assert type(widget).__name__ == "DenoiseWidget"
    widget.window.value = "custom"
    assert widget.native.minimumSizeHint().width() <= 320
    assert widget.native.sizeHint().width() <= 320
    assert dock(window) is widget
    # napari resets all choices when a layer comes.
    window.add_image(np.zeros((4, 16, 16)), name="another")
    assert widget.axis.native.currentText() == "across z"
    assert widget.weights.native.count() >= 3
    for flipped in (SHOW_NOISY, SHOW_DENOISED):
        widget.flip.text = flipped
        qtbot.wait(50)
        assert cut_texts(widget.native) == []


def cut_texts(panel: Any) -> list[str]:
    """List the texts that are wider than the button or label they are on."""
    from qtpy.QtWidgets import QLabel, QPushButton

    return [
        child.text()
        for kind in (QPushButton, QLabel)
        for child in panel.findChildren(kind)
        if child.isVisible()
        and not (kind is QLabel and child.wordWrap())
        and "<" not in child.text()
        and child.fontMetrics().horizontalAdvance(child.text()) > child.width()
    ]


def test_closing_the_dock_ends_the_run(window: Any, network: Any, qtbot: Any) -> None:
    from napari.utils.progress import progress

    network.delay = 0.05
    window.add_image(np.random.default_rng(0).normal(0, 1, (200, 24, 24)), name="scan")
    widget = dock(window)
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget._running._done >= 2, timeout=20_000)
    run = widget._running
    window.window.remove_dock_widget(widget.native)
    qtbot.waitUntil(lambda: not run.running, timeout=5000)
    assert len(window.layers) == 1
    assert not progress._all_instances
    again = dock(window)
    assert again is not widget
    again.run.native.click()
    assert again._running is not None
    again.cancel_run()
    qtbot.waitUntil(lambda: again._running is None, timeout=5000)
    assert not widget._running


def test_preview_is_drawn_only_in_its_slice(window: Any, network: Any, qtbot: Any) -> None:
    image = np.random.default_rng(0).normal(500, 10, (5, 64, 64)).astype(np.float32)
    window.add_image(image, name="scan", contrast_limits=(0, 1000), scale=(2, 1, 1))
    window.dims.set_current_step(0, 3)
    widget = dock(window)
    widget.preview.native.click()
    qtbot.waitUntil(lambda: widget._previewing is None, timeout=20_000)
    inside = window.screenshot(canvas_only=True, flash=False)
    window.layers["scan (preview)"].visible = False
    assert (window.screenshot(canvas_only=True, flash=False) != inside).any()
    window.layers["scan (preview)"].visible = True
    window.dims.set_current_step(0, 1)
    shown = window.screenshot(canvas_only=True, flash=False)
    window.layers["scan (preview)"].visible = False
    np.testing.assert_array_equal(window.screenshot(canvas_only=True, flash=False), shown)
