"""What a run starts from, and what it refuses to start with."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from napari_dran.errors import FileWriteError, InputError, WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.training.cards import export_weights
from napari_dran.training.recipe import Recipe
from napari_dran.training.run import train
from napari_dran.training.run_folder import BEST
from napari_dran.training.validation import Report
from napari_dran.weights import Card, load_weights, save_weights

from .conftest import state


def save_start(path: Path, channels: int = 1, **arguments: int) -> Path:
    network = DRAN(channels, **{"features": 4, "blocks": 1, "layers": 1, **arguments})
    card = Card(path.stem, "dran", network.arguments, channels, (0, 50), licence="ours", steps=7)
    save_weights(path, network, card)
    return path


def test_starts_from_weights(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    start = save_start(tmp_path / "start.safetensors")
    recipe = replace(tiny, weights=str(start), network={}, steps=1)
    train(pictures / "grey", recipe, run=tmp_path / "run", device="cpu")
    before = load_weights(start)[0].state_dict()
    tensors = state(tmp_path / "run")
    assert (tensors["network.head.weight"] - before["head.weight"]).abs().max() < 1e-3
    _, card = load_weights(tmp_path / "run" / BEST)
    assert card.training["recipe"]["learning_rate"] == 1e-4
    assert card.training["recipe"]["weights"] == "start.safetensors"
    assert card.training["started from"].startswith("start at step 7")
    assert card.licence == "That of start, which training started from: ours"


@pytest.mark.parametrize("meanwhile", ["gone", "another"])
def test_going_on_does_not_read_the_start_again(
    meanwhile: str, pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    start = save_start(tmp_path / "start.safetensors")
    recipe = replace(tiny, weights=str(start), network={}, steps=4)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train(pictures / "grey", recipe, run=whole, device="cpu")
    assert train(pictures / "grey", recipe, run=parted, device="cpu", stop=lambda: True).stopped
    start.unlink()
    if meanwhile == "another":
        save_start(start, features=8)
    train(pictures / "grey", recipe, run=parted, device="cpu")
    expected = state(whole)
    assert all(value.equal(expected[name]) for name, value in state(parted).items())
    cards = [export_weights(run, tmp_path / f"{run.name}.safetensors") for run in (whole, parted)]
    for key in ("started from", "images"):
        assert cards[0].training[key] == cards[1].training[key]
    assert cards[0].licence == cards[1].licence
    assert cards[0].data == cards[1].data


def test_a_start_that_training_makes_worse_stays_the_best(
    pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    train(pictures / "grey", tiny, run=first, device="cpu")
    reports: list[Report] = []
    recipe = replace(tiny, weights=str(first / BEST), network={}, learning_rate=0.5)
    run = tmp_path / "worse"
    done: list[int] = []
    train(
        pictures / "grey", recipe, run=run, device="cpu",
        report=reports.append, progress=lambda step, steps: done.append(step),
    )  # fmt: skip
    assert done == list(range(13)), "0 is told while the start is measured"
    assert [report.step for report in reports] == [0, 4, 8, 12]
    assert [report.best for report in reports] == [True, False, False, False]
    assert math.isnan(reports[0].loss)
    network, card = load_weights(run / BEST)
    assert card.steps == 0
    before = load_weights(first / BEST)[0].state_dict()
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_weights_of_another_architecture(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    start = str(save_start(tmp_path / "start.safetensors"))
    for recipe in (
        replace(tiny, weights=start, network={"features": 8}),
        replace(tiny, weights=start, architecture="dncnn", network={}),
    ):
        with pytest.raises(WeightsError, match="another architecture"):
            train(pictures / "grey", recipe, run=tmp_path / "run", device="cpu")
    with pytest.raises(WeightsError, match="Unknown architecture 'resnet'"):
        train(
            pictures / "grey",
            replace(tiny, architecture="resnet"),
            run=tmp_path / "r",
            device="cpu",
        )


def test_validation_folder_and_single_image(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    notices: list[str] = []
    options = {"device": "cpu", "fast_dev_run": True, "notice": notices.append}
    train(pictures / "grey", tiny, run=tmp_path, validation=pictures / "grey" / "ct", **options)
    assert notices[-1] == "Training on 4 images, validating on 4."
    with pytest.raises(InputError, match="grey images to validate on"):
        train(pictures / "grey", tiny, run=tmp_path, validation=pictures / "colour", **options)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").symlink_to(pictures / "grey" / "ct" / "0.png")
    train(tmp_path / "one", tiny, run=tmp_path, **options)
    assert "scores are of training images" in notices[-1]


def test_bad_input(pictures: Path, tiny: Recipe, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(InputError, match="no folder"):
        train(tmp_path / "none", tiny, run=run, device="cpu")
    with pytest.raises(InputError, match="smaller than the crop of 64"):
        train(pictures / "grey", replace(tiny, crop=64), run=run, device="cpu")
    with pytest.raises(InputError, match="mixes 8 grey and 4 colour"):
        train(pictures, tiny, run=run, device="cpu")
    with pytest.raises(InputError, match="multiple of 3"):
        train(pictures / "grey", tiny, run=run, device="cpu", processes=3)
    with pytest.raises(InputError, match="needs a CUDA device"):
        train(pictures / "grey", replace(tiny, precision="fp16"), run=run, device="cpu")
    run.write_text("in the way")
    with pytest.raises(FileWriteError, match="folder"):
        train(pictures / "grey", tiny, run=run, device="cpu")
