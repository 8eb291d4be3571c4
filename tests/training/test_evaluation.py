"""Protocol ``gaussian``: noise, scores, means, and which weights see what."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_dran.errors import FileReadError, InputError, OutputExistsError, WeightsError
from napari_dran.training import methods
from napari_dran.training.evaluation import Row, evaluate, noise_seed, score, summarise, write_rows

GREY = np.random.default_rng(0).random((40, 44), dtype=np.float32)
COLOUR = np.random.default_rng(1).random((40, 44, 3), dtype=np.float32)


def nothing(noisy: np.ndarray, sigma: float) -> np.ndarray:
    return noisy


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for modality, pixels in (("mri", GREY), ("ct", GREY), ("histopathology", COLOUR)):
        (tmp_path / modality).mkdir()
        Image.fromarray((pixels * 255).astype(np.uint8)).save(tmp_path / modality / "a.png")
    return tmp_path


def weights_file(folder: Path, channels: int) -> Path:
    """Weights that find no noise at all."""
    import torch

    from napari_dran.network.dran import DRAN
    from napari_dran.weights import Card, save_weights

    network = DRAN(channels, features=8, blocks=1, layers=1)
    torch.nn.init.zeros_(network.tail.weight)
    path = folder / f"none-{channels}.safetensors"
    card = Card(path.stem, "dran", network.arguments, channels, (0.0, 50.0))
    save_weights(path, network, card)
    return path


def test_noise_is_the_same_everywhere_and_differs_between_images_and_sigmas() -> None:
    # A change of this number makes older results incomparable.
    assert noise_seed("mri/a.png", 25.0) == 7555340699436046812
    assert noise_seed("mri/a.png", 25) == noise_seed("mri/a.png", 25.0)
    others = [noise_seed("mri/b.png", 25), noise_seed("ct/a.png", 25), noise_seed("mri/a.png", 10)]
    assert len({noise_seed("mri/a.png", 25), *others}) == 4


def test_method_gets_unclipped_noise_and_sigma() -> None:
    seen = {}

    def method(noisy: np.ndarray, sigma: float) -> np.ndarray:
        seen.update(noisy=noisy, sigma=sigma)
        return noisy

    score("mri/a.png", GREY, 50, method)
    assert seen["sigma"] == pytest.approx(50 / 255)
    noise = seen["noisy"] - GREY
    assert seen["noisy"].dtype == np.float32
    assert noise.std() == pytest.approx(50 / 255, rel=0.05)
    assert seen["noisy"].min() < 0
    assert seen["noisy"].max() > 1


@pytest.mark.parametrize("clean", [GREY, COLOUR])
def test_scores_of_doing_nothing_and_of_perfection(clean: np.ndarray) -> None:
    row = score("mri/a.png", clean, 25, nothing)
    assert (row.psnr, row.ssim) == (row.psnr_noisy, row.ssim_noisy)
    assert 20 < row.psnr < 22.5
    perfect = score("mri/a.png", clean, 25, lambda noisy, sigma: clean)
    assert perfect.psnr == math.inf
    assert perfect.ssim == pytest.approx(1)


def test_output_is_clipped() -> None:
    clean = np.zeros((20, 20), np.float32)
    row = score("mri/a.png", clean, 25, lambda noisy, sigma: clean - 5)
    assert row.psnr == math.inf


def test_psnr_by_hand() -> None:
    clean = np.full((20, 20), 0.5, np.float32)
    row = score("mri/a.png", clean, 25, lambda noisy, sigma: clean + 0.1)
    assert row.psnr == pytest.approx(20, abs=1e-4)


def test_evaluate_a_method(images: Path) -> None:
    calls: list[tuple[int, int]] = []
    rows = evaluate(images, sigmas=(10, 50), method=nothing, progress=lambda *n: calls.append(n))
    assert [(row.image, row.sigma) for row in rows] == [
        (f"{modality}/a.png", sigma)
        for modality in ("ct", "histopathology", "mri")
        for sigma in (10, 50)
    ]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    pixels = (GREY * 255).astype(np.uint8) / np.float32(255)
    assert rows[0] == score("ct/a.png", pixels, 10, nothing)


@pytest.mark.parametrize(("channels", "expected"), [(1, {"ct", "mri"}), (3, {"histopathology"})])
def test_weights_skip_images_of_the_other_kind(
    images: Path, tmp_path: Path, channels: int, expected: set[str]
) -> None:
    notices: list[str] = []
    weights = weights_file(tmp_path, channels)
    rows = evaluate(images, weights, (25,), device="cpu", notice=notices.append)
    assert {row.modality for row in rows} == expected
    assert all(row.psnr == pytest.approx(row.psnr_noisy) for row in rows)
    assert len(notices) == 1
    assert "--weights auto" in notices[0]


def test_auto_takes_weights_by_kind(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {channels: str(weights_file(tmp_path, channels)) for channels in (1, 3)}
    monkeypatch.setattr(methods, "AUTO_WEIGHTS", both)
    rows = evaluate(images, sigmas=(25,), device="cpu", notice=lambda text: pytest.fail(text))
    assert {row.modality for row in rows} == {"ct", "mri", "histopathology"}


def test_nothing_to_measure(images: Path, tmp_path: Path) -> None:
    for modality in ("ct", "mri"):
        (images / modality / "a.png").unlink()
    with pytest.raises(WeightsError, match="colour"):
        evaluate(images, weights_file(tmp_path, 1), device="cpu")


@pytest.mark.parametrize("weights", ["unet-nuclei", "maskrcnn-nuclei"])
def test_weights_of_another_task_are_refused(weights: str) -> None:
    with pytest.raises(WeightsError, match="expected one that denoises"):
        methods.NetworkMethod(weights, device="cpu")


def test_a_run_is_named_by_its_best_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"got the folder .* Name the file\."):
        methods.NetworkMethod(tmp_path, device="cpu")
    best = weights_file(tmp_path, 1).rename(tmp_path / "best.safetensors")
    with pytest.raises(WeightsError, match=re.escape(f"here {best}, the best")):
        methods.NetworkMethod(str(tmp_path), device="cpu")
    with pytest.raises(WeightsError, match="Unknown weights 'none'"):
        methods.NetworkMethod("none", device="cpu")


def test_damaged_weights_end_the_evaluation(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> None:
        raise WeightsError(f"{name} is damaged")

    monkeypatch.setattr("napari_dran.weights.load_weights", load)
    with pytest.raises(WeightsError, match="damaged"):
        evaluate(images, weights_file(tmp_path, 1), device="cpu", failed=pytest.fail)


@pytest.mark.parametrize("sigmas", [(), (-1,), (math.nan,)])
def test_bad_sigmas(images: Path, sigmas: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="0 or more"):
        evaluate(images, sigmas=sigmas, method=nothing)


def test_images_that_are_too_small(tmp_path: Path) -> None:
    (tmp_path / "mri").mkdir()
    Image.fromarray(np.zeros((10, 40), np.uint8)).save(tmp_path / "mri" / "a.png")
    with pytest.raises(InputError, match="40 x 10"):
        evaluate(tmp_path, method=nothing)
    with pytest.raises(InputError, match="None of the images"):
        evaluate(tmp_path, method=nothing, failed=lambda sentence: None)


def test_bad_images_do_not_stop_the_others(images: Path) -> None:
    (images / "ct" / "a.png").write_bytes(b"hello")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(images / "mri" / "small.png")
    with pytest.raises(FileReadError, match=r"ct.a\.png"):
        evaluate(images, sigmas=(25,), method=nothing)

    def method(noisy: np.ndarray, sigma: float) -> np.ndarray:
        # The second sigma fails: the image counts at none.
        if noisy.ndim == 3 and sigma > 0.1:
            raise MemoryError("too large")
        return noisy

    failed: list[str] = []
    kept: list[Row] = []
    rows = evaluate(
        images, sigmas=(10, 50), method=method, failed=failed.append, measured=kept.append
    )
    assert [(row.image, row.sigma) for row in rows] == [("mri/a.png", 10), ("mri/a.png", 50)]
    assert kept == rows
    assert len(failed) == 3
    assert "a.png" in failed[0]
    assert failed[1] == "histopathology/a.png: unexpected MemoryError: too large"
    assert "mri/small.png is 9 x 9 pixels" in failed[2]


def test_rows_measured_before_an_interruption_are_told(images: Path) -> None:
    def method(noisy: np.ndarray, sigma: float) -> np.ndarray:
        if noisy.ndim == 3:
            raise KeyboardInterrupt
        return noisy

    kept: list[Row] = []
    with pytest.raises(KeyboardInterrupt):
        evaluate(images, sigmas=(25,), method=method, failed=pytest.fail, measured=kept.append)
    assert [row.image for row in kept] == ["ct/a.png"]


ROW = Row("mri/a.png", "mri", 25.0, 30.0, 0.9, 20.0, 0.5)


def test_means_by_modality_and_category() -> None:
    rows = [
        ROW,
        replace(ROW, image="mri/b.png", psnr=32.0),
        replace(ROW, image="ct/a.png", modality="ct", psnr=40.0),
        replace(ROW, image="ct/a.png", modality="ct", sigma=50.0, psnr=10.0),
        replace(ROW, image="skin/a.png", modality="skin", psnr=50.0),
        replace(ROW, image="dermatology/a.png", modality="dermatology", psnr=25.0),
    ]
    means = {(m.group, m.sigma): (m.images, m.psnr) for m in summarise(rows)}
    assert means == {
        ("mri", 25.0): (2, 31.0),
        ("ct", 25.0): (1, 40.0),
        ("ct", 50.0): (1, 10.0),
        ("skin", 25.0): (1, 50.0),
        ("dermatology", 25.0): (1, 25.0),
        # Over images, not over modalities.
        ("radiology", 25.0): (3, pytest.approx(34.0)),
        ("radiology", 50.0): (1, 10.0),
    }


def test_csv(tmp_path: Path) -> None:
    path = write_rows([ROW, replace(ROW, sigma=12.5, psnr=31.23456789)], tmp_path / "rows.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == "image,modality,sigma,psnr,ssim,psnr_noisy,ssim_noisy"
    assert [row["sigma"] for row in rows] == ["25", "12.5"]
    assert float(rows[1]["psnr"]) == pytest.approx(31.23456789, abs=1e-3)
    with pytest.raises(OutputExistsError):
        write_rows([ROW], path)
    write_rows([ROW], path, overwrite=True)


@pytest.mark.corpus
@pytest.mark.slow
def test_shipped_weights_remove_noise(corpus: Path, tmp_path: Path) -> None:
    for modality in ("mri", "dermatology"):
        (tmp_path / modality).mkdir()
        source = sorted((corpus / "test" / modality).glob("*.png"))[0]
        with Image.open(source) as image:
            image.crop((60, 60, 188, 188)).save(tmp_path / modality / source.name)
    rows = evaluate(tmp_path, sigmas=(25,), device="cpu")
    assert len(rows) == 2
    for row in rows:
        assert row.psnr > row.psnr_noisy + 1


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_an_ensemble_is_the_mean_over_orientations(pixels: np.ndarray) -> None:
    one, two = methods.NetworkMethod(device="cpu"), methods.NetworkMethod(device="cpu", ensemble=2)
    turned = np.rot90(one(np.ascontiguousarray(np.rot90(pixels, 2))), 2)
    np.testing.assert_allclose(two(pixels), (one(pixels) + turned) / 2, atol=1e-5)
    assert np.abs(two(pixels) - one(pixels)).max() > 1e-3


def test_an_ensemble_is_evaluated(images: Path) -> None:
    one, two = (
        evaluate(images, "dran-grey", [25], device="cpu", ensemble=ensemble) for ensemble in (1, 2)
    )
    assert [row.image for row in one] == [row.image for row in two]
    assert all(a.psnr != b.psnr for a, b in zip(one, two, strict=True))
    with pytest.raises(InputError, match="ensemble of 1 to 8"):
        evaluate(images, "dran-grey", ensemble=0)
