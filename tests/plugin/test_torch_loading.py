from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from napari_dran.plugin import torch_loading

from .conftest import run_python

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")


@pytest.fixture
def triton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package called triton that notes how it was loaded."""
    # Put back by hand: monkeypatch would put the false one back that a test took out.
    real = forget_triton()
    folder = tmp_path / "triton"
    (folder / "_C").mkdir(parents=True)
    (folder / "__init__.py").write_text("import sys\nflags = sys.getdlopenflags()\n")
    (folder / "_C" / "__init__.py").write_text("")
    (folder / "_C" / "libtriton.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    forget_triton()
    sys.modules.update(real)


def forget_triton() -> dict[str, ModuleType]:
    """Take Triton, real or not, out of the imported modules and return it."""
    names = [name for name in sys.modules if name.split(".")[0] == "triton"]
    return {name: sys.modules.pop(name) for name in names}


@LINUX
def test_triton_is_bound_to_itself(triton: Path) -> None:
    before = sys.getdlopenflags()
    assert torch_loading.shield_triton()
    module: Any = sys.modules["triton"]
    assert module.flags & os.RTLD_DEEPBIND
    assert sys.getdlopenflags() == before
    assert not torch_loading.shield_triton(), "once is enough"


@LINUX
def test_broken_triton_is_kept_out(triton: Path) -> None:
    (triton / "_C" / "libtriton.py").write_text("raise ImportError('wrong GLIBC')")
    before = sys.getdlopenflags()
    assert not torch_loading.shield_triton()
    assert sys.modules["triton"] is None
    with pytest.raises(ImportError):
        __import__("triton")
    assert sys.getdlopenflags() == before


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch, triton: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not torch_loading.shield_triton()
    assert "triton" not in sys.modules


def test_missing_library_is_no_error() -> None:
    torch_loading._read_ahead("torch", "lib", "no_such_library")
    torch_loading._read_ahead("no_such_package", "lib", "libtorch_python")


def test_torch_comes() -> None:
    assert isinstance(torch_loading.load_torch(), ModuleType)


WINDOW = """
import faulthandler, sys
faulthandler.enable()
if torch_first:
    import torch
import numpy as np
import napari
from qtpy.QtCore import QEventLoop, QTimer

def wait(until, seconds=120):
    loop, clock = QEventLoop(), QTimer()
    clock.timeout.connect(lambda: loop.quit() if until() else None)
    clock.start(20)
    QTimer.singleShot(seconds * 1000, loop.quit)
    loop.exec()
    assert until(), "timed out"

viewer = napari.Viewer()
image = np.random.default_rng(0).normal(500, 100, (3, 24, 20)).astype(np.float32)
viewer.add_image(image, name="scan")
viewer.window.screenshot(canvas_only=False, flash=False)
assert "triton" not in sys.modules, "Triton came before the window drew: this tests nothing"
assert torch_first or "torch" not in sys.modules, "torch came, too"

from napari_dran.plugin.denoise_widget import DenoiseWidget

widget = DenoiseWidget(viewer)
viewer.window.add_dock_widget(widget, name="Denoise")
widget.denoise()
wait(lambda: widget._running is None)
assert (viewer.layers["scan (denoised)"].data != image).any(), widget.status.value
viewer.window.screenshot(canvas_only=False, flash=False)

try:
    import torchvision
except ImportError:
    print("no torchvision")
import torch
import torch._dynamo

network = torch.nn.Conv2d(1, 1, 3)
optimiser = torch.optim.Adam(network.parameters())
for _ in range(2):
    optimiser.zero_grad()
    network(torch.ones(1, 1, 8, 8)).sum().backward()
    optimiser.step()
viewer.window.screenshot(canvas_only=False, flash=False)
viewer.close()
wait(lambda: True)
print("alive")
"""


@pytest.mark.viewer
@pytest.mark.parametrize("first", [False, True], ids=["torch last", "torch by another plugin"])
def test_viewer_survives_torch_beside_software_opengl(first: bool) -> None:
    found = run_python(f"torch_first = {first}\n{WINDOW}", 240, LIBGL_ALWAYS_SOFTWARE="1")
    assert found.stdout.strip().endswith("alive")
