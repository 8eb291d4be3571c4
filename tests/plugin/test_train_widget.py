"""The Train widget on real images: runs, stops, goes on, saves, and says what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_dran.errors import FileWriteError, TrainingError
from napari_dran.network.dran import DRAN
from napari_dran.plugin import kept_runs
from napari_dran.plugin.denoise_widget import DenoiseWidget
from napari_dran.plugin.train_panel import FOLDER, LAYERS
from napari_dran.plugin.train_widget import TrainWidget
from napari_dran.training import data
from napari_dran.weights import (
    Card,
    list_weights,
    load_weights,
    own_weights_folder,
    read_card,
    save_weights,
)

STEPS, EVERY, CROP = 12, 4, 16


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


def test_run_is_shown_and_its_weights_can_be_saved(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], viewer: ViewerModel,
    monkeypatch: pytest.MonkeyPatch, qtbot: Any,
) -> None:  # fmt: skip
    denoise = DenoiseWidget(viewer)
    qtbot.addWidget(denoise.native)
    assert not trainer.save.enabled
    press(trainer.train)
    assert trainer.stop.enabled
    assert not trainer.train.enabled
    assert not trainer.settings.enabled
    assert "Done at step 12" in ended(trainer)
    curve = trainer._results.curve
    assert [step for step, _ in curve.psnr] == [4, 8, 12]
    assert [step for step, _ in curve.losses] == [10]
    assert 5 < curve.psnr[0][1] < 60
    assert trainer._results.preview.panel.shape == (40, 120)
    assert "noisy" in trainer.scores.value
    assert f"{trainer._results.best.noisy_psnr[25.0]:.2f}" in trainer.scores.value

    target = own_weights_folder() / "mine.safetensors"
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: target)
    press(trainer.save)
    qtbot.waitUntil(lambda: trainer._saving is None, timeout=10_000)
    assert "Saved mine.safetensors" in trainer.status.value
    card = read_card("mine")
    assert card.name == "mine"
    assert card.training["started from"].startswith("start at step 0")
    assert "mine" in denoise.weights.choices, "at once"
    assert "mine" in trainer.weights.choices
    assert "mine" in [listed.name for listed in list_weights()]
    denoise.close_down()
    later = DenoiseWidget(viewer)
    qtbot.addWidget(later.native)
    assert "mine" in later.weights.choices, "in the next session"
    later.close_down()


def test_stop_keeps_the_best_and_the_run_goes_on_from_there(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], qtbot: Any
) -> None:
    trainer.steps.value = 2000
    trainer.validate_every.value = 500
    press(trainer.train)
    qtbot.waitUntil(lambda: trainer._step > 0, timeout=120_000)
    press(trainer.stop)
    assert "Stopping" in trainer.status.value
    assert "Stopped at step" in ended(trainer)
    stopped = trainer._step
    assert 0 < stopped < 500
    assert load_weights(trainer._kept.best)[1].steps == stopped
    trainer.steps.value = stopped
    press(trainer.resume)
    assert "Raise Steps" in trainer.status.value
    trainer.steps.value = stopped + 2
    press(trainer.resume)
    assert f"Done at step {stopped + 2}" in ended(trainer)
    assert [step for step, _ in trainer._results.curve.psnr] == [stopped, stopped + 2]


def test_trains_on_layers_with_their_own_intensities(
    make: Callable[[], TrainWidget], images: Path, viewer: ViewerModel,
    ended: Callable[[TrainWidget], str],
) -> None:  # fmt: skip
    for number, path in enumerate(sorted(images.glob("*.png"))):
        pixels = np.asarray(Image.open(path)).astype(np.float32)
        viewer.add_image(1000 + 10 * pixels, name=f"scan {number}")
    viewer.add_points(np.zeros((1, 2)))
    trainer = make()
    assert trainer.source.value == LAYERS
    assert [layer.name for layer in trainer.layers.choices] == [f"scan {n}" for n in range(4)]
    assert trainer.layers.value == [], "the points are selected"
    press(trainer.train)
    assert "No image layer is chosen" in trainer.status.value
    trainer.layers.value = list(viewer.layers)[:3]
    press(trainer.train)
    status = ended(trainer)
    assert "Done at step 12" in status
    assert "Training on 2 images, validating on 1 (1 group)" in status
    panel = trainer._results.preview.panel
    clean = panel[:, 80:]
    assert clean.min() == 0
    assert clean.max() == 1
    assert read_card(trainer._kept.best).data == {"3 images from memory": "not stated"}
    viewer.layers.remove("scan 0")
    assert len(trainer.layers.value) == 2


def test_second_run_starts_anew_and_asks_first(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QMessageBox

    answers = iter([QMessageBox.No, QMessageBox.Yes])
    monkeypatch.setattr(QMessageBox, "question", lambda *_: next(answers))
    press(trainer.train)
    ended(trainer)
    first = trainer._kept.path
    press(trainer.train)
    assert trainer._run is None, "the answer was no"
    press(trainer.train)
    assert "Done at step 12" in ended(trainer)
    assert trainer._kept.path != first
    assert [step for step, _ in trainer._results.curve.psnr] == [4, 8, 12]


def test_unsaved_run_is_offered_by_the_next_session(
    trainer: TrainWidget, make: Callable[[], TrainWidget], ended: Callable[[TrainWidget], str],
    images: Path,
) -> None:  # fmt: skip
    trainer.noise.value = ("rician",)
    press(trainer.train)
    ended(trainer)
    trainer.close_down()
    later = make()
    assert "not saved: it is at step 12" in later.status.value
    assert later.save.enabled
    assert later.noise.value == ("rician",)
    assert later.folder.value == images
    later.steps.value = 14
    press(later.resume)
    assert "Done at step 14" in ended(later)
    later._kept = later._kept.mark_saved()
    assert kept_runs.unsaved_run() is None


def test_closing_ends_the_run(trainer: TrainWidget, qtbot: Any) -> None:
    trainer.steps.value = 2000
    press(trainer.train)
    run = trainer._run
    qtbot.waitUntil(lambda: trainer._step > 0, timeout=120_000)
    trainer.close_down()
    qtbot.waitUntil(lambda: not run.running, timeout=60_000)
    assert kept_runs.unsaved_run() is not None, "hours of work are not lost"


def test_stops_while_images_are_read(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:  # fmt: skip
    stopped = Event()
    read = data.read_volume

    def read_late(*path: Any, **options: Any) -> Any:
        assert stopped.wait(60)
        return read(*path, **options)

    monkeypatch.setattr(data, "read_volume", read_late)
    press(trainer.train)
    press(trainer.stop)
    stopped.set()
    assert "nothing was trained" in ended(trainer)
    assert notifications == []


def test_what_is_wrong_is_said(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], tmp_path: Path, images: Path,
    corpus: Path, notifications: list[Any],
) -> None:  # fmt: skip
    empty, mixed = tmp_path / "empty", tmp_path / "mixed"
    empty.mkdir()
    trainer.folder.value = empty
    press(trainer.train)
    assert "Found no images" in ended(trainer)
    trainer.folder.line_edit.value = ""
    press(trainer.train)
    assert "No folder is chosen" in trainer.status.value
    shutil.copytree(images, mixed)
    colour = next((corpus / "train" / "dermatology").glob("*.png"))
    Image.open(colour).resize((40, 40)).save(mixed / "colour.png")
    trainer.folder.value = mixed
    press(trainer.train)
    assert "mixes 4 grey and 1 colour" in ended(trainer)
    trainer.other_kind.value = "skip"
    press(trainer.train)
    assert "Skipped 1 colour images." in ended(trainer)
    trainer._kept = None
    trainer.crop.value = 64
    press(trainer.train)
    assert "smaller than the crop of 64" in ended(trainer)
    trainer.learning_rate.value = "fast"
    press(trainer.train)
    assert "learning rate such as 1e-4" in trainer.status.value
    trainer.learning_rate.value = ""
    trainer.low.value, trainer.high.value = 50, 10
    press(trainer.train)
    assert "range of sigma" in trainer.status.value
    assert all("Traceback" not in found.message for found in notifications)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TrainingError("The loss became nan at step 8."), "The loss became nan"),
        (FileWriteError("Could not write: the disk is full."), "the disk is full"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "not enough memory"),
        (RuntimeError("something odd"), "Training failed: RuntimeError: something odd"),
    ],
)
def test_run_that_fails_says_why(
    error: Exception, said: str, trainer: TrainWidget, ended: Callable[[TrainWidget], str],
    monkeypatch: pytest.MonkeyPatch, notifications: list[Any],
) -> None:  # fmt: skip
    from napari_dran.training import denoising

    def fail(*_: Any) -> None:
        raise error

    press(trainer.train)
    ended(trainer)
    trainer._kept = trainer._kept.mark_saved()
    monkeypatch.setattr(denoising.DenoisingModule, "training_step", fail)
    press(trainer.train)
    assert said in ended(trainer)
    assert said in notifications[-1].message
    assert trainer.train.enabled


def test_best_weights_of_a_run_that_failed_can_be_saved(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.training import denoising

    step = denoising.DenoisingModule.training_step

    def nan_at_six(module: Any, batch: Any, number: int) -> Any:
        loss = step(module, batch, number)
        module.check_finite(loss.detach() * float("nan") if module.global_step == 6 else loss)
        return loss

    monkeypatch.setattr(denoising.DenoisingModule, "training_step", nan_at_six)
    press(trainer.train)
    assert "The loss became nan at step 6" in ended(trainer)
    assert trainer.save.enabled
    assert load_weights(trainer._kept.best)[1].steps == 4


def test_saving_overwrites_only_what_the_dialog_asked_for(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, qtbot: Any,
) -> None:  # fmt: skip
    press(trainer.train)
    ended(trainer)
    folder = own_weights_folder()
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: folder / "dran-grey.safetensors")
    press(trainer.save)
    assert "that of shipped weights" in trainer.status.value
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: tmp_path / "file" / "mine.safetensors")
    press(trainer.save)
    qtbot.waitUntil(lambda: trainer._saving is None, timeout=10_000)
    assert "Could not write" in trainer.status.value
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: None)
    press(trainer.save)
    assert not list(folder.glob("*"))
    elsewhere = tmp_path / "mine.safetensors"
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: elsewhere)
    press(trainer.save)
    qtbot.waitUntil(lambda: trainer._saving is None, timeout=10_000)
    assert "load it from its place" in trainer.status.value
    assert read_card(elsewhere).name == "mine"


def test_dialog_suggests_a_name_in_the_users_folder_and_asks_before_replacing(
    trainer: TrainWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    seen = []

    def answer(dialog: Any) -> int:
        seen.append(dialog.testOption(QFileDialog.DontConfirmOverwrite))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", answer)
    assert trainer._ask_where() == own_weights_folder() / "scans.safetensors"
    (own_weights_folder() / "scans.safetensors").write_bytes(b"")
    assert trainer._ask_where() == own_weights_folder() / "scans-2.safetensors"
    assert seen == [False, False]


def test_copies_the_command(trainer: TrainWidget, qapp: Any, images: Path, start: Path) -> None:
    trainer.noise.value = ("rician",)
    press(trainer.copy_command)
    words = qapp.clipboard().text().split()
    assert words[:5] == ["napari-dran", "train", str(images), "-o", "scans.safetensors"]
    assert f"--weights={start}" in words
    assert words[words.index("--noise") + 1] == "rician"
    assert "--set=precision=32" in words


def test_missing_packages_are_named(
    make: Callable[[], TrainWidget], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from napari_dran.plugin import train_widget

    monkeypatch.setitem(sys.modules, "pyqtgraph", None)
    monkeypatch.setattr(train_widget, "find_spec", lambda name: None)
    widget = make()
    assert "needs the package lightning" in widget.status.value
    assert "pip install 'napari-dran[train]'" in widget._results._shown.text()
    assert widget._results.curve is None
