"""Ctrl-C while ``napari-dran train`` reads, trains and validates, and the bars it shows."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from napari_dran.cli import trained
from napari_dran.cli.interrupt import first_ctrl_c

TINY = (
    "--crop", "16", "--batch", "2", "--steps", "8", "--set", "validate_every=2", "--weights",
    "scratch", "--set", "network={features: 4, blocks: 1, layers: 1}", "--device", "cpu",
)  # fmt: skip
AT_ONCE = "Stopped. Nothing half-written was left behind."


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def folder(tmp_path: Path, save_png: Callable[..., Path]) -> Path:
    """Two pictures."""
    for name in ("a", "b"):
        save_png(tmp_path / "images" / f"{name}.png")
    return tmp_path / "images"


@pytest.fixture
def train_with(
    folder: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Any], object]], Any]:
    """Train; what is given is called with the report of each validation."""

    def run(told: Callable[[Any], object]) -> Any:
        # Its function hides the module in the package.
        monkeypatch.setattr(sys.modules["napari_dran.cli.train"], "told_denoiser", told)
        return command("train", folder, "-o", tmp_path / "mine.safetensors", *TINY)

    return run


def test_the_first_one_is_asked_for_and_the_second_ends() -> None:
    before, answers = signal.getsignal(signal.SIGINT), []

    def press_twice() -> None:
        with first_ctrl_c() as stop:
            answers.append(stop())
            ctrl_c()
            answers.append(stop())
            ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert answers == [False, True]
    assert signal.getsignal(signal.SIGINT) is before


def test_before_the_first_step_one_is_enough() -> None:
    with pytest.raises(KeyboardInterrupt), first_ctrl_c():
        ctrl_c()


def test_exits_of_others_keep_their_code() -> None:
    with pytest.raises(SystemExit, match="3"), first_ctrl_c():
        sys.exit(3)


def test_in_a_thread_signals_are_left_alone() -> None:
    before, answers = signal.getsignal(signal.SIGINT), []

    def ask() -> None:
        with first_ctrl_c() as stop:
            answers.append((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [(False, before)]


def test_while_images_are_read(
    folder: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_dran.training.run as library

    read = []

    def train(data: Path, recipe: Any, *, reading: Callable[[str], None], **options: Any) -> None:
        for name in ("a.png", "b.png"):
            reading(name)
            read.append(name)
            ctrl_c()

    monkeypatch.setattr(library, "train", train)
    result = command("train", folder, "-o", tmp_path / "mine.safetensors", *TINY)
    assert result.exit_code == 130
    assert result.stderr.splitlines() == [AT_ONCE]
    assert read == ["a.png"]


def test_one_saves_and_says_how_to_go_on(train_with: Any, tmp_path: Path) -> None:
    result = train_with(lambda report: ctrl_c() if report.step == 2 else None)
    assert result.exit_code == 130
    asked, said = result.stderr.splitlines()[-2:]
    assert asked.startswith("Stopping after this step.")
    assert said.startswith("Stopped at step 3. The same command goes on from there;")
    assert (tmp_path / "mine-run" / "checkpoint.ckpt").is_file()


def test_two_during_a_validation_end_at_once(train_with: Any) -> None:
    reports = []

    def told(report: Any) -> None:
        reports.append(report.step)
        ctrl_c()
        ctrl_c()

    before = signal.getsignal(signal.SIGINT)
    result = train_with(told)
    # Lightning alone would exit with code 1 and no word.
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == AT_ONCE
    assert reports == [2]
    assert signal.getsignal(signal.SIGINT) is before


def test_bars_of_reading_and_of_steps_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    @contextmanager
    def bar(title: str, unit: str, quiet: bool) -> Iterator[Callable[..., None]]:
        seen.append(f"{title} {unit}")
        yield lambda done, total: seen.append((done, total))
        seen.append("closed")

    monkeypatch.setattr(trained, "progress_bar", bar)
    with trained.training_bars(quiet=False) as (reading, steps):
        for name in ("./", "deep/", "a.png", "deep/b.png"):
            reading(name)
        steps(1, 2)
    assert seen == [
        "Training steps", "closed", "Reading images", (1, None), (2, None), "closed",
        "Training steps", (1, 2), "closed",
    ]  # fmt: skip
