"""The Train widget on real images: runs, stops, goes on, saves, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_dran.plugin import kept_runs
from napari_dran.plugin.denoise_widget import DenoiseWidget
from napari_dran.plugin.train_panel import LAYERS
from napari_dran.plugin.train_run import TrainWork
from napari_dran.plugin.train_widget import TrainWidget
from napari_dran.training import data
from napari_dran.training.recipe import Recipe
from napari_dran.weights import (
    list_weights,
    load_weights,
    own_weights_folder,
    read_card,
)

from .conftest import press


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
    trainer._run.progressed.emit(0, 12)
    assert "Measuring the weights it starts from" in trainer.status.value
    assert trainer.progress.max == 0, "how long is not known"
    assert "Done at step 12" in ended(trainer)
    curve = trainer._results.curve
    assert [step for step, _ in curve.psnr] == [0, 4, 8, 12]
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
    best = trainer._results.best.step
    assert best in (0, stopped)
    assert load_weights(trainer._kept.best)[1].steps == best
    assert ("Nothing was better" in trainer.status.value) == (best == 0)
    trainer.steps.value = stopped
    press(trainer.resume)
    assert "Raise Steps" in trainer.status.value
    trainer.steps.value = stopped + 2
    press(trainer.resume)
    assert f"Done at step {stopped + 2}" in ended(trainer)
    assert [step for step, _ in trainer._results.curve.psnr] == [0, stopped, stopped + 2]


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
    assert "Training on 2 images, validating on 1, of 1 of 3 patients" in status
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
    assert [step for step, _ in trainer._results.curve.psnr] == [0, 4, 8, 12]


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
    later._kept = later._kept.mark(saved=True)
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


def test_the_chosen_folder_itself_is_not_told_by_name() -> None:
    work = TrainWork("scans", Recipe(), Path("run"), "cpu")
    for name in ("./", "p1/", "p1/a.png"):
        work._reading(name)
    assert list(work.told) == [("reading", ("p1/",)), ("reading", ("p1/a.png",))]


def test_copies_the_command(trainer: TrainWidget, qapp: Any, images: Path, start: Path) -> None:
    trainer.noise.value = ("rician",)
    press(trainer.copy_command)
    words = qapp.clipboard().text().split()
    assert words[:5] == ["napari-dran", "train", str(images), "-o", "scans.safetensors"]
    assert f"--weights={start}" in words
    assert words[words.index("--noise") + 1] == "rician"
    assert "--set=precision=32" in words
