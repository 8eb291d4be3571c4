"""The lower half of the Segment and Detect widgets: layers, table, export, comparing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog

from ..errors import DranError
from .analysis_layers import Place, add_boxes, add_labels, mark_box
from .analysis_panel import AnalysisPanel
from .analysis_task import DETECT, Task
from .noisy_denoised import NoisyDenoised
from .notices import notify_of
from .recipe import source_path

if TYPE_CHECKING:
    from .analysis_work import Analysed


class AnalysisResults:
    """Shows what was found: the last result is the one in the table.

    Parameters
    ----------
    panel : AnalysisPanel
        The controls.
    viewer : napari.viewer.Viewer
        Shows the layers.
    task : Task
        What was done.
    say : callable
        Shows a sentence in the widget.
    """

    def __init__(
        self, panel: AnalysisPanel, viewer: Any, task: Task, say: Callable[[str], object]
    ) -> None:
        self.panel = panel
        self.viewer = viewer
        self.task = task
        self.analysed: Analysed | None = None
        self.labels: Any = None
        self.boxes: Any = None
        self.compared: NoisyDenoised | None = None
        self._say = say
        self._place: Place | None = None
        self._name = ""
        panel.table.chosen.connect(self.go_to)
        panel.export_table.changed.connect(self.write_table)
        panel.export_coco.changed.connect(self.write_coco)
        panel.side_by_side.native.toggled.connect(self._on_side_by_side)
        self.show_state()

    def open(self) -> None:
        """Begin to follow the viewer."""
        self.viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Let go of the viewer, and of the results."""
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self._end_comparison()
        self._watch(None)
        self.analysed = self._place = self.labels = self.boxes = None

    def show(self, analysed: Analysed, place: Place) -> None:
        """Add the layers of a result, and make it the one in the table."""
        self._end_comparison()
        self.analysed, self._place, self.boxes = analysed, place, None
        self._name = _file_name(place)
        if analysed.noisy is None:
            labels = add_labels(self.viewer, place, analysed.found.labels, self.task.done)
            if self.task is DETECT:
                self.boxes = add_boxes(self.viewer, place, analysed.found, self.task.done)  # type: ignore[arg-type]
        else:
            self.compared = NoisyDenoised(self.viewer, place, self.task, analysed)
            labels = self.compared.labels
        self._watch(labels)
        self.viewer.layers.selection.active = labels
        self.panel.table.show_rows(analysed.measurements, analysed.found.labels.unit)
        if self.compared is not None:
            self.panel.side_by_side.native.setChecked(True)
        self.show_state()

    def show_state(self) -> None:
        """Bring the controls in line with the result."""
        panel, analysed = self.panel, self.analysed
        panel.comparison.visible = self.compared is not None
        panel.table.setVisible(analysed is not None and bool(analysed.measurements))
        panel.export_table.enabled = panel.export_coco.enabled = analysed is not None

    def go_to(self, number: int) -> None:
        """Select an object and bring it into the middle of the view."""
        labels, place = self.labels, self._place
        if self.analysed is None or place is None or labels not in self.viewer.layers:
            return
        measured = self.analysed.measurements[number]
        with labels.events.selected_label.blocker(self._on_label):
            labels.selected_label = measured.label
        if self.boxes is not None and self.boxes in self.viewer.layers:
            mark_box(self.boxes, measured.label)
        (point,) = place.points(np.array([measured.centre], dtype=float))
        world = np.asarray(labels.data_to_world(point))
        dims = self.viewer.dims
        missing = dims.ndim - labels.ndim
        hidden = [axis for axis in dims.not_displayed if axis >= missing]
        if hidden:
            dims.set_point(hidden, [float(world[axis - missing]) for axis in hidden])
        shown = [float(world[axis - missing]) for axis in dims.displayed if axis >= missing]
        _camera(self.viewer).center = (0.0,) * (3 - len(shown)) + tuple(shown)

    def write_table(self) -> None:
        """Ask where, and write the measurements."""
        from ..analysis import write_csv

        analysed = self.analysed
        path = self._ask("Export table", "measurements.csv", "Tables (*.csv)")
        if path is None or analysed is None:
            return
        unit = analysed.found.labels.unit
        self._write(path, lambda: write_csv(analysed.measurements, path, unit, overwrite=True))

    def write_coco(self) -> None:
        """Ask where, and write the detections."""
        from ..analysis.coco import write_coco

        analysed = self.analysed
        path = self._ask("Export COCO results", "detections.json", "COCO results (*.json)")
        if path is None or analysed is None:
            return
        found: Any = analysed.found
        self._write(path, lambda: write_coco([(self._name, found)], path, overwrite=True))

    def _ask(self, title: str, name: str, kind: str) -> Path | None:
        """Ask for a file; the dialog asks before it gives one that is there."""
        dialog = QFileDialog(self.panel.native, title)
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setNameFilter(kind)
        dialog.setDefaultSuffix(Path(name).suffix.removeprefix("."))
        dialog.selectFile(f"{Path(self._name).stem}_{name}")
        return Path(dialog.selectedFiles()[0]) if dialog.exec() else None

    def _write(self, path: Path, write: Callable[[], object]) -> None:
        try:
            write()
        except DranError as error:
            notify_of(error)
        else:
            self._say(f"Wrote {path.name}.")

    def _watch(self, labels: Any) -> None:
        if self.labels is not None:
            self.labels.events.selected_label.disconnect(self._on_label)
        self.labels = labels
        if labels is not None:
            labels.events.selected_label.connect(self._on_label)

    def _on_label(self, _: Any = None) -> None:
        """Mark the row of an object that was picked in the viewer."""
        if self.analysed is None:
            return
        for number, measured in enumerate(self.analysed.measurements):
            if measured.label == self.labels.selected_label:
                self.panel.table.mark(number)
                return

    def _on_side_by_side(self, on: bool) -> None:
        if self.compared is not None:
            self.compared.show(on)

    def _on_removed(self, event: Any) -> None:
        if self.compared is not None and event.value in self.compared.layers:
            self._end_comparison()
            self.show_state()

    def _end_comparison(self) -> None:
        if self.compared is not None:
            self.panel.side_by_side.native.setChecked(False)
            self.compared = None


def _file_name(place: Place) -> str:
    path = source_path(place.source)
    return place.name if path is None else Path(path).name


def _camera(viewer: Any) -> Any:
    # Before napari 0.9 the camera belonged to the viewer itself.
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera
