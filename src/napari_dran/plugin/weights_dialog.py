"""Asking for a weights file."""

from __future__ import annotations

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QFileDialog, QWidget

from ..errors import DranError
from ..weights import SUFFIX, read_card, require_task


def ask_for_weights(parent: QWidget, title: str, task: str) -> str:
    """Ask for a weights file.

    Parameters
    ----------
    parent : QWidget
        What the dialog belongs to.
    title : str
        Of the dialog.
    task : str
        What the weights have to be for.

    Returns
    -------
    str
        Its path; "" if none was chosen, or one that is no weights file or for another
        task, of which the user is told.
    """
    path, _ = QFileDialog.getOpenFileName(parent, title, "", f"Weights (*{SUFFIX})")
    try:
        if path:
            require_task(read_card(path), task)
    except DranError as error:
        show_warning(str(error))
        return ""
    return str(path)
