"""A validation image, noisy, denoised and clean, beside each other in the Train widget."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

CAPTIONS = ("noisy", "denoised", "clean")
CAPTION_HEIGHT = 18


class TrainPreview(QWidget):  # type: ignore[misc]
    """Shows the panel of a validation as wide as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.panel: np.ndarray | None = None
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self.setVisible(False)

    def show_panel(self, panel: np.ndarray) -> None:
        """Show a validation image.

        Parameters
        ----------
        panel : ndarray
            float32 (height, 3 x width[, 3]) in [0, 1]; see
            :class:`~napari_dran.training.validation.Report`.
        """
        self.panel = panel
        pixels = np.ascontiguousarray(np.rint(np.clip(panel, 0, 1) * 255).astype(np.uint8))
        height, width = pixels.shape[:2]
        form = QImage.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format_RGB888
        # The copy owns its pixels; the array's would be gone when it is drawn.
        self._image = QImage(pixels.data, width, height, pixels.strides[0], form).copy()
        self.setVisible(True)
        self._fit()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.panel = self._image = None
        self.setVisible(False)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Qt's hook: keep the picture's proportions."""
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Qt's hook: draw the picture and what its parts are."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.SmoothPixmapTransform)
        height = self.height() - CAPTION_HEIGHT
        painter.drawImage(QRect(0, 0, self.width(), height), self._image)
        painter.setPen(self.palette().windowText().color())
        third = self.width() // len(CAPTIONS)
        for number, caption in enumerate(CAPTIONS):
            place = QRect(number * third, height, third, CAPTION_HEIGHT)
            painter.drawText(place, Qt.AlignCenter, caption)
        painter.end()

    def _fit(self) -> None:
        if self._image is not None:
            picture = round(self.width() * self._image.height() / self._image.width())
            self.setFixedHeight(picture + CAPTION_HEIGHT)
