"""The first trainer: schedules, averaging, and a few seconds of training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.errors import InputError
from napari_dran.network.dran import DRAN
from napari_dran.training.data import TrainingImage
from napari_dran.training.denoising import (
    CHECKPOINT,
    Recipe,
    average,
    learning_rate,
    temperature,
    train,
    validate,
    validation_pairs,
)

SHORT = Recipe(batch=2, crop=16, minutes=0.03, warmup=5, annealing=0.5)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures, grey and in colour."""
    root = tmp_path_factory.mktemp("images")
    y, x = np.mgrid[:32, :36] / 36
    for modality, shape in (("mri", (32, 36)), ("skin", (32, 36, 3))):
        (root / modality).mkdir()
        for number in range(2):
            wave = 0.5 + 0.4 * np.sin(7 * x + number) * np.cos(5 * y)
            pixels = np.broadcast_to(wave[..., None] if len(shape) == 3 else wave, shape)
            Image.fromarray((255 * pixels).astype(np.uint8)).save(root / modality / f"{number}.png")
    return root


def read_log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_learning_rate_rises_holds_and_falls_as_half_a_cosine() -> None:
    recipe = Recipe(learning_rate=1e-3, warmup=100, cooldown=0.4)
    assert learning_rate(recipe, 0, 0.0) == pytest.approx(1e-5)
    assert learning_rate(recipe, 49, 0.0) == pytest.approx(5e-4)
    assert learning_rate(recipe, 500, 0.3) == learning_rate(recipe, 500, 0.59) == 1e-3
    assert learning_rate(recipe, 500, 0.8) == pytest.approx(
        1e-3 * (0.5 - 0.5 * math.cos(math.pi / 2))
    )
    assert learning_rate(recipe, 500, 0.9) == pytest.approx(
        1e-3 * (0.5 - 0.5 * math.cos(math.pi / 4))
    )
    assert 0 < learning_rate(recipe, 500, 1.0) <= 1e-6


def test_temperature_falls_to_one() -> None:
    recipe = Recipe(start_temperature=30.0, annealing=0.2)
    assert temperature(recipe, 0.0) == 30.0
    assert temperature(recipe, 0.1) == pytest.approx(15.5)
    assert temperature(recipe, 0.2) == temperature(recipe, 0.9) == 1.0


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


def test_validate_is_mean_psnr_of_clipped_output() -> None:
    network = DRAN(features=4, blocks=1, layers=1)
    torch.nn.init.zeros_(network.tail.weight)
    clean = torch.full((1, 1, 16, 16), 0.5)
    pairs = [(clean + 0.1, clean), (clean + 0.01, clean)]
    assert validate(network, pairs) == pytest.approx(30.0, abs=1e-3)
    assert validate(network, [(clean + 9, torch.ones_like(clean))]) == pytest.approx(100.0)


def test_validation_pairs_are_always_the_same_and_fit_small_images() -> None:
    pixels = np.random.default_rng(0).random((1, 20, 200), dtype=np.float32)
    images = [TrainingImage(f"mri/{n}.png", "mri", pixels) for n in range(5)]
    first, again = (validation_pairs(images, 1, 25.0, each=3) for _ in range(2))
    assert len(first) == 3
    assert first[0][1].shape == (1, 1, 20, 160)
    assert first[0][0].equal(again[0][0])
    assert (first[0][0] - first[0][1]).std().item() == pytest.approx(25 / 255, rel=0.1)
    np.testing.assert_array_equal(first[0][1][0], pixels[:, :, 20:180])


def test_no_images_of_the_kind_to_validate_on() -> None:
    grey = TrainingImage("mri/a.png", "mri", np.zeros((1, 20, 20), np.float32))
    with pytest.raises(InputError, match="colour"):
        validation_pairs([grey], 3, 25.0)


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DRAN]:
    """A finished run of two seconds."""
    folder = tmp_path_factory.mktemp("runs") / "grey"
    return folder, train(SHORT, images, images, folder, device="cpu")


def test_run_is_finite_and_logged(run: tuple[Path, DRAN]) -> None:
    folder, network = run
    assert not network.training
    assert not (folder / (CHECKPOINT + ".partial")).exists()
    last = read_log(folder)[-1]
    assert last["step"] >= 1
    assert math.isfinite(last["loss"])
    assert math.isfinite(last["psnr25"])
    assert last["temperature"] == network.arguments["temperature"]
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 16, 16)).isfinite().all()


def test_every_parameter_was_trained(run: tuple[Path, DRAN]) -> None:
    state = torch.load(run[0] / CHECKPOINT, weights_only=True)
    torch.manual_seed(SHORT.seed)
    untrained = DRAN().state_dict()
    parameters = {name for name, _ in DRAN().named_parameters()}
    unchanged = [name for name in parameters if state["model"][name].equal(untrained[name])]
    assert unchanged == []


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = DRAN()
    noisy = torch.rand(2, 1, 16, 16)
    torch.nn.functional.l1_loss(network(noisy), torch.rand(2, 1, 16, 16)).backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert without == []


def test_goes_on_from_the_checkpoint(run: tuple[Path, DRAN], images: Path) -> None:
    folder, _ = run
    before = torch.load(folder / CHECKPOINT, weights_only=True)
    train(replace(SHORT, minutes=0.06), images, images, folder, device="cpu")
    after = torch.load(folder / CHECKPOINT, weights_only=True)
    assert after["step"] > before["step"]
    assert after["elapsed"] > before["elapsed"]
    assert after["arguments"] == DRAN().arguments | {
        "temperature": after["arguments"]["temperature"]
    }
    steps = [row["step"] for row in read_log(folder)]
    assert steps == sorted(steps)


def test_starts_from_weights_that_fit(images: Path, tmp_path: Path) -> None:
    initial = {"tail.weight": torch.full((3, 64, 3, 3), 0.01), "head.weight": torch.zeros(9)}
    over = Recipe(channels=3, batch=2, crop=16, minutes=1e-6)
    network = train(over, images, images, tmp_path, initial=initial)
    torch.testing.assert_close(network.tail.weight.data, initial["tail.weight"])


def test_bad_folders(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        train(SHORT, tmp_path / "none", images, tmp_path / "run")
    with pytest.raises(InputError, match="36 x 32"):
        train(replace(SHORT, crop=64), images, images, tmp_path / "run")
