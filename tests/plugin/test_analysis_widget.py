from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.errors import MissingPackageError
from napari_dran.plugin.analysis_panel import IN_VIEW
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task
from napari_dran.plugin.layers import METADATA_KEY, layer_to_volume, volume_to_layer
from napari_dran.volume import Volume

BOTH = pytest.mark.parametrize("task", [SEGMENT, DETECT], ids=lambda task: task.name)


@BOTH
def test_labels_lie_where_the_image_lies(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task,
) -> None:  # fmt: skip
    source = viewer.add_image(
        spots, name="scan", scale=(3, 0.5, 0.5), translate=(1, 2, 3), units=("mm",) * 3,
        axis_labels=("z", "y", "x"), rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        shear=(0.1, 0.0, 0.2), affine=np.diag([1, 2, 1, 1]), metadata={"patient": "nobody"},
    )  # fmt: skip
    widget = analyse(task)
    assert "Found" in result_of(widget)
    layer = viewer.layers[f"scan ({task.done})"]
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(layer, name), getattr(source, name))
    np.testing.assert_allclose(layer.affine.affine_matrix, source.affine.affine_matrix)
    assert (layer.units, layer.axis_labels) == (source.units, source.axis_labels)
    assert layer.metadata["patient"] == "nobody"
    assert layer.metadata[METADATA_KEY]["history"][-1]["operation"] == task.name
    np.testing.assert_array_equal(layer.data > 0, spots > 200)
    np.testing.assert_allclose(layer_to_volume(layer).affine, layer_to_volume(source).affine)


@BOTH
def test_slice_in_view_is_put_where_it_was_cut(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task,
) -> None:  # fmt: skip
    data, arguments, _ = volume_to_layer(
        Volume(spots, affine=np.diag([3.0, 0.5, 0.25, 1]), unit="mm", name="scan")
    )
    viewer.add_image(data, **arguments)
    viewer.dims.set_current_step(0, 2)
    widget = analyse(task)
    widget.slices.value = IN_VIEW
    assert "Found 2 objects" in result_of(widget)
    layer = viewer.layers[f"scan ({task.done})"]
    assert layer.data.shape == (1, 32, 24)
    np.testing.assert_allclose(layer.translate, (6, 0, 0))
    np.testing.assert_array_equal(layer.data[0] > 0, spots[2] > 200)
    first = widget._results.analysed.measurements[0]
    assert first.area == pytest.approx(30 * 0.5 * 0.25)
    if task is DETECT:
        boxes = viewer.layers["scan (detected, boxes)"]
        np.testing.assert_allclose(boxes.data[0][0], (0, 3.5, 2.5))
        np.testing.assert_allclose(boxes.data_to_world(boxes.data[0][0]), (6, 1.75, 0.625))


IMAGES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "2-D": ((32, 24), {}),
    "singleton": ((1, 32, 24), {}),
    "4-D": ((2, 3, 32, 24), {}),
    "rgb": ((32, 24, 3), {"rgb": True}),
    "rgba volume": ((3, 32, 24, 4), {"rgb": True}),
    "one channel": ((1, 32, 24), {"axis_labels": ("c", "y", "x")}),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("kind", IMAGES)
@BOTH
def test_every_kind_of_image(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str], task: Task,
    kind: str, dtype: type,
) -> None:  # fmt: skip
    shape, arguments = IMAGES[kind]
    values = np.zeros(shape)
    where = (..., slice(4, 12), slice(5, 13))
    values[(*where, slice(None)) if arguments.get("rgb") else where] = 1
    viewer.add_image((255 * values).astype(np.uint8) if dtype is np.uint8 else
                     values.astype(np.float32), name="scan", scale=(2,) * (len(shape) - bool(
                         arguments.get("rgb"))), **arguments)  # fmt: skip
    widget = analyse(task)
    for scope in {widget.slices.choices[0], widget.slices.choices[-1]}:
        widget.slices.value = scope
        assert "Found" in result_of(widget), widget.status.value
        layer = viewer.layers[-1]
        assert layer.ndim == len(shape) - (kind in ("rgb", "rgba volume", "one channel"))
        assert tuple(layer.scale) == (2,) * layer.ndim


def test_multiscale_and_dask(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    array = pytest.importorskip("dask.array")
    viewer.add_image([spots[2], spots[2, ::2, ::2]], name="levels")
    widget = analyse(SEGMENT)
    result_of(widget)
    np.testing.assert_array_equal(viewer.layers["levels (segmented)"].data > 0, spots[2] > 200)
    lazy = viewer.add_image(array.from_array(spots, chunks=(1, 32, 24)), name="lazy",
                            contrast_limits=(0, 255))  # fmt: skip
    widget.image.value = lazy
    result_of(widget)
    np.testing.assert_array_equal(viewer.layers["lazy (segmented)"].data > 0, spots > 200)


@BOTH
def test_nothing_found_is_an_empty_layer_and_a_sentence(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str], task: Task
) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 9, (4, 32, 24), np.uint8), name="dark")
    widget = analyse(task)
    said = result_of(widget)
    assert "Nothing was found: no blob" in said
    assert not viewer.layers[f"dark ({task.done})"].data.any()
    assert not widget.table.isVisibleTo(widget.native)
    if task is DETECT:
        boxes = viewer.layers["dark (detected, boxes)"]
        assert (boxes.ndim, len(boxes.data)) == (3, 0)


def test_note_on_a_grey_image_for_several_sequences(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(SEGMENT)
    assert "stands for all inputs" not in widget.summary.value
    widget.weights.value = "mr-segment"
    assert "as if it were the FLAIR" in widget.summary.value
    assert "as if it were the FLAIR" in result_of(widget)
    viewer.add_image(np.zeros((32, 24, 3), np.uint8), name="colour", rgb=True)
    widget.image.value = viewer.layers["colour"]
    assert "colours are read as T1, FLAIR, T1 with contrast" in widget.summary.value


def test_channels_that_the_network_does_not_take(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(np.ones((2, 32, 24), np.uint8), axis_labels=("c", "y", "x"))
    widget = analyse(SEGMENT)
    assert "got 2 channels" in widget.summary.value
    assert "Failed: The weights" in result_of(widget)
    assert "got 2 channels" in notifications[-1].message
    assert len(viewer.layers) == 1


@BOTH
def test_minimum_size_is_in_the_image_s_unit(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan", scale=(2, 1, 1), units=("mm",) * 3)
    widget = analyse(task)
    suffix = widget.minimum_size.native.suffix
    assert suffix() == (" mm²" if task is DETECT else " mm³")
    widget.slices.value = IN_VIEW
    assert suffix() == " mm²"
    viewer.layers[0].units = ("pixel",) * 3
    assert suffix() == " px"
    viewer.layers[0].units = ("mm",) * 3
    widget.slices.value = 0
    # The small one has 30 mm² in each of two slices, the large one 64 mm² in one.
    widget.minimum_size.value = 50 if task is DETECT else 125
    said = result_of(widget)
    assert "Found 1 object " in said


def test_threshold(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray,
) -> None:  # fmt: skip
    viewer.add_image(spots, name="scan")
    widget = analyse(DETECT)
    # In slice 2 the second one has a score of 0.85.
    widget.threshold.value = 0.9
    assert "Found 2 objects" in result_of(widget)


@BOTH
def test_denoising_first_uses_the_denoise_widget(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, task: Task, qtbot: Any,
) -> None:  # fmt: skip
    from napari_dran.plugin.denoise_widget import DenoiseWidget

    viewer.add_image(spots, name="scan")
    widget = analyse(task)
    assert "Denoises with the defaults: weights auto" in widget.how.value
    denoise = DenoiseWidget(viewer)
    qtbot.addWidget(denoise.native)
    assert "as the Denoise widget says" in widget.how.value
    denoise.weights.value, denoise.window.value, denoise.axis.value = "dran-grey", "full", 1
    assert "weights dran-grey, window full, across y, strength 1" in widget.how.value
    widget.denoise.value = True
    assert widget._input.recipe().denoise_options() == {
        "weights": "dran-grey", "window": "full", "axis": 1,
    }  # fmt: skip
    assert "after denoising" in result_of(widget)
    history = viewer.layers[-1 - (task is DETECT)].metadata[METADATA_KEY]["history"]
    assert [entry.get("weights") for entry in history] == ["dran-grey", f"blobs-{task.name}"]
    assert history[0]["axis"] == "y"
    denoise.close_down()
    assert "with the defaults" in widget.how.value


def test_missing_package_is_one_sentence(
    analyse: Callable[[Task], Any], viewer: ViewerModel, result_of: Callable[..., str],
    spots: np.ndarray, monkeypatch: pytest.MonkeyPatch, notifications: list[Any],
) -> None:  # fmt: skip
    from napari_dran.analysis import runner

    def load(_: object) -> None:
        raise MissingPackageError("Install it with: pip install 'napari-dran[analysis]'.")

    monkeypatch.setattr(runner, "load_weights", load)
    viewer.add_image(spots, name="scan")
    widget = analyse(DETECT)
    assert result_of(widget) == "Failed: Install it with: pip install 'napari-dran[analysis]'."
    assert len(viewer.layers) == 1


def test_weights_of_another_task_are_refused(
    analyse: Callable[[Task], Any], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:  # fmt: skip
    from qtpy.QtWidgets import QFileDialog

    widget = analyse(SEGMENT)
    wrong = tiny_folder / "weights" / "blobs-detect.safetensors"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(wrong), ""))
    assert "blobs-detect" not in widget.weights.choices
    widget.weights.value = "load"
    assert widget.weights.value == "blobs-segment"
    assert "network that detects objects" in notifications[-1].message
