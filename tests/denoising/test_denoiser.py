"""What goes in comes out: less its noise, and with nothing else changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.denoising import Denoiser
from napari_dran.errors import InputError, WeightsError
from napari_dran.files import read_volume
from napari_dran.metrics import psnr
from napari_dran.network.corners import limit_corners
from napari_dran.network.dran import DRAN
from napari_dran.noise import add_gaussian
from napari_dran.weights import load_weights, read_card, save_weights

from .conftest import WINDOW, card_for, grey, network_of


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i2", ">i2", "u2", "i4", "u4", "i8"])
@pytest.mark.parametrize("shape", [(9, 12), (3, 9, 12), (2, 3, 9, 12)])
def test_noise_is_subtracted_from_the_original_values(tenth, shape, dtype) -> None:
    image = grey(*shape, dtype=dtype)
    before = image.tobytes()
    result = tenth.run(image, window=WINDOW)
    expected = 0.9 * image.astype(np.float64)
    assert result.image.dtype == image.dtype
    tolerance = 0.5001 if image.dtype.kind in "iu" else (0.5 if dtype == "f2" else 1e-4)
    np.testing.assert_allclose(result.image, expected, atol=tolerance, rtol=0)
    np.testing.assert_allclose(result.noise, 0.1 * image.astype(np.float64), rtol=1e-4)
    assert result.noise.dtype == np.float32
    assert image.tobytes() == before


def test_the_offset_of_the_window_is_not_subtracted(tenth) -> None:
    image = grey(9, 9) - 1000
    result = tenth.run(image, window=(-1000, 0))
    np.testing.assert_allclose(result.noise, 0.1 * (image + 1000), rtol=1e-4)


@pytest.mark.parametrize("strength", [0, 0.3, 2])
def test_strength(tenth, strength) -> None:
    image = grey(9, 9)
    result = tenth.run(image, window=WINDOW, strength=strength)
    np.testing.assert_allclose(result.image, image * (1 - 0.1 * strength), rtol=1e-6)
    # The noise is all that was found, so that strength can be chosen again later.
    np.testing.assert_allclose(result.noise, 0.1 * image, rtol=1e-4)
    if strength == 0:
        assert result.image.tobytes() == image.tobytes()


@pytest.mark.parametrize("strength", [-1, 2.5, np.nan])
def test_strength_out_of_range(tenth, strength) -> None:
    with pytest.raises(InputError, match="strength"):
        tenth.run(grey(9, 9), strength=strength)


def test_values_outside_the_window_are_bit_identical(tenth) -> None:
    image = grey(3, 16, 16)
    result = tenth.run(image, window=(300, 600))
    outside = (image < 300) | (image > 600)
    assert 0.5 < outside.mean() < 0.9
    assert result.image[outside].tobytes() == image[outside].tobytes()
    assert not result.noise[outside].any()
    assert (result.image[~outside & (image > 301)] < image[~outside & (image > 301)]).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_and_inf_are_kept_and_not_spread(tiny, dtype) -> None:
    whole = grey(16, 16, dtype=dtype)
    image = whole.copy()
    image[4, 5], image[8, 8], image[12, 3] = np.nan, np.inf, -np.inf
    result = tiny.run(image, window=WINDOW)
    broken = ~np.isfinite(image)
    assert result.image[broken].tobytes() == image[broken].tobytes()
    assert np.isfinite(result.image[~broken]).all()
    assert not result.noise[broken].any()


def test_a_nan_hardly_changes_the_result_elsewhere() -> None:
    network, card = load_weights("dran-grey")
    denoiser = Denoiser.from_network(network, card, device="cpu")
    whole = np.full((24, 24), 500.0) + np.random.default_rng(0).normal(0, 50, (24, 24))
    broken = whole.copy()
    broken[10:13, 10:13] = np.nan
    clean = denoiser.run(whole, window=WINDOW).image
    clean_broken = denoiser.run(broken, window=WINDOW).image
    rest = np.isfinite(broken)
    assert np.abs(clean_broken - clean)[rest].max() < 30
    assert clean_broken[rest].std() < 0.6 * whole[rest].std()


@pytest.mark.parametrize("value", [0, 7, -3])
@pytest.mark.parametrize("window", ["percentile", "full", (-10, 10)])
def test_constant_images_are_unchanged(tenth, value, window) -> None:
    image = np.full((3, 9, 9), value, np.int16)
    result = tenth.run(image, window=window)
    assert result.image.tobytes() == image.tobytes()
    assert not result.noise.any()
    assert not network_of(tenth).seen
    if isinstance(window, str):
        assert result.window is None
        assert result.provenance.window is None
        assert "constant" in result.notes[0]


def test_constant_slices_are_unchanged(tenth) -> None:
    image = grey(4, 9, 9)
    image[1], image[3] = 500, np.nan
    result = tenth.run(image, window=WINDOW)
    assert result.image[[1, 3]].tobytes() == image[[1, 3]].tobytes()
    assert len(network_of(tenth).seen) == 2
    assert (result.image[[0, 2]] < image[[0, 2]]).all()


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_masked_background_and_saturated_areas_are_unchanged(tenth, dtype) -> None:
    image = np.random.default_rng(0).integers(50, 200, (2, 40, 40)).astype(dtype)
    row, column = np.indices(image.shape[1:])
    background = np.broadcast_to(np.hypot(row - 20, column - 20) > 15, image.shape)
    image[background] = 20
    image[:, 15:25, 15:25] = 255
    result = tenth.run(image, window=WINDOW)
    changed = result.image != image
    assert not changed[:, 15:25, 15:25].any()
    assert not changed[background].any()
    assert changed[~background].mean() > 0.8
    assert np.array_equal(result.noise != 0, changed)


def test_constant_areas_of_colour_are_unchanged(colour_tenth) -> None:
    image = np.random.default_rng(0).integers(50, 200, (30, 30, 3)).astype("u1")
    image[:12] = 255
    result = colour_tenth.run(image, window=WINDOW)
    assert np.array_equal(result.image[:12], image[:12])
    assert (result.image[12:] != image[12:]).all()


def test_slices_outside_the_window_are_not_even_shown(tenth) -> None:
    image = grey(2, 9, 9)
    image[1] += 5000
    result = tenth.run(image, window=WINDOW)
    assert result.image[1].tobytes() == image[1].tobytes()
    assert len(network_of(tenth).seen) == 1


def test_outliers_are_clipped_before_the_network_sees_them(tenth) -> None:
    image = grey(9, 9)
    image[0, 0] = 1e30
    tenth.run(image, window=WINDOW)
    assert network_of(tenth).seen[0].max() == 1.5


def test_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DRAN(features=8, blocks=1, layers=2).eval()
    card = save_weights(tmp_path / "mine.safetensors", network, card_for(1, **network.arguments))
    image = grey(2, 32, 40)
    denoiser = Denoiser(str(tmp_path / "mine.safetensors"), device="cpu")
    result = denoiser.run(image, window=WINDOW)
    assert result.provenance.sha256 == card.sha256
    stored, _ = load_weights(tmp_path / "mine.safetensors")
    with torch.no_grad():
        noise = limit_corners(stored(torch.from_numpy(image[:, None] / 1000)))[:, 0].numpy() * 1000
    np.testing.assert_allclose(result.noise, noise, atol=0.02)


@pytest.mark.corpus
@pytest.mark.parametrize(("modality", "gain"), [("mri", 4), ("histopathology", 4)])
def test_shipped_weights_denoise_real_images(corpus: Path, modality: str, gain: float) -> None:
    path = sorted((corpus / "test" / modality).glob("*.png"))[1]
    # A quarter of the image: the whole takes seconds.
    clean = np.asarray(Image.open(path))[48:176, 48:176] / 255.0
    noisy = np.clip(np.rint(255 * add_gaussian(clean, 25, seed=0)), 0, 255).astype(np.uint8)
    result = Denoiser(device="cpu").run(noisy, window=(0, 255))
    assert result.image.dtype == np.uint8
    before, after = (psnr(clean, image / 255) for image in (noisy, result.image))
    assert after > before + gain
    assert result.provenance.sigma_255 == pytest.approx(25, rel=0.25)


def test_a_card_that_another_thread_read_names_the_same_weights(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    network = DRAN(1, features=4, blocks=1, layers=1)
    save_weights(path, network, card_for(1, **network.arguments))
    denoiser = Denoiser(path, device="cpu")
    card = read_card(path)
    assert card is not denoiser.plan(np.eye(16)).card
    assert denoiser.predictor(card) is denoiser.predictor(denoiser.plan(np.eye(16)).card)


@pytest.mark.corpus
def test_fibres_of_an_image_nearly_without_noise_stay(corpus: Path) -> None:
    image = read_volume(corpus / "volumes/osteosarcoma_rgb_fluo.tif")
    cells = np.asarray(image.data).squeeze()[300:556, 400:656]
    clean = Denoiser(device="cpu").run(cells).image
    # With all that the network takes for noise this is 34 dB, and the fibres are gone.
    assert psnr(cells.astype(float), clean.astype(float), 255) > 41


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path, image = tmp_path / "own.safetensors", grey(16, 16)
    save_tiny(path, 0)
    denoiser = Denoiser(path, device="cpu")
    old, plan = denoiser.run(image), denoiser.plan(image)
    save_tiny(path, 1)
    new = denoiser.run(image)
    assert new.provenance.sha256 == read_card(path).sha256 != old.provenance.sha256
    assert not np.array_equal(new.image, old.image)
    # What was planned with the old weights must not be said to be theirs.
    with pytest.raises(WeightsError, match="were replaced while this image was being prepared"):
        next(plan.steps())


def save_tiny(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    network = DRAN(features=8, blocks=1, layers=2).eval()
    save_weights(path, network, card_for(1, **network.arguments), overwrite=True)
