"""How the plugin's panels are laid out: their parts, and how they stay narrow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from magicgui.widgets import Container, FloatSpinBox, Label, PushButton, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QLayout,
    QSizePolicy,
    QWidget,
)

LABEL_WIDTH = 74
PANEL_WIDTH = 270
"""The least width of a panel, in pixels."""

PADDING = 8


def text(name: str, tooltip: str = "") -> Label:
    """Make a label for sentences: wrapped, and free to be selected and copied."""
    label = Label(name=name, value="", tooltip=tooltip)
    native: QLabel = label.native
    native.setWordWrap(True)
    native.setTextFormat(Qt.RichText)
    native.setTextInteractionFlags(Qt.TextSelectableByMouse)
    native.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Minimum)
    return label


def command_button() -> PushButton:
    """Make the button that gives what a panel does as a line for the shell."""
    return PushButton(
        name="copy_command",
        text="Copy as command",
        tooltip="Copy the shell command that does the same.",
    )


def heading(title: str) -> Label:
    """Make the title of a part of a panel."""
    label = Label(name=f"{title.lower()}_heading", value=f"<b>{title}</b>")
    label.native.setFrameStyle(QFrame.NoFrame)
    return label


def group(name: str, widgets: Sequence[Widget]) -> Container[Widget]:
    """Put controls below each other, each behind its label."""
    return flat(Container(name=name, widgets=list(widgets), layout="vertical", labels=True))


def row(name: str, widgets: Sequence[Widget], label: str | None = None) -> Container[Widget]:
    """Put controls beside each other, behind one label if there is one."""
    extra: dict[str, Any] = {} if label is None else {"label": label}
    return flat(
        Container(name=name, widgets=list(widgets), layout="horizontal", labels=False, **extra)
    )


def flat(container: Container[Widget]) -> Container[Widget]:
    """Take the margins of a container away."""
    native: QWidget = container.native
    layout: QLayout = native.layout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    return container


def number_range(name: str, label: str, low: FloatSpinBox, high: FloatSpinBox) -> Container[Widget]:
    """Put two numbers beside each other, the word "to" between them."""
    to = Label(value="to")
    to.native.setFixedWidth(to.native.fontMetrics().horizontalAdvance("to") + PADDING)
    to.native.setAlignment(Qt.AlignCenter)
    return row(name, [low, to, high], label=label)


def narrow(
    panel: QWidget,
    labels: Collection[str],
    spins: Sequence[Widget] = (),
) -> None:
    """Keep a panel narrow, whatever the names of layers and weights.

    Parameters
    ----------
    panel : QWidget
        With all its controls.
    labels : collection of str
        Texts of the labels before its controls, which get one width.
    spins : sequence of magicgui spin boxes
        Shown without arrows: one is as wide as its largest value, far too wide here.
    """
    panel.layout().setContentsMargins(8, 4, 8, 8)
    panel.layout().setSpacing(6)
    for label in panel.findChildren(QLabel):
        if label.text() in labels:
            label.setFixedWidth(LABEL_WIDTH)
    for box in panel.findChildren(QComboBox):
        box.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(10)
        box.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
    for spin in spins:
        spin.native.setStyleSheet("min-width: 50px;")
        spin.native.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        spin.native.setButtonSymbols(QAbstractSpinBox.NoButtons)
    panel.setMinimumWidth(PANEL_WIDTH)
