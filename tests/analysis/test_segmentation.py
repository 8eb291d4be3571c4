"""Segmentation: labels lie where the image is bright, whatever the image is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label

from napari_dran import InputError, Volume, read_volume
from napari_dran.analysis.segmentation import LARGEST_SIDE
from napari_dran.intensity import choose_window

from .conftest import SEQUENCES, blobs

WINDOW = (0, 1000)
SHAPES = {
    "yx": (30, 33),
    "zyx": (9, 30, 33),
    "tyx": (3, 30, 33),
    "tzyx": (2, 9, 12, 13),
    "cyx": (1, 30, 33),
    "yxs": (30, 33, 3),
    "zyxs": (9, 10, 33, 4),
}
OBLIQUE = np.array([[2.0, 0, 0.1, 5], [0, 0.5, 0, -7], [-0.2, 0, 0.7, 3], [0, 0, 0, 1]])


def numbered(mask: np.ndarray, axes: str) -> np.ndarray:
    """Number what is connected, on over the time points."""
    last, parts = 0, []
    for part in mask if "t" in axes else [mask]:
        found = label(part, connectivity=part.ndim)
        parts.append(np.where(found > 0, found + last, 0))
        last += int(found.max())
    return np.stack(parts) if "t" in axes else parts[0]


# ---- what is bright is found


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
@pytest.mark.parametrize(
    ("axes", "axis"),
    [
        ("yx", 0), ("zyx", 0), ("zyx", 1), ("zyx", "x"), ("tyx", 0), ("tzyx", "z"),
        ("tzyx", "coronal"), ("tzyx", "sagittal"), ("cyx", 0), ("yxs", 0), ("zyxs", 0),
        ("zyxs", 1), ("zyxs", 2),
    ],
)  # fmt: skip
def test_labels_are_what_is_bright(bright, axes, axis, dtype) -> None:
    high = 250 if dtype == "u1" else 1000
    image = blobs(*SHAPES[axes], dtype=dtype, high=high)
    found = bright().run(image, axes=axes, axis=axis, window=(0, high))
    plain = axes.strip("cs")
    grey = image[0] if axes[0] == "c" else image[..., :3] if axes[-1] == "s" else image
    grey = grey.astype("f8").mean(-1) if axes[-1] == "s" else grey
    assert found.labels.axes == found.probability.axes == plain
    assert (found.labels.dtype, found.probability.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(found.labels.data, numbered(grey > high / 2, plain))
    np.testing.assert_array_equal(found.probability.data >= 0.5, grey > high / 2)
    assert list(found.scores) == list(range(1, found.labels.data.max() + 1))
    assert found.count == len(found.scores) > 0
    assert all(0.5 <= score <= 1 for score in found.scores.values())
    assert set(found.names.values()) == {"tumour"}


def test_hounsfield_units(bright) -> None:
    image = blobs(9, 20, 21, low=-1000, high=500)
    found = bright().run(image, window="-300:300", axis="y")
    np.testing.assert_array_equal(found.labels.data > 0, image > 0)


def test_the_place_stays(bright) -> None:
    volume = Volume(
        blobs(9, 20, 21, dtype="u2"), affine=OBLIQUE, unit="mm", name="scan",
        history=({"operation": "before"},),
    )  # fmt: skip
    found = bright().run(volume, axis=2)
    for result in (found.labels, found.probability):
        np.testing.assert_array_equal(result.affine, OBLIQUE)
        assert (result.unit, result.name) == ("mm", "scan")
        assert [entry["operation"] for entry in result.history] == ["before", "segment"]
    assert found.image is not volume
    assert found.image.data is volume.data
    assert found.axis == "x"


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["FLAIR.nrrd", "stroke_T1.nii.gz"])
def test_real_scans(bright, corpus: Path, name: str) -> None:
    volume = read_volume(corpus / "volumes" / name)
    middle = volume.shape[0] // 2
    part = Volume(np.asarray(volume.data)[middle : middle + 12])
    segmenter = bright(inputs=SEQUENCES, copied=1)
    found = segmenter.run(part, window="percentile")
    window = choose_window(part.data)
    np.testing.assert_array_equal(found.labels.data > 0, part.data > (window.low + window.high) / 2)
    assert "FLAIR" in found.notes[0]
    assert all(
        image.min() >= -0.5 and image.max() <= 1.5 for image in segmenter._runner._network.seen
    )


@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize("size", [(64, 48), (40, 64)])
def test_slices_are_brought_to_the_networks_size(bright, factor, size) -> None:
    image = np.zeros(size, "f4")
    image[8:24, 20:36] = 1000
    segmenter = bright(side=int(64 * factor))
    found = segmenter.run(image, window=WINDOW)
    (shown,) = segmenter._runner._network.seen
    assert shown.shape[-2:] == tuple(int(side * factor) for side in size)
    # The edge of the square may shift by half a pixel of the smaller image.
    wrong = (found.labels.data > 0) != (image > 500)
    assert wrong.sum() <= (0 if factor > 1 else 4)


@pytest.mark.parametrize(
    ("over", "window", "count"), [(0, LARGEST_SIDE, 1), (1, 672, 2), (LARGEST_SIDE, 928, 3)]
)
def test_large_slices_are_seen_in_even_windows(bright, over, window, count) -> None:
    image = blobs(20, LARGEST_SIDE + over)
    segmenter = bright()
    found = segmenter.run(image, window=WINDOW)
    np.testing.assert_array_equal(found.labels.data > 0, image > 500)
    shown = segmenter._runner._network.seen
    assert [image.shape for image in shown] == [(1, 3, 20, window)] * count


# ---- options


@pytest.mark.parametrize(("threshold", "share"), [(0, 1), (0.3, 0.5), (1, 0.25)])
def test_thresholds(bright, threshold, share) -> None:
    image = np.repeat([0.0, 200, 499.9605, 1000], 10)[None] * np.ones((16, 1))
    found = bright().run(image, window=WINDOW, threshold=threshold)
    assert found.probability.data[0, 25] == pytest.approx(0.4025, abs=0.01)
    assert (found.labels.data > 0).mean() == share


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_thresholds_that_cannot_be(bright, value) -> None:
    with pytest.raises(InputError, match="threshold from 0 to 1"):
        bright().run(blobs(20, 20), threshold=value)
    with pytest.raises(InputError, match="size of 0 or more"):
        bright().run(blobs(20, 20), minimum_size=-1 if value == value else value)


@pytest.mark.parametrize(
    ("unit", "minimum", "stays"),
    [("mm", 6.0, True), ("mm", 6.1, False), ("pixel", 48, True), ("pixel", 49, False)],
)
def test_the_least_volume_is_in_the_images_unit(bright, unit, minimum, stays) -> None:
    image = np.zeros((6, 20, 20), "u2")
    image[1:4, 2:6, 2:6] = 1000
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    found = bright().run(Volume(image, "zyx", affine, unit), minimum_size=minimum, window=WINDOW)
    assert found.count == stays


def test_the_least_area_of_a_single_slice(bright) -> None:
    image = np.zeros((20, 20), "u2")
    image[2:6, 2:6] = 1000
    volume = Volume(image, "yx", np.diag([5.0, 0.5, 0.25, 1.0]), "um")
    assert bright().run(volume, minimum_size=2.0, window=WINDOW).count == 1
    assert bright().run(volume, minimum_size=2.01, window=WINDOW).count == 0


def test_several_classes(bright) -> None:
    image = np.zeros((20, 20), "f4")
    image[2:6, 2:6], image[10:14, 10:14], image[16:18, 2:4] = 600, 900, 900
    segmenter = bright(outputs=3)
    found = segmenter.run(image, window=WINDOW)
    np.testing.assert_array_equal(found.labels.data, (image > 500) + (image > 800) * 1)
    assert found.names == {1: "kind 1", 2: "kind 2"}
    found = segmenter.run(image, window=WINDOW, minimum_size=5)
    assert not found.labels.data[16:18, 2:4].any()
    assert found.names == {1: "kind 1", 2: "kind 2"}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_borders_tell_objects_apart(bright, axis) -> None:
    image = np.zeros((12, 20, 22), "f4")
    image[2:10, 2:10, 2:10] = image[2:10, 2:10, 11:18] = 700
    image[2:10, 2:10, 10] = 900
    segmenter = bright(outputs=3, classes=("nucleus", "border"), border=True)
    found = segmenter.run(image, window=WINDOW, axis=axis)
    np.testing.assert_array_equal(found.labels.data > 0, image > 500)
    # Slices across x never see both: there are eight and seven, and the one between.
    assert found.count == (16 if axis == 2 else 2 * 8)
    assert set(found.names.values()) == {"nucleus"}
    for number in range(12 if axis == 0 else 20 if axis == 1 else 22):
        numbers = np.unique(found.labels.data.take(number, axis))
        others = np.delete(found.labels.data, number, axis)
        assert not np.isin(numbers[numbers > 0], others).any()
