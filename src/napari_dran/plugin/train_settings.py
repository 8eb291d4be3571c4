"""What a training run is told, and how to say the same in the shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..training.recipe import NOISE_NAMES, Recipe
from ..training.recipe_file import make_recipe

REAL_SCANS = tuple(name for name in NOISE_NAMES if name != "released")
"""The mixture of real scans: every model but the one that no scanner has."""

OPTIONS = ("weights", "steps", "minutes", "other_kind", "axis", "window", "crop", "batch")
"""Keys of the recipe that ``napari-dran train`` has options for; others go through ``--set``."""

SOMEWHERE = "images"
"""Stands in the command for layers, which the shell cannot see."""


@dataclass(frozen=True)
class TrainSettings:
    """The arguments of one run.

    Parameters
    ----------
    values : mapping
        Keys of :class:`~napari_dran.training.recipe.Recipe`, as a user writes them.
    device : str
        "auto", "cpu", "cuda" or "mps".
    folder : str, optional
        Of the images; None for layers.
    """

    values: Mapping[str, Any]
    device: str
    folder: str | None = None

    def recipe(self) -> Recipe:
        """Make the recipe.

        Raises
        ------
        InputError
            A value cannot be.
        """
        return make_recipe(self.values)

    def as_command(self, output: str) -> str:
        """Write the shell command that does the same.

        Parameters
        ----------
        output : str
            The weights file to write.

        Raises
        ------
        InputError
            A value cannot be.
        """
        recipe, default = self.recipe(), Recipe()
        words = ["napari-dran", "train", self.folder or SOMEWHERE, "-o", output]
        models = [noise.model for noise in recipe.noise]
        if models != [noise.model for noise in default.noise]:
            words += [word for model in models for word in ("--noise", model)]
        if recipe.noise[0].sigma != default.noise[0].sigma:
            words.append("--sigma={:g}:{:g}".format(*recipe.noise[0].sigma))
        for key in (field.name for field in fields(Recipe)):
            value = getattr(recipe, key)
            if key == "noise" or value == getattr(default, key):
                continue
            name = key.replace("_", "-") if key in OPTIONS else f"set={key}"
            words.append(f"--{name}={value:g}" if isinstance(value, float) else f"--{name}={value}")
        if self.device != "auto":
            words.append(f"--device={self.device}")
        return " ".join(shlex.quote(word) for word in words)
