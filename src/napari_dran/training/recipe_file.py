"""Recipes as users write them: YAML files and single values, checked key by key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from ..errors import FileReadError, InputError
from .analysis_recipe import AnalysisRecipe
from .recipe import Noise, Recipe, missing_package

AnyRecipe = TypeVar("AnyRecipe", Recipe, AnalysisRecipe)

# How values are written that are more than a word or a number: pydantic names types only.
_EXAMPLES = {
    "noise": "[{model: rician, sigma: [0, 20]}]",
    "sigma": "[0, 20]",
    "width": "[0.3, 1.2]",
    "betas": "[0.9, 0.99]",
    "validation_sigmas": "[25]",
    "inputs": "[T1, FLAIR, T2]",
    "network": "{features: 32}",
    "window": "'20:50'",
}
_ANALYSIS_EXAMPLES = {**_EXAMPLES, "noise": "[0, 25]", "network": "{width: 64}"}
_FORMS = {"[": "a list", "{": "keys and values", "'": "text in quotes"}
_WRONG_FORM = ("tuple_type", "dataclass_type", "dict_type", "missing", "too_long", "string_type")


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of recipe keys, for :func:`make_recipe`.

    Raises
    ------
    FileReadError
        The file is missing or not YAML.
    MissingPackageError
        The packages for training are not installed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileReadError(f"Could not read the recipe {path}: {reason}.") from error
    values = parse_yaml(text, f"the recipe {path}")
    if not isinstance(values, dict):
        raise FileReadError(f"The recipe {path} holds no keys. Expected lines such as 'crop: 64'.")
    return values


def parse_yaml(text: str, name: str = "the value") -> Any:
    """Read a value written in YAML; ``name`` says in messages what it is.

    Raises
    ------
    FileReadError
        It is not YAML.
    MissingPackageError
        The packages for training are not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise missing_package("PyYAML") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FileReadError(f"Could not read {name}: {' '.join(str(error).split())}.") from error


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from values that a user wrote: every key and type is checked.

    Raises
    ------
    InputError
        An unknown key, or a value of another kind.
    MissingPackageError
        The packages for training are not installed.
    """
    return _checked(values, Recipe)


def make_analysis_recipe(values: Mapping[str, Any]) -> AnalysisRecipe:
    """Make a recipe of a network that segments or detects, see :func:`make_recipe`."""
    return _checked(values, AnalysisRecipe)


def make_any_recipe(values: Mapping[str, Any]) -> Recipe | AnalysisRecipe:
    """Make the recipe that values are of: with the key ``task`` no denoiser's."""
    return make_analysis_recipe(values) if "task" in values else make_recipe(values)


def _checked(values: Mapping[str, Any], kind: type[AnyRecipe]) -> AnyRecipe:
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError as error:
        raise missing_package("pydantic") from error
    if values.get("precision") == 32:  # YAML takes it for a number
        values = {**values, "precision": "32"}
    try:
        recipe: AnyRecipe = TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        raise InputError(_explain(error.errors()[0], kind, values)) from error
    return recipe


def _explain(
    error: Mapping[str, Any], kind: type[Recipe | AnalysisRecipe], values: Mapping[str, Any]
) -> str:
    """Turn pydantic's first complaint into a sentence."""
    place = [str(part) for part in error["loc"]]
    if error["type"] in ("unexpected_keyword_argument", "invalid_key"):
        known = [f.name for f in fields(Noise if len(place) > 1 else kind)]
        close = difflib.get_close_matches(place[-1], known, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(known)}."
        return f"The recipe has an unknown key {'.'.join(place)!r}. {hint}"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    if error["type"] in _WRONG_FORM and (sentence := _form(error["loc"], kind, values)):
        return sentence
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"The recipe's {'.'.join(place)} cannot be {error['input']!r}: {message}."


def _form(
    place: Sequence[int | str], kind: type[Recipe | AnalysisRecipe], values: Any
) -> str | None:
    """Say how a value of several parts is written, if there is an example of it."""
    # A part that is missing or too much has a number; the whole is what is to be mended.
    while isinstance(place[-1], int):
        place = place[:-1]
    key = str(place[-1])
    example = (_ANALYSIS_EXAMPLES if kind is AnalysisRecipe else _EXAMPLES).get(key)
    if example is None:
        return None
    for part in place:
        values = values[part]
    name = ".".join(str(part) for part in place)
    return (
        f"The recipe's {name} cannot be {values!r}. Expected {_FORMS[example[0]]} such as "
        f"{key}: {example}."
    )
