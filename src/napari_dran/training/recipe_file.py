"""Recipes as users write them: YAML files and single values, checked key by key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from ..errors import FileReadError, InputError
from .analysis_recipe import AnalysisRecipe
from .recipe import Noise, Recipe, missing_package

AnyRecipe = TypeVar("AnyRecipe", Recipe, AnalysisRecipe)


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
        raise InputError(_explain(error.errors()[0], kind)) from error
    return recipe


def _explain(error: Mapping[str, Any], kind: type[Recipe | AnalysisRecipe]) -> str:
    """Turn pydantic's first complaint into a sentence."""
    place = [str(part) for part in error["loc"]]
    if error["type"] == "unexpected_keyword_argument":
        known = [f.name for f in fields(Noise if len(place) > 1 else kind)]
        close = difflib.get_close_matches(place[-1], known, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(known)}."
        return f"The recipe has an unknown key {'.'.join(place)!r}. {hint}"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"The recipe's {'.'.join(place)} cannot be {error['input']!r}: {message}."
