"""Detection: a box and a mask around each bright thing, whatever the image is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label, regionprops

from napari_dran import Cancelled, InputError, Volume, WeightsError, read_volume
from napari_dran.analysis import Detection, Detections, Detector, detect
from napari_dran.slices import slice_indices
from napari_dran.weights import Card

from .conftest import SEQUENCES, blobs

WINDOW = (0, 1000)
AFFINE = np.diag([4.0, 0.5, 0.25, 1.0])
SHAPES = {"yx": (30, 33), "zyx": (9, 12, 33), "tzyx": (2, 9, 10, 11), "yxs": (30, 33, 3)}


def cube() -> np.ndarray:
    """Draw a bright cuboid: z 3 to 5, y 4 to 9, x 10 to 17."""
    image = np.zeros((9, 14, 21), "u2")
    image[3:6, 4:10, 10:18] = 1000
    return image


# ---- what is bright is found


@pytest.mark.parametrize(
    ("axes", "axis"),
    [("yx", 0), ("zyx", 0), ("zyx", 1), ("zyx", 2), ("tzyx", 0), ("tzyx", 1), ("yxs", 0)],
)
def test_boxes_and_masks_are_what_is_bright(bright_boxes, axes, axis) -> None:
    image = blobs(*SHAPES[axes])
    grey = image.mean(-1) if axes[-1] == "s" else image
    found = bright_boxes().run(image, axes=axes, axis=axis, window=WINDOW, score_threshold=0)
    plain, items = axes.strip("s"), list(found.items)
    for index in slice_indices(grey.shape, plain, axis):
        pixels = grey[index] > 500
        for region in regionprops(label(pixels, connectivity=2)):
            item = items.pop(0)
            assert found.index(item) == index
            assert item.box == region.bbox
            assert item.corner == region.bbox[:2]
            np.testing.assert_array_equal(item.mask, region.image)
            np.testing.assert_array_equal(pixels[item.where] & item.mask, item.mask)
    assert not items
    np.testing.assert_array_equal(found.labels.data > 0, grey > 500)
    assert found.labels.dtype == np.int32
    assert found.names == dict.fromkeys(range(1, len(found.items) + 1), "tumour")
    assert found.scores[1] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("axis", "position", "box", "corners"),
    [
        ("z", 3, (4, 10, 10, 18), [(3, 3.5, 9.5), (3, 9.5, 17.5)]),
        ("y", 4, (3, 10, 6, 18), [(2.5, 4, 9.5), (5.5, 4, 17.5)]),
        ("x", 10, (3, 4, 6, 10), [(2.5, 3.5, 10), (5.5, 9.5, 10)]),
    ],
)
def test_places_along_each_axis(bright_boxes, axis, position, box, corners) -> None:
    found = bright_boxes().run(Volume(cube(), "zyx", AFFINE, "mm"), axis=axis, window=WINDOW)
    first = found.items[0]
    assert (first.time, first.position, first.box) == (None, position, box)
    rectangle = found.rectangles()[0]
    assert rectangle.shape == (4, 3)
    np.testing.assert_array_equal(rectangle.min(0), corners[0])
    np.testing.assert_array_equal(rectangle.max(0), corners[1])
    np.testing.assert_array_equal(found.labels.data > 0, cube() > 500)
    np.testing.assert_array_equal(found.labels.affine, AFFINE)
    assert found.axis == axis
    assert found.slice_shape == tuple(np.delete((9, 14, 21), "zyx".index(axis)))


def test_time_points(bright_boxes) -> None:
    image = np.stack([np.zeros((14, 21)), cube()[3]])
    found = bright_boxes().run(image, axes="tyx", window=WINDOW)
    (item,) = found.items
    assert (item.time, item.position) == (1, 0)
    np.testing.assert_array_equal(found.rectangles()[0][:, 0], 1)
    np.testing.assert_array_equal(found.labels.data > 0, image > 500)


def test_a_real_slice(bright_boxes, corpus: Path) -> None:
    path = sorted((corpus / "dsb2018" / "test" / "images").iterdir())[2]
    volume = read_volume(path)
    found = bright_boxes().run(volume, score_threshold=0.3)
    data = np.squeeze(np.asarray(volume.data))
    grey = data[..., :3].mean(-1) if volume.rgb else data
    assert found.labels.shape == grey.shape
    for item in found.items:
        assert (grey[item.where][item.mask] > 127).all()


@pytest.mark.parametrize("factor", [0.5, 2])
def test_slices_are_brought_to_the_networks_size(bright_boxes, factor) -> None:
    image = np.zeros((48, 64), "f4")
    image[8:24, 20:36] = 1000
    detector = bright_boxes(side=int(64 * factor))
    (item,) = detector.run(image, window=WINDOW).items
    assert detector._runner._network.seen[0].shape == (3, 48 * factor, 64 * factor)
    np.testing.assert_allclose(item.box, (8, 20, 24, 36), atol=1)
    assert abs(int(item.mask.sum()) - 16**2) <= 4 * 16


# ---- options


def test_thresholds(bright_boxes) -> None:
    image = np.zeros((20, 40), "f4")
    image[4:10, 4:10] = image[4:10, 14:20] = image[4:10, 24:30] = 1000
    counts = [
        len(bright_boxes().run(image, window=WINDOW, score_threshold=t).items)
        for t in (0, 0.8, 0.9, 1)
    ]
    assert counts == [3, 2, 1, 0]
    for value in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match="score threshold from 0 to 1"):
            bright_boxes().run(image, score_threshold=value)


@pytest.mark.parametrize(
    ("axis", "unit", "area"),
    [("z", "mm", 48 * 0.125), ("y", "mm", 24 * 1), ("x", "mm", 18 * 2), ("z", "pixel", 48)],
)
def test_the_least_area_is_that_of_a_slice(bright_boxes, axis, unit, area) -> None:
    volume = Volume(cube(), "zyx", AFFINE, unit)
    options = {"axis": axis, "window": WINDOW}
    assert bright_boxes().run(volume, minimum_size=area, **options).items
    assert not bright_boxes().run(volume, minimum_size=1.01 * area, **options).items


# ---- nothing there, cancelling, denoising


def test_an_empty_result_is_a_sentence(bright_boxes) -> None:
    for image in (np.zeros((20, 20), "u1"), np.full((3, 20, 20), 7.0)):
        found = bright_boxes().run(image)
        assert found.items == ()
        assert found.rectangles() == []
        assert not found.labels.data.any()
        assert "Nothing was found: no tumour with a score above 0.5." in found.notes


def test_progress_and_cancelling(bright_boxes) -> None:
    told = []
    detector = bright_boxes()
    detector.run(blobs(5, 20, 20), progress=lambda *place: told.append(place))
    assert told == [(n, 5) for n in range(1, 6)]
    with pytest.raises(Cancelled, match="after 2 of 5"):
        detector.run(blobs(5, 20, 20), progress=lambda done, total: done < 2)


def test_denoising_comes_first(bright_boxes, dran) -> None:
    image = blobs(4, 20, 20)
    found = bright_boxes().run(image, denoise={"weights": dran[1]})
    assert found.denoised
    assert (found.image.data != image).any()
    assert [entry["operation"] for entry in found.labels.history] == ["denoise", "detect"]


# ---- results


def test_the_surer_object_lies_on_top() -> None:
    mask = np.ones((4, 4), bool)
    items = tuple(
        Detection(None, 0, (at, at, at + 4, at + 4), score, "cell", (at, at), mask)
        for at, score in ((0, 0.9), (2, 0.6), (4, 0.8))
    )
    card = Card("test", "mask-rcnn", {}, 3, task="detect", classes=("cell",))
    labels = Detections(items, Volume(np.zeros((8, 8))), "yx", "z", card).labels.data
    assert [(labels == n).sum() for n in (1, 2, 3)] == [16, 8, 16]


# ---- weights and a real network


def test_weights_for_something_else(saved, dran) -> None:
    for weights in (saved("segment"), dran[1]):
        with pytest.raises(WeightsError, match="expected one that detects objects"):
            Detector(weights)


@pytest.mark.parametrize("side", [0, 64])
def test_a_real_network(saved, side) -> None:
    weights = saved("detect", inputs=SEQUENCES, side=side)
    image = blobs(40, 50, 3, dtype="u1", high=250)
    found = detect(image, weights=weights, score_threshold=0.0, device="cpu")
    assert 0 < len(found.items) <= 5
    for item in found.items:
        y0, x0, y1, x1 = item.box
        assert 0 <= y0 <= y1 <= 40
        assert 0 <= x0 <= x1 <= 50
        assert 0 <= item.score <= 1
    assert found.labels.shape == (40, 50)
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True)


def test_layers(saved) -> None:
    layers = pytest.importorskip("napari.layers")
    weights = saved("detect")
    layer = layers.Image(
        blobs(2, 20, 30), scale=(3, 0.5, 0.5), units="um", contrast_limits=(0, 900)
    )
    with pytest.warns(UserWarning, match="Nothing was found"):
        found = detect(
            layer, weights=weights, window="contrast-limits", score_threshold=1.0, device="cpu"
        )
    assert found.image.unit == "um"
    assert found.image.spacing == (3, 0.5, 0.5)
