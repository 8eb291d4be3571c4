"""Slices listed and sampled (axes are covered by the denoiser's tests)."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran.slices import sample_evenly, slice_indices


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((4, 5, 6), "zyx"), ((2, 4, 5, 6), "tzyx"), ((2, 4, 5, 6), "czyx"), ((4, 5, 6, 3), "zyxs")],
)
def test_slices_cover_every_value_once(shape, axes, axis) -> None:
    count = np.zeros(shape, int)
    for index in slice_indices(shape, axes, axis):
        assert count[index].ndim == 3 if "s" in axes else 2
        count[index] += 1
    assert (count == 1).all()


def test_alpha_is_left_out() -> None:
    (index,) = slice_indices((5, 6, 4), "yxs")
    assert np.zeros((5, 6, 4))[index].shape == (5, 6, 3)


def test_samples_are_spread_evenly() -> None:
    assert sample_evenly(range(5)) == [0, 1, 2, 3, 4]
    assert sample_evenly(range(100), 4) == [12, 37, 62, 87]
    assert len(sample_evenly(range(1000))) == 16
