"""Boxes, the table, what its rows do, and what is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_dran.analysis import measure
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task
from napari_dran.plugin.measurement_table import MeasurementTable
from napari_dran.volume import Volume


def texts(table: MeasurementTable, title: str) -> list[str]:
    titles = [table.horizontalHeaderItem(column).toolTip() for column in range(table.columnCount())]
    column = titles.index(title)
    return [table.item(row, column).text() for row in range(table.rowCount())]


@pytest.fixture
def dialog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answer every dialog with a file that is there already."""
    path = tmp_path / "out"
    path.write_text("old")
    monkeypatch.setattr(QFileDialog, "exec", lambda _: True)
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda _: [str(path)])
    return path


def test_boxes_have_names_and_scores(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan", scale=(3, 1, 1), translate=(5, 0, 0))
    widget = analyse(DETECT)
    assert "Found 3 objects" in result_of(widget)
    boxes = viewer.layers["scan (detected, boxes)"]
    assert list(boxes.features["name"]) == ["blob"] * 3
    np.testing.assert_allclose(boxes.features["score"], [0.95, 0.95, 0.85], atol=1e-6)
    assert list(boxes.text.values) == ["blob 0.95", "blob 0.95", "blob 0.85"]
    # The first pixel's edge: half a pixel before its centre.
    np.testing.assert_allclose(boxes.data[0][0], (1, 3.5, 2.5))
    np.testing.assert_allclose(boxes.data[0][2], (1, 9.5, 7.5))
    np.testing.assert_allclose(boxes.translate, (5, 0, 0))


@pytest.mark.parametrize("task", [SEGMENT, DETECT], ids=lambda task: task.name)
def test_row_leads_to_its_object(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan", scale=(3, 0.5, 0.5), translate=(5, 1, 0))
    viewer.dims.set_current_step(0, 0)
    widget = analyse(task)
    result_of(widget)
    table, rows = widget.table, widget._results.analysed.measurements
    last = len(rows) - 1
    assert rows[last].centre == pytest.approx((2, 23.5, 15.5))
    table.selectRow(last)
    assert viewer.dims.current_step[0] == 2
    np.testing.assert_allclose(viewer.scene.camera.center[1:], (1 + 23.5 / 2, 15.5 / 2))
    labels = viewer.layers[f"scan ({task.done})"]
    assert labels.selected_label == rows[last].label
    assert labels.data[2, 23, 15] == rows[last].label
    if task is DETECT:
        boxes = viewer.layers["scan (detected, boxes)"]
        assert boxes.selected_data == {last}
        np.testing.assert_array_equal(boxes.edge_color[last], (1, 1, 1, 1))
        assert not np.array_equal(boxes.edge_color[0], (1, 1, 1, 1))
    # And back: the label that was picked marks its row.
    labels.selected_label = rows[0].label
    (index,) = table.selectionModel().selectedRows()
    assert table.item(index.row(), 0).text() == str(rows[0].label)
    viewer.layers.clear()
    table.selectRow(1)


def test_table_has_units_and_sorts_numbers(qtbot: Any) -> None:
    labels = np.zeros((1, 40, 40), np.int32)
    for number, side in enumerate((3, 20, 10), start=1):
        labels[0, 12 * number - 10 :, :][:side, :side] = number
    volume = Volume(labels, unit="mm", affine=np.diag([2.0, 0.5, 0.5, 1]))
    rows = measure(volume, None, {1: 0.5, 2: 0.9, 3: 0.7}, "cell")
    table = MeasurementTable()
    qtbot.addWidget(table)
    table.show_rows(rows, "mm")
    assert texts(table, "area (mm²)")[0] == f"{9 / 4:.4g}"
    assert texts(table, "label") == ["1", "2", "3"]
    chosen: list[int] = []
    table.chosen.connect(chosen.append)
    titles = [table.horizontalHeaderItem(c).toolTip() for c in range(table.columnCount())]
    assert "name" not in titles
    table.sortByColumn(titles.index("area (mm²)"), table.horizontalHeader().sortIndicatorOrder())
    areas = [float(text) for text in texts(table, "area (mm²)")]
    assert areas in (sorted(areas), sorted(areas, reverse=True))
    table.selectRow(0)
    assert rows[chosen[0]].area == pytest.approx(areas[0], rel=1e-3)
    table.show_rows([], "mm")
    assert (table.rowCount(), table.columnCount()) == (0, 0)


def test_table_is_written(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, dialog: Path,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan", scale=(2, 0.5, 0.5), units=("mm",) * 3)
    widget = analyse(SEGMENT)
    assert not widget.export_table.enabled
    result_of(widget)
    widget.export_table.native.click()
    assert widget.status.value == "Wrote out."
    with dialog.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["area (mm²)"]) == pytest.approx(30 / 4)
    assert float(rows[0]["volume (mL)"]) == pytest.approx(60 / 4 * 2 / 1000)
    assert float(rows[0]["mean intensity"]) == pytest.approx(250)


def test_coco_is_written_with_the_name_of_the_file(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, dialog: Path, tmp_path: Path,
) -> None:  # fmt: skip
    from napari_dran.files import read_volume, write_volume
    from napari_dran.plugin.layers import volume_to_layer

    write_volume(Volume(spots, unit="mm"), tmp_path / "scan.nii.gz")
    data, arguments, _ = volume_to_layer(read_volume(tmp_path / "scan.nii.gz"))
    viewer.add_image(data, **arguments)
    widget = analyse(DETECT)
    result_of(widget)
    widget.export_coco.native.click()
    entries = json.loads(dialog.read_text())
    assert [entry["slice"] for entry in entries] == [1, 2, 2]
    assert entries[0]["file_name"] == "scan.nii.gz"
    assert entries[0]["bbox"] == [3, 4, 5, 6]


def test_file_that_cannot_be_written_is_told(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    result_of(widget)
    monkeypatch.setattr(QFileDialog, "exec", lambda _: True)
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda _: [str(tmp_path / "no" / "a.csv")])
    widget.export_table.native.click()
    assert "no" in notifications[-1].message
    monkeypatch.setattr(QFileDialog, "exec", lambda _: False)
    widget.export_table.native.click()
    assert len(notifications) == 1
