"""Weights from checkpoints, those of the first trainer included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_dran.errors import OutputExistsError, WeightsError
from napari_dran.network.dran import DRAN
from napari_dran.training.cards import export_weights
from napari_dran.training.checkpoints import find_checkpoint, read_checkpoint
from napari_dran.training.recipe import Recipe
from napari_dran.training.start import start_network
from napari_dran.weights import load_weights


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A checkpoint as the first trainer wrote it."""
    network = DRAN(features=4, blocks=1, layers=1)
    recipe = {"channels": 1, "batch": 8, "crop": 64, "sigma": (0.0, 50.0), "minutes": 64.0}
    path = tmp_path / "grey" / "checkpoint.pt"
    path.parent.mkdir()
    torch.save(
        {
            "model": DRAN(features=4, blocks=1, layers=1).state_dict(),
            "averaged": network.state_dict(),
            "optimiser": torch.optim.Adam(network.parameters()).state_dict(),
            "step": 1234,
            "elapsed": 3840.0,
            "recipe": recipe,
            "arguments": network.arguments,
            "psnr25": 31.23456,
        },
        path,
    )
    return path


def test_checkpoint_of_the_first_trainer_becomes_weights(first: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    card = export_weights(first.parent, output, licence="research", scores={"test": 1})
    assert (card.name, card.steps, card.sigma_range, card.channels) == ("mine", 1234, (0, 50), 1)
    assert card.training["minutes"] == 64.0
    assert card.training["recipe"]["crop"] == 64
    assert (card.licence, card.scores) == ("research", {"test": 1})
    network, loaded = load_weights(output)
    assert loaded.sha256 == card.sha256
    averaged = torch.load(first, weights_only=True)["averaged"]
    torch.testing.assert_close(dict(network.state_dict()), averaged, rtol=1e-3, atol=1e-6)
    with pytest.raises(OutputExistsError):
        export_weights(first, output)
    export_weights(first, output, name="other", overwrite=True)
    assert read_checkpoint(first).scores == {"PSNR in dB at sigma 25": 31.235}


def test_weights_of_two_runs_are_mixed(first: Path) -> None:
    one = read_checkpoint(first)
    values = torch.load(first, weights_only=True)
    other = replace(one, weights=values["model"], step=5)
    mixed = one.blended(other, 0.25)
    assert mixed.step == one.step
    changed = 0
    for key, value in one.weights.items():
        expected = (0.75 * value + 0.25 * other.weights[key]).to(value.dtype)
        torch.testing.assert_close(mixed.weights[key], expected)
        changed += not torch.equal(mixed.weights[key], value)
    assert changed > 3
    assert mixed.network().training is False
    with pytest.raises(WeightsError, match="two networks cannot be mixed"):
        one.blended(replace(other, arguments={**one.arguments, "features": 8}), 0.5)


def test_training_starts_from_a_checkpoint_of_the_first_trainer(first: Path) -> None:
    network, facts = start_network(Recipe(weights=str(first)), 1, pytest.fail)
    averaged = torch.load(first, weights_only=True)["averaged"]
    assert all(value.equal(averaged[key]) for key, value in network.state_dict().items())
    assert network.training
    assert facts == {"started from": "checkpoint.pt at step 1234"}


class Payload:
    """Code that must not run."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no checkpoint"):
        read_checkpoint(tmp_path / "none.ckpt")
    with pytest.raises(WeightsError, match="holds no checkpoint"):
        find_checkpoint(tmp_path)
    path = tmp_path / "bad.ckpt"
    path.write_text("text")
    with pytest.raises(WeightsError, match="can be read"):
        read_checkpoint(path)
    torch.save({"payload": Payload()}, path)
    with pytest.raises(WeightsError, match="without running code"):
        read_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(WeightsError, match="something else"):
        read_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="something else"):
        read_checkpoint(path)
