"""Schedules, losses and the average."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_dran.errors import InputError
from napari_dran.network.dran import DRAN
from napari_dran.training.data import TrainingImage
from napari_dran.training.denoising import learning_rate, residual_loss, temperature
from napari_dran.training.module import average
from napari_dran.training.recipe import Noise, Recipe
from napari_dran.training.validation import denoise_pairs, score_pairs, validation_pairs


def test_learning_rate_rises_holds_and_falls_as_half_a_cosine() -> None:
    recipe = Recipe(learning_rate=1e-3, warmup=100, cooldown=0.4)
    assert learning_rate(recipe, 0, 0.0) == pytest.approx(1e-5)
    assert learning_rate(recipe, 49, 0.0) == pytest.approx(5e-4)
    assert learning_rate(recipe, 500, 0.3) == learning_rate(recipe, 500, 0.59) == 1e-3
    assert learning_rate(recipe, 500, 0.8) == pytest.approx(5e-4)
    assert learning_rate(recipe, 500, 0.9) == pytest.approx(
        1e-3 * (0.5 - 0.5 * math.cos(math.pi / 4))
    )
    assert 0 < learning_rate(recipe, 500, 1.0) <= 1e-6


def test_cosine_and_constant() -> None:
    cosine = Recipe(learning_rate=1e-3, warmup=0, schedule="cosine")
    assert learning_rate(cosine, 0, 0.0) == pytest.approx(1e-3)
    assert learning_rate(cosine, 9, 0.5) == pytest.approx(5e-4)
    constant = Recipe(learning_rate=1e-3, warmup=0, schedule="constant")
    assert [learning_rate(constant, 9, p) for p in (0, 0.5, 1)] == [1e-3] * 3


def test_temperature_falls_to_one() -> None:
    recipe = Recipe(annealing=0.2)
    assert temperature(recipe, 30.0, 0.0) == 30.0
    assert temperature(recipe, 30.0, 0.1) == pytest.approx(15.5)
    assert temperature(recipe, 30.0, 0.2) == temperature(recipe, 30.0, 0.9) == 1.0
    assert temperature(recipe, 1.0, 0.1) == 1.0


def test_losses() -> None:
    predicted, noise = torch.tensor([0.0, 0.3]), torch.tensor([0.0, -0.1])
    assert residual_loss("l1", predicted, noise).item() == pytest.approx(0.2)
    assert residual_loss("l2", predicted, noise).item() == pytest.approx(0.08)
    expected = (1e-3 + math.hypot(0.4, 1e-3)) / 2
    assert residual_loss("charbonnier", predicted, noise).item() == pytest.approx(expected)


def test_average_moves_weights_and_statistics() -> None:
    old, new = (DRAN(features=4, blocks=1, layers=1) for _ in range(2))
    before = {key: value.clone() for key, value in old.state_dict().items()}
    new.blocks[0].norms[0].running_mean.fill_(3.0)
    new.blocks[0].norms[0].num_batches_tracked.fill_(7)
    average(old, new, 0.9)
    target = new.state_dict()
    for key, value in old.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.9 * before[key] + 0.1 * target[key])
        else:
            assert value.equal(target[key])


def image(name: str, shape: tuple[int, ...]) -> TrainingImage:
    pixels = np.random.default_rng(0).random(shape).astype(np.float16)
    return TrainingImage(name, "mri", pixels)


def test_validation_pairs_are_always_the_same_and_fit_small_images() -> None:
    images = [image(f"mri/{n}.png", (1, 20, 200)) for n in range(5)]
    recipe = Recipe(crop=16, validation_sigmas=(10.0, 25.0))
    first, again = (validation_pairs(images, 1, recipe) for _ in range(2))
    assert [(p.name, p.sigma) for p in first[:2]] == [("mri/0.png", 10.0), ("mri/0.png", 25.0)]
    assert len(first) == 6
    assert first[0].clean.shape == (1, 1, 20, 160)
    assert first[0].noisy.equal(again[0].noisy)
    assert (first[1].noisy - first[1].clean).std().item() == pytest.approx(25 / 255, rel=0.05)
    expected = images[0].pixels[:, :, 20:180].astype(np.float32)
    np.testing.assert_array_equal(first[0].clean[0], expected)


def test_validation_uses_the_noise_of_the_recipe() -> None:
    recipe = Recipe(crop=16, noise=(Noise("released"),), validation_sigmas=(50.0,))
    (pair,) = validation_pairs([image("mri/a.png", (1, 20, 20))], 1, recipe)
    assert (pair.noisy - pair.clean).min() >= -1e-6


def test_validation_says_how_strong_the_noise_is_that_was_added() -> None:
    noise = (Noise("rician", (0, 20)), Noise("gaussian", (5, 30)))
    images = [image("mri/a.png", (1, 160, 160))]
    pairs = validation_pairs(images, 1, Recipe(crop=16, noise=noise))
    # 50 is beyond the reach of both.
    assert [pair.sigma for pair in pairs] == [10.0, 25.0, 30.0]
    assert (pairs[2].noisy - pairs[2].clean).std().item() == pytest.approx(30 / 255, rel=0.05)
    (only,) = validation_pairs(images, 1, Recipe(crop=16, noise=(Noise(sigma=(0, 4)),)))
    assert only.sigma == 4.0


def test_no_images_of_the_kind_to_validate_on() -> None:
    with pytest.raises(InputError, match="colour"):
        validation_pairs([image("a", (1, 20, 20))], 3, Recipe(crop=16))


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_of_a_network_that_does_nothing(channels: int) -> None:
    network = DRAN(channels, features=4, blocks=1, layers=1)
    torch.nn.init.zeros_(network.tail.weight)
    recipe = Recipe(crop=16, validation_sigmas=(0.0, 10.0), noise=(Noise(sigma=(0, 10)),))
    pairs = validation_pairs([image("mri/a.png", (channels, 40, 40))], channels, recipe)
    outputs = denoise_pairs(network, pairs, torch.device("cpu"))
    psnr, ssim = score_pairs(pairs, outputs)
    assert psnr[0.0] == 100.0
    assert ssim[0.0] == pytest.approx(1)
    # Clipping takes a little of the noise away.
    assert psnr[10.0] == pytest.approx(20 * math.log10(25.5), abs=0.5)
    assert network.training
