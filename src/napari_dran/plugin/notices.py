"""How what happened reaches the user: below a widget's buttons, and through napari."""

from __future__ import annotations

from html import escape

from magicgui.widgets import Label
from napari.utils.notifications import (
    Notification,
    notification_manager,
    show_error,
    show_warning,
)

from ..errors import Cancelled, DranError
from .worker import WorkerError

MOST_NOTES = 3


class StatusLine:
    """Says in a widget's own words what it does.

    Parameters
    ----------
    label : Label
        Shows rich text.
    """

    def __init__(self, label: Label) -> None:
        self.label = label
        self.notes: list[str] = []
        """Sentences that stay below whatever is said; the first few are shown."""

    def say(self, *lines: str) -> None:
        """Show plain text, a line each."""
        shown = [*lines, *self.notes[:MOST_NOTES]]
        if len(self.notes) > MOST_NOTES:
            shown.append(f"… and {len(self.notes) - MOST_NOTES} more notes.")
        self.label.value = "<br>".join(escape(line, quote=False) for line in shown)

    def complain(self, text: str) -> None:
        """Say why nothing is done."""
        self.say(text)
        show_warning(text)

    def fail(self, error: DranError) -> None:
        """Tell of an error; for one that nobody foresaw, with its traceback."""
        if isinstance(error, Cancelled):
            self.say(str(error))
            return
        self.say(f"Failed: {error}")
        notify_of(error)


def notify_of(error: DranError) -> None:
    """Show an error in napari; one that nobody foresaw with its traceback."""
    if isinstance(error, WorkerError):
        notification_manager.dispatch(Notification.from_exception(error))
    else:
        show_error(str(error))
