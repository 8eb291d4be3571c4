"""Cutting noisy crops from images in one tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_dran.errors import InputError
from napari_dran.training.crops import NoisyCrops
from napari_dran.training.data import TrainingImage
from napari_dran.training.recipe import Noise, Recipe

PLAIN = Recipe(crop=16, coarse=0, windows=0, noise=(Noise(sigma=(0, 0)),))


def image(channels: int = 1, side: int = 40, modality: str = "mri") -> TrainingImage:
    pixels = np.random.default_rng(side).random((channels, side, side + 4), dtype=np.float32)
    return TrainingImage(f"{modality}/x.png", modality, pixels.astype(np.float16))


def orientations(crop: np.ndarray) -> list[np.ndarray]:
    turned = [np.rot90(crop, k, (-2, -1)) for k in range(4)]
    return turned + [t[..., ::-1] for t in turned]


def windows_of(pixels: np.ndarray, side: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(-2, -1))


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_parts_of_the_images_in_all_eight_orientations(channels: int) -> None:
    images = [image(channels, 20), image(channels, 24, "ct")]
    batch, noise = NoisyCrops(images, channels, PLAIN).batch(64, step=0)
    assert noise.abs().max() == 0
    used = set()
    for crop in batch.numpy():
        found = [
            way
            for way, turned in enumerate(orientations(crop))
            for one in images
            if (
                windows_of(one.pixels.astype(np.float32), 16).transpose(1, 2, 0, 3, 4) == turned
            ).all((-3, -2, -1)).any()
        ]  # fmt: skip
        assert found
        used.update(found)
    assert used == set(range(8))


def test_coarse_crops_are_averaged_down() -> None:
    one = image(side=40)
    batch, _ = NoisyCrops([one], 1, replace(PLAIN, coarse=1.0)).batch(32, step=0)
    pixels = one.pixels[0].astype(np.float32)
    # 40 x 44 pixels hold a crop of 16 averaged by 2, but none averaged by 3.
    means = (pixels[:-1, :-1] + pixels[1:, :-1] + pixels[:-1, 1:] + pixels[1:, 1:]) / 4
    for crop in batch[:4, 0].numpy():
        corner = np.abs(means - crop[0, 0]).min()
        assert corner < 1e-6
    assert batch.std() < 0.75 * pixels.std()


def test_batch_is_clean_plus_noise() -> None:
    recipe = Recipe(crop=16)
    noisy, noise = NoisyCrops([image()], 1, recipe).batch(64, step=0)
    assert noisy.shape == noise.shape == (64, 1, 16, 16)
    assert noisy.dtype == noise.dtype == torch.float32
    clean = noisy - noise
    assert clean.min() >= -1e-5
    assert clean.max() <= 1 + 1e-5
    assert noisy.min() < 0  # not clipped
    assert noisy.max() > 1


def test_a_batch_is_decided_by_seed_step_and_process() -> None:
    crops = NoisyCrops([image()], 1, Recipe(crop=16))
    again = NoisyCrops([image()], 1, Recipe(crop=16))
    first = crops.batch(4, step=3)
    crops.batch(4, step=4)
    assert first[0].equal(again.batch(4, step=3)[0])
    assert first[1].equal(again.batch(4, step=3)[1])
    assert not first[0].equal(crops.batch(4, step=4)[0])
    assert not first[0].equal(crops.batch(4, step=3, process=1)[0])
    other = NoisyCrops([image()], 1, Recipe(crop=16, seed=1))
    assert not first[0].equal(other.batch(4, step=3)[0])


def test_folders_are_drawn_alike() -> None:
    many = [TrainingImage("a", "dark", np.zeros((1, 20, 20), np.float16))] * 99
    one = [TrainingImage("b", "light", np.ones((1, 20, 20), np.float16))]
    noisy, _ = NoisyCrops(many + one, 1, PLAIN).batch(400, step=0)
    assert noisy.mean().item() == pytest.approx(0.5, abs=0.08)


def test_other_windows_keep_values_in_range() -> None:
    crops = NoisyCrops([image()], 1, replace(PLAIN, windows=1.0))
    batch, _ = crops.batch(200, step=0)
    assert batch.min() >= 0
    assert batch.max() <= 1
    ranges = batch.amax((1, 2, 3)) - batch.amin((1, 2, 3))
    assert 0.25 < ranges.min() < 0.4
    assert ranges.max() > 0.9


def test_clipped_crops_end_at_their_white_without_noise() -> None:
    recipe = replace(PLAIN, noise=(Noise(sigma=(20, 20)),), clipped=0.5)
    noisy, noise = NoisyCrops([image()], 1, recipe).batch(200, step=0)
    clean = noisy - noise
    white = noisy.flatten(1).amax(1)
    clipped = noisy.flatten(1).amin(1) >= 0
    assert 0.4 < clipped.float().mean() < 0.6
    assert 0.6 <= white[clipped].min() <= white[clipped].max() <= 1
    assert white[~clipped].max() > 1
    # At the white neither crop goes on, and many pixels of the two are there at once.
    one = clipped & ((clean >= white[:, None, None, None] - 1e-6).flatten(1).float().mean(1) > 0.2)
    assert one.any()
    for dirty, pure, top in zip(noisy[one], clean[one], white[one], strict=True):
        assert pure.max() <= top + 1e-6
        saturated = pure > top - 1e-6
        assert (dirty[saturated] == top).float().mean() > 0.5
    same, _ = NoisyCrops([image()], 1, replace(recipe, clipped=0.0)).batch(200, step=0)
    assert same[~clipped].equal(noisy[~clipped])


def test_grey_network_sees_a_mix_of_colours() -> None:
    colour = image(3, modality="skin")
    batch, _ = NoisyCrops([colour, image()], 1, PLAIN).batch(200, step=0)
    assert batch.shape == (200, 1, 16, 16)
    assert batch.max() <= 1


def test_colour_network_sees_colour_and_some_grey() -> None:
    crops = NoisyCrops([image(3, modality="skin"), image()], 3, PLAIN)
    clean, _ = crops.batch(300, step=0)
    grey = (clean.amax(1) - clean.amin(1)).amax((1, 2)) < 1e-5
    assert 0.08 < grey.float().mean() < 0.22


def test_images_smaller_than_the_crop() -> None:
    with pytest.raises(InputError, match=r"1 of 2 images .* mri/x\.png \(44 x 40\).* to 40"):
        NoisyCrops([image(), image(side=80)], 1, Recipe(crop=64))


def test_networks_need_images_of_their_kind() -> None:
    with pytest.raises(InputError, match="colour"):
        NoisyCrops([image()], 3, Recipe(crop=16))
    with pytest.raises(InputError, match="grey"):
        NoisyCrops([image(3)], 1, Recipe(crop=16))
