"""The lower half of the Train widget: curves, scores, and a validation image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QLabel, QWidget

from ..errors import MissingPackageError
from .learning_curve import LearningCurve
from .train_panel import TrainPanel
from .train_preview import TrainPreview

if TYPE_CHECKING:
    from ..training.validation import Report

START = "start"
"""What the weights that training began with are called."""


class TrainResults:
    """Shows what a run reports.

    Parameters
    ----------
    panel : TrainPanel
        Gets the curves and the picture, and holds the scores.
    viewer : napari.viewer.Viewer
        Its theme is followed.
    """

    def __init__(self, panel: TrainPanel, viewer: Any) -> None:
        self.panel = panel
        self.viewer = viewer
        self.best: Report | None = None
        self.curve: LearningCurve | None = None
        self.preview = TrainPreview()
        self._shown: QWidget | None = None
        panel.scores.visible = False

    def open(self) -> None:
        """Make the curves, and begin to follow the viewer's theme."""
        try:
            self._shown = self.curve = LearningCurve()
        except MissingPackageError as error:
            self._shown = QLabel(f"No curves: {error}")
            self._shown.setWordWrap(True)
        self._shown.setVisible(False)
        self.panel.place(self._shown)
        self.panel.place(self.preview)
        self.viewer.events.theme.connect(self._on_theme)
        self._on_theme()

    def close(self) -> None:
        """Let go of the viewer."""
        self.viewer.events.theme.disconnect(self._on_theme)
        # A RuntimeError says that Qt was faster.
        with suppress(RuntimeError):
            if self.curve is not None:
                self.curve.release()
            if self._shown is not None:
                self._shown.deleteLater()
        self._shown = self.curve = None

    def show(self) -> None:
        """Give the curves their place."""
        if self._shown is not None:
            self._shown.setVisible(True)

    def clear(self) -> None:
        """Forget the last run."""
        self.best = None
        self.preview.clear()
        self.panel.scores.visible = False
        if self.curve is not None:
            self.curve.clear()

    def add_loss(self, step: int, loss: float) -> None:
        """Show the loss of the last few steps."""
        if self.curve is not None:
            self.curve.add_loss(step, loss)

    def add_report(self, report: Report) -> None:
        """Show what a validation found."""
        if report.best:
            self.best = report
        if self.curve is not None:
            self.curve.add_psnr(report.step, report.score)
        self.preview.show_panel(report.panel)
        self.panel.scores.value = score_table(report, self.best or report)
        self.panel.scores.visible = True

    def advice(self) -> str:
        """Say what to do with what came out of the run."""
        if self.best is not None and not self.best.step:
            return "Nothing was better than the weights it started with."
        return "Save the best weights to denoise with them."

    def replay(self, rows: Sequence[Mapping[str, float]]) -> int:
        """Show the log of an earlier run; returns its last step."""
        self.show()
        for row in rows:
            psnr = [value for key, value in row.items() if key.startswith("psnr_")]
            if self.curve is not None and psnr:
                self.curve.add_psnr(int(row["step"]), float(np.mean(psnr)))
                self.curve.add_loss(int(row["step"]), row["loss"])
        return int(rows[-1]["step"]) if rows else 0

    def _on_theme(self, _: Any = None) -> None:
        if self.curve is not None:
            self.curve.set_theme(self.viewer.theme)


def score_table(now: Report, best: Report) -> str:
    """Lay the scores out as rich text: noisy, now and best, by noise level.

    Parameters
    ----------
    now, best : Report
        The last validation and the best one; they may be the same.
    """
    sigmas = list(now.psnr)
    rows = [
        ("noisy", now.noisy_psnr),
        (f"step {now.step:,}" if now.step else START, now.psnr),
        (f"<b>best</b> ({f'{best.step:,}' if best.step else START})", best.psnr),
    ]
    head = "".join(
        f"<td align='right'>\N{GREEK SMALL LETTER SIGMA} {sigma:g}</td>" for sigma in sigmas
    )
    lines = [f"<tr><td>PSNR, dB</td>{head}<td align='right'>mean</td></tr>"]
    for name, psnr in rows:
        values = [*(psnr[sigma] for sigma in sigmas), float(np.mean([psnr[s] for s in sigmas]))]
        cells = "".join(f"<td align='right'>{value:.2f}</td>" for value in values)
        lines.append(f"<tr><td>{name}</td>{cells}</tr>")
    return f"<table cellspacing='0' cellpadding='2' width='100%'>{''.join(lines)}</table>"
