"""Looking up the attributes of one frame, wherever a DICOM file keeps them."""

from __future__ import annotations

import math
from typing import Any


class Attributes:
    """Looks attributes of one frame up, from the most specific place to the top."""

    def __init__(self, header: Any, number: int) -> None:
        self.header = header
        per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
        shared = header.get("SharedFunctionalGroupsSequence") or []
        self.groups = [*per_frame[number : number + 1], *shared[:1]]

    def get(self, keyword: str, sequence: str = "") -> Any:
        """Return an attribute, or None if it is missing or empty."""
        for group in self.groups:
            items = group.get(sequence) if sequence else None
            value = items[0].get(keyword) if items else None
            if value is not None and value != "":
                return value
        value = self.header.get(keyword)
        return None if value == "" else value

    def number(self, keyword: str, sequence: str = "") -> float | None:
        """Return an attribute as a finite number, or None."""
        values = self.numbers(keyword, sequence)
        return values[0] if values else None

    def numbers(self, keyword: str, sequence: str = "") -> list[float]:
        """Return an attribute's values as finite numbers, [] if any is not one."""
        value = self.get(keyword, sequence)
        if value is None:
            return []
        values = [value] if isinstance(value, str | int | float) else list(value)
        try:
            numbers = [float(v) for v in values]
        except (TypeError, ValueError):
            return []
        return numbers if all(math.isfinite(n) for n in numbers) else []
