"""The curves of a training run: validation PSNR above, loss below, over steps."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ..training.recipe import missing_package

HEIGHT = 230
AXIS_WIDTH = 58
"""Room for the numbers at the left, the same for both, so that the steps are aligned."""

COLOURS = {"dark": ("#5cc8ff", "#ffb454"), "light": ("#0a6ebd", "#c25100")}
"""PSNR and loss, readable on napari's backgrounds."""


class LearningCurve(QWidget):  # type: ignore[misc]
    """Two plots over one axis of steps; the best validation is marked.

    Raises
    ------
    MissingPackageError
        pyqtgraph is not installed.
    """

    def __init__(self) -> None:
        try:
            import pyqtgraph
        except ImportError as error:
            raise missing_package("pyqtgraph") from error
        super().__init__()
        self.psnr: list[tuple[int, float]] = []
        self.losses: list[tuple[int, float]] = []
        self._plots = pyqtgraph.GraphicsLayoutWidget()
        self._plots.ci.layout.setContentsMargins(0, 4, 8, 0)
        self._plots.ci.layout.setSpacing(2)
        self._psnr_plot, self._loss_plot = (self._plots.addPlot(row, 0) for row in (0, 1))
        self._psnr_curve = self._psnr_plot.plot(antialias=True, symbol="o", symbolSize=4)
        self._best = self._psnr_plot.plot(symbol="o", symbolSize=9, pen=None)
        self._loss_curve = self._loss_plot.plot(antialias=True)
        for plot, name in ((self._psnr_plot, "PSNR (dB)"), (self._loss_plot, "loss")):
            plot.setLabel("left", name)
            plot.setMouseEnabled(False, False)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.showGrid(x=True, y=True, alpha=0.15)
            plot.getAxis("left").setWidth(AXIS_WIDTH)
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
        self._psnr_plot.getAxis("bottom").setStyle(showValues=False)
        self._psnr_plot.setXLink(self._loss_plot)
        self._loss_plot.setLabel("bottom", "step")
        self._show_numbers()
        # The wheel scrolls the panel, not the plot.
        self._plots.wheelEvent = lambda event: event.ignore()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plots)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self.set_theme("dark")

    def add_loss(self, step: int, loss: float) -> None:
        """Append the mean loss of the last few steps."""
        self.losses.append((step, loss))
        self._loss_curve.setData(*_columns(self.losses))
        self._show_numbers()

    def add_psnr(self, step: int, value: float) -> None:
        """Append what a validation found: the mean PSNR over its noise levels, in dB."""
        self.psnr.append((step, value))
        self._psnr_curve.setData(*_columns(self.psnr))
        self._best.setData(*_columns([max(self.psnr, key=lambda point: point[1])]))
        self._show_numbers()

    def clear(self) -> None:
        """Begin anew."""
        self.psnr, self.losses = [], []
        for curve in (self._psnr_curve, self._best, self._loss_curve):
            curve.setData([], [])
        self._show_numbers()

    def _show_numbers(self) -> None:
        """Show all steps of both curves, and numbers at the axes once they have a meaning."""
        for plot, points in ((self._psnr_plot, self.psnr), (self._loss_plot, self.losses)):
            plot.getAxis("left").setStyle(showValues=bool(points))
        steps = [step for step, _ in (*self.psnr, *self.losses)]
        self._loss_plot.getAxis("bottom").setStyle(showValues=bool(steps))
        if steps:
            self._loss_plot.setXRange(min(steps), max(steps))

    def release(self) -> None:
        """Take the plots apart; the curve is of no use afterwards.

        Left to Python's garbage collection, Qt would still ask half of them for their size.
        """
        self._plots.close()

    def set_theme(self, name: str) -> None:
        """Take the colours of a napari theme, such as "dark"."""
        import pyqtgraph
        from napari.utils.theme import get_theme

        theme = get_theme(name)
        words = theme.text.as_hex()
        psnr, loss = COLOURS.get(theme.type, COLOURS["dark"])
        self._plots.setBackground(theme.background.as_hex())
        for plot in (self._psnr_plot, self._loss_plot):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(theme.secondary.as_hex())
                axis.setTextPen(words)
        self._psnr_curve.setPen(pyqtgraph.mkPen(psnr, width=1.5))
        self._psnr_curve.setSymbolBrush(psnr)
        self._psnr_curve.setSymbolPen(None)
        self._best.setSymbolPen(pyqtgraph.mkPen(words, width=1.5))
        self._best.setSymbolBrush(None)
        self._loss_curve.setPen(pyqtgraph.mkPen(loss, width=1.5))


def _columns(points: list[tuple[int, float]]) -> tuple[list[int], list[Any]]:
    # Plots leave a gap for what is not a number.
    return [step for step, _ in points], [v if math.isfinite(v) else math.nan for _, v in points]
