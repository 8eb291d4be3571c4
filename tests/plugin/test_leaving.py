"""A script that ends while the widget's worker runs."""

from __future__ import annotations

from .conftest import run_python

SCRIPT = """
import time
import numpy as np
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
from napari_dran.plugin.denoise_widget import DenoiseWidget
from napari_dran.denoising.predictor import Predictor
from napari_dran.plugin.torch_loading import load_torch

load_torch()

def slow(self, slices, *_):
    time.sleep(0.5)
    return [np.ones(pixels.shape, np.float32) for pixels in slices]

Predictor.noise_of = slow
viewer = ViewerModel()
viewer.add_image(np.random.default_rng(0).random((40, 16, 16)))
widget = DenoiseWidget(viewer)
widget.denoise()
end = time.monotonic() + 30
while widget._running.result is None and time.monotonic() < end:
    app.processEvents()
    time.sleep(0.02)
assert widget._running.result is not None
print("leaving")
"""


def test_python_leaves_in_peace_while_a_worker_runs() -> None:
    found = run_python(SCRIPT, 120, QT_QPA_PLATFORM="offscreen")
    assert found.stdout.strip() == "leaving"
    assert "deleted" not in found.stderr
