"""Measurements of several images in one table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from napari_dran import Volume, measure
from napari_dran.analysis import columns
from napari_dran.analysis.measurements import write_tables


def table(unit: str, objects: int) -> dict[str, list[object]]:
    labels = np.zeros((8, 9), np.int32)
    for number in range(1, objects + 1):
        labels[number, 2:5] = number
    return columns(measure(Volume(labels, unit=unit)), unit)


def written(tables: dict[str, dict[str, list[object]]], path: Path) -> list[list[str]]:
    with write_tables(tables, path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_images_in_other_units_have_columns_of_their_own(tmp_path: Path) -> None:
    tables = {"none.png": table("pixel", 0), "a.nii": table("mm", 2), "b.tif": table("um", 1)}
    titles, *rows = written(tables, tmp_path / "t.csv")
    assert titles[:4] == ["file_name", "label", "name", "area (mm²)"]
    assert not [title for title in titles if "px²" in title]
    assert [row[0] for row in rows] == ["a.nii", "a.nii", "b.tif"]
    mm, um = titles.index("area (mm²)"), titles.index("area (µm²)")
    assert [(row[mm], row[um]) for row in rows] == [("3", ""), ("3", ""), ("", "3")]


def test_without_any_object_there_are_titles(tmp_path: Path) -> None:
    (titles,) = written({"a.png": table("pixel", 0)}, tmp_path / "t.csv")
    assert titles[:3] == ["file_name", "label", "name"]
