"""How the Denoise widget looks: its controls and their places, no behaviour."""

from __future__ import annotations

import math
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    FloatSpinBox,
    ProgressBar,
    PushButton,
    Widget,
)
from qtpy.QtWidgets import QAbstractSpinBox

from ..denoising.ensemble import MAX_ENSEMBLE
from ..intensity import CT_PRESETS
from .layout import command_button, group, heading, narrow, number_range, row, text

AUTO = "auto"
CUSTOM = "custom"
LABELS = (
    "Image", "Weights", "Window", "From", "Slices", "Ensemble", "Device", "Strength", "Compare",
)  # fmt: skip
READOUT_WIDTH = 34
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


ENSEMBLES = (
    ("Off", 1),
    *((f"{n} passes, {n}\N{MULTIPLICATION SIGN} time", n) for n in (2, 4, MAX_ENSEMBLE)),
)


class DenoisePanel(Container[Widget]):  # type: ignore[misc]
    """The controls of the Denoise widget, in four groups.

    Input (image, what is known about it), settings, buttons with progress, result.
    """

    def __init__(self) -> None:
        self.image = ComboBox(name="image", label="Image", tooltip="The image layer to denoise.")
        self.summary = text(
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
        self.custom = number_range("custom", "From", self.low, self.high)
        self.axis = ComboBox(
            name="axis",
            label="Slices",
            choices=[(f"across {letter}", axis) for axis, letter in enumerate("zyx")],
            tooltip="The axis across which the volume is cut into slices for the network.",
        )
        self.ensemble = ComboBox(
            name="ensemble",
            label="Ensemble",
            choices=list(ENSEMBLES),
            tooltip="Also denoises each slice mirrored and turned, and averages the results: "
            "less noise is left where there is much. Preview a slice to see what it brings.",
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
            name="cancel",
            text="Cancel",
            enabled=False,
            tooltip="Stop after the running pass of the network.",
        )
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.status = text("status")

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
        self.copy_command = command_button()
        self.result = group(
            "result",
            [
                self.strength,
                row("compare", [self.flip, self.side_by_side], label="Compare"),
                self.residual,
            ],
        )

        super().__init__(
            layout="vertical",
            labels=False,
            widgets=[
                heading("Input"),
                group("input", [self.image]),
                self.summary,
                heading("Settings"),
                group(
                    "settings",
                    [self.weights, self.window, self.custom, self.axis, self.ensemble, self.device],
                ),
                row("buttons", [self.preview, self.run, self.cancel]),
                self.progress,
                self.status,
                heading("Result"),
                self.result,
                row("recipe", [self.copy_python, self.copy_command]),
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
        narrow(self.native, LABELS, (self.low, self.high))
        for readout in self.strength.native.findChildren(QAbstractSpinBox):
            # Leave the room to the slider; napari's style would give it 90 pixels.
            readout.setStyleSheet(f"min-width: {READOUT_WIDTH}px; max-width: {READOUT_WIDTH}px;")
