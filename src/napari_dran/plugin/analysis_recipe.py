"""What a run of segmentation or detection was told, in Python and in the shell as well."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .analysis_task import DETECT, Task
from .recipe import Recipe, output_beside

SHARED = {
    "weights": "denoise-weights",
    "strength": "strength",
    "ensemble": "denoise-ensemble",
}
"""Options of denoising: what the command calls them."""


@dataclass(frozen=True)
class AnalysisRecipe:
    """The arguments of one run; the names are those of ``segment`` and ``detect``.

    Parameters
    ----------
    task : Task
        Which of the two.
    weights : str
        A name or the path of a file.
    threshold : float
        Of probability, or of score.
    minimum_size : float
        In the square or the cube of the image's unit.
    axis : int
        Spatial axis across which slices are cut.
    device : str
        "auto", "cpu", "cuda" or "mps".
    denoise : Recipe or None
        How to denoise first; None if it is not to be done.
    """

    task: Task
    weights: str
    threshold: float
    minimum_size: float
    axis: int
    device: str
    denoise: Recipe | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``Segmenter.run`` or ``Detector.run``."""
        return {
            self.task.threshold: self.threshold,
            "minimum_size": self.minimum_size,
            "axis": self.axis,
            "denoise": self.denoise_options(),
        }

    def denoise_options(self) -> bool | dict[str, Any]:
        """Return the argument ``denoise``: the options that are not the defaults."""
        if self.denoise is None:
            return False
        return {k: v for k, v in self.denoise.chosen().items() if k != "device"} or True

    def as_python(self, layer: str, path: str | None = None, series: str | None = None) -> str:
        """Write the Python code that does the same to the whole image.

        Parameters
        ----------
        layer : str
            Name of the layer, for an image that did not come from a file.
        path : str, optional
            The file or folder the image came from.
        series : str, optional
            Which of the series in that folder.
        """
        name, detects = self.task.name, self.task is DETECT
        lines = ["from napari_dran import read_volume"] if path else []
        lines.append(f"from napari_dran.analysis import {name}")
        if path and detects:
            lines.append("from napari_dran.analysis.coco import write_coco")
        elif path:
            lines.append("from napari_dran.files.labels import write_labels")
        elif detects:
            lines.append("from napari_dran.analysis.layers import placement")
        source = f"viewer.layers[{layer!r}]"
        if path:
            source = f"read_volume({path!r}{'' if series is None else f', series={series!r}'})"
        chosen = "".join(f", {key}={value!r}" for key, value in self._chosen().items())
        lines += ["", f"image = {source}", f"found = {name}(image{chosen})"]
        if path:
            target = self._output(path)
            lines.append(
                f"write_coco([({Path(path).name!r}, found)], {target!r})"
                if detects
                else f"write_labels(found, {target!r})"
            )
        elif detects:
            lines += [
                "count = len(found.axes)",
                "place = placement(image, image.as_layer_data_tuple()[1], count)",
                "viewer.add_labels(found.labels.data, **place)",
                "viewer.add_shapes(found.rectangles(), ndim=count, **place)",
            ]
        else:
            lines.append("viewer.add_layer(found)")
        return "\n".join(lines) + "\n"

    def as_command(self, path: str | None = None, series: str | None = None) -> str:
        """Write the shell command that does the same to the whole image.

        Parameters
        ----------
        path, series : str, optional
            See :meth:`as_python`; a placeholder stands for an image of no file.
        """
        path = path or "image.nii.gz"
        words = ["napari-dran", self.task.name, path, "-o", self._output(path)]
        if series is not None:
            words.append(f"--series={series}")
        for key, value in self._chosen().items():
            if key != "denoise":
                words.append(f"--{key.replace('_', '-')}={value}")
        if self.denoise is not None:
            words.append("--denoise")
            words += [
                f"--{SHARED[key]}={value}"
                for key, value in self.denoise.chosen().items()
                if key in SHARED
            ]
        return " ".join(shlex.quote(word) for word in words)

    def not_in_command(self) -> str:
        """Say what the command does otherwise, if anything."""
        options = self.denoise_options()
        lost = [
            f"the {key} of the denoising"
            for key in ("window", "axis")
            if isinstance(options, Mapping) and options.get(key, self.axis) != self.axis
        ]
        return f" It chooses {' and '.join(lost)} by itself." if lost else ""

    def _output(self, path: str) -> str:
        if self.task is DETECT:
            return output_beside(path, self.task.done, ".json")
        # Labels of a whole DICOM series are one file.
        return output_beside(path, self.task.done, None if Path(path).suffix else ".nii.gz")

    def _chosen(self) -> dict[str, Any]:
        """Return the arguments that differ from the library's defaults."""
        parameters = inspect.signature(self.task.function()).parameters
        values = {"weights": self.weights, **self.arguments(), "device": self.device}
        return {key: value for key, value in values.items() if value != parameters[key].default}
