"""From probabilities to objects: apart, numbered, none too small."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.measure import label, regionprops
from skimage.segmentation import relabel_sequential

from napari_dran import read_volume
from napari_dran.analysis.objects import inside, mean_inside, number_objects, split_touching
from napari_dran.slices import slice_indices
from napari_dran.training.analysis import class_map

from .conftest import blobs


def ideal(labels: np.ndarray) -> np.ndarray:
    """Make the probabilities of a network that is always right, and sure."""
    classes = class_map(torch.from_numpy(labels[None].astype(np.int64)), border=True)[0].numpy()
    return (np.arange(3)[:, None, None] == classes).astype(np.float32)


def disc(centre: tuple[float, float], radius: float, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def aggregated_jaccard(truth: np.ndarray, found: np.ndarray) -> float:
    """Kumar et al., IEEE Transactions on Medical Imaging 36(7), 2017."""
    both = np.zeros((truth.max() + 1, found.max() + 1), np.int64)
    np.add.at(both, (truth.ravel(), found.ravel()), 1)
    sizes, found_sizes = both.sum(1), both.sum(0)
    unions = sizes[1:, None] + found_sizes[None, 1:] - both[1:, 1:]
    best = (both[1:, 1:] / unions).argmax(1)
    rows = np.arange(len(best))
    missed = np.setdiff1d(np.arange(1, found.max() + 1), best + 1)
    return both[1:, 1:][rows, best].sum() / (unions[rows, best].sum() + found_sizes[missed].sum())


# ---- touching objects


def test_touching_discs_are_told_apart() -> None:
    truth = np.zeros((60, 90), np.int32)
    for number, column in enumerate((20, 39, 58), start=1):
        truth[disc((30, column), 10, truth.shape) & (truth == 0)] = number
    assert label(truth > 0).max() == 1
    found = split_touching(ideal(truth), 0.5)
    assert found.dtype == np.int32
    assert found.max() == 3
    np.testing.assert_array_equal(found > 0, truth > 0)
    assert aggregated_jaccard(truth, found) > 0.98


def test_what_has_no_core_is_an_object() -> None:
    truth = np.zeros((20, 20), np.int32)
    truth[3:5, 3:5], truth[10:17, 10:17] = 1, 2
    found = split_touching(ideal(truth), 0.5)
    np.testing.assert_array_equal(found > 0, truth > 0)
    assert found.max() == 2


def test_several_kinds_of_object_with_a_border() -> None:
    truth = np.zeros((30, 30), np.int32)
    truth[2:14, 2:14], truth[14:26, 2:14] = 1, 2
    three = ideal(truth)
    four = np.stack([three[0], three[1] * (truth == 1), three[1] * (truth == 2), three[2]])
    np.testing.assert_array_equal(split_touching(four, 0.5), split_touching(three, 0.5))


@pytest.mark.parametrize(("threshold", "share"), [(0.0, 1.0), (0.4, 0.5), (1.0, 0.0)])
def test_thresholds(threshold, share) -> None:
    probability = np.zeros((3, 20, 20), np.float32)
    probability[:, :, :10] = np.array([0.5, 0.3, 0.2], np.float32)[:, None, None]
    probability[0, :, 10:] = 1
    assert (split_touching(probability, threshold) > 0).mean() == share


@pytest.mark.corpus
def test_real_nuclei_are_recovered_from_ideal_probabilities(corpus: Path) -> None:
    folder = corpus / "dsb2018" / "test"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::4]
    true_count = found_count = 0
    overlaps = []
    for row in rows:
        values = np.squeeze(np.asarray(read_volume(folder / row["labels"]).data))
        truth = relabel_sequential(values.astype(np.int32))[0]
        found = split_touching(ideal(truth), 0.5)
        np.testing.assert_array_equal(found > 0, truth > 0)
        true_count, found_count = true_count + truth.max(), found_count + found.max()
        overlaps.append(aggregated_jaccard(truth, found))
    # Over all 51 images: 2354 nuclei, 2374 found (a few fall apart at a neck, or are annotated in
    # two pieces), mean aggregated Jaccard index 0.986, the lowest 0.910. Of these 13: 492, 500,
    # 0.980.
    assert abs(found_count - true_count) <= 0.03 * true_count
    assert np.mean(overlaps) > 0.975
    assert min(overlaps) > 0.9


# ---- likelihood


def test_inside_keeps_what_is_unlikely() -> None:
    unlikely = np.array([1.0, 1e-9, 2e-9], np.float32).reshape(3, 1, 1)
    np.testing.assert_allclose(inside(unlikely), 3e-9)
    above = np.array([0.0, 0.7, 0.300001], np.float32).reshape(3, 1, 1)
    assert inside(above) == 1


# ---- numbers


@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx"])
def test_connected_parts_have_numbers_of_their_own(axes) -> None:
    lengths = {"t": 3, "z": 6, "y": 30, "x": 31}
    mask = blobs(*(lengths[letter] for letter in axes)) > 500
    labels = mask.astype(np.int32)
    number_objects(labels, axes, "z", "mask")
    last = 0
    for part, its_mask in zip(labels, mask, strict=True) if "t" in axes else [(labels, mask)]:
        expected = label(its_mask, connectivity=its_mask.ndim)
        np.testing.assert_array_equal(part, np.where(expected > 0, expected + last, 0))
        last += expected.max()
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels), np.arange(last + 1))


@pytest.mark.parametrize("across", "zyx")
@pytest.mark.parametrize("axes", ["zyx", "tzyx"])
def test_objects_of_slices_are_numbered_on(axes, across) -> None:
    mask = blobs(*(2, 12, 13, 14)[4 - len(axes) :]) > 500
    labels = np.zeros(mask.shape, np.int32)
    slices = slice_indices(mask.shape, axes, across)
    for index in slices:
        labels[index] = label(mask[index], connectivity=1)
    counts = [labels[index].max() for index in slices]
    number_objects(labels, axes, across, "slices")
    np.testing.assert_array_equal(labels > 0, mask)
    last = 0
    for index, count in zip(slices, counts, strict=True):
        numbers = np.unique(labels[index][mask[index]])
        np.testing.assert_array_equal(numbers, np.arange(last + 1, last + count + 1))
        last += count


def test_small_objects_go_and_the_others_move_up() -> None:
    labels = np.zeros((2, 20, 20), np.int32)
    labels[0, 0:2, 0:2] = labels[0, 5:8, 5:8] = labels[1, 0:3, 0:4] = labels[1, 10, 10] = 1
    number_objects(labels, "tyx", "z", "mask", 9.0)
    sizes = {region.label: region.area for region in regionprops(labels)}
    assert sizes == {1: 9, 2: 12}
    assert set(np.unique(labels[0])) == {0, 1}


def test_an_object_of_just_the_least_size_stays() -> None:
    labels = np.ones((10, 10), np.int32)
    # What 1 mm2 is in pixels of 0.1 mm, with its rounding error.
    number_objects(labels, "yx", "z", "mask", 1.0 / (0.1 * 0.1) * (1 + 1e-12))
    assert labels.all()


def test_classes_stay_and_lose_their_small_parts() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[:5, :5], labels[10:12, 10:12], labels[5:9, :5] = 1, 1, 3
    expected = labels.copy()
    number_objects(labels, "yx", "z", "classes")
    np.testing.assert_array_equal(labels, expected)
    number_objects(labels, "yx", "z", "classes", 5)
    expected[10:12, 10:12] = 0
    np.testing.assert_array_equal(labels, expected)


def test_nothing_stays_nothing() -> None:
    for kind in ("mask", "slices", "classes"):
        labels = np.zeros((3, 8, 9), np.int32)
        number_objects(labels, "zyx", "y", kind, 4)
        assert not labels.any()
        assert mean_inside(labels, labels.astype(np.float32)) == {}


def test_means_are_those_of_scikit_image() -> None:
    labels = label(blobs(6, 30, 31) > 500).astype(np.int32)
    values = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    expected = {r.label: r.intensity_mean for r in regionprops(labels, values)}
    means = mean_inside(labels, values)
    assert means.keys() == expected.keys()
    np.testing.assert_allclose(list(means.values()), list(expected.values()), rtol=1e-5)
