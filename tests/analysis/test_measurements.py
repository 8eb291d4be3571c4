"""Measurements: analytic bodies, and what scikit-image measures."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label, regionprops

from napari_dran import OutputExistsError, Volume, read_volume
from napari_dran.analysis import columns, measure, write_csv

from .conftest import blobs


def affine(spacing: tuple[float, ...]) -> np.ndarray:
    return np.diag([*(1.0,) * (3 - len(spacing)), *spacing, 1.0])


def ellipsoid(shape: tuple[int, ...], spacing: tuple[float, ...], radius: float) -> np.ndarray:
    """Draw what is a ball in the world, in the middle of the image."""
    places = np.indices(shape).astype(float)
    middle = [(n - 1) / 2 for n in shape]
    squares = [((p - m) * s) ** 2 for p, m, s in zip(places, middle, spacing, strict=True)]
    return (sum(squares) <= radius**2).astype(np.int32)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 0.5, 0.7), (0.4, 1.0, 1.6)])
@pytest.mark.parametrize("axis", "zyx")
def test_a_ball(spacing, axis) -> None:
    radius = 16.0
    shape = tuple(int(2 * radius / s) + 6 for s in spacing)
    ball = Volume(ellipsoid(shape, spacing, radius), "zyx", affine(spacing), "mm")
    (found,) = measure(ball, axis=axis)
    assert found.volume == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert found.area == pytest.approx(math.pi * radius**2, rel=0.02)
    assert found.diameter == pytest.approx(2 * radius, rel=0.01)
    np.testing.assert_allclose(found.centre, [(n - 1) / 2 for n in shape], atol=1e-9)
    # In a turned scan as well.
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    turned = Volume(ball.data, "zyx", turn @ affine(spacing), "mm")
    (again,) = measure(turned, axis=axis)
    assert again.volume == pytest.approx(found.volume)


@pytest.mark.parametrize("spacing", [(1, 1), (0.3, 0.8)])
def test_a_disc(spacing) -> None:
    disc = ellipsoid((150, 120), spacing, 14)
    (found,) = measure(Volume(disc, "yx", affine(spacing), "um"))
    assert found.area == pytest.approx(math.pi * 14**2, rel=0.02)
    assert found.volume is None
    assert found.diameter == pytest.approx(28, rel=0.01)
    np.testing.assert_allclose(found.centre, (74.5, 59.5))


def test_an_object_of_one_slice_is_as_wide_as_its_circle() -> None:
    labels = np.zeros((5, 40, 40), np.int32)
    labels[2] = ellipsoid((40, 40), (1, 1), 15)
    (found,) = measure(Volume(labels, "zyx", affine((6, 1, 1)), "mm"))
    assert found.diameter == pytest.approx(30, rel=0.01)
    assert found.volume == pytest.approx(6 * found.area)


def test_without_a_unit_pixels_are_counted() -> None:
    labels = np.zeros((5, 9, 9), np.int32)
    labels[1:3, 2:5, 2:6] = 4
    (found,) = measure(Volume(labels, "zyx", affine((6, 0.1, 0.1)), "pixel"))
    assert (found.label, found.area, found.volume) == (4, 12, 24)


@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx"])
def test_the_same_as_scikit_image(axes) -> None:
    shape = (2, 8, 30, 31)
    image = blobs(*([shape["tzyx".index(letter)] for letter in axes]))
    labels = label(image > 500).astype(np.int32)
    if axes[0] == "t":
        labels = np.stack([label(part > 500) for part in image]).astype(np.int32)
    spacing = (2.0, 0.5, 0.7)[-(3 if "z" in axes else 2) :]
    scores = {number: number / 1000 for number in range(1, labels.max() + 1)}
    found = measure(
        Volume(labels, axes, affine(spacing), "mm"), Volume(image, axes), scores, {1: "first"}
    )
    expected = [
        (time, region)
        for time in (range(2) if axes[0] == "t" else [None])
        for region in regionprops(
            labels if time is None else labels[time],
            image if time is None else image[time],
            spacing=spacing,
        )
    ]
    assert len(found) == len(expected)
    for one, (time, region) in zip(found, expected, strict=True):
        assert (one.time, one.label) == (time, region.label)
        assert one.name == ("first" if one.label == 1 else "object")
        assert one.score == one.label / 1000
        assert (one.volume if "z" in axes else one.area) == pytest.approx(region.area)
        assert one.mean_intensity == pytest.approx(region.intensity_mean)
        place = np.array(one.centre)[-len(spacing) :] * spacing
        np.testing.assert_allclose(place, region.centroid)
        assert len(one.centre) == len(axes)


@pytest.mark.parametrize("axes", ["yxs", "cyx", "zyxs", "czyx"])
def test_channels_are_averaged_without_alpha(axes) -> None:
    shape = {"c": 3, "z": 3, "y": 12, "x": 13, "s": 4}
    image = np.random.default_rng(0).random([shape[letter] for letter in axes])
    grey = image[..., :3].mean(-1) if axes[-1] == "s" else image.mean(0)
    labels = (grey > 0.5).astype(np.int32)
    (found,) = measure(Volume(labels, axes.strip("cs")), Volume(image, axes))
    assert found.mean_intensity == pytest.approx(grey[labels > 0].mean())


def test_values_that_are_none_have_no_part_in_the_mean() -> None:
    image = np.array([[1.0, np.nan, 3.0, np.inf, np.nan]])
    labels = np.array([[1, 1, 1, 1, 2]], np.int32)
    first, second = measure(Volume(labels, "yx"), Volume(image, "yx"))
    assert first.mean_intensity == 2
    assert second.mean_intensity is None


def test_large_integers_do_not_wrap() -> None:
    labels = np.ones((300, 300), np.int32)
    (found,) = measure(Volume(labels), Volume(np.full((300, 300), 65535, "u2")))
    assert found.mean_intensity == 65535


# ---- tables


def test_columns_say_their_unit() -> None:
    labels = np.zeros((2, 5, 9, 9), np.int32)
    labels[0, 1:3, 2:5, 2:6], labels[1, 1, 1, 1] = 1, 2
    found = measure(Volume(labels, "tzyx", affine((5, 1, 2)), "mm"))
    table = columns(found, "mm")
    assert list(table) == [
        "label", "name", "time", "area (mm²)", "volume (mL)", "equivalent diameter (mm)",
        "centre z (px)", "centre y (px)", "centre x (px)",
    ]  # fmt: skip
    assert table["time"] == [0, 1]
    assert table["volume (mL)"] == [0.24, 0.01]
    assert table["centre z (px)"] == [1.5, 1]
    assert "volume (µm³)" in columns(found, "um")
    assert "area (px²)" in columns(found, "pixel")


def test_columns_of_slices_over_time() -> None:
    labels = np.zeros((2, 9, 9), np.int32)
    labels[1, 3, 4] = 1
    table = columns(measure(Volume(labels, "tyx")), "pixel")
    assert (table["centre y (px)"], table["centre x (px)"]) == ([3], [4])
    assert "centre z (px)" not in table
    assert "volume (px³)" not in table


def test_csv(tmp_path: Path) -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[2:5, 2:5] = 3
    found = measure(Volume(labels), names="nucleus", scores={3: 2 / 3})
    path = write_csv(found, tmp_path / "table.csv", "pixel")
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "label": "3", "name": "nucleus", "area (px²)": "9", "score": "0.666667",
        "equivalent diameter (px)": "3.38514", "centre y (px)": "3", "centre x (px)": "3",
    }  # fmt: skip
    with pytest.raises(OutputExistsError):
        write_csv(found, path, "pixel")
    write_csv([], path, "mm", overwrite=True)
    titles = "label,name,area (mm²),equivalent diameter (mm)\n"
    assert path.read_text(encoding="utf-8") == titles


@pytest.mark.corpus
def test_real_nuclei(corpus: Path) -> None:
    folder = corpus / "dsb2018" / "test"
    path = sorted((folder / "labels").iterdir())[0]
    values = np.squeeze(np.asarray(read_volume(path).data)).astype(np.int32)
    image = read_volume(folder / "images" / path.name)
    found = measure(
        Volume(values),
        Volume(np.squeeze(np.asarray(image.data)), image.axes[-3:] if image.rgb else "yx"),
    )
    assert sum(one.area for one in found) == np.count_nonzero(values)
    assert [one.label for one in found] == np.unique(values)[1:].tolist()
