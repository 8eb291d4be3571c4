"""The Segment and Detect widgets in a real window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import run_python
from .test_train_window import dock
from .test_window import cut_texts

pytestmark = pytest.mark.viewer

SEGMENT, DETECT = "Segment (U-Net)", "Detect (Mask R-CNN)"


@pytest.fixture
def window(
    make_napari_viewer_proxy: Callable[..., Any], slow: Any, tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:  # fmt: skip
    monkeypatch.setenv("NAPARI_DRAN_HOME", str(tiny_folder))
    monkeypatch.setattr("napari_dran.plugin.settings.default_device", lambda: "cpu")
    return make_napari_viewer_proxy(show=True)


def done(widget: Any, qtbot: Any) -> str:
    qtbot.waitUntil(lambda: widget._running is None, timeout=60_000)
    return str(widget.status.value)


@pytest.mark.parametrize("name", [SEGMENT, DETECT])
def test_widget_is_narrow_and_shows_what_it_found(
    window: Any, spots: np.ndarray, qtbot: Any, name: str
) -> None:
    window.add_image(spots, name="a very long " * 9, scale=(3, 1, 1), units=("mm",) * 3)
    widget = dock(window, name)
    widget.weights.value = "blobs-segment" if name == SEGMENT else "blobs-detect"
    assert widget.native.minimumSizeHint().width() <= 320
    assert cut_texts(widget.native) == []
    widget.run.native.click()
    assert "Found" in done(widget, qtbot)
    assert widget.table.isVisible()
    assert cut_texts(widget.native) == []
    window.dims.set_current_step(0, 0)
    widget.table.selectRow(0)
    qtbot.wait(50)
    assert window.dims.current_step[0] in (1, 2)
    found = window.screenshot(canvas_only=True, flash=False)
    window.dims.set_current_step(0, 0)
    qtbot.wait(50)
    assert not np.array_equal(window.screenshot(canvas_only=True, flash=False), found)
    # napari resets all choices when a layer comes.
    assert widget.weights.native.count() >= 2


def test_boxes_are_drawn_across_every_axis(window: Any, qtbot: Any) -> None:
    image = np.zeros((16, 24, 20), np.uint8)
    image[4:9, 6:14, 3:11] = 255
    window.add_image(image, name="scan")
    widget = dock(window, DETECT)
    widget.weights.value = "blobs-detect"
    for axis in range(3):
        widget.slices.value = axis
        widget.run.native.click()
        assert "Found" in done(widget, qtbot)
        window.dims.order = (axis, *(other for other in range(3) if other != axis))
        window.dims.set_current_step(axis, 7)
        for number, layer in enumerate(window.layers, start=1):
            layer.visible = number == len(window.layers)
        qtbot.wait(100)
        assert window.screenshot(canvas_only=True, flash=False)[..., :3].any()
    window.dims.ndisplay = 3
    qtbot.wait(100)


def test_menu_compares_the_active_layer(window: Any, spots: np.ndarray, qtbot: Any) -> None:
    from napari_dran.plugin.compare_commands import compare_segmentation

    dock(window, SEGMENT)
    window.add_image(np.zeros((8, 8)), name="other")
    window.layers.selection.active = window.add_image(spots, name="scan")
    compare_segmentation()
    widget = dock(window, SEGMENT)
    assert widget.image.value.name == "scan"
    assert "Overlap of both (Dice)" in done(widget, qtbot)
    assert window.canvas.grid.enabled
    assert window.layers.selection.active.name == "scan (denoised, segmented)"


def test_menu_without_an_image_says_so(
    window: Any, notifications: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.plugin.compare_commands import compare_detection

    dock(window, DETECT)
    compare_detection()
    assert "No image yet" in notifications[-1].message


def test_closing_the_dock_ends_the_run(
    window: Any, spots: np.ndarray, slow: Any, qtbot: Any
) -> None:
    from napari.utils.progress import progress

    slow.delay = 0.05
    window.add_image(np.tile(spots, (50, 1, 1)), name="scan")
    widget = dock(window, SEGMENT)
    widget.weights.value = "blobs-segment"
    widget.run.native.click()
    qtbot.waitUntil(lambda: " of 200" in widget.status.value, timeout=30_000)
    window.window.remove_dock_widget(widget.native)
    done(widget, qtbot)
    assert len(window.layers) == 1
    assert not progress._all_instances


SCRIPT = """
import faulthandler
faulthandler.enable()
import numpy as np
import napari
from qtpy.QtCore import QEventLoop, QTimer
from napari_dran.plugin.analysis_widget import DetectWidget, SegmentWidget

viewer = napari.Viewer()
viewer.add_image(np.random.default_rng(0).integers(0, 255, (64, 48), np.uint8), name="scan")
viewer.screenshot(canvas_only=False, flash=False)
for kind in (DetectWidget, SegmentWidget):
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget)
    widget.threshold.value = 0
    widget.run.native.click()
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: widget._running is None and loop.quit())
    timer.start(50)
    loop.exec()
    assert "with" in widget.status.value, widget.status.value
    viewer.screenshot(canvas_only=False, flash=False)
viewer.close()
"""


@pytest.mark.slow
def test_real_networks_run_after_the_window_has_drawn(tiny_folder: Path) -> None:
    run_python(SCRIPT, 600, NAPARI_DRAN_HOME=str(tiny_folder))
