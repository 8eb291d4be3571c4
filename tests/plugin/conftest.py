"""A viewer without a window, and a network that is known exactly and never slow by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

import torch
from napari.components import ViewerModel
from torch import Tensor, nn

from napari_dran.denoising import Denoiser
from napari_dran.plugin import worker
from napari_dran.weights import Card


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
