"""``napari-dran train`` with a task: from a folder of labelled images to weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_dran.weights import read_card

TINY = (
    "--crop", "64", "--batch", "2", "--steps", "2", "--weights", "scratch", "--device", "cpu",
    "--set", "precision=32", "--set", "validation_share=0.4",
)  # fmt: skip
SEGMENT = ("--set", "task=segment", "--set", "network={decoder: [8, 8, 8, 8, 8]}")
DETECT = ("--set", "task=detect", "--set", "network={width: 8, head: 16}")


@pytest.fixture
def folder(tmp_path: Path, corpus: Path) -> Path:
    """Three pieces of real images of nuclei, and a damaged image."""
    source, target = corpus / "dsb2018" / "val", tmp_path / "cells"
    names = sorted(path.name for path in (source / "images").iterdir())[:3]
    for kind in ("images", "labels"):
        (target / kind).mkdir(parents=True)
        for name in names:
            with Image.open(source / kind / name) as picture:
                pixels = np.asarray(picture)[:80, :96]
            Image.fromarray(pixels).save(target / kind / name)
    (target / "images" / "bad.png").write_bytes(b"rubbish")
    return target


def test_one_command_trains_a_segmenter(folder: Path, tmp_path: Path, command: Any) -> None:
    output = tmp_path / "mine.safetensors"
    words = ("train", folder, *SEGMENT, "--set", "finds=lesion", "-o", output, *TINY)
    result = command(*words, "--licence", "mine")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Skipped bad.png") == 1
    assert "step 2: loss" in result.stderr
    assert "Dice 0." in result.stderr
    assert f"napari-dran segment IN -o OUT --weights {output}" in result.stdout
    card = read_card(output)
    assert (card.name, card.task, card.classes) == ("mine", "segment", ("lesion",))
    assert (card.licence, card.steps) == ("mine", 2)
    assert sorted(path.name for path in (tmp_path / "mine-run").iterdir()) == [
        "best.safetensors", "checkpoint.ckpt", "log.csv",
    ]  # fmt: skip
    shown = command("weights", "info", output)
    assert shown.exit_code == 0, shown.output
    assert "task: segment" in shown.stdout

    exported = tmp_path / "exported.safetensors"
    result = command("train", "--export", tmp_path / "mine-run", "-o", exported, "--name", "last")
    assert result.exit_code == 0, result.output
    assert (read_card(exported).name, read_card(exported).task) == ("last", "segment")


def test_recipe_file_trains_a_detector(folder: Path, tmp_path: Path, command: Any) -> None:
    config = tmp_path / "recipe.yaml"
    config.write_text(
        "task: detect\ndata: cells\nvalidation: cells\nfinds: nucleus\nweights: imagenet\n"
        "network: {width: 8, head: 16}\n"
    )
    output = tmp_path / "mine.safetensors"
    result = command("train", "--config", config, "-o", output, *TINY, "--set", "seed=3")
    assert result.exit_code == 0, result.output
    assert f"napari-dran detect IN -o OUT.json --weights {output}" in result.stdout
    card = read_card(output)
    assert (card.architecture, card.classes) == ("mask-rcnn", ("nucleus",))
    recipe = card.training["recipe"]
    assert (recipe["weights"], recipe["seed"], recipe["crop"]) == ("scratch", 3, 64)


def test_fast_development_run(folder: Path, tmp_path: Path, command: Any) -> None:
    result = command("train", folder, *DETECT, *TINY, "--fast-dev-run", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "Everything works" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


@pytest.mark.parametrize(
    "option",
    [
        ("--noise", "rician"), ("--sigma", "0:20"), ("--channels", "3"), ("--other-kind", "use"),
        ("--axis", "x"), ("--window", "full"), ("--processes", "2"), ("--tensorboard",),
    ],
    ids=lambda option: option[0],
)  # fmt: skip
def test_options_of_a_denoiser(
    option: tuple[str, ...], folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    line = refused("train", folder, *SEGMENT, "-o", tmp_path / "o.safetensors", *option)
    assert f"Only the training of a denoiser has {option[0]}," in line
    assert "task is 'segment'. Leave it out." in line
    assert ("--set 'noise=[0, 25]'" in line) is (option[0] in ("--noise", "--sigma"))


def test_refused(folder: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    words = ("train", folder, "-o", tmp_path / "o.safetensors")
    assert "'segment' or 'detect'" in refused(*words, "--set", "task=denoise")
    assert "Did you mean 'finds'" in refused(*words, *SEGMENT, "--set", "find=lesion")
    assert "unknown key 'loss'" in refused(*words, *SEGMENT, "--set", "loss=l2")
    assert "crop of 32 to 4096, got 8" in refused(*words, *SEGMENT, "--crop", "8")
    (tmp_path / "empty").mkdir()
    line = refused("train", tmp_path / "empty", "-o", words[-1], *SEGMENT)
    assert "Found no labelled images" in line
    assert "'images' and 'masks' or 'labels'" in line
    line = refused("train", "-o", words[-1], *DETECT)
    assert "Name the folder" in line


def test_defaults_of_both_kinds_are_told(command: Any) -> None:
    result = command("train", "--help")
    shown = " ".join(result.stdout.replace("│", " ").split())
    assert "64; 256 with a task" in shown
    assert "auto; imagenet with a task" in shown
