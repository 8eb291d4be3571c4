"""Recipes: strict keys, checked values, YAML files."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_dran.errors import FileReadError, InputError, MissingPackageError
from napari_dran.training.recipe import Noise, Recipe
from napari_dran.training.recipe_file import make_any_recipe, make_recipe, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "training").glob("*.yaml"))


def test_defaults() -> None:
    assert make_recipe({}) == Recipe()


def test_values_of_yaml() -> None:
    recipe = make_recipe(
        {"noise": [{"model": "rician", "sigma": [0, 20]}], "channels": 1, "betas": [0.5, 0.9]}
    )
    assert recipe.noise == (Noise("rician", (0.0, 20.0)),)
    assert recipe.betas == (0.5, 0.9)
    assert make_recipe({"precision": 32}).precision == "32"
    assert make_recipe({"learning_rate": "1e-4"}).learning_rate == 1e-4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nois": 1}, "unknown key 'nois'. Did you mean 'noise'"),
        ({"zzz": 1}, "Known are weights, "),
        ({"noise": [{"modl": "rician"}]}, r"unknown key 'noise.0.modl'. Did you mean 'model'"),
        ({"noise": [{"model": "rice"}]}, "no noise model 'rice'. Expected one of gaussian"),
        ({"noise": [{"sigma": [30, 10]}]}, "low then high, got 30 to 10"),
        ({"noise": [{"sigma": [0, 300]}]}, "within 0 and 255"),
        ({"noise": [{"width": [1, 2]}]}, "only these do: correlated, "),
        ({"noise": [{"model": "correlated", "width": [1, 9]}]}, "within 0.05 and 4"),
        ({"noise": [{"weight": 0}]}, "weight above 0"),
        ({"noise": []}, "at least one noise model"),
        ({"crop": "large"}, "crop cannot be 'large'"),
        ({"crop": 8}, "Expected crop of 16 or more, got 8"),
        ({"batch": 0}, "batch of 1 or more"),
        ({"loss": "l3"}, "'l1', 'l2' or 'charbonnier'"),
        ({"channels": 2}, "'auto', 1 or 3"),
        ({"averaging": 1.0}, "averaging of 0 to"),
        ({"cooldown": 1.5}, "cooldown of 0 to 1"),
        ({"learning_rate": -1}, "learning rate above 0"),
        ({"learning_rate": "nan"}, "learning rate above 0"),
        ({"validation_sigmas": []}, "noise levels of 0 or more"),
        ({"validation_sigmas": ["nan"]}, "noise levels of 0 or more"),
        ({"validation_sigmas": 25}, r"25\. Expected a list such as validation_sigmas: \[25\]\."),
        ({"noise": "gaussian"}, r"'gaussian'\. Expected a list such as noise: \[{model: rician"),
        ({"noise": ["gaussian"]}, r"noise cannot be \['gaussian'\]\. Expected a list such as"),
        ({"noise": [{"sigma": 5}]}, r"noise\.0\.sigma cannot be 5\. Expected .* sigma: \[0, 20\]"),
        ({"noise": [{"model": "speckle", "width": [1]}]}, r"noise\.0\.width cannot be \[1\]\. Exp"),
        ({"network": 5}, "Expected keys and values such as network: {features: 32}"),
        ({"betas": [0.9]}, r"betas cannot be \[0\.9\]\. Expected a list such as betas: \[0\.9, "),
        ({"betas": [0.9, 0.99, 1]}, r"0\.99, 1\]\. Expected a list such as betas: \[0\.9, 0\.99"),
        ({"betas": [2, 3]}, r"betas of 0 or more and below 1, got \[2\.0, 3\.0\]"),
        ({"betas": [0.9, "nan"]}, "betas of 0 or more and below 1"),
        ({1: 2}, "unknown key '1'"),
        ({"task": "segment", "noise": 25}, r"25\. Expected a list such as noise: \[0, 25\]"),
        ({"window": "bogus"}, "no window 'bogus'. Choose one of auto, percentile"),
        (
            {"window": "contrast-limits"},
            "no window 'contrast-limits'. Choose one of auto",
        ),
        ({"window": "240:-160"}, "window 240:-160 is empty"),
        ({"window": 1250}, "Expected text in quotes such as window: '20:50'"),
        ({"axis": "sagitall"}, "no slice axis 'sagitall' .* Expected 0"),
        ({"axis": 7}, "no slice axis 7 .* Expected 0"),
        ({"axis": "--1"}, "no slice axis '--1'"),
        ({"resize": 32}, "smaller than the crop"),
    ],
)
def test_bad_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_any_recipe(values)


@pytest.mark.parametrize("window", ["auto", "percentile", "Lung", "-160:240"])
def test_windows(window: str) -> None:
    assert make_recipe({"window": window}).window == window


@pytest.mark.parametrize("axis", [0, -1, "2", "x", "Sagittal"])
def test_axes(axis: int | str) -> None:
    assert make_recipe({"axis": axis}).axis == axis


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("crop: 32\nnoise:\n  - model: speckle\n")
    assert make_recipe(read_recipe(path)) == Recipe(crop=32, noise=(Noise("speckle"),))
    path.write_text("crop: [")
    with pytest.raises(FileReadError, match=r"recipe\.yaml"):
        read_recipe(path)
    path.write_text("crop")
    with pytest.raises(FileReadError, match="holds no keys"):
        read_recipe(path)
    with pytest.raises(FileReadError, match="No such file"):
        read_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_project_are_valid(path: Path) -> None:
    values = read_recipe(path)
    values.pop("data", None)
    values.pop("validation", None)
    make_any_recipe(values)


def test_every_key_is_documented() -> None:
    documented = set(re.findall(r"^    (\w[\w, ]*) : ", inspect.getdoc(Recipe) or "", re.M))
    documented |= set(re.findall(r"^(\w[\w, ]*) : ", inspect.getdoc(Recipe) or "", re.M))
    names = {name for group in documented for name in group.split(", ")}
    assert set(Recipe.__dataclass_fields__) <= names


@pytest.mark.parametrize("package", ["yaml", "pydantic"])
def test_missing_packages(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "a.yaml").write_text("crop: 32")
    with pytest.raises(MissingPackageError, match=r"napari-dran\[train\]"):
        make_recipe(read_recipe(tmp_path / "a.yaml"))
