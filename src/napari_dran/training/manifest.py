"""The table beside a folder's images: where they come from, and whose they are."""

from __future__ import annotations

import csv
from pathlib import Path

from ..errors import InputError

MANIFEST = "manifest.csv"


def read_manifest(folder: str | Path) -> list[dict[str, str]]:
    """Read the table of a folder's images; a folder without one has no rows.

    Returns
    -------
    list of dict
        Column -> cell; cells that a row lacks are empty.

    Raises
    ------
    InputError
        It is no table in UTF-8.
    """
    path = Path(folder).expanduser() / MANIFEST
    if not path.is_file():
        return []
    try:
        # Spreadsheets put a mark before the first column's name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            # And where decimals have a comma, they part columns by semicolons.
            delimiter = ";" if ";" in header and "," not in header else ","
            return list(csv.DictReader(file, restval="", delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Could not read {path}: {error}. Expected a table with commas, in UTF-8."
        ) from error


def corpus_sources(folder: str | Path) -> dict[str, str]:
    """Map each source of a folder's manifest to its licence, for a weights card.

    A folder without a manifest is its own source.
    """
    rows = read_manifest(folder)
    if rows and {"source", "licence"} <= set(rows[0]):
        return {row["source"]: row["licence"] or "not stated" for row in rows if row["source"]}
    return {f"folder {Path(folder).resolve().name}": "not stated"}
