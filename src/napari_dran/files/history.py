"""What was done to a volume, as text for a header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..volume import Volume

KEY = "napari-dran"
"""Name of the header entry, in formats whose entries have names."""


def as_text(volume: Volume, earlier: str = "") -> str:
    """Return all of the volume's history as one line of JSON, or an empty text.

    Parameters
    ----------
    volume : Volume
        The volume.
    earlier : str
        What an earlier call wrote into the file that the volume came from.
    """
    entries: list[Any] = []
    if earlier:
        try:
            found = json.loads(earlier)
        except ValueError:
            found = earlier
        entries += found if isinstance(found, list) else [found]
    entries += [dict(entry) for entry in volume.history]
    if not entries:
        return ""
    return json.dumps(entries[0] if len(entries) == 1 else entries, default=str)


def short_texts(entry: Mapping[str, Any]) -> list[str]:
    """Return one step in ever fewer words, for headers with little room."""
    name = f"{entry.get('software', KEY)} {entry.get('version', '')}".strip()
    words = [name]
    if entry.get("weights"):
        words.append(str(entry["weights"]))
        if isinstance(entry.get("strength"), int | float):
            words.append(f"strength {entry['strength']:g}")
        if entry.get("ensemble", 1) != 1:
            words.append(f"ensemble {entry['ensemble']}")
    return [" ".join(words[:n]) for n in range(len(words), 0, -1)]
