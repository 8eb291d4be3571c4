"""Data that are behind for a moment are whole for whoever writes or works on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.denoising import blend
from napari_dran.files import read_volume
from napari_dran.plugin.layers import METADATA_KEY
from napari_dran.plugin.pending import settle
from napari_dran.plugin.reader_writer import write_layer


@pytest.fixture
def behind(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], ramp: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:  # fmt: skip
    """A result whose strength has just been changed, and blended in one slice only."""
    monkeypatch.setattr("napari_dran.plugin.result.AT_ONCE", 100)
    viewer.add_image(ramp, name="scan")
    layer = run()
    widget.strength.value = 0.3
    result = widget._results.current
    assert not np.array_equal(layer.data, blend(ramp, result.noise, 0.3))
    return result


def test_a_file_is_never_half_blended(behind: Any, ramp: np.ndarray, tmp_path: Path) -> None:
    data, arguments, _ = behind.layer.as_layer_data_tuple()
    (path,) = write_layer(str(tmp_path / "out.nii.gz"), data, arguments)
    np.testing.assert_array_equal(read_volume(path).data, blend(ramp, behind.noise, 0.3))
    (entry,) = arguments["metadata"][METADATA_KEY]["history"]
    assert entry["strength"] == 0.3


def test_settling_stops_what_was_still_to_come(behind: Any, ramp: np.ndarray, qtbot: Any) -> None:
    assert settle(behind.layer.data)
    wanted = blend(ramp, behind.noise, 0.3)
    np.testing.assert_array_equal(behind.layer.data, wanted)
    assert not behind._timer.isActive()
    qtbot.wait(200)
    np.testing.assert_array_equal(behind.layer.data, wanted)
    assert not settle(ramp)


def test_a_result_can_be_denoised_again_and_then_changed(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], behind: Any, ramp: np.ndarray
) -> None:
    first = behind
    widget.image.value = first.layer
    second = run()
    noisy = blend(ramp, first.noise, 0.3)
    np.testing.assert_array_equal(widget._results.current.image, noisy)
    viewer.layers.selection.active = first.layer
    widget.strength.value = 1.0
    viewer.layers.selection.active = second
    widget.strength.value = 0.0
    settle(second.data)
    np.testing.assert_array_equal(second.data, noisy)
