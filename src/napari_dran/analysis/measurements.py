"""Measurements of objects: how large they are, where, and how bright."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files.atomic import writing
from ..slices import COLOUR_SAMPLES
from ..volume import Volume
from .preparation import lengths

CUBIC_MM_PER_ML = 1000.0


@dataclass(frozen=True)
class Measurement:
    """One object, measured in the unit of its image; in pixels where that is "pixel".

    Parameters
    ----------
    label : int
        Its number.
    name : str
        What it is.
    time : int or None
        Time point, if there are several.
    area : float
        Of its largest cross-section with a slice, in unit^2.
    volume : float or None
        In unit^3; None for a single slice.
    diameter : float
        Of the ball of the same volume or, for an object of a single slice, of the
        circle of the same area.
    mean_intensity : float or None
        Of the image inside, channels averaged, NaN and inf left out; None without an
        image.
    score : float or None
        How sure it is, from 0 to 1.
    centre : tuple of float
        Its centre of mass, in pixels along each axis of the labels.
    """

    label: int
    name: str
    time: int | None
    area: float
    volume: float | None
    diameter: float
    mean_intensity: float | None
    score: float | None
    centre: tuple[float, ...]


def measure(
    labels: Volume,
    image: Volume | None = None,
    scores: Mapping[int, float] | None = None,
    names: str | Mapping[int, str] = "object",
    axis: str = "z",
) -> list[Measurement]:
    """Measure every object of a label image.

    Parameters
    ----------
    labels : Volume
        Integers, axes ``[t][z]yx``; 0 is background.
    image : Volume, optional
        What the mean intensity is taken from.
    scores : mapping, optional
        Label -> score.
    names : str or mapping
        What the objects are, or that by label.
    axis : {"z", "y", "x"}
        The axis that slices were cut across.

    Returns
    -------
    list of Measurement
        By time and label.
    """
    from skimage.measure import regionprops

    values = None if image is None else _channels_last(image)
    times = range(labels.shape[0]) if "t" in labels.axes else [None]
    found = []
    for time in times:
        part = np.asarray(labels.data if time is None else labels.data[time])
        its_values = values if values is None or time is None else values[time]
        for region in regionprops(part):
            label, inside = int(region.label), region.image
            area, volume, diameter = _size(inside, labels, axis)
            centre = tuple(float(place) for place in region.centroid)
            mean = None if its_values is None else _mean(its_values[region.slice][inside])
            found.append(
                Measurement(
                    label=label,
                    name=names if isinstance(names, str) else names.get(label, "object"),
                    time=time,
                    area=area,
                    volume=volume,
                    diameter=diameter,
                    mean_intensity=mean,
                    score=None if scores is None else scores.get(label),
                    centre=centre if time is None else (float(time), *centre),
                )
            )
    return found


def columns(measurements: Sequence[Measurement], unit: str) -> dict[str, list[object]]:
    """Lay measurements out as a table.

    Parameters
    ----------
    measurements : sequence of Measurement
        The rows.
    unit : str
        The image's: "mm", "um" or "pixel". Volumes in mm are given in mL.

    Returns
    -------
    dict
        Title with unit -> one entry a row; columns that would hold nothing are left out.
        Without any rows, those that are never left out.
    """
    symbol = {"um": "µm", "pixel": "px"}.get(unit, unit)
    per = CUBIC_MM_PER_ML if unit == "mm" else 1.0
    cubic = "mL" if unit == "mm" else f"{symbol}³"
    area, diameter = f"area ({symbol}²)", f"equivalent diameter ({symbol})"
    volumes = [None if m.volume is None else m.volume / per for m in measurements]
    table: dict[str, list[object]] = {
        "label": [m.label for m in measurements],
        "name": [m.name for m in measurements],
        "time": [m.time for m in measurements],
        area: [m.area for m in measurements],
        f"volume ({cubic})": list(volumes),
        diameter: [m.diameter for m in measurements],
        "mean intensity": [m.mean_intensity for m in measurements],
        "score": [m.score for m in measurements],
    }
    if measurements:
        count = len(measurements[0].centre) - (measurements[0].time is not None)
        for number in range(-count, 0):
            table[f"centre {'zyx'[number]} (px)"] = [m.centre[number] for m in measurements]
    always = ("label", "name", area, diameter)
    return {
        title: column
        for title, column in table.items()
        if title in always or any(value is not None for value in column)
    }


def write_csv(
    measurements: Sequence[Measurement], path: str | Path, unit: str, *, overwrite: bool = False
) -> Path:
    """Write measurements as a table; without any, a file with the titles alone.

    Parameters
    ----------
    measurements : sequence of Measurement
        The rows.
    path : str or Path
        The file.
    unit : str
        See :func:`columns`.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    FileWriteError
        The file cannot be written, or is there already.
    """
    return write_table(columns(measurements, unit), path, overwrite=overwrite)


def write_table(
    table: Mapping[str, Sequence[object]], path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the :func:`columns` of an image; see :func:`write_csv`."""
    rows = zip(*table.values(), strict=True)
    return _write(list(table), rows, path, overwrite=overwrite)


def write_tables(
    tables: Mapping[str, Mapping[str, Sequence[object]]],
    path: str | Path,
    *,
    overwrite: bool = False,
) -> Path:
    """Write measurements of several images as one table.

    Parameters
    ----------
    tables : mapping
        Name of the image's file, for the column "file_name" -> its :func:`columns`.
        Images may have columns of their own, as those in other units; the rest of such
        a column stays empty.
    path : str or Path
        The file.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    FileWriteError
        The file cannot be written, or is there already.
    """
    # Those without objects say nothing of which columns there are.
    filled = [table for table in tables.values() if any(table.values())] or tables.values()
    titles = list(dict.fromkeys(title for table in filled for title in table))
    rows = [
        (name, *(dict(zip(table, row, strict=True)).get(title) for title in titles))
        for name, table in tables.items()
        for row in zip(*table.values(), strict=True)
    ]
    return _write(["file_name", *titles], rows, path, overwrite=overwrite)


def _write(
    titles: Sequence[str],
    rows: Iterable[tuple[object, ...]],
    path: str | Path,
    *,
    overwrite: bool,
) -> Path:
    target = Path(path).expanduser()
    with (
        writing(target, overwrite=overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows([_rounded(value) for value in row] for row in rows)
    return target


def _rounded(value: object) -> object:
    """Write six digits, which is more than any of this is known to."""
    return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else value


def _channels_last(image: Volume) -> np.ndarray:
    """Return a view with the axes ``[t][z]yx`` and perhaps channels, without alpha."""
    data = np.asarray(image.data)
    if image.rgb:
        return data[..., :COLOUR_SAMPLES]
    return np.moveaxis(data, 0, -1) if image.axes[0] == "c" else data


def _mean(values: np.ndarray) -> float | None:
    """Average what is finite; None if nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if finite.size else None


def _size(inside: np.ndarray, labels: Volume, axis: str) -> tuple[float, float | None, float]:
    """Return largest cross-section, volume of a stack, and diameter of an object."""
    letters, spacing = labels.spatial_axes, lengths(labels)
    if "z" not in letters:
        area = float(inside.sum()) * math.prod(spacing)
        return area, None, _circle(area)
    number = letters.index(axis)
    counts = inside.sum(tuple(n for n in range(inside.ndim) if n != number))
    area = float(counts.max()) * math.prod(s for n, s in enumerate(spacing) if n != number)
    volume = float(inside.sum()) * math.prod(spacing)
    # In a single slice, how far an object reaches is not known, only how wide it is.
    flat = np.count_nonzero(counts) == 1
    return area, volume, _circle(area) if flat else (6 * volume / math.pi) ** (1 / 3)


def _circle(area: float) -> float:
    return 2 * math.sqrt(area / math.pi)
