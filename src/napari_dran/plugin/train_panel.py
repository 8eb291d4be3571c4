"""How the Train widget looks: its controls and their places, no behaviour."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from magicgui.widgets import (
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    LineEdit,
    ProgressBar,
    PushButton,
    Select,
    SpinBox,
    Widget,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QScrollArea, QSizePolicy, QWidget

from ..noise import GREY_LEVELS
from ..training.recipe import LARGEST_SEED, NOISE_NAMES, SCRATCH, Recipe
from .denoise_panel import AUTO
from .layout import PANEL_WIDTH, command_button, group, heading, narrow, number_range, row, text
from .train_settings import REAL_SCANS

LAYERS, FOLDER = "layers", "folder"
SHOW_MORE, SHOW_LESS = "▸ More settings", "▾ More settings"
LABELS = ("From", "Layers", "Folder", "Start with", "Noise", "Sigma", "Steps", "Device", "Crop",
          "Batch", "Slices", "Other kind", "Loss", "Rate", "Minutes", "Validate", "Precision",
          "Seed")  # fmt: skip
LIST_HEIGHT = 60
MOST_STEPS = 10_000_000

NOISE_LABELS = {
    "gaussian": "Gaussian (white)",
    "released": "Uniform (released code)",
    "rician": "Rician (magnitude MR)",
    "poisson-gaussian": "Poisson-Gaussian (photons)",
    "photomultiplier": "Photomultiplier (scanning)",
    "speckle": "Speckle (ultrasound)",
    "log-speckle": "Log speckle (OCT)",
    "correlated": "Correlated (reconstructed)",
}


class TrainPanel(Container[Widget]):  # type: ignore[misc]
    """The controls of the Train widget: data, settings, buttons, what was found, result."""

    def __init__(self) -> None:
        recipe = Recipe()
        noise = recipe.noise[0]
        self.source = ComboBox(
            name="source",
            label="From",
            choices=[("Image layers", LAYERS), ("A folder", FOLDER)],
            tooltip="Where the clean images are: noise is added to them while training.",
        )
        self.layers = Select(
            name="layers",
            label="Layers",
            tooltip="The clean images, with their own intensities. Click to choose one or several; "
            "each counts as one patient.",
        )
        self.folder = FileEdit(
            name="folder",
            label="Folder",
            mode="d",
            tooltip="Searched to the bottom; any format that can be opened, volumes too.",
        )

        self.weights = ComboBox(
            name="weights",
            label="Start with",
            choices=[("Auto", AUTO)],
            tooltip="What is trained further. Auto takes the shipped weights for grey or for "
            "colour. Random weights need far more steps.",
        )
        self.noise = ComboBox(
            name="noise",
            label="Noise",
            choices=[
                *((NOISE_LABELS.get(name, name), (name,)) for name in NOISE_NAMES),
                ("Mixture of real scans", REAL_SCANS),
            ],
            value=(noise.model,),
            tooltip="The noise to learn, of the kind your scans have.",
        )
        self.low = FloatSpinBox(name="low", value=noise.sigma[0], min=0, max=GREY_LEVELS, step=5)
        self.high = FloatSpinBox(name="high", value=noise.sigma[1], min=0, max=GREY_LEVELS, step=5)
        self.sigma = number_range("sigma", "Sigma", self.low, self.high)
        self.sigma.tooltip = "Range of the noise's strength, in grey levels of 255 of the window."
        self.steps = SpinBox(
            name="steps", label="Steps", value=recipe.steps, min=1, max=MOST_STEPS, step=100,
            tooltip="Optimiser steps, each on one batch of crops.",
        )  # fmt: skip
        self.device = ComboBox(
            name="device", label="Device", choices=[AUTO, "cpu"],
            tooltip="Where the network is trained. Auto takes a GPU if there is one.",
        )  # fmt: skip

        self.more = PushButton(name="more", text=SHOW_MORE)
        self.advanced = group("advanced", self._advanced(recipe))

        self.train = PushButton(
            name="train", text="Train", tooltip="Start a new run with these settings."
        )
        self.resume = PushButton(
            name="resume",
            text="Continue",
            tooltip="Go on with the last run as it was set; Steps says how far.",
        )
        self.stop = PushButton(
            name="stop", text="Stop", tooltip="End after this step; the best weights are kept."
        )
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.status = text("status")
        self.scores = text(
            "scores",
            "Peak signal-to-noise ratio on images that are not trained on, at each noise level.",
        )
        self.save = PushButton(
            name="save",
            text="Save weights…",
            tooltip="Write the best weights so far; the Denoise widget lists them at once.",
        )
        self.copy_command = command_button()
        self.data = group("data", [self.source, self.layers, self.folder])
        self.settings = group(
            "settings", [self.weights, self.noise, self.sigma, self.steps, self.device]
        )
        self.result = row("result", [self.save, self.copy_command])
        self.inside = Container(
            layout="vertical",
            labels=False,
            widgets=[
                heading("Clean images"),
                self.data,
                heading("Settings"),
                self.settings,
                self.more,
                self.advanced,
                row("buttons", [self.train, self.resume, self.stop]),
                self.progress,
                self.status,
                self.scores,
                self.result,
            ],
        )
        super().__init__(layout="vertical", labels=False)
        # A run shows more than a small screen has room for.
        self.scroll = QScrollArea()
        self.scroll.setWidget(self.inside.native)
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QScrollArea.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.native.layout().setContentsMargins(0, 0, 0, 0)
        self.native.layout().addWidget(self.scroll)
        self.advanced.visible = False
        self.more.changed.connect(self._show_more)
        self._fit()

    def place(self, widget: QWidget) -> None:
        """Put a widget of another library above the last row."""
        layout = self.inside.native.layout()
        layout.insertWidget(layout.indexOf(self.result.native), widget)

    def reset_choices(self, *_: Any) -> None:
        """Bring the list of images up to date; napari calls it when layers come and go."""
        self.layers.reset_choices()

    def _advanced(self, recipe: Recipe) -> list[Widget]:
        choices = {key: list(get_args(hint)) for key, hint in get_type_hints(Recipe).items()}
        self.crop = SpinBox(
            name="crop", label="Crop", value=recipe.crop, min=16, max=1024, step=16,
            tooltip="Side of the crops in pixels; no image may be smaller.",
        )  # fmt: skip
        self.batch = SpinBox(
            name="batch", label="Batch", value=recipe.batch, min=1, max=1024,
            tooltip="Crops in a step. Lower it if memory runs out.",
        )  # fmt: skip
        self.axis = ComboBox(
            name="axis", label="Slices", value=recipe.axis,
            choices=[(f"across {letter}", axis) for axis, letter in enumerate("zyx")],
            tooltip="The axis across which volumes are cut into slices.",
        )  # fmt: skip
        self.other_kind = ComboBox(
            name="other_kind", label="Other kind", value=recipe.other_kind,
            choices=choices["other_kind"],
            tooltip="Colour images for a grey network, and the reverse: "
            "ask, use for a small share of the crops, or skip.",
        )  # fmt: skip
        self.loss = ComboBox(
            name="loss", label="Loss", value=recipe.loss, choices=choices["loss"],
            tooltip="How wrong a predicted residual is: L1 in the paper.",
        )  # fmt: skip
        self.learning_rate = LineEdit(
            name="learning_rate", label="Rate", value="",
            tooltip="Of Adam, such as 1e-4. Empty: fitting what training starts with.",
        )  # fmt: skip
        self.learning_rate.native.setPlaceholderText("auto")
        self.minutes = FloatSpinBox(
            name="minutes", label="Minutes", value=recipe.minutes, min=0, max=1e5, step=5,
            tooltip="Also end after this time; 0 for no limit.",
        )  # fmt: skip
        self.validate_every = SpinBox(
            name="validate_every", label="Validate", value=recipe.validate_every, min=1,
            max=MOST_STEPS, step=50, tooltip="Steps between validations.",
        )  # fmt: skip
        self.precision = ComboBox(
            name="precision", label="Precision", value=recipe.precision,
            choices=choices["precision"],
            tooltip="Of the network's passes. 32 if the loss is no longer a number.",
        )  # fmt: skip
        self.seed = SpinBox(
            name="seed", label="Seed", value=recipe.seed, min=0, max=LARGEST_SEED // 2 - 1,
            tooltip="Of every random choice.",
        )  # fmt: skip
        return [
            self.crop, self.batch, self.axis, self.other_kind, self.loss, self.learning_rate,
            self.minutes, self.validate_every, self.precision, self.seed,
        ]  # fmt: skip

    def _show_more(self) -> None:
        self.advanced.visible = not self.advanced.visible
        self.more.text = SHOW_LESS if self.advanced.visible else SHOW_MORE

    def _fit(self) -> None:
        numbers = (self.low, self.high, self.steps, self.crop, self.batch, self.minutes,
                   self.validate_every, self.seed)  # fmt: skip
        narrow(self.inside.native, LABELS, numbers)
        self.inside.native.layout().addStretch()
        bar = self.scroll.verticalScrollBar().sizeHint().width()
        self.native.setMinimumWidth(PANEL_WIDTH + bar)
        for number in (self.low, self.high, self.minutes):
            number.native.setDecimals(1)
        self.more.native.setFlat(True)
        self.more.native.setStyleSheet("text-align: left; padding: 2px;")
        self.layers.native.setFixedHeight(LIST_HEIGHT)
        self.layers.native.setSelectionMode(QAbstractItemView.MultiSelection)
        self.layers.native.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self.folder.choose_btn.text = "…"
        self.folder.native.layout().setContentsMargins(0, 0, 0, 0)


START = (("Auto", AUTO), ("Random weights", SCRATCH))
