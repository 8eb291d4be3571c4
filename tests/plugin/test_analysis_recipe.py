from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.plugin.analysis_recipe import AnalysisRecipe
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task
from napari_dran.plugin.recipe import Recipe

PLAIN = AnalysisRecipe(SEGMENT, "unet-brain-tumour", 0.5, 0.0, 0, "auto")
FULL = AnalysisRecipe(
    DETECT, "/a b/own.safetensors", 0.7, 12.5, 1, "cpu",
    Recipe("dran-grey", "full", 2, "cuda", 0.5, 8),
)  # fmt: skip


def test_python_says_only_what_differs() -> None:
    assert PLAIN.as_python("scan", "/a/scan.nii.gz") == (
        "from napari_dran import read_volume\n"
        "from napari_dran.analysis import segment\n"
        "from napari_dran.files.labels import write_labels\n\n"
        "image = read_volume('/a/scan.nii.gz')\n"
        "found = segment(image)\n"
        "write_labels(found, '/a/scan_segmented.nii.gz')\n"
    )
    text = FULL.as_python("scan", "/a/scan.png")
    assert (
        "detect(image, weights='/a b/own.safetensors', score_threshold=0.7, minimum_size=12.5, "
        "axis=1, denoise={'weights': 'dran-grey', 'window': 'full', 'axis': 2, 'strength': 0.5, "
        "'ensemble': 8}, "
        "device='cpu')" in text
    )
    assert "write_coco([('scan.png', found)], '/a/scan_detected.json')" in text


def test_denoising_with_the_defaults_is_just_true() -> None:
    recipe = replace(PLAIN, denoise=Recipe.default())
    assert recipe.denoise_options() is True
    assert "segment(image, denoise=True)" in recipe.as_python("scan", "/a/scan.png")
    assert recipe.as_command("/a/scan.png").endswith(" --denoise")
    assert recipe.not_in_command() == ""


def test_command_is_one_safe_line() -> None:
    assert shlex.split(FULL.as_command("/a b/it's.nii")) == [
        "napari-dran", "detect", "/a b/it's.nii", "-o", "/a b/it's_detected.json",
        "--weights=/a b/own.safetensors", "--score-threshold=0.7", "--minimum-size=12.5",
        "--axis=1", "--device=cpu", "--denoise", "--denoise-weights=dran-grey", "--strength=0.5",
        "--denoise-ensemble=8",
    ]  # fmt: skip
    said = FULL.not_in_command()
    assert "window" in said
    assert "axis" in said
    assert "/a/series_segmented.nii.gz" in PLAIN.as_command("/a/series")


@pytest.mark.parametrize("recipe", [PLAIN, FULL])
def test_command_has_these_options(recipe: AnalysisRecipe) -> None:
    import typer

    from napari_dran.cli import app

    command = typer.main.get_command(app).commands[recipe.task.name]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    words = shlex.split(recipe.as_command("/a/scan.nii.gz"))
    given = {word.split("=")[0] for word in words if word.startswith("-")}
    assert given <= known


@pytest.mark.parametrize("task", [SEGMENT, DETECT], ids=lambda task: task.name)
def test_copied_python_does_what_the_widget_did(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task, qapp: Any,
) -> None:  # fmt: skip
    image = np.repeat(spots, 3, axis=0)
    turned = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
    viewer.add_image(image, name="scan", scale=(2, 1, 1), rotate=turned, units=("mm",) * 3)
    widget = analyse(task)
    widget.slices.value, widget.denoise.value = 1, True
    result_of(widget)
    found = viewer.layers[f"scan ({task.done})"].data
    widget.copy_python.native.click()
    text = qapp.clipboard().text()
    assert "axis=1" in text
    assert "denoise=True" in text
    before = len(viewer.layers)
    exec(text, {"viewer": viewer})
    np.testing.assert_array_equal(viewer.layers[before].data, found)
    corner = viewer.layers["scan"].data_to_world(image.shape)
    for layer in viewer.layers[before:]:
        np.testing.assert_allclose(layer.data_to_world(image.shape), corner)


def test_copied_python_places_layers_of_sequences_and_of_nothing(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, qapp: Any
) -> None:
    place = {"scale": (1, 2, 1, 1), "translate": (0, 5, 6, 7), "axis_labels": tuple("czyx")}
    sequences = viewer.add_image(np.stack([spots] * 3), name="sequences", **place)
    empty = viewer.add_image(np.zeros_like(spots), name="empty", scale=(2, 1, 1))
    widget = analyse(DETECT)
    for image, weights in ((sequences, "mr-detect"), (empty, "blobs-detect")):
        widget.image.value, widget.weights.value = image, weights
        widget.copy_python.native.click()
        before = len(viewer.layers)
        with pytest.warns(match="Nothing was found") if image is empty else nullcontext():
            exec(qapp.clipboard().text(), {"viewer": viewer})
        labels, boxes = viewer.layers[before:]
        assert bool(boxes.data) == bool(labels.data.any()) == (image is sequences)
        corner = image.data_to_world(image.data.shape)[-3:]
        for layer in (labels, boxes):
            np.testing.assert_allclose(layer.data_to_world(spots.shape), corner)


def test_copied_command_names_the_file(
    analyse: Callable[[Task], Any], viewer: ViewerModel, spots: np.ndarray, tmp_path: Path,
    qapp: Any,
) -> None:  # fmt: skip
    widget = analyse(SEGMENT)
    widget.copy_command.native.click()
    assert "No image yet" in widget.status.value
    viewer.add_image(spots, name="scan")
    widget.slices.value = -1
    widget.copy_command.native.click()
    assert "It does the whole image." in widget.status.value
    assert "save it as image.nii.gz first" in widget.status.value
    words = shlex.split(qapp.clipboard().text())
    assert words[:3] == ["napari-dran", "segment", "image.nii.gz"]
    assert "--weights=blobs-segment" in words
