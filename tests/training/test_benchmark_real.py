"""The arithmetic of the benchmark's experiments beside Gaussian noise, on known cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training.benchmark import (
    cards,
    clean_image,
    discs,
    figures,
    flat_field,
    lines,
    real_noise,
    real_volumes,
    spots,
)
from training.benchmark.discs import SIZES, Spot, disc_minus_ring, kept, spots_for
from training.benchmark.marks import CONTRASTS, RING, disc, plant

from napari_dran.noise import GREY_LEVELS, add_gaussian


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.35, 0.45, shape).astype(np.float32)


def identity(noisy: np.ndarray, sigma: float) -> np.ndarray:
    return noisy


def test_crop_takes_the_middle_and_leaves_small_images() -> None:
    image = np.arange(900 * 450).reshape(900, 450)
    crop = real_noise.centre_crop(image)
    assert crop.shape == (448, 448)
    assert crop[0, 0] == image[226, 1]
    assert real_noise.centre_crop(image, 1000) is not None
    np.testing.assert_array_equal(real_noise.centre_crop(image, 1000), image)


def test_fit_finds_gain_and_offset() -> None:
    reference = random(32, 32)
    np.testing.assert_allclose(real_noise.fit(reference / 3 - 7, reference), reference, atol=1e-6)
    noise = np.random.default_rng(1).standard_normal((32, 32))
    fitted = real_noise.fit(reference + noise, reference)
    gain, offset = np.polyfit((reference + noise).ravel(), reference.ravel(), 1)
    np.testing.assert_allclose(fitted, gain * (reference + noise) + offset, atol=1e-6)


def test_a_constant_image_is_fitted_by_the_mean() -> None:
    reference = random(16, 16)
    fitted = real_noise.fit(np.full((16, 16), 9.0), reference)
    np.testing.assert_allclose(fitted, reference.mean(), rtol=1e-6)


def test_score_does_not_depend_on_the_scale_of_either() -> None:
    reference, noise = random(64, 64), add_gaussian(np.zeros((64, 64)), 20, 1)
    first = real_noise.score(reference + noise, reference)
    again = real_noise.score(5 * (reference + noise) + 3, 100 * reference - 1)
    assert again == pytest.approx(first, rel=1e-4)


def test_pairs_are_those_of_the_three_sets(corpus: Path) -> None:
    found = list(real_noise.pairs(corpus / "realnoise/test"))
    assert {pair.dataset for pair in found} == set(real_noise.DATASETS)
    assert all(pair.noisy.shape == pair.reference.shape for pair in found)
    assert max(max(pair.noisy.shape) for pair in found) == real_noise.SIDE
    # As measured in DESIGN section 6.
    oct_scores = [
        real_noise.score(pair.noisy, pair.reference)[0]
        for pair in found
        if pair.dataset == "duke_sdoct"
    ]
    assert np.mean(oct_scores) == pytest.approx(19.0, abs=0.05)


@pytest.mark.parametrize("diameter", [2, 3, 5, 8])
def test_a_disc_has_the_area_of_a_circle(diameter: int) -> None:
    cover = disc((40, 50), 20.3, 31.7, diameter)
    assert cover.sum() == pytest.approx(np.pi * diameter**2 / 4, rel=0.03)
    assert cover.max() <= 1
    rows, columns = np.indices(cover.shape)
    assert (cover * rows).sum() / cover.sum() == pytest.approx(20.3, abs=0.05)
    assert (cover * columns).sum() / cover.sum() == pytest.approx(31.7, abs=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_kept_is_the_share_left_in_the_difference(size: int) -> None:
    clean, spot = random(48, 48), Spot(24.2, 23.6, size, 5, -1)
    planted = plant(clean, [spot])
    assert kept(spot, planted, clean) == pytest.approx(1, abs=1e-5)
    assert kept(spot, clean + 0.4 * (planted - clean), clean) == pytest.approx(0.4, abs=1e-5)
    assert kept(spot, clean, clean) == 0
    # The same change of brightness everywhere in both results is no contrast.
    assert kept(spot, planted / 2 + 0.1, clean / 2 + 0.1) == pytest.approx(0.5, abs=1e-5)


def test_disc_minus_ring_on_a_flat_field_is_near_the_amplitude() -> None:
    flat = np.full((64, 64), 0.5, np.float32)
    for sign in (1, -1):
        spot = Spot(32, 32, 8, 3, sign)
        found = disc_minus_ring(spot, plant(flat, [spot]))
        # The rim is covered in part, so the mean over the disc is a little lower.
        assert 0.85 < found / (3 * discs.SIGMA / GREY_LEVELS) < 1


def test_spots_lie_apart_within_the_window_and_off_the_background() -> None:
    clean = random(256, 256)
    clean[:, :128] = 0
    found = spots_for(clean, 3)
    assert found == spots_for(clean, 3)
    assert found != spots_for(clean, 4)
    assert min(spot.x for spot in found) > 120
    assert {spot.size for spot in found} == set(SIZES)
    planted = plant(clean, found)
    assert planted.min() >= 0
    assert planted.max() <= 1
    for first in found:
        gaps = [np.hypot(first.y - s.y, first.x - s.x) for s in found if s is not first]
        assert min(gaps) > 2 * RING[1] + max(SIZES) / 2


def test_a_method_that_does_nothing_keeps_every_spot() -> None:
    rows = list(discs.contrasts("mri/x.png", random(128, 128), identity))
    assert {(row.size, row.contrast) for row in rows} == {
        (size, contrast) for size in SIZES for contrast in CONTRASTS
    }
    assert [row.kept for row in rows] == pytest.approx([1] * len(rows), abs=1e-4)


def test_a_method_that_flattens_keeps_none() -> None:
    rows = discs.contrasts("mri/x.png", random(128, 128), lambda n, s: np.full_like(n, 0.5))
    assert [row.kept for row in rows] == pytest.approx([0] * 12, abs=1e-6)


@pytest.mark.parametrize("width", lines.WIDTHS)
@pytest.mark.parametrize("angle", [0.1, 0.6, 2.5])
def test_a_line_has_its_area_place_and_direction(width: int, angle: float) -> None:
    cover = lines.Line(30.3, 34.6, width, 3, angle=angle).cover((60, 64))
    assert cover.sum() == pytest.approx(lines.LENGTH * width, rel=0.03)
    rows, columns = np.indices(cover.shape)
    down, right = rows - 30.3, columns - 34.6
    assert abs((cover * down).sum() / cover.sum()) < 0.05
    assert abs((cover * right).sum() / cover.sum()) < 0.05
    across = down * np.cos(angle) - right * np.sin(angle)
    assert np.sqrt((cover * across**2).sum() / cover.sum()) == pytest.approx(
        np.sqrt((width**2 + 1) / 12), rel=0.2
    )


def test_lines_on_what_is_saturated_are_as_much_darker_than_white() -> None:
    scene, line = np.full((64, 64), 1.4), lines.Line(32, 32, 3, 5, -1)
    planted = plant(scene, [line])
    assert planted.min() == pytest.approx(1 - 5 * lines.SIGMA / GREY_LEVELS)
    assert planted.max() == pytest.approx(1.4)


def test_a_third_of_a_brightened_image_is_white() -> None:
    clean = random(64, 64)
    clean[:32] = 0
    scene = lines.brightened(clean)
    assert (scene[32:] >= 1).mean() == pytest.approx(1 / 3, abs=0.01)
    assert {line.sign for line in lines.lines_for(random(128, 128) + 0.6, 0)} == {-1}


@pytest.mark.parametrize("exposure", lines.EXPOSURES)
def test_a_method_that_does_nothing_keeps_every_line(exposure: str) -> None:
    found = list(lines.contrasts("mri/x.png", random(128, 128), exposure, identity))
    assert len(found) == len(lines.WIDTHS) * len(CONTRASTS)
    # Of what is saturated the noise is cut off at white.
    least = 1 if exposure == lines.AS_IT_IS else 0.9
    assert min(row.kept for row in found) >= least - 1e-4
    assert max(row.kept for row in found) <= 1 + 1e-4
    flat = lines.contrasts(
        "mri/x.png", random(128, 128), exposure, lambda noisy, s: np.full_like(noisy, 0.5)
    )
    assert [row.kept for row in flat] == [0.0] * len(found)


def test_lines_are_measured_and_told(corpus: Path, tmp_path: Path) -> None:
    lines.measure(corpus, tmp_path, ["noisy"])
    text = lines.tables(tmp_path)
    assert "| noisy | 100 | 100 | 100 | 100 | 100 | 100 | 100.0 [100.0, 100.0] |" in text
    before = (tmp_path / "lines/noisy.csv").read_text()
    lines.measure(corpus, tmp_path, ["noisy"])
    assert (tmp_path / "lines/noisy.csv").read_text() == before


def test_what_is_left_on_a_flat_field() -> None:
    assert flat_field.left(0.5, 25, identity) == pytest.approx(1)
    assert flat_field.left(0.5, 25, lambda n, s: 0.1 * n) == pytest.approx(0.1, rel=1e-5)
    assert flat_field.left(0.5, 25, lambda n, s: np.full_like(n, 0.5)) == 0


def test_the_spectrum_of_white_noise_is_its_variance() -> None:
    noise = np.random.default_rng(0).standard_normal((256, 256)) * 3
    frequency, power = flat_field.radial_spectrum(noise)
    assert 0 < frequency[0] < frequency[-1] < 0.5
    assert power[4:] == pytest.approx(9, rel=0.2)
    wave = np.sin(2 * np.pi * 0.25 * np.arange(256))[None] * np.ones((256, 1))
    frequency, power = flat_field.radial_spectrum(wave)
    assert abs(frequency[power.argmax()] - 0.25) < 0.01


def test_figures_show_scores_and_details(tmp_path: Path) -> None:
    from matplotlib.image import imread

    panel, clean = figures.PANELS[0], random(128, 128)
    path = tmp_path / "figure.png"
    outputs = [("noisy", add_gaussian(clean, 50, 0)), ("reference", clean)]
    figures.draw_panel(panel, outputs, path)
    drawn = imread(path)
    assert drawn.shape[1] > 3 * 300
    assert drawn[..., :3].std() > 0.05


EXPERIMENTS = (clean_image, flat_field, spots, lines, real_noise, real_volumes, figures)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda module: module.NAME)
def test_nothing_is_told_before_it_is_measured(experiment: Any, tmp_path: Path) -> None:
    assert experiment.tables(tmp_path) == ""


def test_flat_fields_are_measured_told_and_drawn(tmp_path: Path) -> None:
    flat_field.measure(tmp_path, tmp_path, ["noisy"])
    before = (tmp_path / "flat-field/noisy.csv").read_text()
    assert before.startswith("image,modality,sigma,left,weights\n")
    flat_field.measure(tmp_path, tmp_path, ["noisy"])
    assert (tmp_path / "flat-field/noisy.csv").read_text() == before
    assert "| noisy | 100.0 (worst 100.0) |" in flat_field.tables(tmp_path)
    flat_field.draw(tmp_path, tmp_path, tmp_path)
    assert (tmp_path / "flat-field.png").is_file()


def test_spots_are_measured_told_and_drawn(corpus: Path, tmp_path: Path) -> None:
    spots.measure(corpus, tmp_path, ["noisy"])
    text = spots.tables(tmp_path)
    assert "| noisy | 100 | 100 | 100 | 100 | 100 | 100 | 100.0 [100.0, 100.0] |" in text
    spots.draw(corpus, tmp_path, tmp_path)
    assert (tmp_path / "spots.png").is_file()


def test_real_noise_is_measured_and_told(corpus: Path, tmp_path: Path) -> None:
    real_noise.measure(corpus, tmp_path, ["noisy"])
    text = real_noise.tables(tmp_path)
    assert "OCT (9 pairs) | W2S (9 pairs) | FMD (9 pairs)" in text
    assert "| noisy | 18.99 / " in text


def test_clean_images_are_told_with_the_worst(tmp_path: Path) -> None:
    folder = tmp_path / "clean-image"
    folder.mkdir()
    (folder / "dran.csv").write_text(
        "image,modality,sigma,psnr,ssim,weights\n"
        "mri/a.png,mri,0,50,1,x\nmri/b.png,mri,0,46,1,x\nmri/a.png,mri,5,40,1,x\n"
    )
    text = clean_image.tables(tmp_path)
    assert "| mri | 48.0 (worst 46.0) |  |  |  | 40.0 (worst 40.0) |" in text
    assert "48.1, 42.1, 38.6, 34.2 dB" in text


def test_what_weights_were_taught_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from napari_dran.weights import read_card

    card = read_card("dran-grey")
    taught = replace(card, training={"recipe": {"spots": 0.1}})
    untaught = replace(card, name="other", training={})
    monkeypatch.setattr(cards, "list_weights", lambda: [taught, untaught])
    sentence = cards.taught("spots", "planted discs")
    assert sentence.endswith("no surprise to it: dran-grey (10 % of its crops).")
    assert cards.taught("flat", "fields") == ""
