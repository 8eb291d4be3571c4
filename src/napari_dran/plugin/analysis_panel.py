"""How the Segment and Detect widgets look: their controls and their places, no behaviour."""

from __future__ import annotations

import inspect
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    FloatSpinBox,
    ProgressBar,
    PushButton,
    Widget,
)
from qtpy.QtWidgets import QAbstractSpinBox, QLabel

from .analysis_layers import LEGEND
from .analysis_task import DETECT, Task
from .layout import command_button, group, heading, narrow, row, text
from .measurement_table import MeasurementTable

IN_VIEW = -1
"""Among the choices of slices: only the one in view."""
LABELS = ("Image", "Weights", "Slices", "Threshold", "Min. score", "Min. size")
READOUT_WIDTH = 34
LARGEST = 1e9


class AnalysisPanel(Container[Widget]):  # type: ignore[misc]
    """The controls: input, settings, buttons with progress, result.

    Parameters
    ----------
    task : Task
        Segment or detect.
    """

    def __init__(self, task: Task) -> None:
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(task.function()).parameters.items()
        }
        self.image = ComboBox(
            name="image", label="Image", tooltip=f"The image layer to {task.name}."
        )
        self.summary = text("summary")
        self.weights = ComboBox(
            name="weights",
            label="Weights",
            choices=[],
            tooltip="The trained network: it says what is found, and in which images.",
        )
        self.slices = ComboBox(
            name="slices",
            label="Slices",
            choices=[],
            tooltip="Only the slice in view, or all; and how a volume is cut for the network.",
        )
        self.threshold = FloatSlider(
            name="threshold",
            label=task.threshold_label,
            value=defaults[task.threshold],
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=task.threshold_tooltip,
        )
        self.minimum_size = FloatSpinBox(
            name="minimum_size",
            label="Min. size",
            value=defaults["minimum_size"],
            min=0.0,
            max=LARGEST,
            step=1.0,
            tooltip="Smaller objects are left out.",
        )
        self.denoise = CheckBox(
            name="denoise",
            text="Denoise first",
            value=bool(defaults["denoise"]),
            tooltip="Show the network the denoised image. Settings are those of the Denoise "
            "widget, if it is open.",
        )
        self.how = text("how")

        self.run = PushButton(
            name="run", text=task.button, tooltip=f"{task.button} the chosen slices."
        )
        self.compare = PushButton(
            name="compare",
            text="Noisy vs. denoised",
            tooltip="Look at the image as it is and at the denoised one; show both results and "
            "their difference side by side.",
        )
        self.cancel = PushButton(
            name="cancel", text="Cancel", enabled=False, tooltip="Stop after the running slice."
        )
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.status = text("status")

        self.legend = text("legend")
        self.legend.value = legend()
        self.side_by_side = PushButton(
            name="side_by_side",
            text="Side by side",
            tooltip="Noisy, denoised and difference beside each other, or on top of each other.",
        )
        self.side_by_side.native.setCheckable(True)
        self.comparison = row("comparison", [self.legend, self.side_by_side])
        self.table = MeasurementTable()
        self.export_table = PushButton(
            name="export_table",
            text="Export table…",
            tooltip="Write the measurements to a CSV file.",
        )
        self.export_coco = PushButton(
            name="export_coco",
            text="Export COCO…",
            tooltip="Write boxes, scores and masks to a file of COCO results (JSON).",
        )
        self.copy_python = PushButton(
            name="copy_python",
            text="Copy as Python",
            tooltip="Copy the Python code that does the same.",
        )
        self.copy_command = command_button()
        exports = [self.export_table] + [self.export_coco] * (task is DETECT)
        self.exports = row("exports", exports)
        super().__init__(
            layout="vertical",
            labels=False,
            widgets=[
                heading("Input"),
                group("input", [self.image]),
                self.summary,
                heading("Settings"),
                group("settings", [self.weights, self.slices, self.threshold, self.minimum_size]),
                self.denoise,
                self.how,
                row("buttons", [self.run, self.compare, self.cancel]),
                self.progress,
                self.status,
                heading("Result"),
                self.comparison,
                self.exports,
                row("recipe", [self.copy_python, self.copy_command]),
            ],
        )
        self._fit()

    def reset_choices(self, *_: Any) -> None:
        """Bring the list of images up to date; napari calls it when layers come and go.

        The other lists stay: magicgui would set them back to what they began with.
        """
        self.image.reset_choices()

    def _fit(self) -> None:
        layout = self.native.layout()
        layout.insertWidget(layout.indexOf(self.exports.native), self.table, 1)
        # Takes the room while there is no table.
        layout.addStretch()
        narrow(self.native, LABELS, (self.minimum_size,))
        for readout in self.threshold.native.findChildren(QAbstractSpinBox):
            # Leave the room to the slider; napari's style would give it 90 pixels.
            readout.setStyleSheet(f"min-width: {READOUT_WIDTH}px; max-width: {READOUT_WIDTH}px;")
        label: QLabel = self.how.native
        label.setStyleSheet("color: gray;")
        label.setContentsMargins(20, 0, 0, 0)


def legend() -> str:
    """Explain the colours of a difference."""
    return " ".join(
        f"<span style='color: {colour}'>\N{BLACK SQUARE}</span>&nbsp;{name.replace(' ', '&nbsp;')}"
        for name, colour in LEGEND
    )
