"""Tables that compare methods over groups of images, from their CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_dran.training.evaluation import CATEGORIES

from . import markdown
from .images import NUCLEI
from .methods import METHODS
from .rows import read
from .statistics import Interval, interval, paired

COLUMNS = {**CATEGORIES, NUCLEI: (NUCLEI,)}
"""Columns of the tables -> modalities in them."""

DIGITS = {"psnr": 2, "ssim": 3}
TITLES = {"psnr": "PSNR in dB", "ssim": "SSIM"}


@dataclass(frozen=True)
class Scores:
    """PSNR in dB and SSIM of some methods on the same noisy images.

    Parameters
    ----------
    by_method : mapping
        Method -> (image, sigma) -> row of its CSV file.
    """

    by_method: Mapping[str, Mapping[tuple[str, float], Mapping[str, str]]]

    @classmethod
    def read(cls, folder: Path, names: Iterable[str] | None = None) -> Scores:
        """Read the CSV files of a folder, known methods first and in their order."""
        known = list(METHODS if names is None else names)
        others = sorted(path.stem for path in folder.glob("*.csv") if path.stem not in known)
        found = {}
        for name in [*known, *(others if names is None else [])]:
            if rows := read(folder / f"{name}.csv"):
                found[name] = {(row["image"], float(row["sigma"])): row for row in rows}
        return cls(found)

    @property
    def sigmas(self) -> list[float]:
        """Every noise level that was measured."""
        return sorted({sigma for rows in self.by_method.values() for _, sigma in rows})

    @property
    def modalities(self) -> list[str]:
        """Every modality, those of a category side by side."""
        found = {row["modality"] for rows in self.by_method.values() for row in rows.values()}
        order = [member for members in COLUMNS.values() for member in members]
        return sorted(found, key=lambda name: order.index(name) if name in order else len(order))

    def images(self, members: Sequence[str], sigma: float) -> list[str]:
        """Return the images of some modalities that any method was measured on."""
        every = (rows.items() for rows in self.by_method.values())
        keys = (key for rows in every for key, row in rows if row["modality"] in members)
        return sorted({image for image, level in keys if level == sigma})

    def values(self, name: str, members: Sequence[str], sigma: float, score: str) -> list[float]:
        """Return a method's scores, by image; none if some image is still to be measured."""
        rows = self.by_method.get(name, {})
        images = self.images(members, sigma)
        if any((image, sigma) not in rows for image in images):
            return []
        return [float(rows[image, sigma][score]) for image in images]

    def interval(
        self, name: str, members: Sequence[str], sigma: float, score: str
    ) -> Interval | None:
        """Return a method's mean and interval; None if it is not measured."""
        values = self.values(name, members, sigma, score)
        return interval(values) if values else None

    def difference(
        self, name: str, other: str, members: Sequence[str], sigma: float, score: str
    ) -> Interval | None:
        """Return how much better one method is than another; None if either is missing."""
        pair = [self.values(method, members, sigma, score) for method in (name, other)]
        return paired(*pair) if all(pair) else None


def means_table(scores: Scores, sigma: float, titles: Mapping[str, str]) -> str:
    """Methods down, categories across, "PSNR / SSIM"; the best of each column is bold."""
    columns = {key: members for key, members in COLUMNS.items() if scores.images(members, sigma)}
    means = {
        (name, column, score): float(np.mean(values))
        for name in scores.by_method
        for column, members in columns.items()
        for score in DIGITS
        if (values := scores.values(name, members, sigma, score))
    }

    def cell(name: str, column: str, score: str) -> str:
        if (name, column, score) not in means:
            return ""
        text = f"{means[name, column, score]:.{DIGITS[score]}f}"
        keys = [(other, column, score) for other in scores.by_method]
        rivals = [f"{means[key]:.{DIGITS[score]}f}" for key in keys if key in means]
        return f"**{text}**" if len(rivals) > 1 and text == max(rivals, key=float) else text

    counts = [f"{key} ({len(scores.images(columns[key], sigma))})" for key in columns]
    rows = []
    for name in scores.by_method:
        cells = [[cell(name, column, score) for score in DIGITS] for column in columns]
        if any(any(pair) for pair in cells):
            rows.append([titles.get(name, name), *(" / ".join(filter(None, c)) for c in cells)])
    return markdown.table([f"sigma {sigma:g}: PSNR in dB / SSIM", *counts], rows)


def modalities_table(scores: Scores, sigma: float, score: str, titles: Mapping[str, str]) -> str:
    """Modalities down, methods across, with intervals."""
    rows = []
    for modality in scores.modalities:
        found = [scores.interval(name, [modality], sigma, score) for name in scores.by_method]
        cells = [markdown.with_interval(i, DIGITS[score]) if i else "" for i in found]
        rows.append([modality, *cells])
    header = [titles.get(name, name) for name in scores.by_method]
    return markdown.table([f"sigma {sigma:g}: {TITLES[score]}", *header], rows)


def differences_table(
    scores: Scores, name: str, others: Sequence[str], score: str, titles: Mapping[str, str]
) -> str:
    """How much better one method is than others: others and sigma down, categories across."""
    columns = {key: m for key, m in COLUMNS.items() if set(m) & set(scores.modalities)}
    rows = []
    for other in others:
        for sigma in scores.sigmas:
            found = [scores.difference(name, other, m, sigma, score) for m in columns.values()]
            if any(found):
                digits = DIGITS[score]
                cells = [markdown.with_interval(i, digits, signed=True) if i else "" for i in found]
                rows.append([titles.get(other, other), f"{sigma:g}", *cells])
    heading = f"{TITLES[score]}: {titles.get(name, name)}, minus"
    return markdown.table([heading, "sigma", *columns], rows) if rows else ""
