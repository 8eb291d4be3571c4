"""Results on the noisy and the denoised image, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.plugin.analysis_panel import IN_VIEW
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task

BOTH = pytest.mark.parametrize("task", [SEGMENT, DETECT], ids=lambda task: task.name)


def names(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers]


@BOTH
def test_layers_stand_side_by_side(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task,
) -> None:  # fmt: skip
    noisy = np.clip(spots.astype(int) + np.random.default_rng(1).normal(0, 60, spots.shape), 0, 255)
    source = viewer.add_image(noisy.astype(np.uint8), name="scan", scale=(3, 1, 1))
    widget = analyse(task)
    said = result_of(widget, "compare")
    for word in ("Noisy: ", "Denoised: ", "Overlap of both (Dice): 0."):
        assert word in said
    assert names(viewer) == [
        "scan", f"scan (noisy, {task.done})", "scan (denoised)", f"scan (denoised, {task.done})",
        "scan (below the difference)", f"scan ({task.done}, difference)",
    ]  # fmt: skip
    assert all(tuple(layer.scale) == (3, 1, 1) for layer in viewer.layers)
    grid = viewer.canvas.grid
    assert (grid.enabled, grid.stride, grid.shape) == (True, 2, (1, -1))
    both, difference = viewer.layers[1].data > 0, viewer.layers[5].data
    clean = viewer.layers[3].data > 0
    np.testing.assert_array_equal(difference == 1, both & clean)
    np.testing.assert_array_equal(difference == 2, both & ~clean)
    np.testing.assert_array_equal(difference == 3, ~both & clean)
    assert list(viewer.layers[5].features["what"]) == [
        "neither", "both", "only noisy", "only denoised",
    ]  # fmt: skip
    assert len(widget._results.analysed.measurements) == widget.table.rowCount()
    assert "only&nbsp;denoised" in widget.legend.value
    widget.side_by_side.native.click()
    assert not grid.enabled
    assert viewer.layers[5].visible
    assert not viewer.layers[3].visible
    widget.side_by_side.native.click()
    assert grid.enabled
    # Undone by deleting any of them.
    viewer.layers.remove("scan (denoised)")
    assert not grid.enabled
    assert not widget.comparison.visible
    assert source in viewer.layers


def test_cells_begin_at_even_places(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    below = viewer.add_image(spots, name="below")
    viewer.add_image(spots, name="scan")
    above = viewer.add_image(spots, name="above")
    widget = analyse(SEGMENT)
    widget.image.value = viewer.layers["scan"]
    result_of(widget, "compare")
    assert names(viewer)[0] == "scan"
    assert viewer.layers.index(viewer.layers["scan (segmented, difference)"]) == 5
    assert not below.visible
    assert not above.visible
    widget.side_by_side.native.click()
    assert below.visible
    assert above.visible


def test_slice_in_view_is_compared(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    viewer.dims.set_current_step(0, 2)
    widget = analyse(SEGMENT)
    widget.slices.value = IN_VIEW
    result_of(widget, "compare")
    ours = [layer for layer in viewer.layers if layer.name != "scan"]
    assert {layer.data.shape for layer in ours} == {(1, 32, 24)}
    assert {tuple(layer.translate) for layer in ours} == {(2, 0, 0)}


def test_nothing_in_either(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str]
) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 9, (3, 32, 24), np.uint8), name="dark")
    widget = analyse(SEGMENT)
    said = result_of(widget, "compare")
    assert "Noisy: 0 objects, 0 px" in said
    assert "none to tell of" in said
    assert said.count("Nothing was found") == 1


def test_colour_image(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str]
) -> None:
    image = np.random.default_rng(0).integers(0, 20, (32, 24, 3)).astype(np.uint8)
    image[5:15, 5:15] = 240
    viewer.add_image(image, name="photo", rgb=True)
    widget = analyse(SEGMENT)
    assert "Dice" in result_of(widget, "compare")
    assert viewer.layers["photo (denoised)"].rgb


def test_second_comparison_replaces_the_first(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    result_of(widget, "compare")
    result_of(widget, "compare")
    assert viewer.canvas.grid.enabled
    assert len(viewer.layers) == 11
    first = widget._results.compared.layers[0]
    assert viewer.layers.index(first) % 2 == 0
    assert sum(layer.visible for layer in viewer.layers) == 6
    result_of(widget)
    assert not viewer.canvas.grid.enabled
