"""What the Train widget says when something is wrong, and how it saves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from napari_dran.errors import FileWriteError, TrainingError
from napari_dran.plugin.kept_runs import unsaved_run
from napari_dran.plugin.train_widget import TrainWidget
from napari_dran.weights import (
    load_weights,
    own_weights_folder,
    read_card,
)

from .conftest import press


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
    trainer._kept = trainer._kept.mark(saved=True)
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
    assert trainer._results.best.step in (0, 4)
    assert load_weights(trainer._kept.best)[1].steps == trainer._results.best.step


def test_run_that_goes_on_after_saving_is_unsaved_again(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, qtbot: Any,
) -> None:  # fmt: skip
    press(trainer.train)
    ended(trainer)
    targets = iter([tmp_path / "first.safetensors", tmp_path / "during.safetensors"])
    monkeypatch.setattr(TrainWidget, "_ask_where", lambda _: next(targets))
    press(trainer.save)
    qtbot.waitUntil(lambda: trainer._saving is None, timeout=10_000)
    assert unsaved_run() is None
    trainer.steps.value = trainer._step + 4
    press(trainer.resume)
    press(trainer.save)
    ended(trainer)
    qtbot.waitUntil(lambda: trainer._saving is None, timeout=10_000)
    found = unsaved_run()
    assert found is not None, "saved while it went on: there may be better weights by now"
    assert found.path == trainer._kept.path


def test_run_that_failed_before_its_first_checkpoint_cannot_go_on(
    trainer: TrainWidget, ended: Callable[[TrainWidget], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dran.training import denoising

    step = denoising.DenoisingModule.training_step

    def fail_at_two(module: Any, batch: Any, number: int) -> Any:
        if module.global_step == 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return step(module, batch, number)

    monkeypatch.setattr(denoising.DenoisingModule, "training_step", fail_at_two)
    press(trainer.train)
    assert "not enough memory" in ended(trainer)
    assert trainer._step > 0
    assert not trainer.resume.enabled
    assert not trainer.save.enabled


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
