"""Recipes of networks that segment and detect: every limit, every key."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from napari_dran.errors import InputError
from napari_dran.training.analysis_recipe import AnalysisRecipe
from napari_dran.training.recipe import Recipe
from napari_dran.training.recipe_file import make_analysis_recipe, make_any_recipe

LIMITS: dict[str, tuple[float | None, float]] = {
    "batch": (0, 1025), "crop": (31, 4097), "rotation": (-1, 181), "zoom": (0.9, 4.1),
    "elastic": (-0.1, 0.3), "contrast": (-0.1, 1.1), "single": (-0.1, 1.1),
    "stretched": (-0.1, 1.1), "faint": (-0.1, 1.1), "inverted": (-0.1, 1.1), "copied": (-1, 3),
    "side": (-1, 4097), "warmup": (-1, 1e7),
    "clip": (-1, 1e7), "steps": (0, 2e9), "minutes": (-1, 1e7), "averaging": (-0.1, 1.0),
    "validate_every": (0, 2e9), "validation_share": (-0.1, 0.95), "seed": (-1, 2**33),
    "weight_decay": (-0.1, 1.1), "learning_rate": (0, 1.1),
}  # fmt: skip
"""Values below and above what each key may be."""


def test_task_decides_what_is_trained() -> None:
    assert make_any_recipe({}) == Recipe()
    assert make_any_recipe({"task": "segment"}) == AnalysisRecipe("segment")
    assert make_any_recipe({"task": "detect", "crop": 128}) == AnalysisRecipe("detect", crop=128)


def test_values_of_yaml() -> None:
    recipe = make_analysis_recipe(
        {
            "task": "segment", "inputs": ["T1", "FLAIR", "T1 Gd"], "noise": [0, 25],
            "network": {"decoder": [16, 8, 8, 8, 8]}, "precision": 32, "learning_rate": "1e-4",
        }
    )  # fmt: skip
    assert recipe.inputs == ("T1", "FLAIR", "T1 Gd")
    assert recipe.noise == (0.0, 25.0)
    assert (recipe.precision, recipe.learning_rate) == ("32", 1e-4)
    assert recipe.as_dict()["network"] == {"decoder": [16, 8, 8, 8, 8]}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("side", [0, 1])
def test_limits(name: str, side: int) -> None:
    value = LIMITS[name][side]
    with pytest.raises(InputError, match=rf"Expected {name} of .* to .*, got {value}"):
        AnalysisRecipe("segment", **{name: value})


def test_every_number_has_limits() -> None:
    fields = AnalysisRecipe.__dataclass_fields__
    numbers = {name for name, field in fields.items() if field.type in ("int", "float")}
    assert set(LIMITS) == numbers


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task": "denoise"}, "task cannot be 'denoise'.*'segment' or 'detect'"),
        ({"task": None}, "task cannot be None"),
        ({"batches": 4}, "unknown key 'batches'. Did you mean 'batch'"),
        ({"rotate": 4}, "unknown key 'rotate'. Did you mean 'rotation'"),
        ({"zzz": 4}, "unknown key 'zzz'. Known are task, weights"),
        ({"crop": "large"}, "crop cannot be 'large'"),
        ({"learning_rate": "nan"}, "Expected learning_rate of 1e-09 to 1, got nan"),
        ({"finds": ""}, "name of what is labelled"),
        ({"task": "detect", "border": True}, "for task 'segment' only"),
        ({"inputs": ["T1", "FLAIR"]}, "names of 3 inputs, got 2"),
        ({"noise": [30, 10]}, "range of noise within 0 and 255, low then high, got 30 to 10"),
        ({"noise": [0, 300]}, "got 0 to 300"),
        ({"noise": [{"model": "rician"}]}, r"recipe's noise\.0 cannot be"),
        ({"precision": "fp16"}, "'auto', '32' or 'bf16'"),
        ({"batch": 1, "crop": 32}, "Raise batch to 2 or more, or crop above 32"),
        ({"network": 5}, "network cannot be 5"),
    ],
)
def test_bad_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_any_recipe({"task": "segment", **values})


def test_a_single_small_crop_is_enough_for_a_detector() -> None:
    assert AnalysisRecipe("detect", batch=1, crop=32).batch == 1


def test_every_key_is_documented() -> None:
    text = inspect.getdoc(AnalysisRecipe) or ""
    names = {
        name for group in re.findall(r"^(\w[\w, ]*) : ", text, re.M) for name in group.split(", ")
    }
    assert set(AnalysisRecipe.__dataclass_fields__) <= names
