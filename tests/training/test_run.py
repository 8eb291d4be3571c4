"""Whole runs of a tiny network: resuming, stopping, bad numbers, full disks, two processes."""

from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_dran.errors import FileWriteError, TrainingError
from napari_dran.network.dran import DRAN
from napari_dran.training.fit import Outcome
from napari_dran.training.recipe import NOISE_NAMES, Noise, Recipe
from napari_dran.training.run import train
from napari_dran.training.run_folder import BEST, CHECKPOINT
from napari_dran.training.validation import Report
from napari_dran.weights import load_weights

from .conftest import state


def after(steps: int) -> Callable[[], bool]:
    """Ask to stop after some steps."""
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= steps


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)


@pytest.fixture
def whole(pictures: Path, tiny: Recipe, tmp_path: Path) -> tuple[Path, Outcome, list[Report]]:
    """A run that was not stopped."""
    reports: list[Report] = []
    run = tmp_path / "whole"
    outcome = train(pictures / "grey", tiny, run=run, device="cpu", report=reports.append)
    return run, outcome, reports


def test_run_leaves_weights_checkpoint_and_log(
    whole: tuple[Path, Outcome, list[Report]], tiny: Recipe
) -> None:
    run, outcome, reports = whole
    assert outcome == Outcome(12, False, run / BEST)
    assert sorted(path.name for path in run.iterdir()) == [BEST, CHECKPOINT, "log.csv"]
    assert [report.step for report in reports] == [4, 8, 12]
    assert [int(row["step"]) for row in rows(run)] == [4, 8, 12]
    assert float(rows(run)[2]["psnr_25"]) == pytest.approx(reports[2].psnr[25.0])
    assert reports[0].best
    assert reports[0].panel.shape == (24, 72)
    assert reports[2].learning_rate < reports[0].learning_rate
    assert reports[2].temperature == 1.0
    network, card = load_weights(run / BEST)
    assert card.channels == 1
    assert card.sigma_range == (0, 50)
    assert card.steps == max(reports, key=lambda report: report.score).step
    assert card.training["recipe"]["crop"] == 16
    assert card.training["started from"] == "random weights"
    assert card.data == {"folder grey": "not stated"}
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 16, 16)).isfinite().all()


def test_every_parameter_is_trained(whole: tuple[Path, Outcome, list[Report]]) -> None:
    torch.manual_seed(0)
    untrained = DRAN(features=4, blocks=1, layers=1, temperature=30.0)
    trained = state(whole[0])
    unchanged = [k for k, v in untrained.named_parameters() if trained[f"network.{k}"].equal(v)]
    assert unchanged == []


@pytest.mark.parametrize("stops", [(4,), (5, 2)])
def test_a_run_that_was_stopped_gives_the_same_weights(
    stops: tuple[int, ...], whole: tuple[Path, Outcome, list[Report]], pictures: Path,
    tiny: Recipe, tmp_path: Path,
) -> None:  # fmt: skip
    run = tmp_path / "stopped"
    for number, steps in enumerate(stops):
        torch.manual_seed(100 + number)  # the state outside must not matter
        outcome = train(pictures / "grey", tiny, run=run, device="cpu", stop=after(steps))
        assert outcome.stopped
    torch.manual_seed(200)
    outcome = train(pictures / "grey", tiny, run=run, device="cpu")
    assert (outcome.step, outcome.stopped) == (12, False)
    assert same(state(run), state(whole[0]))
    one, other = (torch.load(r / CHECKPOINT, weights_only=True) for r in (run, whole[0]))
    for key, value in one["optimizer_states"][0]["state"].items():
        for name, tensor in value.items():
            assert tensor.equal(other["optimizer_states"][0]["state"][key][name])
    assert [int(row["step"]) for row in rows(run)][-1] == 12
    assert one["napari-dran"]["elapsed"] > 0


def test_a_run_can_be_made_longer_but_not_another(
    whole: tuple[Path, Outcome, list[Report]], pictures: Path, tiny: Recipe
) -> None:
    run = whole[0]
    notices: list[str] = []
    again = train(pictures / "grey", tiny, run=run, device="cpu", notice=notices.append)
    assert again == whole[1]
    assert "is finished, at step 12" in notices[-1]
    with pytest.raises(TrainingError, match="loss was l1, is l2"):
        train(pictures / "grey", replace(tiny, loss="l2", steps=20), run=run, device="cpu")
    outcome = train(pictures / "grey", replace(tiny, steps=14), run=run, device="cpu")
    assert outcome.step == 14
    assert [int(row["step"]) for row in rows(run)] == [4, 8, 12, 14]


def test_starts_from_a_checkpoint_of_other_channels(
    whole: tuple[Path, Outcome, list[Report]], pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    notices: list[str] = []
    recipe = replace(tiny, weights=str(whole[0]), network={}, steps=1)
    train(pictures / "colour", recipe, run=tmp_path / "run", device="cpu", notice=notices.append)
    assert any("2 of 15 tensors start from random values" in notice for notice in notices)


def test_time_ends_a_run_and_its_schedules(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    reports: list[Report] = []
    recipe = replace(tiny, steps=100_000, minutes=0.01, validate_every=100_000)
    run = tmp_path / "run"
    outcome = train(pictures / "grey", recipe, run=run, device="cpu", report=reports.append)
    assert 0 < outcome.step < 5000
    assert not outcome.stopped
    assert reports[-1].step == outcome.step
    assert reports[-1].minutes >= 0.01


def test_fast_development_run_writes_nothing(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    reports: list[Report] = []
    outcome = train(
        pictures / "grey", tiny, run=tmp_path / "run", device="cpu", fast_dev_run=True,
        report=reports.append,
    )  # fmt: skip
    assert outcome == Outcome(2, False, None)
    assert len(reports) == 1
    assert list(tmp_path.iterdir()) == []


def test_nan_ends_the_run_and_keeps_the_last_good_weights(
    pictures: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.training import denoising

    original, calls = denoising.residual_loss, iter(range(1000))

    def loss(*args: object) -> torch.Tensor:
        value = original(*args)
        return value * float("nan") if next(calls) == 9 else value

    monkeypatch.setattr(denoising, "residual_loss", loss)
    with pytest.raises(
        TrainingError, match=r"became nan at step 9.*best weights so far.*lower learning rate"
    ):
        train(pictures / "grey", tiny, run=tmp_path / "run", device="cpu")
    kept = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)
    assert kept["napari-dran"]["step"] == 8
    assert all(value.isfinite().all() for value in kept["state_dict"].values())
    load_weights(tmp_path / "run" / BEST)


def test_full_disk_leaves_the_previous_checkpoint_whole(
    pictures: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = torch.save

    def save(values: dict[str, dict[str, int]], path: Path) -> None:
        original(values, path)
        if values["napari-dran"]["step"] == 8:
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", save)
    run = tmp_path / "run"
    with pytest.raises(FileWriteError, match="disk is full"):
        train(pictures / "grey", tiny, run=run, device="cpu")
    assert torch.load(run / CHECKPOINT, weights_only=True)["napari-dran"]["step"] == 4
    assert sorted(path.name for path in run.iterdir()) == [BEST, CHECKPOINT, "log.csv"]
    monkeypatch.undo()
    assert train(pictures / "grey", tiny, run=run, device="cpu").step == 12


@pytest.mark.parametrize("loss", ["l2", "charbonnier"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_other_losses_and_schedules(
    loss: str, schedule: str, pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = replace(tiny, loss=loss, schedule=schedule, steps=3, clip=0, averaging=0)
    assert train(pictures / "grey", recipe, run=tmp_path / "run", device="cpu").step == 3
    # Without averaging the kept weights are the trained ones.
    tensors = state(tmp_path / "run")
    assert tensors["averaged.head.weight"].equal(tensors["network.head.weight"])


def test_bfloat16_colour_baseline_and_mixture(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    recipe = replace(
        tiny,
        architecture="dncnn",
        network={"features": 4, "layers": 3},
        precision="bf16",
        steps=3,
        noise=(Noise("rician", (0, 20)), Noise("speckle", (0, 60), weight=2)),
    )
    train(pictures / "colour", recipe, run=tmp_path / "run", device="cpu")
    _, card = load_weights(tmp_path / "run" / BEST)
    assert (card.architecture, card.channels, card.sigma_range) == ("dncnn", 3, (0, 60))
    assert card.training["recipe"]["precision"] == "bf16"


def test_runs_in_a_thread(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        run = tmp_path / "run"
        outcome = pool.submit(train, pictures / "grey", tiny, run=run, device="cpu").result()
    assert outcome.step == 12


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32", "bf16", "fp16"])
def test_gpu(precision: str, pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    recipe = replace(tiny, precision=precision, noise=tuple(Noise(name) for name in NOISE_NAMES))
    run = tmp_path / "run"
    assert train(pictures / "grey", recipe, run=run, device="cuda", stop=after(5)).stopped
    assert train(pictures / "grey", recipe, run=run, device="cuda").step == 12
    assert all(value.isfinite().all() for value in state(run).values())


def test_tensorboard(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(pictures / "grey", replace(tiny, steps=4), run=tmp_path, device="cpu", tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {"loss", "psnr_10", "ssim_25"} <= set(events.Tags()["scalars"])
    assert len(events.Tags()["images"]) > 0


TWO_PROCESSES = """
import sys
from pathlib import Path
from napari_dran.training.recipe import Recipe
from napari_dran.training.run import train

recipe = Recipe(weights="scratch", network={"features": 4, "blocks": 1, "layers": 1}, crop=16,
                batch=4, steps=4, warmup=1, validate_every=2, validation_side=24, precision="32",
                validation_sigmas=(25.0,))
outcome = train(sys.argv[1], recipe, run=sys.argv[2], device="cpu", processes=2)
# In one piece, as both processes write to the same pipe.
sys.stdout.write(f"leader={outcome.leader} step={outcome.step}\\n")
"""


@pytest.mark.slow
def test_two_processes(pictures: Path, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES)
    ended = subprocess.run(
        [sys.executable, script, pictures / "grey", tmp_path / "run"],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "leader=True step=4" in ended.stdout
    assert "leader=False step=4" in ended.stdout
    assert [int(row["step"]) for row in rows(tmp_path / "run")] == [2, 4]
    assert all(np.isfinite(value.numpy()).all() for value in state(tmp_path / "run").values())
