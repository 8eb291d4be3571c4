from __future__ import annotations

import numpy as np
import pytest

from napari_dran.analysis.agreement import BOTH, ONLY_FIRST, ONLY_SECOND, compare
from napari_dran.errors import InputError
from napari_dran.volume import Volume


def test_agreement_of_two_overlapping_squares() -> None:
    one, two = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    one[:4, :4], two[2:6, :4], two[9, 9] = 7, 1, 2
    place = {"unit": "mm", "affine": np.diag([1, 0.5, 2.0, 1])}
    found = compare(Volume(one, "yx", **place), Volume(two, "yx", **place))
    assert found.counts == (1, 2)
    assert found.sizes == (16.0, 17.0)
    assert found.dice == pytest.approx(2 * 8 / 33)
    np.testing.assert_array_equal(found.difference.data == BOTH, (one > 0) & (two > 0))
    np.testing.assert_array_equal(found.difference.data == ONLY_FIRST, (one > 0) & (two == 0))
    np.testing.assert_array_equal(found.difference.data == ONLY_SECOND, (one == 0) & (two > 0))
    assert found.difference.unit == "mm"


def test_time_points_number_their_objects_anew() -> None:
    labels = np.zeros((2, 8, 8), np.int32)
    labels[:, :3, :3] = 1
    empty = Volume(np.zeros_like(labels), "tyx")
    assert compare(Volume(labels, "tyx"), empty).counts == (2, 0)
    assert compare(empty, empty).dice is None


def test_labels_of_different_images_are_refused() -> None:
    with pytest.raises(InputError, match="labels of one image"):
        compare(Volume(np.zeros((8, 8), np.int32)), Volume(np.zeros((8, 9), np.int32)))
