"""The table of measured objects: sortable, and it says which row was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
)

from .summary import number

if TYPE_CHECKING:
    from ..analysis import Measurement

ROWS_SHOWN = 5
TITLE_LINES = 2
PADDING = 10
MOST_ROWS = 5000
"""A table of more is of no use to anyone, and takes seconds to fill."""

NUMBER, VALUE = Qt.UserRole, Qt.UserRole + 1


class MeasurementTable(QTableWidget):  # type: ignore[misc]
    """Shows measurements, one object a row."""

    chosen = Signal(int)
    """Number of the measurement, in the order in which they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("measurements")
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.setSelectionMode(QAbstractItemView.SingleSelection)
        self.setToolTip("Click a row to go to the object; click a title to sort.")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignCenter)
        # napari's style leaves more room around each title than narrow columns have.
        self.setStyleSheet("QHeaderView::section { padding: 2px; font-weight: normal; }")
        self.horizontalHeader().setMinimumSectionSize(30)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setFixedHeight(TITLE_LINES * self.fontMetrics().height() + 8)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Expanding)
        self.setMinimumHeight((ROWS_SHOWN + 2) * self.verticalHeader().defaultSectionSize())
        self.itemSelectionChanged.connect(self._on_selection)

    def show_rows(self, measurements: Sequence[Measurement], unit: str) -> None:
        """Fill the table.

        Parameters
        ----------
        measurements : sequence of Measurement
            The rows; the first :data:`MOST_ROWS` are shown.
        unit : str
            The image's.
        """
        from ..analysis import columns

        table = columns(measurements[:MOST_ROWS], unit) if measurements else {}
        if len(set(table.get("name", ()))) == 1:
            # Nothing to tell apart, and the room is small.
            del table["name"]
        self.blockSignals(True)
        try:
            # Rows would jump away while they are filled in.
            self.setSortingEnabled(False)
            self.clear()
            self.setColumnCount(len(table))
            self.setRowCount(min(len(measurements), MOST_ROWS))
            for column, (title, values) in enumerate(table.items()):
                header = QTableWidgetItem(_wrapped(title))
                header.setToolTip(title)
                self.setHorizontalHeaderItem(column, header)
                for row, value in enumerate(values):
                    self.setItem(row, column, _Cell(value, row))
                self._fit(column, header)
            self.horizontalHeader().setSortIndicator(-1, Qt.AscendingOrder)
            self.setSortingEnabled(True)
            self.clearSelection()
            self.setCurrentCell(-1, -1)
        finally:
            self.blockSignals(False)
        self.setVisible(bool(measurements))

    def mark(self, position: int) -> None:
        """Mark the row of a measurement, without saying that it was chosen."""
        for row in range(self.rowCount()):
            if self.item(row, 0).data(NUMBER) == position:
                self.blockSignals(True)
                self.selectRow(row)
                self.blockSignals(False)
                self.scrollToItem(self.item(row, 0))
                return

    def _fit(self, column: int, header: QTableWidgetItem) -> None:
        """Make a column as wide as its texts; Qt would leave room for a sign in every title."""
        texts = header.text().split("\n")
        texts += [self.item(row, column).text() for row in range(self.rowCount())]
        widest = max(self.fontMetrics().horizontalAdvance(text) for text in texts)
        self.setColumnWidth(column, widest + PADDING)

    def _on_selection(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows:
            self.chosen.emit(self.item(rows[0].row(), 0).data(NUMBER))


class _Cell(QTableWidgetItem):  # type: ignore[misc]
    """One value, which sorts as what it is and not as what it looks like."""

    def __init__(self, value: Any, position: int) -> None:
        text = number(value) if isinstance(value, float) else str(value)
        super().__init__("" if value is None else text)
        self.setData(NUMBER, position)
        self.setData(VALUE, value)
        if not isinstance(value, str):
            self.setTextAlignment(Qt.AlignRight | Qt.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, theirs = self.data(VALUE), other.data(VALUE)
        if mine is None or theirs is None:
            return mine is None and theirs is not None
        return bool(mine < theirs)


def _wrapped(title: str) -> str:
    """Shorten a title and break it, so that its column is as narrow as its numbers."""
    return title.removeprefix("equivalent ").replace(" ", "\n")
