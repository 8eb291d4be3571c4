"""How the Denoise widget looks: its controls and their places, no behaviour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    FloatSpinBox,
    Label,
    ProgressBar,
    PushButton,
    Widget,
)
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

from ..intensity import CT_PRESETS

AUTO = "auto"
LOAD = "load"
CUSTOM = "custom"
LABELS = ("Image", "Weights", "Window", "From", "Slices", "Device", "Strength", "Compare")
LABEL_WIDTH = 64
READOUT_WIDTH = 34
PADDING = 8
SHOW_NOISY, SHOW_DENOISED = "Show noisy", "Show result"
MOST_DECIMALS = 12
LARGEST = 1e9
"""Bounds of the custom window's fields; values of images beyond need another window."""

WINDOWS = (
    ("Percentiles (robust)", "percentile"),
    ("Contrast limits", "contrast-limits"),
    ("Full range", "full"),
    *((f"CT {name} ({low:g} to {high:g})", name) for name, (low, high) in CT_PRESETS.items()),
    ("Custom…", CUSTOM),
)


class DenoisePanel(Container[Widget]):  # type: ignore[misc]
    """The controls of the Denoise widget, in four groups.

    Input (image, what is known about it), settings, buttons with progress, result.
    """

    def __init__(self) -> None:
        self.image = ComboBox(name="image", label="Image", tooltip="The image layer to denoise.")
        self.summary = _text(
            "summary",
            "\N{GREEK SMALL LETTER SIGMA}: estimated standard deviation of the noise, in the "
            "image's own unit, and in grey levels when the window spans 255 of them. "
            "Window: the range of intensities that the network sees.",
        )

        self.weights = ComboBox(
            name="weights",
            label="Weights",
            choices=[("Auto", AUTO)],
            tooltip="The trained network. Auto takes the one for grey or for colour images.",
        )
        self.window = ComboBox(
            name="window",
            label="Window",
            choices=list(WINDOWS),
            tooltip="The range of intensities that the network sees. "
            "Values outside it are left exactly as they are.",
        )
        bounds = {"min": -LARGEST, "max": LARGEST, "step": 1.0}
        self.low = FloatSpinBox(name="low", value=0.0, tooltip="Lower bound", **bounds)
        self.high = FloatSpinBox(name="high", value=1.0, tooltip="Upper bound", **bounds)
        to = Label(value="to")
        to.native.setFixedWidth(to.native.fontMetrics().horizontalAdvance("to") + PADDING)
        to.native.setAlignment(Qt.AlignCenter)
        self.custom = _row("custom", [self.low, to, self.high], label="From")
        self.axis = ComboBox(
            name="axis",
            label="Slices",
            choices=[(f"across {letter}", axis) for axis, letter in enumerate("zyx")],
            tooltip="The axis across which the volume is cut into slices for the network.",
        )
        self.device = ComboBox(
            name="device",
            label="Device",
            choices=[AUTO, "cpu"],
            tooltip="Where the network runs. Auto takes a GPU if there is one.",
        )

        self.preview = PushButton(
            name="preview", text="Preview slice", tooltip="Denoise only the slice in view."
        )
        self.run = PushButton(name="run", text="Denoise", tooltip="Denoise the whole image.")
        self.cancel = PushButton(
            name="cancel", text="Cancel", enabled=False, tooltip="Stop after the running batch."
        )
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.status = _text("status")

        self.strength = FloatSlider(
            name="strength",
            label="Strength",
            value=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="How much of the noise that was found is taken away: 0 none, 1 all. "
            "Takes effect at once.",
        )
        self.flip = PushButton(
            name="flip",
            text=SHOW_NOISY,
            tooltip="Flip between noisy and denoised at the same view.",
        )
        self.side_by_side = PushButton(
            name="side_by_side",
            text="Side by side",
            tooltip="Show noisy and denoised beside each other.",
        )
        self.side_by_side.native.setCheckable(True)
        self.residual = CheckBox(
            name="residual",
            text="Residual layer",
            tooltip="Show the noise that was found: at strength 1, "
            "exactly what is taken from the image.",
        )
        self.copy_python = PushButton(
            name="copy_python",
            text="Copy as Python",
            tooltip="Copy the Python code that does the same.",
        )
        self.copy_command = PushButton(
            name="copy_command",
            text="Copy as command",
            tooltip="Copy the shell command that does the same.",
        )
        self.result = _group(
            "result",
            [
                self.strength,
                _row("compare", [self.flip, self.side_by_side], label="Compare"),
                self.residual,
            ],
        )

        super().__init__(
            layout="vertical",
            labels=False,
            widgets=[
                _heading("Input"),
                _group("input", [self.image]),
                self.summary,
                _heading("Settings"),
                _group(
                    "settings", [self.weights, self.window, self.custom, self.axis, self.device]
                ),
                _row("buttons", [self.preview, self.run, self.cancel]),
                self.progress,
                self.status,
                _heading("Result"),
                self.result,
                _row("recipe", [self.copy_python, self.copy_command]),
            ],
        )
        self.custom.visible = False
        self._fit()

    def reset_choices(self, *_: Any) -> None:
        """Bring the list of images up to date; napari calls it when layers come and go.

        The other lists stay: magicgui would set them back to what they began with.
        """
        self.image.reset_choices()

    def set_custom(self, low: float, high: float) -> None:
        """Fill in the custom window, with as many digits as its width asks for."""
        magnitude = math.ceil(math.log10(high - low))
        for spin, value in ((self.low, low), (self.high, high)):
            spin.native.setDecimals(min(max(0, 4 - magnitude), MOST_DECIMALS))
            spin.step = 10.0 ** (magnitude - 2)
            spin.value = value

    def _fit(self) -> None:
        """Keep the panel narrow, whatever the names of layers and weights."""
        self.native.layout().setContentsMargins(8, 4, 8, 8)
        self.native.layout().setSpacing(6)
        for label in self.native.findChildren(QLabel):
            if label.text() in LABELS:
                label.setFixedWidth(LABEL_WIDTH)
        for box in self.native.findChildren(QComboBox):
            box.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(10)
            box.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        # A spin box is as wide as its largest value, which is far too wide here.
        for spin in (self.low, self.high):
            spin.native.setStyleSheet("min-width: 50px;")
            spin.native.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
            spin.native.setButtonSymbols(QAbstractSpinBox.NoButtons)
        for readout in self.strength.native.findChildren(QAbstractSpinBox):
            # Leave the room to the slider; napari's style would give it 90 pixels.
            readout.setStyleSheet(f"min-width: {READOUT_WIDTH}px; max-width: {READOUT_WIDTH}px;")
        self.native.setMinimumWidth(270)


def _text(name: str, tooltip: str = "") -> Label:
    """Make a label for sentences: wrapped, and free to be selected and copied."""
    label = Label(name=name, value="", tooltip=tooltip)
    native: QLabel = label.native
    native.setWordWrap(True)
    native.setTextFormat(Qt.RichText)
    native.setTextInteractionFlags(Qt.TextSelectableByMouse)
    native.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Minimum)
    return label


def _heading(text: str) -> Label:
    label = Label(name=f"{text.lower()}_heading", value=f"<b>{text}</b>")
    label.native.setFrameStyle(QFrame.NoFrame)
    return label


def _group(name: str, widgets: Sequence[Widget]) -> Container[Widget]:
    return _flat(Container(name=name, widgets=list(widgets), layout="vertical", labels=True))


def _row(name: str, widgets: Sequence[Widget], label: str | None = None) -> Container[Widget]:
    extra: dict[str, Any] = {} if label is None else {"label": label}
    row = Container(name=name, widgets=list(widgets), layout="horizontal", labels=False, **extra)
    return _flat(row)


def _flat(container: Container[Widget]) -> Container[Widget]:
    native: QWidget = container.native
    layout: QLayout = native.layout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    return container
