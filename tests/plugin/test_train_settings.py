"""The command that does the same as the widget: read back by the command's own parser."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from napari_dran.cli import app
from napari_dran.errors import InputError
from napari_dran.plugin.train_settings import OPTIONS, REAL_SCANS, SOMEWHERE, TrainSettings
from napari_dran.training.recipe import NOISE_NAMES, Recipe


def test_defaults_need_no_options() -> None:
    settings = TrainSettings({}, "auto", "my scans")
    assert settings.recipe() == Recipe()
    command = settings.as_command("mine.safetensors")
    assert shlex.split(command) == ["napari-dran", "train", "my scans", "-o", "mine.safetensors"]


def test_layers_are_images_somewhere() -> None:
    assert f" {SOMEWHERE} " in TrainSettings({}, "auto").as_command("x.safetensors")


def test_command_gives_the_same_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {
        "weights": "scratch",
        "noise": [{"model": model, "sigma": (5.0, 30.0)} for model in REAL_SCANS],
        "learning_rate": 3e-4,
        "steps": 700,
        "minutes": 2.5,
        "axis": 1,
        "other_kind": "skip",
        "loss": "charbonnier",
        "crop": 48,
        "batch": 4,
        "validate_every": 70,
        "precision": "32",
        "seed": 3,
    }
    settings = TrainSettings(values, "cpu", "scans")
    seen: list[Recipe] = []

    def train(data: Any, recipe: Recipe, **options: Any) -> None:
        assert str(data) == "scans"
        assert options["device"] == "cpu"
        seen.append(recipe)
        raise typer.Exit(0)

    monkeypatch.setattr("napari_dran.training.run.train", train)
    words = shlex.split(settings.as_command("mine.safetensors"))
    ran = CliRunner().invoke(app, words[1:])
    assert ran.exit_code == 0, ran.output
    recipe = settings.recipe()
    assert {**seen[0].as_dict(), "axis": int(seen[0].axis)} == recipe.as_dict()


def test_options_are_options_of_the_command() -> None:
    command: Any = typer.main.get_command(app)
    names = {parameter.name for parameter in command.commands["train"].params}
    assert set(OPTIONS) <= names


def test_mixture_of_real_scans_has_what_scanners_do() -> None:
    assert set(NOISE_NAMES) - set(REAL_SCANS) == {"released"}


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="range of sigma"):
        TrainSettings({"noise": [{"sigma": (50, 10)}]}, "cpu").recipe()
