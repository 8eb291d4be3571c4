"""Segment and Detect widgets with networks that find what is bright."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel

from napari_dran.analysis import runner
from napari_dran.plugin.analysis_task import DETECT, SEGMENT, Task
from napari_dran.plugin.analysis_widget import AnalysisWidget, DetectWidget, SegmentWidget
from napari_dran.weights import Card, build_network, read_card, save_weights

from ..analysis.conftest import SEQUENCES, Bright, BrightBoxes

TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "segment": ("unet", {"decoder": (8,) * 5}),
    "detect": ("mask-rcnn", {"width": 16, "head": 16, "most": 5}),
}


class Slow:
    """Makes networks slow, or fail."""

    delay = 0.0
    error: Exception | None = None


class Rough(torch.nn.Module):
    """Takes what differs from the mean of its surroundings for noise."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image - torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)


def save_tiny(task: str, path: Path, **facts: Any) -> Path:
    """Save a tiny network for a task."""
    architecture, small = TINY[task]
    torch.manual_seed(0)
    network = build_network(architecture, {"channels": 3, "classes": 2, **small}).eval()
    card = Card(
        path.stem, architecture, network.arguments, 3, task=task, **({"classes": ("blob",)} | facts)
    )
    save_weights(path, network, card)
    return path


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own weights: for each task two networks."""
    home = tmp_path_factory.mktemp("home")
    (home / "weights").mkdir()
    for task in TINY:
        save_tiny(task, home / "weights" / f"blobs-{task}.safetensors")
        save_tiny(task, home / "weights" / f"mr-{task}.safetensors", inputs=SEQUENCES, copied=1)
    return home


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Put networks in place that mark what is bright, and one that denoises, a little."""
    slow = Slow()

    def load(weights: Any) -> tuple[torch.nn.Module, None]:
        network = BrightBoxes() if "detect" in str(weights) else Bright(2)
        forward = network.forward

        def delayed(images: Any) -> Any:
            time.sleep(slow.delay)
            if slow.error is not None:
                raise slow.error
            return forward(images)

        network.forward = delayed  # type: ignore[method-assign, assignment]
        return network, None

    monkeypatch.setattr(runner, "load_weights", load)
    monkeypatch.setattr("napari_dran.weights.load_weights", lambda name: (Rough(), read_card(name)))
    torch.set_num_threads(1)
    return slow


@pytest.fixture
def analyse(
    viewer: ViewerModel, slow: Slow, tiny_folder: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Task], AnalysisWidget]]:
    """Make a widget for a task, that looks for blobs on the CPU."""
    from napari.utils.progress import progress
    from qtpy.QtCore import QThreadPool

    monkeypatch.setenv("NAPARI_DRAN_HOME", str(tiny_folder))
    monkeypatch.setattr("napari_dran.plugin.settings.default_device", lambda: "cpu")
    made: list[AnalysisWidget] = []

    def make(task: Task) -> AnalysisWidget:
        widget = {SEGMENT: SegmentWidget, DETECT: DetectWidget}[task](viewer)
        qtbot.addWidget(widget.native)
        made.append(widget)
        if f"blobs-{task.name}" in widget.weights.choices:
            widget.weights.value = f"blobs-{task.name}"
        return widget

    yield make
    for widget in made:
        widget.close_down()
        qtbot.waitUntil(lambda w=widget: w._running is None, timeout=30_000)
    assert QThreadPool.globalInstance().waitForDone(30_000)
    assert not progress._all_instances


@pytest.fixture
def result_of(qtbot: Any) -> Callable[..., str]:
    """Press a button, wait for the end, and return what the widget says."""

    def result_of(widget: AnalysisWidget, button: str = "run") -> str:
        getattr(widget, button).native.click()
        qtbot.waitUntil(lambda: widget._running is None, timeout=60_000)
        return str(widget.status.value)

    return result_of


@pytest.fixture
def spots() -> np.ndarray:
    """A volume (z, y, x) = (4, 32, 24) with two bright boxes, in slices 1 and 2."""
    image = np.random.default_rng(0).integers(0, 20, (4, 32, 24)).astype(np.uint8)
    image[1:3, 4:10, 3:8] = 250
    image[2, 20:28, 12:20] = 240
    return image
