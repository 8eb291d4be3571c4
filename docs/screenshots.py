"""Make the screenshots of the documentation from a real napari window.

    python docs/screenshots.py [FOLDER [denoise|train|segment|detect]]

Opens the bundled noisy T1 volume, denoises it with the widget as a user would, trains
on bundled volumes, segments and detects bundled nuclei, and saves what the window
shows. Without a display it starts Xvfb (needs PyVirtualDisplay).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = (1400, 900)
SLICES = slice(15, 31)
"""Part of the volume that is denoised: the rest would only take longer."""
SHOWN = 8
"""The slice in view, through the ventricles."""
TRAINED, TRAINED_SHOWN = 400, 13
"""Steps of the training run, and the validation after which it is shown."""
PATIENCE_S = 1200

os.environ.setdefault("NAPARI_CONFIG", "")
os.environ.setdefault("QT_API", "pyqt6")


def denoise(folder: Path) -> None:
    """Denoise a volume, and compare."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    viewer.open_sample("napari-dran", "t1-noisy")
    layer = viewer.layers[0]
    layer.name, layer.data = "T1", layer.data[SLICES]
    _, widget = viewer.window.add_plugin_dock_widget("napari-dran", "Denoise")
    viewer.dims.set_current_step(0, SHOWN)
    viewer.reset_view()
    wait(lambda: "of 255" in widget.summary.value)

    widget.run.native.click()
    wait(lambda: f"Slice {SHOWN + 3} " in widget.status.value)
    activity(viewer, True)
    save(viewer, folder / "widget-at-work.png")
    activity(viewer, False)

    wait(lambda: "Done" in widget.status.value)
    widget.side_by_side.native.click()
    save(viewer, folder / "widget-side-by-side.png")
    widget.side_by_side.native.click()

    widget.residual.native.click()
    viewer.layers.selection.active = viewer.layers["T1 (residual)"]
    save(viewer, folder / "widget-residual.png")
    viewer.close()


def train(folder: Path) -> None:
    """Train a small network, which takes a minute, for the noise of magnitude MR."""
    import napari

    from napari_dran.network.dran import DRAN
    from napari_dran.weights import Card, own_weights_folder, save_weights

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    for sample in ("flair", "t1"):
        viewer.open_sample("napari-dran", sample)
    viewer.reset_view()
    with tempfile.TemporaryDirectory() as home:
        # The user's own weights and runs are nobody's business, nor is this run theirs.
        os.environ["NAPARI_DRAN_HOME"] = home
        own_weights_folder().mkdir()
        network = DRAN(1, features=8, blocks=1, layers=2)
        card = Card("small", "dran", network.arguments, 1, (0, 50))
        save_weights(own_weights_folder() / "small.safetensors", network, card)
        _, widget = viewer.window.add_plugin_dock_widget("napari-dran", "Train")
        widget.layers.value = list(widget.layers.choices)
        widget.weights.value, widget.noise.value = "small", ("rician",)
        widget.learning_rate.value, widget.crop.value = "2e-3", 32
        widget.steps.value, widget.validate_every.value = TRAINED, TRAINED // 20
        widget.train.native.click()
        wait(lambda: len(widget._results.curve.psnr) == TRAINED_SHOWN)
        save(viewer, folder / "train-widget.png")
        widget.stop.native.click()
        wait(lambda: widget._run is None)
        viewer.close()


def segment(folder: Path) -> None:
    """Segment noisy nuclei, and compare with the denoised ones."""
    analyse(folder, "Segment (U-Net)", "segment", "unet-nuclei")


def detect(folder: Path) -> None:
    """Detect noisy nuclei one by one, and compare with the denoised ones."""
    analyse(folder, "Detect (Mask R-CNN)", "detect", "maskrcnn-nuclei")


def analyse(folder: Path, name: str, task: str, weights: str) -> None:
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    viewer.open_sample("napari-dran", "nuclei-noisy")
    layer = viewer.layers[0]
    layer.name = "nuclei"
    layer.contrast_limits = (0, 255)
    _, widget = viewer.window.add_plugin_dock_widget("napari-dran", name)
    widget.weights.value, widget.denoise.value = weights, True
    viewer.reset_view()
    widget.run.native.click()
    wait(lambda: widget._running is None)
    save(viewer, folder / f"{task}-widget.png")
    widget.compare.native.click()
    wait(lambda: widget._running is None)
    save(viewer, folder / f"{task}-noisy-denoised.png")
    viewer.close()


def wait(until: Callable[[], bool], at_least_ms: int = 0) -> None:
    """Let the window live until something is so."""
    from qtpy.QtCore import QElapsedTimer, QEventLoop, QTimer

    loop, timer, clock = QEventLoop(), QTimer(), QElapsedTimer()
    clock.start()

    def look() -> None:
        if clock.elapsed() > PATIENCE_S * 1000:
            raise SystemExit("The window did not come to where the screenshot wants it.")
        if clock.elapsed() >= at_least_ms and until():
            loop.quit()

    timer.timeout.connect(look)
    timer.start(20)
    loop.exec()


def activity(viewer: Any, shown: bool) -> None:
    """Open or close the Activity dock, as its button does."""
    viewer.window._status_bar._toggle_activity_dock(shown)


def save(viewer: Any, path: Path) -> None:
    wait(lambda: True, at_least_ms=1500)
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    print(f"wrote {path}")


def main(folder: Path, widgets: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    takes = {"denoise": denoise, "train": train, "segment": segment, "detect": detect}
    for name, take in takes.items():
        if not widgets or name in widgets:
            take(folder)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        from pyvirtualdisplay import Display

        with Display(size=(1600, 1000)):
            main(target, sys.argv[2:])
    else:
        main(target, sys.argv[2:])
