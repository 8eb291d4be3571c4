"""A recipe from a file and from options that override it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError

WITH_EXPORT = ("export_run", "output", "name", "licence", "overwrite", "quiet")
"""Parameters of ``train`` that matter where nothing is trained."""


def recipe_file(
    config: Path | None, data: Path | None, validation: Path | None
) -> tuple[dict[str, Any], Path | None, Path | None]:
    """Read a recipe and its two folders, which are relative to it."""
    if config is None:
        return {}, data, validation
    from ..training.recipe_file import read_recipe

    values = read_recipe(config)
    places = [_folder(config, key, values.pop(key, None)) for key in ("data", "validation")]
    # A recipe's validation images belong to its own data.
    return values, data or places[0], validation or (None if data else places[1])


def _folder(config: Path, key: str, value: object) -> Path | None:
    if isinstance(value, list | dict):
        raise InputError(
            f"The recipe's {key} cannot be {value!r}. Expected a folder, e.g. {key}: ~/scans."
        )
    return None if value is None else config.parent / Path(str(value)).expanduser()


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
        # What is no list of models the recipe's checks refuse, with an example.
        if isinstance(noises, list):
            values["noise"] = [
                {**entry, "sigma": (low, high)} if isinstance(entry, Mapping) else entry
                for entry in noises
            ]


def refuse_with_export(context: typer.Context) -> None:
    """Raise InputError if images or options were given although nothing is trained."""
    given = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in WITH_EXPORT or source is None or source.name != "COMMANDLINE":
            continue
        option = parameter.param_type_name == "option"
        given.append(parameter.opts[0] if option else str(parameter.name).upper())
    if given:
        raise InputError(
            f"With --export nothing is trained, so {', '.join(given)} would do nothing. Leave "
            f"{'it' if len(given) == 1 else 'them'} out, or train without --export."
        )


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
