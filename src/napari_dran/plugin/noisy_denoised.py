"""Results on the noisy and on the denoised image, side by side with their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..analysis.measurements import CUBIC_MM_PER_ML
from .analysis_layers import Place, add_difference, add_image, add_labels
from .comparison import Comparison
from .summary import number

if TYPE_CHECKING:
    from .analysis_task import Task
    from .analysis_work import Analysed

IN_CELL = 2
"""Layers in each cell of the grid: an image, and labels on top of it."""


class NoisyDenoised:
    """The layers of one comparison. Deleting one of them ends it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layers.
    place : Place
        Where the image lies.
    task : Task
        What was done.
    analysed : Analysed
        Both results.
    """

    def __init__(self, viewer: Any, place: Place, task: Task, analysed: Analysed) -> None:
        assert analysed.noisy is not None
        assert analysed.agreement is not None
        noisy, found = analysed.noisy, analysed.found
        self.viewer = viewer
        self.comparison = Comparison(viewer)
        source = place.source if place.source in viewer.layers and place.index is None else None
        bottom = source or add_image(viewer, place, noisy.image, "noisy")
        self.noisy = add_labels(viewer, place, noisy.labels, f"noisy, {task.done}")
        image = add_image(viewer, place, found.image, "denoised")
        self.labels = add_labels(viewer, place, found.labels, f"denoised, {task.done}")
        below = add_image(viewer, place, found.image, "below the difference")
        self.difference = add_difference(
            viewer, place, analysed.agreement.difference, f"{task.done}, difference"
        )
        self.layers = [bottom, self.noisy, image, self.labels, below, self.difference]
        self._line_up(bottom)

    @property
    def complete(self) -> bool:
        """Whether all layers are still there."""
        return all(layer in self.viewer.layers for layer in self.layers)

    def show(self, side_by_side: bool) -> None:
        """Show images with their labels beside each other, or the difference on top of one."""
        if side_by_side and self.complete:
            self.comparison.start_in_row(self.layers, IN_CELL)
            return
        self.comparison.stop_side_by_side()
        for layer in (self.noisy, self.labels):
            layer.visible = False

    def _line_up(self, bottom: Any) -> None:
        """Put the layers one after the other, the first where a cell of the grid begins."""
        layers = self.viewer.layers
        place = layers.index(bottom)
        if place % IN_CELL:
            # The layer below changes sides with it: a cell begins at an even place.
            layers.move(place, place - 1)
            place -= 1
        for offset, layer in enumerate(self.layers[1:], start=1):
            layers.move(layers.index(layer), place + offset)


def describe_agreement(analysed: Analysed) -> tuple[str, ...]:
    """Say in a few words how far both results agree.

    Parameters
    ----------
    analysed : Analysed
        Both results.
    """
    agreement = analysed.agreement
    assert agreement is not None
    labels = analysed.found.labels
    unit, per = labels.unit.replace("um", "µm"), 1.0
    if unit == "pixel":
        symbol = "px"
    elif "z" not in labels.axes:
        symbol = f"{unit}²"
    elif unit == "mm":
        symbol, per = "mL", CUBIC_MM_PER_ML
    else:
        symbol = f"{unit}³"
    parts = [
        f"{name}: {count} object{'' if count == 1 else 's'}, {number(size / per)} {symbol}"
        for name, count, size in zip(
            ("Noisy", "Denoised"), agreement.counts, agreement.sizes, strict=True
        )
    ]
    overlap = "none to tell of" if agreement.dice is None else f"{agreement.dice:.2f}"
    return (*parts, f"Overlap of both (Dice): {overlap}")
