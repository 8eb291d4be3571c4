"""Tables of what networks find on noisy and denoised images, from their CSV files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import markdown
from . import methods as known
from .analysis_scores import CLEAN, NOISY
from .precision import Matches, weighted_precision
from .rows import read
from .statistics import RESAMPLES, Interval, grouped

Row = Mapping[str, str]
Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps weights (n, images) to n values."""

CLEAN_TITLE = "clean"
SMALLEST_LOSS = 0.02
"""What noise takes away has to be more than this for a share of it to be told."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
        Its head.
    score : callable
        Maps rows to the statistic that stands there.
    digits : int
        After the point.
    interval : bool
        Whether its interval is shown, too.
    only : callable
        Which rows count.
    resamples : int
        Of the bootstrap.
    """

    title: str
    score: Callable[[Sequence[Row]], Statistic]
    digits: int = 3
    interval: bool = False
    only: Callable[[Row], bool] = lambda row: True
    resamples: int = RESAMPLES


def mean_of(column: str, transform: Callable[[str], float] = float) -> Callable[..., Statistic]:
    """Return the mean of a column as a score."""

    def score(rows: Sequence[Row]) -> Statistic:
        values = np.array([transform(row[column]) for row in rows])
        return lambda weights: np.asarray(weights @ values / weights.sum(1))

    return score


def precision_of(column: str, threshold: int | None = None) -> Callable[..., Statistic]:
    """Return the average precision as a score: at one threshold, or the mean over all."""

    def score(rows: Sequence[Row]) -> Statistic:
        matches = [Matches.of_text(row[column], int(row["objects"])) for row in rows]
        return lambda weights: weighted_precision(matches, weights, threshold)

    return score


@dataclass(frozen=True)
class Measured:
    """The rows of an experiment: (method, network, sigma) -> image -> row.

    Parameters
    ----------
    rows : mapping
        As said.
    """

    rows: Mapping[tuple[str, str, float], Mapping[str, Row]]

    @classmethod
    def read(cls, folder: Path) -> Measured:
        """Read the CSV files of an experiment, methods in their order."""
        found: dict[tuple[str, str, float], dict[str, Row]] = {}
        for name in known.METHODS:
            for row in read(folder / f"{name}.csv"):
                key = name, row["network"], float(row["sigma"])
                found.setdefault(key, {})[row["image"]] = row
        return cls(found)

    def sigmas(self) -> list[float]:
        """Return the levels of noise, those of clean images left out."""
        return sorted({sigma for _, _, sigma in self.rows if sigma != CLEAN})

    def methods(self, network: str, sigma: float) -> list[str]:
        """Return the methods that were measured at a level, in the tables' order."""
        return [name for name in known.METHODS if (name, network, sigma) in self.rows]

    def together(
        self, *keys: tuple[str, str, float], only: Callable[[Row], bool] = lambda row: True
    ) -> list[list[Row]]:
        """Return the rows of some cells for the images that all of them have."""
        cells = [self.rows.get(key, {}) for key in keys]
        images = [name for name, row in cells[0].items() if only(row)]
        common = sorted(name for name in images if all(name in cell for cell in cells))
        return [[cell[name] for name in common] for cell in cells]

    def value(self, column: Column, name: str, network: str, sigma: float) -> Interval | None:
        """Return a score of a cell; None if it is not measured."""
        (rows,) = self.together((name, network, sigma), only=column.only)
        return _grouped(column, column.score(rows), rows) if rows else None

    def recovered(self, column: Column, name: str, network: str, sigma: float) -> Interval | None:
        """Return the share of what noise takes away that a method brings back.

        (method - noisy) / (clean - noisy), all on the images that the method was
        measured on. None if it is not measured, or if noise takes hardly anything.
        """
        keys = [(name, network, sigma), (NOISY, network, sigma), (NOISY, network, CLEAN)]
        parts = self.together(*keys, only=column.only)
        if name == NOISY or not parts[0]:
            return None
        found, noisy, clean = (column.score(rows) for rows in parts)
        every = np.ones((1, len(parts[0])))
        if float(clean(every)[0] - noisy(every)[0]) < SMALLEST_LOSS:
            return None

        def share(weights: np.ndarray) -> np.ndarray:
            lost = clean(weights) - noisy(weights)
            with np.errstate(divide="ignore", invalid="ignore"):
                gained: np.ndarray = (found(weights) - noisy(weights)) / lost
            return np.where(lost > 0, gained, np.nan)

        return _grouped(column, share, parts[0])

    def across(
        self, column: Column, one: tuple[str, str, float], other: tuple[str, str, float]
    ) -> Interval | None:
        """Return a cell's score minus another's on the images of both."""
        parts = self.together(one, other, only=column.only)
        if not parts[0]:
            return None
        better, worse = (column.score(rows) for rows in parts)
        return _grouped(column, lambda w: better(w) - worse(w), parts[0])

    def difference(
        self, column: Column, name: str, other: str, network: str, sigma: float
    ) -> Interval | None:
        """Return how much better one method is than another on the images of both."""
        return self.across(column, (name, network, sigma), (other, network, sigma))


def scores_table(
    measured: Measured, network: str, sigma: float, columns: Sequence[Column], unit: str
) -> str:
    """Methods down, scores across; then the share of the first score that came back.

    Parameters
    ----------
    measured : Measured
        The rows.
    network : str
        Which network.
    sigma : float
        Which level of noise.
    columns : sequence of Column
        The scores.
    unit : str
        What is counted: "slices".
    """
    cells = [(CLEAN_TITLE, NOISY, CLEAN)]
    cells += [(known.title(n), n, sigma) for n in measured.methods(network, sigma)]
    rows = []
    for title, name, level in cells:
        found = [measured.value(column, name, network, level) for column in columns]
        if not any(found):
            continue
        count = len(measured.rows[name, network, level])
        share = measured.recovered(columns[0], name, network, level) if level else None
        texts = [_text(value, column) for value, column in zip(found, columns, strict=True)]
        rows.append([title, str(count), *texts, percent(share, columns[0]) if share else ""])
    first = columns[0].title
    header = [f"sigma {sigma:g}", unit, *(column.title for column in columns)]
    return markdown.table([*header, f"lost {first} recovered"], rows)


def percent(share: Interval, column: Column) -> str:
    """Write a share in per cent, with its interval if the column has one."""
    text = f"{round(100 * share.mean)} %"
    return (
        f"{text} [{round(100 * share.low)}, {round(100 * share.high)}]" if column.interval else text
    )


def _text(value: Interval | None, column: Column) -> str:
    if value is None:
        return ""
    if column.interval:
        return markdown.with_interval(value, column.digits)
    return f"{value.mean:.{column.digits}f}"


def _grouped(column: Column, statistic: Statistic, rows: Sequence[Row]) -> Interval:
    groups = [row["group"] for row in rows]
    return grouped(statistic, groups, resamples=column.resamples if column.interval else 0)
