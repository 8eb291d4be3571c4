"""How failures reach the user through napari."""

from __future__ import annotations

from napari.utils.notifications import Notification, notification_manager, show_error

from ..errors import DranError
from .worker import WorkerError


def notify_of(error: DranError) -> None:
    """Show an error in napari; one that nobody foresaw with its traceback."""
    if isinstance(error, WorkerError):
        notification_manager.dispatch(Notification.from_exception(error))
    else:
        show_error(str(error))
