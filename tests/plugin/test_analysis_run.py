"""Runs of the Segment and Detect widgets that do not go as they should."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.plugin.analysis_recipe import AnalysisRecipe
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task
from napari_dran.plugin.analysis_work import AnalysisEngine
from napari_dran.weights import load_weights, save_weights

BOTH = pytest.mark.parametrize("task", [SEGMENT, DETECT], ids=lambda task: task.name)


@BOTH
@pytest.mark.parametrize("button", ["run", "compare"])
def test_cancel_leaves_no_layer(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, slow: Any,
    qtbot: Any, task: Task, button: str,
) -> None:  # fmt: skip
    slow.delay = 0.05
    viewer.add_image(np.tile(spots, (50, 1, 1)), name="scan")
    widget = analyse(task)
    getattr(widget, button).native.click()
    qtbot.waitUntil(lambda: "left" in widget.status.value, timeout=30_000)
    assert task.doing in widget.status.value
    assert " of 200" in widget.status.value
    assert not widget.run.enabled
    widget.cancel.native.click()
    assert widget.status.value == "Cancelling…"
    qtbot.waitUntil(lambda: widget._running is None, timeout=5000)
    assert widget.status.value == "Cancelled: no layer was made."
    assert list(viewer.layers) == [viewer.layers["scan"]]
    assert widget.run.enabled
    assert not widget.cancel.enabled


def test_layer_deleted_during_the_run(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, slow: Any, qtbot: Any
) -> None:
    slow.delay = 0.02
    viewer.add_image(spots, name="scan", scale=(2, 1, 1))
    for task in (SEGMENT, DETECT):
        widget = analyse(task)
        widget.run.native.click()
        if "scan" in viewer.layers:
            viewer.layers.remove("scan")
            qtbot.waitUntil(lambda w=widget: w._running is None, timeout=30_000)
            assert tuple(viewer.layers["scan (segmented)"].scale) == (2, 1, 1)
            assert "No image" in widget.summary.value or "Only images" in widget.summary.value
        else:
            assert "Only images can be detected" in widget.status.value


def test_layer_deleted_during_a_comparison(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, slow: Any, qtbot: Any
) -> None:
    slow.delay = 0.02
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    widget.compare.native.click()
    viewer.layers.remove("scan")
    qtbot.waitUntil(lambda: widget._running is None, timeout=30_000)
    assert viewer.layers[0].name == "scan (noisy)"
    assert len(viewer.layers) == 6


def test_widget_closed_during_the_run(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, slow: Any, qtbot: Any
) -> None:
    slow.delay = 0.05
    viewer.add_image(np.tile(spots, (50, 1, 1)), name="scan")
    widget = analyse(SEGMENT)
    widget.run.native.click()
    qtbot.waitUntil(lambda: " of 200" in widget.status.value, timeout=30_000)
    widget.close_down()
    qtbot.waitUntil(lambda: widget._running is None, timeout=5000)
    assert len(viewer.layers) == 1


def test_error_that_nobody_foresaw_is_shown(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, slow: Any, notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    slow.error = RuntimeError("the kernel gave up")
    assert "the kernel gave up" in result_of(widget)
    slow.error = KeyError("what")
    assert "Segmenting failed: KeyError" in result_of(widget)
    assert len(notifications) == 2
    assert len(viewer.layers) == 1
    slow.error = None
    assert "Found" in result_of(widget)


def test_two_runs_at_once_are_refused(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, slow: Any, qtbot: Any,
    notifications: list[Any],
) -> None:  # fmt: skip
    slow.delay = 0.05
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    widget.analyse()
    widget.analyse()
    assert "already running" in notifications[-1].message
    qtbot.waitUntil(lambda: widget._running is None, timeout=30_000)
    assert len(viewer.layers) == 2


def test_no_image_and_no_weights(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, notifications: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from napari_dran.plugin import weights_choice

    widget = analyse(SEGMENT)
    assert "No image yet" in result_of(widget)
    monkeypatch.setattr(weights_choice, "list_weights", lambda task: [])
    bare = analyse(DETECT)
    bare._input._weights.fill()
    assert bare.weights.value == ""
    viewer.add_image(spots, name="scan")
    assert "There are no weights to detect with" in result_of(bare)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_whole_volume_across_each_axis_and_plane_in_view(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str], order: Any
) -> None:
    image = np.zeros((16, 24, 20), np.uint8)
    image[4:9, 6:14, 3:11] = 255
    viewer.add_image(image, name="scan")
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 6)
    widget = analyse(DETECT)
    for axis in widget.slices.choices:
        widget.slices.value = axis
        assert "Found" in result_of(widget)
        boxes, labels = viewer.layers[-1], viewer.layers[-2]
        assert boxes.data[0].shape == (4, 3)
        if labels.data.shape == image.shape:
            np.testing.assert_array_equal(labels.data > 0, image > 0)
        else:
            assert labels.data.shape[order[0]] == 1
            plane = np.take(image, 6, order[0]) > 0
            np.testing.assert_array_equal(np.squeeze(labels.data, order[0]) > 0, plane)


def test_three_dimensional_view_has_no_single_slice(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    widget.slices.value = -1
    viewer.dims.ndisplay = 3
    assert "Switch to 2-D" in result_of(widget)


def test_weights_that_were_saved_anew_are_read_again(tiny_folder: Path, tmp_path: Path) -> None:
    first = tiny_folder / "weights/blobs-segment.safetensors"
    own = shutil.copy(first, tmp_path / "own.safetensors")
    engine, recipe = AnalysisEngine(), AnalysisRecipe(SEGMENT, str(own), 0.5, 0.0, 0, "cpu")
    network = engine.get(recipe)
    assert engine.get(recipe) is network
    trained, card = load_weights(own)
    for parameter in trained.parameters():
        parameter.data += 1
    save_weights(own, trained, card, overwrite=True)
    assert engine.get(recipe).card.sha256 != network.card.sha256
