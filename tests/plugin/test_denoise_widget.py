from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.plugin.layers import METADATA_KEY, layer_to_volume
from napari_dran.plugin.summary import TIMES


def wait_for_look(widget: Any, qtbot: Any) -> str:
    qtbot.waitUntil(lambda: "measuring" not in widget.summary.value, timeout=10_000)
    return str(widget.summary.value)


def test_empty_viewer_says_what_to_do(widget: Any, notifications: list[Any]) -> None:
    assert "Open Sample" in widget.summary.value
    widget.run.native.click()
    widget.preview.native.click()
    widget.copy_python.native.click()
    assert all("Open Sample" in n.message for n in notifications)
    assert len(notifications) == 3


def test_labels_alone_are_refused_kindly(
    widget: Any, viewer: ViewerModel, notifications: list[Any]
) -> None:
    viewer.add_labels(np.zeros((8, 8), dtype=int))
    widget.run.native.click()
    assert "Only images can be denoised" in notifications[0].message
    assert "Labels" in widget.summary.value


def test_five_axes_are_refused_kindly(
    widget: Any, viewer: ViewerModel, notifications: list[Any]
) -> None:
    viewer.add_image(np.zeros((2, 2, 2, 16, 16)), name="5-D")
    assert "Select one channel" in widget.summary.value
    widget.run.native.click()
    assert "Select one channel" in notifications[0].message


def test_summary_tells_shape_spacing_and_noise(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(ramp, scale=(3, 0.5, 0.5), units=("mm",) * 3)
    text = wait_for_look(widget, qtbot)
    assert f"6{TIMES}24{TIMES}20 (z, y, x), float32" in text
    assert f"3{TIMES}0.5{TIMES}0.5 mm" in text
    assert "of 255 levels" in text
    # It is all noise, of sigma 100 in a window of some 800.
    assert 80 < float(text.split("<b>")[1].split("</b>")[0]) < 120


def test_summary_warns_of_noise_that_the_weights_do_not_know(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(ramp, contrast_limits=(450, 550))
    widget.window.value = "contrast-limits"
    assert "More noise than tenth was trained for" in wait_for_look(widget, qtbot)
    viewer.layers[0].contrast_limits = (-2000, 3000)
    qtbot.waitUntil(lambda: "More noise" not in widget.summary.value, timeout=5000)


def test_axes_have_anatomical_names_only_for_scans(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray
) -> None:
    from napari_dran.plugin.layers import volume_to_layer
    from napari_dran.volume import Volume

    viewer.add_image(ramp)
    assert widget.axis.native.findChild(object) is not None
    assert texts(widget.axis) == ["across z", "across y", "across x"]
    data, arguments, _ = volume_to_layer(Volume(ramp, unit="mm"))
    viewer.add_image(data, **arguments)
    widget.image.value = viewer.layers[1]
    assert texts(widget.axis) == ["axial (across z)", "coronal (across y)", "sagittal (across x)"]
    viewer.add_image(ramp[0])
    widget.image.value = viewer.layers[2]
    assert texts(widget.axis) == ["whole image"]


def texts(box: Any) -> list[str]:
    native = box.native
    return [native.itemText(i) for i in range(native.count())]


IMAGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "2-D": ((32, 24), {}),
    "3-D": ((5, 32, 24), {}),
    "4-D": ((2, 3, 32, 24), {}),
    "rgb": ((32, 24, 3), {"rgb": True}),
    "rgba volume": ((3, 32, 24, 4), {"rgb": True}),
    "channels": ((2, 32, 24), {"axis_labels": ("c", "y", "x")}),
}


# napari shows colours of these two types only.
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (kind, dtype)
        for kind, (_, arguments) in IMAGES.items()
        for dtype in (np.uint8, np.int16, np.uint16, np.float32, np.float64)
        if not arguments.get("rgb") or dtype in (np.uint8, np.float32)
    ],
)
def test_every_kind_of_image(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], kind: str, dtype: type
) -> None:
    shape, arguments = IMAGES[kind]
    values = np.random.default_rng(1).uniform(0, 250, shape)
    if arguments.get("rgb") and dtype is np.float32:
        values /= 255
    image = values.astype(dtype)
    before = image.copy()
    viewer.add_image(image, name="scan", **arguments)
    layer = run()
    assert layer is not None, widget.status.value
    assert layer.name == "scan (denoised)"
    assert layer.data.dtype == dtype
    assert layer.data.shape == shape
    assert (layer.data != before).mean() > 0.5
    np.testing.assert_array_equal(image, before)
    if kind == "rgba volume":
        np.testing.assert_array_equal(layer.data[..., 3], before[..., 3])


def test_dask_layer(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    array = pytest.importorskip("dask.array")
    viewer.add_image(array.from_array(ramp, chunks=(1, 24, 20)), contrast_limits=(0, 1000))
    layer = run()
    assert isinstance(layer.data, np.ndarray)
    assert (layer.data != ramp).mean() > 0.5


def test_result_keeps_place_and_look(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    source = viewer.add_image(
        ramp, name="scan", scale=(3, 0.5, 0.5), translate=(1, 2, 3), units=("mm",) * 3,
        axis_labels=("z", "y", "x"), rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        shear=(0.1, 0.0, 0.2), affine=np.diag([1, 2, 1, 1]), contrast_limits=(300, 700),
        colormap="magma", gamma=0.7, opacity=0.8, blending="additive",
        metadata={"patient": "nobody"},
    )  # fmt: skip
    layer = run()
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(layer, name), getattr(source, name))
    np.testing.assert_allclose(layer.affine.affine_matrix, source.affine.affine_matrix)
    for name in ("units", "axis_labels", "contrast_limits", "gamma", "opacity", "blending"):
        assert getattr(layer, name) == getattr(source, name), name
    assert layer.colormap.name == "magma"
    assert layer.metadata["patient"] == "nobody"
    (entry,) = layer.metadata[METADATA_KEY]["history"]
    assert entry["weights"] == "tenth"
    assert entry["strength"] == 1.0
    assert entry["window_name"] == "percentile"
    assert METADATA_KEY not in source.metadata
    np.testing.assert_allclose(layer_to_volume(layer).affine, layer_to_volume(source).affine)


def test_custom_window_begins_at_the_contrast_limits(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    viewer.add_image(ramp, contrast_limits=(300, 700))
    widget.window.value = "custom"
    assert (widget.low.value, widget.high.value) == (300, 700)
    widget.low.value = 400
    layer = run()
    entry = layer.metadata[METADATA_KEY]["history"][-1]
    assert entry["window"] == [400, 700]
    outside = (ramp < 400) | (ramp > 700)
    np.testing.assert_array_equal(layer.data[outside], ramp[outside])


def test_empty_window_is_explained(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray,
    notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(ramp)
    widget.window.value = "custom"
    widget.low.value, widget.high.value = 5, 5
    assert run() is None
    assert "The window 5:5 is empty" in widget.status.value
    assert any("The window 5:5 is empty" in n.message for n in notifications)
    assert list(viewer.layers) == [viewer.layers[0]]


def test_runtime_error_in_the_worker_reaches_the_user(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], network: Any, ramp: np.ndarray,
    notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(ramp)
    network.error = RuntimeError("the kernel gave up")
    assert run() is None
    assert "the kernel gave up" in widget.status.value
    assert any("the kernel gave up" in n.message for n in notifications)
    assert len(viewer.layers) == 1
    network.error = None
    assert run() is not None


def test_unforeseen_runtime_error_reaches_the_user(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray,
    notifications: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from napari_dran.denoising import Plan

    def explode(*_: Any) -> None:
        raise RuntimeError("a bug of ours")

    viewer.add_image(ramp)
    monkeypatch.setattr(Plan, "steps", explode)
    assert run() is None
    assert any("RuntimeError: a bug of ours" in n.message for n in notifications)


def test_newly_opened_image_is_chosen(widget: Any, viewer: ViewerModel, ramp: np.ndarray) -> None:
    from napari.layers._source import layer_source

    viewer.add_image(ramp, name="first")
    viewer.add_image(ramp, name="made by something")
    assert widget.image.value.name == "first"
    with layer_source(path="/a/scan.nii.gz"):
        viewer.add_image(ramp, name="opened")
    assert widget.image.value.name == "opened"


def test_weights_file_can_be_loaded(
    widget: Any, monkeypatch: pytest.MonkeyPatch, notifications: list[Any], tmp_path: Any
) -> None:
    from qtpy.QtWidgets import QFileDialog

    from napari_dran import weights

    shipped = weights.list_weights()[0].name
    widget.weights.value = shipped
    chosen = ""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (chosen, ""))
    widget.weights.value = "load"
    assert widget.weights.value == shipped, "cancelled dialog"
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no weights")
    chosen = str(bad)
    widget.weights.value = "load"
    assert widget.weights.value == shipped
    assert "not a safetensors file" in notifications[0].message
    chosen = str(weights.weights_file(shipped))
    widget.weights.value = "load"
    assert widget.weights.value == chosen
    assert f"{shipped}.safetensors" in texts(widget.weights)
