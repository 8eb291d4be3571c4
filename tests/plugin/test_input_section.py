from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_dran.plugin.layers import METADATA_KEY


def summary(widget: Any, qtbot: Any) -> str:
    qtbot.waitUntil(lambda: "measuring" not in widget.summary.value, timeout=10_000)
    return str(widget.summary.value)


def shown(box: Any) -> list[str]:
    return [box.native.itemText(i) for i in range(box.native.count())]


def test_no_list_but_the_images_is_ever_empty(
    widget: Any, viewer: ViewerModel, network: Any, ramp: np.ndarray, qtbot: Any
) -> None:
    boxes = (widget.weights, widget.window, widget.axis, widget.device)
    assert all(box.native.currentText() for box in boxes)
    viewer.add_image(ramp)
    widget.axis.value = 1
    network.delay = 0.05
    before = [shown(box) for box in boxes]
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget._running.result is not None, timeout=5000)
    # napari does this whenever layers come and go, the result's among them.
    widget.reset_choices()
    assert [shown(box) for box in boxes] == before
    assert widget.axis.native.currentText() == "across y"


def test_custom_window_has_the_digits_that_the_image_needs(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray
) -> None:
    viewer.add_image((ramp * 1e-6).astype(np.float32), contrast_limits=(2e-4, 8e-4))
    widget.window.value = "custom"
    assert (widget.low.value, widget.high.value) == (2e-4, 8e-4)
    assert widget.low.native.text() == "0.0002000"
    layer = run()
    assert layer.metadata[METADATA_KEY]["history"][-1]["window"] == [2e-4, 8e-4]


def test_contrast_limits_of_colour_are_those_of_its_type(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any]
) -> None:
    image = np.random.default_rng(0).integers(50, 200, (24, 24, 3), dtype=np.uint8)
    for data, high in ((image, 255.0), ((image / 255).astype(np.float32), 1.0)):
        widget.window.value = "percentile"
        widget.image.value = viewer.add_image(data, rgb=True)
        widget.window.value = "custom"
        assert (widget.low.value, widget.high.value) == (0.0, high)
        widget.window.value = "contrast-limits"
        assert run().metadata[METADATA_KEY]["history"][-1]["window"] == [0.0, high]


def test_noise_of_channels_is_told_in_each_ones_window(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(ramp[:2], name="one")
    alone = levels(summary(widget, qtbot))
    viewer.add_image(np.stack([ramp[0], 100 * ramp[1]]), axis_labels=("c", "y", "x"), name="two")
    widget.image.value = viewer.layers["two"]
    text = summary(widget, qtbot)
    assert abs(levels(text) - alone) < 5
    assert "one a channel" in text
    assert "e+" not in text


def levels(text: str) -> float:
    return float(text.split(" of 255")[0].split("(")[-1])


def test_what_was_said_of_one_image_is_not_said_of_the_next(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray, notifications: list[Any]
) -> None:
    viewer.add_labels(np.zeros((8, 8), dtype=int))
    widget.run.native.click()
    assert "Only images" in widget.status.value
    viewer.add_image(ramp)
    assert widget.status.value == ""


def test_angle_brackets_are_text(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], network: Any, ramp: np.ndarray,
    notifications: list[Any],
) -> None:  # fmt: skip
    viewer.add_image(ramp)
    network.error = RuntimeError("of <class 'x'>")
    run()
    assert "&lt;class" in widget.status.value
    assert any("of <class 'x'>" in n.message for n in notifications)


def test_summary_follows_the_data_of_the_layer(
    widget: Any, viewer: ViewerModel, ramp: np.ndarray, qtbot: Any
) -> None:
    layer = viewer.add_image(ramp)
    assert summary(widget, qtbot).startswith("6 ")
    layer.data = ramp[:4]
    assert "measuring" in widget.summary.value
    assert summary(widget, qtbot).startswith("4 ")
    other = viewer.add_image(ramp)
    widget.image.value = other
    summary(widget, qtbot)
    layer.data = ramp[:2]
    assert "measuring" not in widget.summary.value
