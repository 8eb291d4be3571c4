"""Subtracting: rounded, never wrapped, nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran.denoising import MAX_STRENGTH, blend
from napari_dran.errors import InputError
from napari_dran.intensity import Window

INTEGERS = ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "u4", ">i4", "u8", "<i8", ">i8"]
FLOATS = ["<f2", "f4", ">f4", "f8", ">f8"]


def noise(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_rounded_to_the_nearest(dtype: str) -> None:
    image = np.array([10, 20, 30, 40, 50], dtype=dtype)
    clean = blend(image, noise(0.4, 0.6, -0.6, -7.4, 7.6))
    assert clean.dtype == image.dtype
    np.testing.assert_array_equal(clean, [10, 19, 31, 47, 42])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_do_not_wrap(dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    image = np.array([low, low + 3, high, high - 3, low, high], dtype=dtype)
    clean = blend(image, noise(5, 5, -5, -5, 1e30, -1e30))
    assert clean.tolist() == [low, low, high, high, low, high]


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_64_bit_integers_keep_every_digit(dtype: str) -> None:
    image = np.array([2**62 + 1, 2**53 + 1, np.iinfo(dtype).max], dtype=dtype)
    clean = blend(image, noise(3, -4, 2))
    assert clean.tolist() == [2**62 - 2, 2**53 + 5, np.iinfo(dtype).max - 2]


def test_64_bit_integers_by_more_than_half_their_range() -> None:
    clean = blend(np.array([2**64 - 1, 5000], "u8"), noise(1.5 * 2**63, -1e30))
    assert clean.tolist() == [2**62 - 1, 2**64 - 1]


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(dtype: str) -> None:
    image = np.array([1, -2, 1000], dtype=dtype)
    clean = blend(image, noise(0.5, 0.25, -24), strength=0.5)
    assert clean.dtype == image.dtype
    np.testing.assert_array_equal(clean, [0.75, -2.125, 1012])


def test_floats_stay_finite() -> None:
    image = np.array([65504, -65504, 1], dtype=np.float16)
    np.testing.assert_array_equal(blend(image, noise(-1e5, 1e5, 0)), image)


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_must_not_change_is_bit_identical(dtype: str) -> None:
    image = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5, 60, -60], dtype=dtype)
    # A NaN with a payload, as some files use to say why a value is missing.
    raw = image.view(image.dtype.str.replace("f", "u"))
    raw[0] |= 5
    clean = blend(image, noise(1, 1, 1, 0, -0.0, 0, 3, 3), window=Window(-10, 50))
    assert clean.tobytes() == image.tobytes()


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_strength_zero_is_an_exact_copy(dtype: str) -> None:
    image = np.arange(24).reshape(2, 3, 4).astype(dtype)
    clean = blend(image, np.ones(image.shape, np.float32), strength=0)
    assert clean is not image
    assert not np.shares_memory(clean, image)
    assert clean.dtype == image.dtype
    assert clean.tobytes() == image.tobytes()


def test_strength_scales() -> None:
    image = np.full((2, 2), 100.0)
    for strength in (0.25, 1, MAX_STRENGTH):
        np.testing.assert_array_equal(
            blend(image, np.full((2, 2), 8, np.float32), strength), 100 - 8 * strength
        )


def test_window_bounds_belong_to_the_window() -> None:
    image = np.array([9, 10, 20, 21], dtype=np.int16)
    clean = blend(image, noise(5, 5, 5, 5), window=Window(10, 20))
    np.testing.assert_array_equal(clean, [9, 5, 15, 21])


def test_noise_that_is_not_finite_changes_nothing() -> None:
    image = np.array([1, 2, 3], dtype=np.int16)
    np.testing.assert_array_equal(blend(image, noise(np.nan, np.inf, 1)), [1, 2, 2])


def test_the_image_is_not_changed_and_any_layout_works() -> None:
    image = np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5).transpose(3, 1, 0, 2)
    image.setflags(write=False)
    before = image.copy()
    clean = blend(image, np.ones(image.shape, np.float32))
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(clean, np.maximum(before - 1, -1))
    assert clean.flags.writeable


@pytest.mark.parametrize("strength", [-0.1, MAX_STRENGTH + 0.1, float("nan"), float("inf")])
def test_strength_out_of_range(strength: float) -> None:
    with pytest.raises(InputError, match="Expected a strength from 0"):
        blend(np.zeros((2, 2)), np.zeros((2, 2), np.float32), strength)


def test_refused() -> None:
    with pytest.raises(InputError, match="noise of the image's shape"):
        blend(np.zeros((2, 2)), np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match="bool mask"):
        blend(np.zeros((2, 2), bool), np.zeros((2, 2), np.float32))
    with pytest.raises(InputError, match="magnitude"):
        blend(np.zeros((2, 2), complex), np.zeros((2, 2), np.float32))
