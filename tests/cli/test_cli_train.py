"""``napari-dran train``: one command from a folder of scans to weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_dran.weights import read_card

TINY = (
    "--crop", "16", "--batch", "2", "--steps", "4", "--set", "validate_every=2", "--weights",
    "scratch", "--set", "network={features: 4, blocks: 1, layers: 1}", "--device", "cpu",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, save_png: Callable[..., Path], save_nifti: Callable[..., Path]) -> Path:
    """Two pictures and a damaged one."""
    for name in ("a", "b"):
        save_png(tmp_path / "images" / f"{name}.png")
    (tmp_path / "images" / "bad.png").write_bytes(b"rubbish")
    return tmp_path / "images"


def test_train_and_denoise_with_the_weights(
    folder: Path, tmp_path: Path, command: Any, scan: Path
) -> None:
    output = tmp_path / "mine.safetensors"
    result = command("train", folder, "-o", output, *TINY, "--licence", "mine")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("bad.png") >= 1
    assert "step 4: loss" in result.stderr
    assert f"Wrote {output}" in result.stdout
    card = read_card(output)
    assert (card.name, card.channels, card.licence) == ("mine", 1, "mine")
    assert (tmp_path / "mine-run" / "log.csv").exists()
    shown = command("weights", "info", output)
    assert shown.exit_code == 0, shown.output
    assert "model: gaussian" in shown.stdout
    assert "validation_sigmas: 10, 25, 50" in shown.stdout
    assert "betas: 0.9, 0.99" in shown.stdout
    assert "sigma: 0 to 50" in shown.stdout
    assert "width" not in shown.stdout
    denoised = command("denoise", scan, "-o", tmp_path / "out.nii", "--weights", output)
    assert denoised.exit_code == 0, denoised.output

    exported = tmp_path / "exported.safetensors"
    result = command("train", "--export", tmp_path / "mine-run", "-o", exported, "--name", "last")
    assert result.exit_code == 0, result.output
    assert (read_card(exported).name, read_card(exported).steps) == ("last", 4)
    words = ("train", "--export", tmp_path / "mine-run", "-o", exported, "--overwrite", "-q")
    result = command(*words)
    assert (result.exit_code, result.output) == (0, "")


def test_says_that_training_made_nothing_better(folder: Path, tmp_path: Path, command: Any) -> None:
    output = tmp_path / "mine.safetensors"
    options = ("--weights", "dran-grey", "--crop", "16", "--batch", "2", "--steps", "2")
    options += ("--set", "learning_rate=9", "--set", "warmup=0")
    result = command("train", folder, "-o", output, *options)
    assert result.exit_code == 0, result.output
    assert "before training: PSNR " in result.stderr
    assert "No validation was better than the weights that training started from" in result.stderr
    assert read_card(output).steps == 0


def test_the_start_is_not_needed_to_go_on(folder: Path, tmp_path: Path, command: Any) -> None:
    start, output = tmp_path / "start.safetensors", tmp_path / "mine.safetensors"
    assert command("train", folder, "-o", start, *TINY, "-q").exit_code == 0
    sha256 = read_card(start).sha256
    words = ("train", folder, "-o", output, "--weights", start, "--crop", "16", "--batch", "2")
    assert command(*words, "--steps", "2", "-q").exit_code == 0
    start.unlink()
    result = command(*words, "--steps", "3", "--overwrite")
    assert result.exit_code == 0, result.output
    assert "Going on at step 2" in result.stderr
    assert read_card(output).training["started from"].endswith(sha256[:12])


def test_recipe_file_and_options(folder: Path, tmp_path: Path, command: Any) -> None:
    config = tmp_path / "recipe.yaml"
    config.write_text("data: images\nnoise:\n  - model: rician\n    sigma: [0, 20]\nloss: l2\n")
    output = tmp_path / "mine.safetensors"
    words = ("train", "--config", config, "-o", output, *TINY, "--quiet")
    result = command(*words, "--sigma", "5:30", "--set", "seed=3")
    assert (result.exit_code, result.output) == (0, "")
    recipe = read_card(output).training["recipe"]
    assert recipe["noise"][0]["model"] == "rician"
    assert recipe["noise"][0]["sigma"] == [5, 30]
    assert (recipe["loss"], recipe["seed"]) == ("l2", 3)


def test_data_as_an_option(folder: Path, command: Any) -> None:
    result = command("train", "--data", folder, *TINY, "--fast-dev-run")
    assert result.exit_code == 0, result.output
    result = command("train", folder, "--data", folder, *TINY, "--fast-dev-run")
    assert result.exit_code == 2
    assert "Name one." in result.output


def test_mixture_and_fast_development_run(folder: Path, command: Any, tmp_path: Path) -> None:
    result = command(
        "train", folder, *TINY, "--noise", "speckle", "--noise", "rician", "--fast-dev-run"
    )
    assert result.exit_code == 0, result.output
    assert "Everything works" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_refused(folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    out = ("-o", tmp_path / "o.safetensors")
    assert "-o NAME.safetensors" in refused("train", folder)
    assert "Name the folder" in refused("train", *out)
    assert "no folder" in refused("train", tmp_path / "none", *out)
    assert ".safetensors" in refused("train", folder, "-o", tmp_path / "o.pt")
    assert "no noise model 'rice'" in refused("train", folder, *out, "--noise", "rice")
    assert "LOW:HIGH" in refused("train", folder, *out, "--sigma", "5")
    assert "unknown key 'los'" in refused("train", folder, *out, "--set", "los=l1")
    assert "KEY=VALUE" in refused("train", folder, *out, "--set", "loss")
    assert "cannot be 'maybe'" in refused("train", folder, *out, "--other-kind", "maybe")
    assert "no checkpoint" in refused("train", "--export", tmp_path / "none.ckpt", *out)
    config = tmp_path / "recipe.yaml"
    config.write_text("crop: 32\nbtach: 4\n")
    line = refused("train", folder, *out, "--config", config)
    assert "unknown key 'btach'. Did you mean 'batch'?" in line
    (tmp_path / "o.safetensors").write_text("here")
    assert "exists already" in refused("train", folder, *out)


def test_empty_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "empty").mkdir()
    line = refused("train", tmp_path / "empty", "-o", tmp_path / "o.safetensors")
    assert "Found no images" in line


def test_without_lightning(
    folder: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run", "denoising", "supervision"):
        monkeypatch.delitem(sys.modules, f"napari_dran.training.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    line = refused("train", folder, "-o", tmp_path / "o.safetensors")
    assert "needs the package lightning" in line
    assert "pip install 'napari-dran[train]'" in line


WITHOUT_TRAINING = """
import sys
for name in ("lightning", "pydantic", "yaml", "tensorboard"):
    sys.modules[name] = None
from napari_dran.training import checkpoints, crops, data, evaluation, noise_models, recipe
from napari_dran.training import validation
assert "pydantic" not in sys.modules or sys.modules["pydantic"] is None
"""


def test_data_and_evaluation_need_no_training_packages() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_TRAINING], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX signals")
def test_ctrl_c_saves_and_the_same_command_goes_on(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    command = [sys.executable, "-m", "napari_dran", "train", folder, "-o", output, *TINY]
    command[command.index("4")] = "100000"
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 4"):
                process.send_signal(signal.SIGINT)
                break
        _, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "The same command goes on from there" in rest.splitlines()[-1]
    assert not output.exists()
    stopped = int(rest.split("Stopped at step ")[1].split(".")[0])
    command[command.index("100000")] = str(stopped + 2)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert output.exists()
    assert "step 2:" not in ended.stderr.replace(f"step {stopped + 2}:", "")
