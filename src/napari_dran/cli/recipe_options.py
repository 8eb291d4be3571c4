"""A recipe from a file and from options that override it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError


def recipe_file(
    config: Path | None, data: Path | None, validation: Path | None
) -> tuple[dict[str, Any], Path | None, Path | None]:
    """Read a recipe and its two folders, which are relative to it."""
    if config is None:
        return {}, data, validation
    from ..training.recipe_file import read_recipe

    values = read_recipe(config)
    folders = [values.pop(key, None) for key in ("data", "validation")]
    places = [None if f is None else config.parent / str(f) for f in folders]
    # A recipe's validation images belong to its own data.
    return values, data or places[0], validation or (None if data else places[1])


def setting(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE, the value as in YAML."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"Expected --set KEY=VALUE, got {text!r}, e.g. --set loss=l2.")
    from ..training.recipe_file import parse_yaml

    return key.strip(), parse_yaml(value)


def set_noise(values: dict[str, Any], models: list[str] | None, sigma: str | None) -> None:
    """Put --noise and --sigma in place of the recipe's."""
    if models:
        values["noise"] = [{"model": model} for model in models]
    if sigma is not None:
        try:
            low, high = (float(bound) for bound in sigma.split(":"))
        except ValueError:
            raise InputError(f"Expected --sigma LOW:HIGH, got {sigma!r}, e.g. 0:50.") from None
        noises = values.get("noise", [{}])
        values["noise"] = [{**entry, "sigma": (low, high)} for entry in noises]


def refuse_with_task(task: object, options: Mapping[str, object]) -> None:
    """Raise InputError if options were given that only a denoiser has.

    Parameters
    ----------
    task : object
        The recipe's.
    options : mapping
        Their values by name; None for those not given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        hint = (
            " Noise on labelled images is a range of sigma: --set 'noise=[0, 25]'."
            if {"--noise", "--sigma"} & set(given)
            else ""
        )
        raise InputError(
            f"Only the training of a denoiser has {', '.join(given)}, and the recipe's task is "
            f"{task!r}. Leave {'it' if len(given) == 1 else 'them'} out.{hint}"
        )
