"""Beside saturated areas no more is taken off than the noise around says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dran import read_volume
from napari_dran.denoising import denoise
from napari_dran.denoising.saturation import LARGEST, REACH, NoiseLimit, saturated_areas
from napari_dran.noise import constant_areas


def saturated(pixels: np.ndarray) -> np.ndarray:
    return saturated_areas(pixels, constant_areas(pixels))


def limit(pixels: np.ndarray) -> NoiseLimit:
    return NoiseLimit(pixels, constant_areas(pixels))


@pytest.fixture
def fat() -> np.ndarray:
    """Tissue with noise of sigma 20 to the left, saturated to the right, with a septum there."""
    image = np.random.default_rng(0).normal(2000, 20, (96, 128)).round().astype(np.int16)
    image[:, 64:] = 4095
    image[:, 96:98] = 1100
    return image


def test_saturated_areas_are_those_of_the_largest_value(fat: np.ndarray) -> None:
    found = saturated(fat)
    assert found[:, 64:96].all()
    assert found[:, 98:].all()
    assert not found[:, :64].any()
    assert not found[:, 96:98].any()
    assert not saturated(4095 - fat).any(), "black is not saturated"
    assert not saturated(np.random.default_rng(1).normal(0, 1, (64, 64))).any()
    assert not saturated(np.full((2, 2), 7)).any(), "too small an area"
    with_nan = np.where(fat == 1100, np.nan, fat)
    np.testing.assert_array_equal(saturated(with_nan), found)


def test_colour_is_saturated_where_all_samples_are(fat: np.ndarray) -> None:
    colour = np.stack([fat, fat, fat], axis=-1)
    np.testing.assert_array_equal(saturated(colour), saturated(fat))
    colour[..., 1] = 5
    colour[0, 0, 1] = 6
    assert not saturated(colour)[8:].any()


def test_a_septum_stays_and_noise_goes(fat: np.ndarray) -> None:
    noise = np.where(fat < 1500, -2000, fat - 2000.0).astype(np.float32)
    noise[:, 64:96], noise[:, 98:] = 30, 30
    limited = limit(fat)(noise)
    # All around the septum is saturated.
    np.testing.assert_array_equal(limited[:, 96:98], 0)
    # Farther from it than the reach nothing changes.
    np.testing.assert_array_equal(limited[:, : 64 - REACH], noise[:, : 64 - REACH])
    # Beside a straight edge about half of what is around has noise.
    edge = limited[:, 64 - REACH : 64]
    least = 0.4 * LARGEST * np.abs(noise[:, :60]).mean()
    assert abs(edge).max() > least
    assert (edge == noise[:, 64 - REACH : 64]).mean() > 0.95
    assert noise[0, 96] == -2000, "the input is left alone"


def test_nothing_is_limited_where_nothing_is_saturated() -> None:
    noise = np.random.default_rng(0).normal(0, 9, (40, 50)).astype(np.float32)
    assert limit(noise)(noise) is noise


def test_each_sample_of_a_colour_image_has_a_limit_of_its_own(fat: np.ndarray) -> None:
    grey = np.random.default_rng(2).normal(0, 20, fat.shape).astype(np.float32)
    noise = np.stack([grey, 3 * grey, 0 * grey], axis=-1)
    limited = limit(fat)(noise)
    for sample in range(3):
        alone = limit(fat)(np.ascontiguousarray(noise[..., sample]))
        np.testing.assert_allclose(limited[..., sample], alone, rtol=1e-6)


def test_septa_of_a_saturated_scan_are_not_filled_in(corpus: Path) -> None:
    scan = read_volume(corpus / "volumes/sct_t1w.nii.gz")
    slices = np.asarray(scan.data)[10:12]
    assert (slices == slices.max()).mean() > 0.05
    clean = denoise(slices, weights="dran-grey-real")
    change = np.abs(clean.astype(float) - slices)
    assert change.max() < 0.1 * 4095
    assert change.std() > 10, "noise still goes"
    np.testing.assert_array_equal(clean[constant(slices)], slices[constant(slices)])


def constant(slices: np.ndarray) -> np.ndarray:
    return np.stack([constant_areas(one) for one in slices])
