"""CSV files of scores, which a stopped measurement goes on with."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_dran.errors import InputError
from napari_dran.files.atomic import writing

KEYS = ("image", "sigma")
DIGITS = 6


class Table:
    """A CSV file with one row for each value of some key columns.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    keys : sequence of str
        Columns that tell rows apart.
    again : bool
        Begin anew: what the file holds is thrown away.
    """

    def __init__(self, path: Path, keys: Sequence[str] = KEYS, *, again: bool = False) -> None:
        self.path, self.keys = path, tuple(keys)
        if again:
            path.unlink(missing_ok=True)
        self.rows = {self._key(row): row for row in read(path)}

    def __contains__(self, key: tuple[object, ...]) -> bool:
        return tuple(_text(value) for value in key) in self.rows

    def begins(self, key: tuple[object, ...]) -> bool:
        """Tell whether there is a row whose first key columns are these."""
        first = tuple(_text(value) for value in key)
        return any(found[: len(first)] == first for found in self.rows)

    def add(self, row: Mapping[str, object]) -> None:
        """Append a row, or put it in place of the one of its key; write the file."""
        values = {column: _text(value) for column, value in row.items()}
        self._read_again()
        self.rows[self._key(values)] = values
        self._write(list(values))

    def remove(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Take out the rows of some keys, as they stand in the file; write it if there are any."""
        old = set(keys)
        if not old:
            return
        self._read_again()
        columns = list(next(iter(self.rows.values())))
        self.rows = {key: row for key, row in self.rows.items() if key not in old}
        self._write(columns)

    def _read_again(self) -> None:
        """Take over the rows that another process has added to the file meanwhile."""
        self.rows |= {self._key(found): found for found in read(self.path)}

    def _write(self, columns: Sequence[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with writing(self.path, overwrite=True) as temporary, temporary.open("w", newline="") as f:
            table = csv.DictWriter(f, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows.values())

    def check_weights(self, weights: str) -> None:
        """Raise InputError if rows were measured with other weights than these.

        Parameters
        ----------
        weights : str
            Their hashes, with "+" between; the column ``weights`` of a row says which
            of them made it.
        """
        cells = (row.get("weights", "") for row in self.rows.values())
        found = {part for cell in cells for part in cell.split("+")}
        if old := found - set(weights.split("+")):
            raise InputError(
                f"{self.path} was measured with the weights {', '.join(sorted(old))}, now they "
                f"are {weights}. Measure anew with --again, or rows would be of either."
            )

    def _key(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(row[key] for key in self.keys)


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _text(value: object) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
