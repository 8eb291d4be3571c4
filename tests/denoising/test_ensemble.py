"""Self-ensemble: a slice seen in several orientations, the results averaged."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran import Volume, denoise
from napari_dran.denoising import MAX_ENSEMBLE, Denoiser
from napari_dran.denoising.ensemble import ORIENTATIONS, check_ensemble, estimates
from napari_dran.errors import Cancelled, InputError
from napari_dran.metrics import psnr
from napari_dran.noise import add_gaussian
from napari_dran.samples import load_sample

from .conftest import WINDOW, grey, network_of

IMAGES = np.random.default_rng(1).normal(size=(2, 3, 5, 7)).astype(np.float32)


def test_orientations_are_all_eight_and_are_undone() -> None:
    seen: list[np.ndarray] = []

    def same(images: np.ndarray) -> np.ndarray:
        assert images.flags.c_contiguous
        seen.append(images)
        return images

    for mean in estimates(same, IMAGES, MAX_ENSEMBLE):
        np.testing.assert_allclose(mean, IMAGES, atol=1e-6)
    assert len({(image.shape, image.tobytes()) for image in seen}) == len(ORIENTATIONS) == 8
    np.testing.assert_array_equal(seen[0], IMAGES)
    np.testing.assert_array_equal(seen[1], IMAGES[..., ::-1, ::-1])


def test_each_estimate_is_the_mean_of_the_first_orientations() -> None:
    noises = iter(range(1, 9))
    found = estimates(lambda images: np.full_like(images, next(noises)), IMAGES, 8)
    kept = list(found)
    assert [float(mean[0, 0, 0, 0]) for mean in kept] == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]
    assert kept[0].dtype == np.float32


def test_an_error_with_a_direction_averages_out() -> None:
    def slanted(images: np.ndarray) -> np.ndarray:
        ramp = np.linspace(-1, 1, images.shape[-1], dtype=np.float32)
        return images + ramp + 2 * ramp**2

    one, *_, eight = estimates(slanted, IMAGES, 8)
    assert np.abs(one - IMAGES).max() == pytest.approx(3)
    error = eight - IMAGES
    np.testing.assert_allclose(error, error[..., ::-1, ::-1], atol=1e-5)
    assert np.abs(error).max() < 2.01


@pytest.mark.parametrize("ensemble", [0, 9, -1, 2.0, "4", True, None])
def test_what_is_no_ensemble(tenth, ensemble) -> None:
    with pytest.raises(InputError, match=r"ensemble of 1 to 8 orientations.*got"):
        check_ensemble(ensemble)
    with pytest.raises(InputError, match="ensemble of 1 to 8"):
        tenth.plan(grey(9, 9), ensemble=ensemble)


def test_numpy_integers_are_integers() -> None:
    assert check_ensemble(np.int64(4)) == 4


@pytest.mark.parametrize("shape", [(32, 36), (3, 32, 36)])
def test_a_pass_is_a_step(tenth, shape) -> None:
    image, told = grey(*shape), []
    result = tenth.run(
        image, window=WINDOW, ensemble=4, strength=0.5, progress=lambda *place: told.append(place)
    )
    # The same from each side, so that averaging changes nothing.
    np.testing.assert_allclose(result.image, 0.95 * image, rtol=1e-5)
    passes = 4 * (3 if len(shape) == 3 else 1)
    assert told == [(n, passes) for n in range(1, passes + 1)]
    assert len(network_of(tenth).seen) == passes
    sides = {tuple(seen.shape[2:]) for seen in network_of(tenth).seen}
    assert sides == {(32, 36), (36, 32)}


def test_steps_of_a_slice_get_better_in_place(tiny: Denoiser) -> None:
    image = grey(2, 16, 12)
    steps = list(tiny.stream(image, window=WINDOW, ensemble=3))
    assert [step.index[0] for step in steps] == [0, 0, 0, 1, 1, 1]
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6]
    whole = tiny.run(image, window=WINDOW, ensemble=3)
    np.testing.assert_array_equal(whole.noise[0], steps[2].noise)
    np.testing.assert_array_equal(whole.noise[1], steps[5].noise)
    assert (steps[0].noise != steps[2].noise).any()
    turned = tiny.run(np.rot90(image, 2, (1, 2)), window=WINDOW).noise
    expected = (steps[0].noise + np.rot90(turned[0], 2)) / 2
    np.testing.assert_allclose(steps[1].noise, expected, rtol=1e-4, atol=1e-4)


def test_a_batch_is_done_before_the_next(tiny: Denoiser) -> None:
    image = grey(3, 16, 12)
    tiny.batch = 2
    steps = list(tiny.stream(image, window=WINDOW, ensemble=2))
    assert [step.index[0] for step in steps] == [0, 1, 0, 1, 2, 2]
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in steps} == {6}


def test_cancel_takes_effect_between_passes(tenth) -> None:
    with pytest.raises(Cancelled, match="after 3 of 16 passes"):
        tenth.run(grey(2, 9, 9), ensemble=8, progress=lambda done, total: done < 3)
    assert len(network_of(tenth).seen) == 3


def test_constant_slices_count_too(tenth) -> None:
    image, told = np.stack([grey(9, 9), np.full((9, 9), 5, "f4")]), []
    tenth.run(image, window=WINDOW, ensemble=2, progress=lambda *place: told.append(place))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(network_of(tenth).seen) == 2


def test_it_is_written_down(tenth) -> None:
    result = tenth.run(Volume(grey(2, 9, 9)), window=WINDOW, ensemble=8)
    assert result.image.history[-1]["ensemble"] == 8
    assert result.provenance.as_text().endswith(" z x1 e8")
    assert tenth.run(grey(9, 9), window=WINDOW).provenance.as_text().endswith(" z x1")


@pytest.mark.filterwarnings("ignore:The estimated noise")
def test_dask_agrees() -> None:
    da = pytest.importorskip("dask.array")
    image = grey(2, 16, 12, dtype="u2")
    arguments = {"weights": "dran-grey", "window": WINDOW, "ensemble": 2, "device": "cpu"}
    lazy = denoise(da.from_array(image), **arguments)
    np.testing.assert_array_equal(lazy.compute(), denoise(image, **arguments))


def test_less_noise_is_left() -> None:
    reference = load_sample("nuclei").data.astype(np.float32) / 255
    noisy = add_gaussian(reference, 50, seed=3)
    found = [
        psnr(reference, denoise(noisy, window="full", ensemble=count, device="cpu"))
        for count in (1, 2, 4, 8)
    ]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.02
