"""Configurations of MONAI bundles, read without running what they say.

MONAI itself builds whatever class a configuration names and evaluates every text that
starts with "$" as Python. Here only literal values are taken, and names of other ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import FileReadError, MissingPackageError, WeightsError

TARGET = "_target_"
EXPRESSION = "$"
REFERENCE = re.compile(r"[@%](\w+(?:(?:#|::)\w+)*)")
"""The name of another value; older bundles write "#" between the parts."""
PARTS = re.compile(r"#|::")
REMARKS = {"_desc_"}
CONTROLS = {"_mode_", "_requires_", "_disabled_"}
"""Keys that change how, or whether, MONAI builds something."""


class Config:
    """A configuration file.

    Parameters
    ----------
    path : Path
        JSON or YAML.

    Raises
    ------
    WeightsError
        It is neither, or holds no names with values.
    FileReadError
        It cannot be read.
    MissingPackageError
        YAML needs PyYAML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            values = _parse(path)
        except (OSError, UnicodeDecodeError) as error:
            raise FileReadError(f"Could not read {path}: {error}.") from error
        if not isinstance(values, dict):
            raise WeightsError(f"{path} is no configuration: expected names with values.")
        self.values: dict[str, Any] = values

    def get(self, name: str) -> Any:
        """Return a value as it is written, None if there is none.

        Parameters
        ----------
        name : str
            Parts are joined with "::".
        """
        found: Any = self.values
        for part in PARTS.split(name):
            if isinstance(found, Mapping):
                found = found.get(part)
            elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        return found

    def follow(self, value: Any) -> Any:
        """Return what a name of another value stands for; all else as it is.

        Raises
        ------
        WeightsError
            There is no such value, or it leads back to itself.
        """
        seen: list[str] = []
        while isinstance(value, str) and (match := REFERENCE.fullmatch(value)):
            if value in seen or self.get(match[1]) is None:
                raise WeightsError(
                    f"{self.path} refers to {value!r}, which it does not define"
                    f"{' but by itself' if value in seen else ''}. Write the value in its place."
                )
            seen.append(value)
            value = self.get(match[1])
        return value

    def literal(self, value: Any, what: str, depth: int = 0) -> Any:
        """Return a value in which everything is literal.

        Parameters
        ----------
        value : object
            As it is written.
        what : str
            What it is, for errors.
        depth : int
            How deep it is nested, to stop where values contain themselves.

        Raises
        ------
        WeightsError
            It holds an expression or something to build, both of which are programs.
        """
        value = self.follow(value)
        if isinstance(value, str) and value.startswith(EXPRESSION):
            raise WeightsError(
                f"{what} in {self.path} is the expression {value!r}, and finding its value would "
                "run it as a program. Write the value itself in its place, and import again."
            )
        if isinstance(value, str) and value[:1] in "@%" and value:
            raise WeightsError(
                f"{what} in {self.path} refers to {value!r}, which is not followed. Write the "
                "value itself in its place, and import again."
            )
        if depth > 20:
            raise WeightsError(f"{what} in {self.path} contains itself.")
        if isinstance(value, list):
            return [self.literal(entry, what, depth + 1) for entry in value]
        if isinstance(value, Mapping):
            if forbidden := (CONTROLS | {TARGET}) & value.keys():
                raise WeightsError(
                    f"{what} in {self.path} has {min(forbidden)!r} "
                    f"({value[min(forbidden)]!r}), which says what to build. Only plain values are "
                    "taken; write one in its place, and import again."
                )
            return {
                str(key): self.literal(entry, f"{what}, {key}", depth + 1)
                for key, entry in value.items()
                if key not in REMARKS
            }
        return value

    def arguments(self, built: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Return the literal arguments of something that the configuration builds.

        Raises
        ------
        WeightsError
            One of them is none.
        """
        plain = {key: value for key, value in built.items() if key != TARGET}
        result: dict[str, Any] = self.literal(plain, what)
        return result


def _parse(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"{path} is not JSON: {error}.") from error
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError(
            f"Reading {path.name} needs PyYAML. Install it with: pip install PyYAML."
        ) from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise WeightsError(f"{path} is not YAML: {error}.") from error
