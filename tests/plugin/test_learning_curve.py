from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_dran.errors import MissingPackageError
from napari_dran.plugin.learning_curve import COLOURS, LearningCurve
from napari_dran.plugin.train_preview import TrainPreview


@pytest.fixture
def curve(qtbot: Any) -> Iterator[LearningCurve]:
    curve = LearningCurve()
    qtbot.addWidget(curve)
    yield curve
    curve.release()


def test_points_and_the_best_are_drawn(curve: LearningCurve) -> None:
    for step, psnr in ((10, 25.0), (20, 31.0), (30, 29.0)):
        curve.add_psnr(step, psnr)
        curve.add_loss(step, math.nan if step == 20 else 0.1)
    steps, values = curve._psnr_curve.getData()
    np.testing.assert_array_equal(steps, [10, 20, 30])
    np.testing.assert_array_equal(values, [25, 31, 29])
    assert [list(a) for a in curve._best.getData()] == [[20], [31]]
    assert math.isnan(curve._loss_curve.getData()[1][1])
    curve.clear()
    assert curve._psnr_curve.getData()[0] is None or not len(curve._psnr_curve.getData()[0])


def test_axes_say_what_they_are(curve: LearningCurve) -> None:
    texts = [
        plot.getAxis(side).labelText
        for plot, side in (
            (curve._psnr_plot, "left"), (curve._loss_plot, "left"), (curve._loss_plot, "bottom"),
        )
    ]  # fmt: skip
    assert texts == ["PSNR (dB)", "loss", "step"]


@pytest.mark.parametrize("name", ["dark", "light"])
def test_theme_is_napari_s(name: str, curve: LearningCurve) -> None:
    from napari.utils.theme import get_theme

    curve.set_theme(name)
    background = curve._plots.backgroundBrush().color().name()
    assert background == get_theme(name).background.as_hex("long")[:7]
    assert curve._psnr_curve.opts["pen"].color().name() == COLOURS[name][0]


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyqtgraph", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'napari-dran\[train\]'"):
        LearningCurve()


@pytest.mark.parametrize("shape", [(30, 90), (30, 90, 3)])
def test_preview_shows_the_panel_in_its_proportions(shape: tuple[int, ...], qtbot: Any) -> None:
    preview = TrainPreview()
    qtbot.addWidget(preview)
    assert preview.isHidden()
    panel = np.zeros(shape, np.float32)
    panel[:, 60:] = 1
    preview.resize(300, 50)
    preview.show_panel(panel)
    assert preview.height() == 118
    drawn = preview.grab().toImage()
    assert drawn.pixelColor(10, 50).value() == 0
    assert drawn.pixelColor(290, 50).value() == 255
    preview.clear()
    assert preview.isHidden()
