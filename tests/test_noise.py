"""Noise added and estimated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_dran.errors import InputError
from napari_dran.noise import add_gaussian, add_uniform, constant_areas, estimate_sigma
from napari_dran.volume import Volume


def test_added_gaussian_noise_has_the_sigma_asked_for() -> None:
    clean = np.full((200, 200), 0.5)
    noise = add_gaussian(clean, 25, seed=1) - clean
    assert noise.std() == pytest.approx(25 / 255, rel=0.02)
    assert abs(noise.mean()) < 0.002
    np.testing.assert_array_equal(add_gaussian(clean, 25, seed=1), add_gaussian(clean, 25, seed=1))
    assert (add_gaussian(clean, 25, seed=2) - clean != noise).any()
    np.testing.assert_array_equal(add_gaussian(clean, 0, seed=1), clean)


def test_added_noise_is_not_clipped() -> None:
    assert add_gaussian(np.zeros((50, 50)), 25, seed=0).min() < 0


def test_released_noise_is_uniform_and_never_negative() -> None:
    noise = add_uniform(np.zeros((200, 200)), 0.5, seed=0)
    assert noise.min() >= 0
    assert 0.249 < noise.max() <= 0.25
    assert noise.std() == pytest.approx(0.25 / np.sqrt(12), rel=0.02)


@pytest.mark.corpus
@pytest.mark.parametrize("sigma", [10, 25, 50])
@pytest.mark.parametrize("modality", ["ct", "mri", "xray"])
def test_estimate_on_real_images(corpus: Path, sigma: float, modality: str) -> None:
    path = sorted((corpus / "test" / modality).glob("*.png"))[0]
    clean = np.asarray(Image.open(path).convert("L")) / 255.0
    noisy = add_gaussian(clean, sigma, seed=0)
    assert estimate_sigma(noisy) * 255 == pytest.approx(sigma, rel=0.2)


def test_estimate_is_in_the_images_unit() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 30, (4, 64, 64))
    assert estimate_sigma(noise - 1000) == pytest.approx(30, rel=0.1)
    assert estimate_sigma((noise + 1000).astype(np.int16)) == pytest.approx(30, rel=0.1)
    assert estimate_sigma(noise * 1e-12) == pytest.approx(30e-12, rel=0.1)
    assert estimate_sigma(noise * 1e200) == pytest.approx(30e200, rel=0.1)


@pytest.mark.parametrize("fill", [0, -1024, 0.1])
def test_constant_background_does_not_count(fill: float) -> None:
    image = np.full((3, 128, 128), float(fill))
    image[:, 40:100, 40:100] = 500 + np.random.default_rng(0).normal(0, 20, (3, 60, 60))
    assert estimate_sigma(image) == pytest.approx(20, rel=0.15)
    with_empty_slices = np.concatenate([np.full((5, 128, 128), float(fill)), image])
    assert estimate_sigma(with_empty_slices) == estimate_sigma(image)


def test_estimate_is_that_of_scikit_image() -> None:
    from skimage.restoration import estimate_sigma as theirs

    for side in (5, 64, 99):
        image = np.random.default_rng(side).normal(100, 7, (side, side + 3))
        assert estimate_sigma(image) == pytest.approx(float(theirs(image)), rel=1e-12)


def test_nothing_to_estimate() -> None:
    assert estimate_sigma(np.full((10, 10), 3)) == 0
    assert estimate_sigma(np.full((10, 10), np.nan)) == 0
    assert estimate_sigma(np.arange(10).reshape(1, 10)) == 0
    # Areas of constant value have edges, and no noise.
    phantom = np.full((128, 128), 100.0)
    phantom[30:90, 40:100] = 150
    assert estimate_sigma(phantom) == 0
    y, x = np.mgrid[:128, :128]
    labels = ((y - 64) ** 2 + (x - 64) ** 2 < 1600).astype(np.uint8)
    assert estimate_sigma(labels) == 0
    assert estimate_sigma(data.shepp_logan_phantom()) == 0


def test_wild_values_hide_no_noise() -> None:
    image = np.random.default_rng(0).normal(100, 5, (128, 128))
    image[64, 64] = 1e15
    assert estimate_sigma(image) == pytest.approx(5, rel=0.1)
    image[:, :64] = 1e20
    assert estimate_sigma(image) == pytest.approx(5, rel=0.1)


def test_small_masked_area_is_estimated() -> None:
    image = np.zeros((256, 256))
    image[100:125, 100:125] = np.random.default_rng(0).normal(100, 5, (25, 25))
    assert estimate_sigma(image) == pytest.approx(5, rel=0.15)


def test_nan_is_passed_over() -> None:
    image = np.random.default_rng(0).normal(0, 5, (128, 128))
    image[20:40, 20:40] = np.nan
    image[0, 0] = np.inf
    assert estimate_sigma(image) == pytest.approx(5, rel=0.1)


def test_colour_and_axes() -> None:
    rng = np.random.default_rng(0)
    colour = rng.normal(100, 8, (64, 64, 3))
    assert estimate_sigma(colour) == pytest.approx(8, rel=0.1)
    # Alpha is no image: its noise does not count.
    alpha = np.dstack([colour, rng.normal(0, 1000, (64, 64))])
    assert estimate_sigma(alpha) == estimate_sigma(colour)
    assert estimate_sigma(rng.normal(0, 8, (2, 16, 32, 32)), "czyx", "y") == pytest.approx(
        8, rel=0.2
    )
    with pytest.raises(InputError, match="no slice axis 3"):
        estimate_sigma(np.zeros((4, 8, 8)), axis=3)


def test_volumes_lists_and_what_is_no_image() -> None:
    image = np.random.default_rng(0).normal(0, 5, (32, 3, 32))
    sigma = estimate_sigma(image, axis="y")
    assert (
        estimate_sigma(Volume(image), axis="y") == estimate_sigma(image.tolist(), axis=1) == sigma
    )
    with pytest.raises(InputError, match="magnitude"):
        estimate_sigma(image * 1j)


def test_constant_areas_are_blocks_and_what_hangs_on_them() -> None:
    image = np.random.default_rng(0).permutation(40 * 50).reshape(40, 50)
    assert not constant_areas(image).any()
    image[3:12, 20:29] = 7
    expected = np.zeros(image.shape, bool)
    expected[3:12, 20:29] = True
    assert np.array_equal(constant_areas(image), expected)
    # The ragged edge of a mask belongs to it, an equal value elsewhere does not.
    image[12, 24:27], image[13, 26], image[30, 30] = 7, 7, 7
    expected[12, 24:27], expected[13, 26] = True, True
    assert np.array_equal(constant_areas(image), expected)
    assert np.array_equal(constant_areas(image.T), expected.T)
    image[5, 22] = 8
    assert not constant_areas(image).any()
    assert not constant_areas(np.zeros((8, 100))).any()
    assert constant_areas(np.zeros((9, 100))).all()


def test_constant_areas_of_colour_are_constant_in_all_samples() -> None:
    image = np.random.default_rng(0).random((20, 20, 3))
    image[..., :2] = 1
    assert not constant_areas(image).any()
    image[:10, :10, 2] = 1
    assert constant_areas(image)[:10, :10].all()
    assert constant_areas(image).sum() == 100


def test_dask_is_sampled() -> None:
    da = pytest.importorskip("dask.array")
    image = np.random.default_rng(0).normal(0, 5, (40, 32, 32))
    assert estimate_sigma(da.from_array(image, chunks=8)) == estimate_sigma(image)
