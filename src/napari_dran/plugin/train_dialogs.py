"""What the Train widget asks in windows of their own."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from ..weights import SUFFIX, own_weights_folder


def ask_where(parent: QWidget, name: str) -> Path | None:
    """Ask for the weights file to write, and again before one is replaced.

    Parameters
    ----------
    parent : QWidget
        Over which the dialog opens.
    name : str
        To suggest, in the folder whose weights have names.

    Returns
    -------
    Path or None
        None if the user cancelled.
    """
    folder = own_weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    dialog = QFileDialog(parent, "Save weights", str(folder))
    dialog.setAcceptMode(QFileDialog.AcceptSave)
    dialog.setNameFilter(f"Weights (*{SUFFIX})")
    dialog.setDefaultSuffix(SUFFIX.removeprefix("."))
    dialog.selectFile(f"{name}{SUFFIX}")
    return Path(dialog.selectedFiles()[0]) if dialog.exec() else None


def may_start_anew(parent: QWidget) -> bool:
    """Ask before the weights of the last run are out of reach."""
    answer = QMessageBox.question(
        parent,
        "Train",
        "The weights of the last run were not saved. Start a new run without them?",
    )
    return bool(answer == QMessageBox.Yes)
