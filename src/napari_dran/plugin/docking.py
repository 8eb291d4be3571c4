"""Notices when a widget is taken out of its dock.

napari destroys the dock, not the widget in it: nothing tells the widget but the
loss of its parent.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class ParentWatch(QObject):  # type: ignore[misc]
    """Calls back when a widget gains or loses its parent.

    Parameters
    ----------
    widget : QWidget
        Which is watched.
    gained, lost : bound method
        Called without arguments.
    """

    def __init__(
        self, widget: QWidget, gained: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        super().__init__()
        # Weak: Qt may still send events while Python is clearing the widget away.
        self._gained, self._lost = WeakMethod(gained), WeakMethod(lost)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Qt's hook; lets every event pass."""
        if event.type() == QEvent.Type.ParentChange:
            callback = (self._lost if watched.parent() is None else self._gained)()
            if callback is not None:
                callback()
        return False
