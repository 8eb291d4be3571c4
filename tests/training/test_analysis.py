"""One step of training a network that segments or detects, and how it is measured."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.measure import regionprops

from napari_dran.errors import MissingPackageError, TrainingError
from napari_dran.network.unet import UNet
from napari_dran.training.analysis import (
    AnalysisModule,
    average_precision,
    class_map,
    targets_of,
    validation_score,
)
from napari_dran.training.analysis_start import start_analysis
from napari_dran.training.labelled import LabelledImage, read_labelled
from napari_dran.training.labelled_crops import LabelledCrops
from napari_dran.training.module import average

from .conftest import small_analysis

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def nuclei(corpus: Path) -> LabelledImage:
    """A real image of 126 nuclei, some of which touch."""
    return read_labelled(corpus / "dsb2018" / "val")[0]


def test_border_is_two_pixels_wide_between_objects_that_touch() -> None:
    labels = torch.zeros(1, 12, 14, dtype=torch.int64)
    labels[0, 2:10, 1:7] = 5
    labels[0, 2:10, 7:14] = 9  # touches the first, and the edge of the image
    classes = class_map(labels, border=True)[0]
    assert classes[5].tolist() == [0, 2, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1]
    assert classes[:, 3].tolist() == [0, 0, 2, 1, 1, 1, 1, 1, 1, 2, 0, 0]
    assert classes.dtype == torch.int64
    assert class_map(labels, border=False)[0].equal((labels[0] > 0).long())


def test_border_tells_real_nuclei_apart(nuclei: LabelledImage) -> None:
    labels = torch.from_numpy(nuclei.labels)[None].long()
    inside = (class_map(labels, border=True)[0] == 1).numpy()
    # No pixel inside one nucleus is beside one inside another, corners included.
    middle = np.s_[1:-1, 1:-1]
    for rows, columns in ((0, 1), (1, 0), (1, 1), (1, -1)):
        moved, inside_too = (
            np.roll(values, (rows, columns), (0, 1)) for values in (nuclei.labels, inside)
        )
        both = (inside & inside_too)[middle]
        assert both.sum() > 10_000
        assert (nuclei.labels[middle][both] == moved[middle][both]).all()


def test_boxes_are_half_open_and_those_of_regionprops(nuclei: LabelledImage) -> None:
    targets = targets_of(torch.from_numpy(nuclei.labels))
    expected = [
        (region.bbox[1], region.bbox[0], region.bbox[3], region.bbox[2])
        for region in regionprops(nuclei.labels)
        if min(region.image.shape) >= 2
    ]
    assert len(expected) > 100
    assert targets["boxes"].tolist() == [list(map(float, box)) for box in expected]
    assert targets["masks"].shape == (len(expected), *nuclei.labels.shape)
    for (x0, y0, x1, y1), mask in zip(expected[:20], targets["masks"], strict=False):
        assert mask.sum() == mask[y0:y1, x0:x1].sum() > 0
    assert set(targets["labels"].tolist()) == {1}


def test_objects_cut_to_a_line_are_no_targets() -> None:
    labels = torch.zeros(9, 9, dtype=torch.int64)
    labels[0, 1:6] = 3
    labels[4:6, 4:6] = 8
    targets = targets_of(labels)
    assert targets["boxes"].tolist() == [[4, 4, 6, 6]]
    assert targets["masks"].sum() == 4
    none = targets_of(torch.zeros(9, 9, dtype=torch.int64))
    assert none["boxes"].shape == (0, 4)
    assert none["masks"].shape == (0, 9, 9)


def module_of(task: str, **changes: Any) -> AnalysisModule:
    recipe = replace(
        small_analysis(task), rotation=0, zoom=1, elastic=0, contrast=0, single=0,
        learning_rate=2e-3, warmup=0, **changes,
    )  # fmt: skip
    return AnalysisModule(recipe, start_analysis(recipe)[0], {})


@pytest.mark.parametrize("task", ["segment", "detect"])
def test_loss_falls_on_one_image(task: str, brains: Path) -> None:
    module = module_of(task)
    crops = LabelledCrops(read_labelled(brains)[:1], module.recipe, CPU)
    batch = crops.batch(2, 0)
    optimiser = module.configure_optimizers()
    for _ in range(8):
        torch.manual_seed(0)  # which proposals a Mask R-CNN learns from is drawn
        optimiser.zero_grad()
        module.training_step(batch, 0).backward()
        optimiser.step()
    assert module.losses[-1] < 0.92 * module.losses[0]


def test_loss_that_is_no_number(brains: Path) -> None:
    module = module_of("segment")
    images, labels = LabelledCrops(read_labelled(brains), module.recipe, CPU).batch(2, 0)
    with pytest.raises(TrainingError, match=r"loss became nan.*learning rate \(now 0.002\)"):
        module.training_step((images * torch.nan, labels), 0)


def test_schedule_rises_then_falls_by_steps_or_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = module_of("segment", steps=100)
    module.recipe = replace(module.recipe, warmup=10)
    rates = []
    for step in (0, 9, 50, 100):
        monkeypatch.setattr(AnalysisModule, "global_step", step)
        rates.append(module.learning_rate / module.recipe.learning_rate)
    assert rates == pytest.approx([0.1, 0.5 + 0.5 * np.cos(0.09 * np.pi), 0.5, 1e-3])
    monkeypatch.setattr(AnalysisModule, "global_step", 20)
    module.recipe, module.elapsed = replace(module.recipe, minutes=1.0), 30.0
    assert module.progress == 0.5
    module.elapsed = 90.0
    assert module.progress == 1.0


class Knows(torch.nn.Module):
    """Finds what it is told."""

    def __init__(self, labels: np.ndarray) -> None:
        super().__init__()
        self.labels = torch.from_numpy(labels)

    def forward(self, images: Any) -> Any:
        if isinstance(images, list):
            found = targets_of(self.labels)
            return [{**found, "scores": torch.ones(len(found["boxes"]))}]
        return torch.nn.functional.one_hot((self.labels > 0).long()).permute(2, 0, 1)[None]


def test_scores_of_networks_that_know(nuclei: LabelledImage) -> None:
    labels = nuclei.labels
    shifted = np.roll(labels, 4, axis=1)
    overlap = ((labels > 0) & (shifted > 0)).sum() / (labels > 0).sum()
    dice = validation_score(Knows(shifted), [nuclei], "segment", CPU)["Dice"]
    assert dice == pytest.approx(overlap, rel=0.01)
    assert validation_score(Knows(labels), [nuclei], "segment", CPU) == {"Dice": 1.0}
    few = replace(nuclei, labels=np.where(labels <= 40, labels, 0))
    assert validation_score(Knows(few.labels), [few], "detect", CPU)["AP50"] == pytest.approx(1)
    part = np.where(labels <= 20, labels, 0)
    found = validation_score(Knows(part), [few], "detect", CPU)["AP50"]
    assert found == pytest.approx(0.5, abs=0.03)


def test_images_without_an_object_have_no_dice(nuclei: LabelledImage) -> None:
    empty = replace(nuclei, labels=np.zeros_like(nuclei.labels))
    found = validation_score(Knows(nuclei.labels), [nuclei, empty], "segment", CPU)
    assert found == {"Dice": 1.0}


def test_every_step_moves_the_average(brains: Path) -> None:
    module = module_of("segment")
    before = {k: v.clone() for k, v in module.averaged.state_dict().items()}
    average(module.averaged, trained := UNet(**module.network.arguments), 0.75)
    for key, value in module.averaged.state_dict().items():
        if value.is_floating_point():
            expected = 0.75 * before[key] + 0.25 * trained.state_dict()[key]
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)
    assert not any(p.requires_grad for p in module.averaged.parameters())
    assert not module.averaged.training


def test_average_precision_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.detection", None)
    with pytest.raises(MissingPackageError, match=r"faster-coco-eval.*napari-dran\[train\]"):
        average_precision()


def test_without_monai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "napari_dran.training.analysis")
    monkeypatch.setitem(sys.modules, "monai.losses", None)
    with pytest.raises(MissingPackageError, match=r"monai.*napari-dran\[analysis,train\]"):
        import_module("napari_dran.training.analysis")
