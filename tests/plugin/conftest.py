"""A viewer without a window, and a network that is known exactly and never slow by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

import torch
from napari.components import ViewerModel
from PIL import Image
from torch import Tensor, nn

from napari_dran.denoising import Denoiser
from napari_dran.network.dran import DRAN
from napari_dran.plugin import worker
from napari_dran.plugin.train_panel import FOLDER
from napari_dran.plugin.train_widget import TrainWidget
from napari_dran.weights import Card, save_weights

from .analysis_fixtures import analyse, result_of, slow, spots, tiny_folder  # noqa: F401


class Tenth(nn.Module):
    """Calls a tenth of the normalised image noise; can be slow, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.delay = 0.0
        self.error: Exception | None = None
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        time.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return 0.1 * image

    def __deepcopy__(self, memo: object) -> Tenth:
        return self


def run_python(script: str, seconds: float, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, which must end well."""
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found


STEPS, EVERY, CROP = 12, 4, 16


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Tenth:
    """The network that every widget of the test runs, on grey and on colour images."""
    network = Tenth()
    denoisers = {
        channels: Denoiser.from_network(
            network,
            Card("tenth", "dran", {}, channels, (0.0, 50.0), sha256="0123456789abcdef"),
            device="cpu",
        )
        for channels in (1, 3)
    }

    class Both:
        """One denoiser knows one card; the real one chooses by the image."""

        def plan(self, image: Any, **arguments: Any) -> Any:
            return denoisers[3 if image.rgb else 1].plan(image, **arguments)

        def release(self) -> None:
            pass

    monkeypatch.setattr(worker.Engine, "get", lambda self, recipe: Both())
    torch.set_num_threads(1)
    return network


@pytest.fixture
def viewer(qapp: Any) -> Iterator[ViewerModel]:
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def widget(viewer: ViewerModel, network: Tenth, qtbot: Any) -> Iterator[Any]:
    from napari.utils.progress import progress
    from qtpy.QtCore import QThreadPool

    from napari_dran.plugin.denoise_widget import DenoiseWidget

    widget = DenoiseWidget(viewer)
    qtbot.addWidget(widget.native)
    yield widget
    widget.close_down()
    qtbot.waitUntil(lambda: widget._running is None and widget._previewing is None)
    assert QThreadPool.globalInstance().waitForDone(5000)
    # Whatever happened, no bar may be left in the Activity dock.
    assert not progress._all_instances


@pytest.fixture
def run(widget: Any, qtbot: Any) -> Callable[[], Any]:
    """Press Denoise, wait for the end, and return the new layer."""

    def run() -> Any:
        widget.run.native.click()
        qtbot.waitUntil(lambda: widget._running is None, timeout=10_000)
        result = widget._results.current
        return None if result is None else result.layer

    return run


@pytest.fixture
def notifications() -> Iterator[list[Any]]:
    from napari.utils.notifications import notification_manager

    seen: list[Any] = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)
    notification_manager.records.clear()


@pytest.fixture
def ramp() -> np.ndarray:
    """A volume (z, y, x) = (6, 24, 20) without constant slices."""
    return np.random.default_rng(0).normal(500, 100, (6, 24, 20)).astype(np.float32)


@pytest.fixture
def images(corpus: Path, tmp_path: Path) -> Path:
    """A folder of parts of real MR images."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, path in enumerate(sorted((corpus / "train" / "mri").glob("*.png"))[:4]):
        with Image.open(path) as image:
            left, top = (side // 2 - 20 for side in image.size)
            image.crop((left, top, left + 40, top + 40)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A tiny network to start with."""
    network = DRAN(1, features=4, blocks=1, layers=1)
    path = tmp_path / "start.safetensors"
    save_weights(path, network, Card("start", "dran", network.arguments, 1, (0, 50)))
    return path


@pytest.fixture
def make(viewer: ViewerModel, start: Path, qtbot: Any) -> Iterator[Callable[[], TrainWidget]]:
    """Make a widget that is set to the tiniest run."""
    from napari.utils.progress import progress
    from qtpy.QtCore import QThreadPool

    made = []

    def make() -> TrainWidget:
        widget = TrainWidget(viewer)
        qtbot.addWidget(widget.native)
        made.append(widget)
        widget._input.show(
            {"weights": str(start), "steps": STEPS, "validate_every": EVERY, "crop": CROP,
             "batch": 2, "precision": "32"},
            None,
        )  # fmt: skip
        widget.device.value = "cpu"
        return widget

    yield make
    for widget in made:
        widget.close_down()
        qtbot.waitUntil(lambda w=widget: w._run is None and w._saving is None, timeout=30_000)
    assert QThreadPool.globalInstance().waitForDone(30_000)
    assert not progress._all_instances


@pytest.fixture
def trainer(make: Callable[[], TrainWidget], images: Path) -> TrainWidget:
    """A widget that trains on the folder of images."""
    widget = make()
    widget.source.value, widget.folder.value = FOLDER, images
    return widget


@pytest.fixture
def ended(qtbot: Any) -> Callable[[TrainWidget], str]:
    """Wait for the end of a run and return what the widget says."""

    def ended(widget: TrainWidget) -> str:
        qtbot.waitUntil(lambda: widget._run is None, timeout=120_000)
        return str(widget.status.value)

    return ended


def press(button: Any) -> None:
    assert button.enabled
    button.native.click()
