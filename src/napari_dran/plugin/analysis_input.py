"""The upper half of the Segment and Detect widgets: which image, and what to do with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from ..errors import DranError, InputError
from ..volume import Volume
from . import settings
from .analysis_layers import Place
from .analysis_panel import IN_VIEW, AnalysisPanel
from .analysis_recipe import AnalysisRecipe
from .analysis_task import Task
from .analysis_work import AnalysisEngine, AnalysisWork
from .image_choice import ImageChoice
from .layers import is_anatomical, layer_to_volume
from .open_denoisers import open_denoisers
from .pending import settle
from .planes import cut_plane, plane_in_view
from .preview import contrast_limits
from .recipe import Recipe
from .summary import axis_choices, describe, nothing_to_denoise
from .weights_choice import WeightsChoice


class AnalysisInput:
    """Fills the controls of the input and the settings, and reads them.

    Parameters
    ----------
    panel : AnalysisPanel
        The controls.
    viewer : napari.viewer.Viewer
        Its images can be chosen.
    task : Task
        What is to be done.
    engine : AnalysisEngine
        Gives the network.
    """

    def __init__(
        self, panel: AnalysisPanel, viewer: Any, task: Task, engine: AnalysisEngine
    ) -> None:
        self.panel = panel
        self.viewer = viewer
        self.task = task
        self.engine = engine
        self._watched: Any = None
        self._images = ImageChoice(panel.image, viewer, self._on_image)
        self._weights = WeightsChoice(panel.weights, task.name, "Load weights")
        panel.image.changed.connect(self._on_image)
        panel.weights.changed.connect(self._describe)
        panel.slices.changed.connect(self._show_unit)

    def open(self) -> None:
        """Begin to follow the viewer, and the Denoise widget."""
        self._weights.open()
        self._images.open()
        open_denoisers.changed.connect(self._show_how)
        active = self.viewer.layers.selection.active
        if active in self.panel.image.choices:
            self.panel.image.value = active
        self._on_image()
        self._show_how()

    def close(self) -> None:
        """Let go of them."""
        self._watch(None)
        self._weights.close()
        self._images.close()
        open_denoisers.changed.disconnect(self._show_how)

    @property
    def layer(self) -> Any:
        """The chosen image layer, or None."""
        return self._images.layer

    def choose(self, layer: Any) -> bool:
        """Choose an image layer; returns whether it is one of the viewer's."""
        if layer in self.panel.image.choices:
            self.panel.image.value = layer
        return self.layer is layer and layer is not None

    def denoising(self) -> tuple[Recipe, bool]:
        """Return how to denoise, and whether an open Denoise widget says so."""
        found = open_denoisers.recipe(self.viewer)
        if found is None:
            return Recipe.default(), False
        layer = self.layer
        return (found if layer is None else found.fixed(contrast_limits(layer))), True

    def recipe(self, denoise: bool | None = None) -> AnalysisRecipe:
        """Return what the controls say.

        Parameters
        ----------
        denoise : bool, optional
            Whether to denoise first; what the box says by default.

        Raises
        ------
        InputError
            There are no weights.
        """
        panel = self.panel
        if not self._weights.value:
            raise InputError(
                f"There are no weights to {self.task.name} with. Choose Load… under Weights, and "
                "a .safetensors file."
            )
        wanted = panel.denoise.value if denoise is None else denoise
        return AnalysisRecipe(
            task=self.task,
            weights=self._weights.value,
            threshold=panel.threshold.value,
            minimum_size=panel.minimum_size.value,
            axis=max(0, panel.slices.value or 0),
            device=settings.default_device(),
            denoise=self.denoising()[0] if wanted else None,
        )

    def work(self, compares: bool) -> tuple[AnalysisWork, Place]:
        """Return what there is to do, and where its results belong.

        Parameters
        ----------
        compares : bool
            Whether the image is to be looked at noisy and denoised.

        Raises
        ------
        DranError
            It cannot be done.
        """
        layer = self.layer
        if layer is None:
            raise InputError(nothing_to_denoise(self.viewer.layers, self.task.done))
        volume = layer_to_volume(layer)
        recipe = self.recipe(True if compares else None)
        part, index = volume, None
        if self.panel.slices.value == IN_VIEW:
            index = plane_in_view(layer, self.viewer.dims, volume.axes)
            part, recipe = cut_plane(volume, index), replace(recipe, axis=0)
        if settle(layer.data):
            # An earlier result, whose strength may be changed while this run works on it.
            part = replace(part, data=part.data.copy())
        work = AnalysisWork(
            self.engine, part, recipe, contrast_limits(layer), compares,
            None if index is None else (volume, index),
        )  # fmt: skip
        return work, Place(layer, volume, index)

    def _on_image(self, *_: Any) -> None:
        layer = self.layer
        self._watch(layer)
        if layer is not None:
            # What is wrong with it is described.
            with suppress(DranError):
                self._fill_slices(layer_to_volume(layer))
        self._describe()
        self._show_unit()

    def _fill_slices(self, volume: Volume) -> None:
        slices = self.panel.slices
        choices = axis_choices(volume, is_anatomical(self.layer))
        if "z" in volume.axes or "t" in volume.axes:
            whole = [(f"all, {text}", axis) for text, axis in choices]
            choices = [*whole, ("the one in view", IN_VIEW)]
        chosen = slices.value
        with slices.changed.blocked():
            # magicgui keeps the old text of a value that it knows already.
            slices.choices = ()
            slices.choices = choices
            if chosen in slices.choices:
                slices.value = chosen

    def _watch(self, layer: Any) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_image)
            self._watched.events.scale.disconnect(self._describe)
            self._watched.events.units.disconnect(self._on_image)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._on_image)
            layer.events.scale.connect(self._describe)
            layer.events.units.connect(self._on_image)

    def _describe(self, *_: Any) -> None:
        """Say what is known of the image, and whether the network can look at it."""
        panel, layer = self.panel, self.layer
        if layer is None:
            panel.summary.value = nothing_to_denoise(self.viewer.layers, self.task.done)
            return
        try:
            volume = layer_to_volume(layer)
            lines = [describe(volume), *(_rich(note) for note in self._notes(volume))]
        except DranError as error:
            lines = [_rich(str(error))]
        panel.summary.value = "<br>".join(lines)

    def _notes(self, volume: Volume) -> tuple[str, ...]:
        """Say how the image stands for what the network takes."""
        from ..analysis.inputs import planes_of
        from ..weights import read_card

        if not self._weights.value:
            return ()
        # Without its values, which may be large, or lazy.
        empty = np.broadcast_to(np.zeros((), volume.dtype), volume.shape)
        card = read_card(self._weights.value)
        notes = planes_of(replace(volume, data=empty), card).notes
        if card.inputs and volume.rgb:
            notes = (*notes, f"Its colours are read as {', '.join(card.inputs)}.")
        return notes

    def _show_unit(self, *_: Any) -> None:
        """Show the unit of the minimum size: an area, or a volume."""
        layer = self.layer
        try:
            volume = None if layer is None else layer_to_volume(layer)
        except DranError:
            volume = None
        suffix = ""
        if volume is not None:
            flat = (
                self.task.flat_size or "z" not in volume.axes or self.panel.slices.value == IN_VIEW
            )
            unit = {"um": "µm", "pixel": "px"}.get(volume.unit, volume.unit)
            suffix = f" {unit}{'' if unit == 'px' else '²' if flat else '³'}"
        self.panel.minimum_size.native.setSuffix(suffix)

    def _show_how(self, *_: Any) -> None:
        """Say how it would be denoised, and who says so."""
        recipe, said = self.denoising()
        whose = "Denoises as the Denoise widget says" if said else "Denoises with the defaults"
        weights = recipe.weights.rsplit("/", 1)[-1]
        window = recipe.window
        shown = window if isinstance(window, str) else f"{window[0]:g} to {window[1]:g}"
        self.panel.how.value = _rich(
            f"{whose}: weights {weights}, window {shown}, across {'zyx'[recipe.axis]}, "
            f"strength {recipe.strength:g}"
            + (f", ensemble of {recipe.ensemble}." if recipe.ensemble > 1 else ".")
        )


def _rich(text: str) -> str:
    return escape(text, quote=False)
