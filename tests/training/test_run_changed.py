"""Runs that go on with other images, or are judged otherwise, than they began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_dran.errors import TrainingError
from napari_dran.training.recipe import Recipe
from napari_dran.training.run import train
from napari_dran.training.validation import Report


def test_other_validation_chooses_the_best_weights_anew(
    pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    run, folder = tmp_path / "run", pictures / "grey"
    train(folder, tiny, run=run, device="cpu")
    told: list[str] = []
    reports: list[Report] = []
    # With more noise no PSNR reaches those of before.
    longer = replace(tiny, steps=tiny.steps + 8, validation_sigmas=(50.0,))
    train(folder, longer, run=run, device="cpu", notice=told.append, report=reports.append)
    assert reports[0].best
    assert any("validation_sigmas was (10.0, 25.0), is (50.0,)" in sentence for sentence in told)
    with pytest.raises(TrainingError, match=r"validation_share was 0.1, is 0.5"):
        train(folder, replace(longer, validation_share=0.5), run=run, device="cpu")


def test_other_images_are_told_when_a_run_goes_on(
    pictures: Path, tiny: Recipe, tmp_path: Path
) -> None:
    run, told = tmp_path / "run", []
    train(pictures / "grey", tiny, run=run, validation=pictures / "grey" / "ct", device="cpu")
    longer = replace(tiny, steps=tiny.steps + 4)
    train(pictures / "grey", longer, run=run, device="cpu", notice=told.append)
    assert any("The run began with other images" in sentence for sentence in told)
