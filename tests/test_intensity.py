"""The window: chosen by every rule, applied, undone, refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran.errors import InputError
from napari_dran.intensity import (
    CT_PRESETS,
    SEEN,
    Window,
    choose_window,
    normalise,
    restore,
    window_names,
)


@pytest.fixture
def skewed() -> np.ndarray:
    """10,000 values of 0 to 1000 with one far outlier."""
    image = np.linspace(0, 1000, 10_000)
    image[5000] = 1e6
    return image.reshape(100, 100)


def test_percentile_leaves_only_outliers_outside(skewed: np.ndarray) -> None:
    window = choose_window(skewed)
    assert window is not None
    assert window.name == "percentile"
    outside = ~window.contains(skewed)
    assert outside.sum() == 1
    assert outside.flat[5000]
    assert window.low == 0
    # 0.1 and 99.9 percentile of 0 to 1000, widened by a tenth of their distance.
    assert window.high == pytest.approx(999 + 99.8, abs=1)


def test_percentile_never_goes_beyond_the_values() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert choose_window(image) == Window(0, 255, "percentile")


def test_percentile_passes_over_the_padding_of_a_ct() -> None:
    image = np.random.default_rng(0).integers(-1024, 1500, (64, 64)).astype(np.int16)
    image[:10] = -3024
    window = choose_window(image)
    assert window is not None
    assert -1024 <= window.low < -1000
    assert window.high > 1450


def test_percentile_keeps_the_background_of_a_masked_scan() -> None:
    image = np.random.default_rng(0).integers(20, 1000, (64, 64)).astype(np.int16)
    image[:40] = 0
    window = choose_window(image)
    assert window is not None
    assert window.low == 0


def test_percentile_of_an_almost_constant_image_is_its_full_range() -> None:
    image = np.zeros((100, 100))
    image[0, 0] = 5
    assert choose_window(image) == Window(0, 5, "percentile")


def test_percentile_of_a_large_image_looks_at_every_column(monkeypatch) -> None:
    monkeypatch.setattr("napari_dran.intensity.SAMPLE_SIZE", 1000)
    image = np.tile(np.arange(100.0), (100, 1))
    assert choose_window(image) == Window(0, 99, "percentile")


def test_full_passes_over_nan_and_inf() -> None:
    image = np.array([[np.nan, -np.inf, 3.0], [7.0, np.inf, 5.0]])
    assert choose_window(image, "full") == Window(3, 7, "full")
    assert choose_window(image, "percentile") == Window(3, 7, "percentile")


@pytest.mark.parametrize("name", CT_PRESETS)
def test_presets(name: str) -> None:
    window = choose_window(np.zeros((2, 2)), name)
    assert window == Window(*CT_PRESETS[name], name)


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ("-160:240", (-160, 240)),
        (" 1e-3 : 2.5 ", (0.001, 2.5)),
        ((3, 4), (3, 4)),
        ([np.int16(3), np.float32(4)], (3, 4)),
        (Window(1, 2, "mine"), (1, 2)),
    ],
)
def test_bounds_given(given, bounds) -> None:
    window = choose_window(np.zeros((2, 2)), given)
    assert (window.low, window.high) == bounds
    assert window.name == ("mine" if isinstance(given, Window) else "custom")


def test_contrast_limits() -> None:
    image = np.zeros((2, 2))
    assert choose_window(image, "contrast-limits", (1, 9)) == Window(1, 9, "contrast-limits")
    with pytest.raises(InputError, match="needs the contrast limits of a layer"):
        choose_window(image, "contrast-limits")


@pytest.mark.parametrize("name", ["percentile", "full"])
@pytest.mark.parametrize("value", [0, 7, -1.5])
def test_constant_images_have_no_window(name: str, value: float) -> None:
    assert choose_window(np.full((4, 4), value), name) is None


def test_constant_but_for_nan_has_no_window() -> None:
    assert choose_window(np.array([[np.nan, 3.0], [3.0, np.inf]])) is None


def test_nothing_at_all() -> None:
    with pytest.raises(InputError, match="no finite value"):
        choose_window(np.array([]), "full")


def test_bounds_beyond_the_range_of_the_dtype() -> None:
    image = np.array([-np.inf, -60000, 0, 60000, np.inf, np.nan], np.float16)
    assert Window(-1e6, 1e6).contains(image[1:4]).all()
    assert not Window(1e5, 1e6).contains(image[1:4]).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_finite(value: float) -> None:
    with pytest.raises(InputError, match="no finite value"):
        choose_window(np.full((4, 4), value), (0, 1))


@pytest.mark.parametrize(
    "window", ["240:-160", "5:5", (1, 0), (0, float("nan")), (0, float("inf")), "nan:1"]
)
def test_empty_windows(window) -> None:
    with pytest.raises(InputError, match="lower bound must be a finite number below"):
        choose_window(np.zeros((2, 2)), window)


def test_too_wide_windows() -> None:
    with pytest.raises(InputError, match="wider than"):
        choose_window(np.array([[-1e308, 1e300]]), "full")


@pytest.mark.parametrize("window", ["brian", "1:2:3", "a:b", ""])
def test_unknown_names_list_the_known(window: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_window(np.zeros((2, 2)), window)
    assert all(name in str(caught.value) for name in window_names())


@pytest.mark.parametrize("window", [(1, 2, 3), 5, None, ("a", "b")])
def test_windows_of_no_pair(window) -> None:
    with pytest.raises(InputError, match="two numbers"):
        choose_window(np.zeros((2, 2)), window)


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "int64", "float16", "float32", "float64"])
def test_normalise_and_restore(dtype: str) -> None:
    window = Window(100, 200)
    image = np.array([[100, 125, 200], [90, 110, 120]], dtype=dtype)
    seen = normalise(image, window)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, [[0, 0.25, 1], [-0.1, 0.1, 0.2]], atol=1e-6)
    np.testing.assert_allclose(window.low + restore(seen, window), image, rtol=1e-6)
    assert restore(seen, window).dtype == np.float32


def test_normalise_clips_outliers() -> None:
    seen = normalise(np.array([[-1e30, 1e30, 5.0]]), Window(0, 10))
    np.testing.assert_array_equal(seen, [[*SEEN, 0.5]])


def test_a_small_window_on_a_large_offset_keeps_its_digits() -> None:
    image = 1e9 + np.array([[0.0, 0.25, 1.0]])
    np.testing.assert_allclose(normalise(image, Window(1e9, 1e9 + 1)), [[0, 0.25, 1]], atol=1e-7)


def test_gaps_are_filled_from_their_neighbourhood() -> None:
    # Dark left half, bright right half, a hole in each: the fill must know which.
    image = np.zeros((16, 16))
    image[:, 8:] = 1
    image[3:6, 2:5] = np.nan
    image[3:6, 11:14] = np.inf
    expected = np.zeros((16, 16))
    expected[:, 8:] = 1
    np.testing.assert_allclose(normalise(image, Window(0, 1)), expected, atol=1e-6)


def test_wide_gaps_are_filled_with_the_mean() -> None:
    image = np.full((64, 64), np.nan)
    image[:2] = 0.25
    seen = normalise(image, Window(0, 1))
    np.testing.assert_allclose(seen, 0.25)
    assert normalise(np.full((3, 4, 4), np.nan), Window(0, 1)).mean() == 0.5


def test_the_image_is_not_changed() -> None:
    image = np.array([[np.nan, 5.0], [1e9, -3.0]])
    before = image.tobytes()
    normalise(image, Window(0, 1))
    assert image.tobytes() == before
