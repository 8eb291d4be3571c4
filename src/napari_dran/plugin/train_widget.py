"""The Train widget: its buttons. How it looks is in ``train_panel``."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from ..errors import DranError, FileWriteError
from ..training.recipe import Recipe, missing_package
from ..training.recipe_file import make_recipe
from ..weights import SUFFIX, own_weights_folder
from .docking import ParentWatch
from .durations import TimeLeft, duration
from .kept_runs import KeptRun, begin_run, unsaved_run
from .leaving import close_at_exit
from .new_weights import new_weights
from .notices import StatusLine
from .train_dialogs import ask_where, may_start_anew
from .train_input import TrainInput, check_name
from .train_panel import TrainPanel
from .train_results import TrainResults
from .train_run import TrainRun, TrainWork, save_best
from .worker import Failed

if TYPE_CHECKING:
    import napari.viewer

    from ..training.validation import Report
    from ..volume import Volume
    from ..weights import Card

NEEDED = ("lightning", "pydantic")
NOT_FOR_LONG = " until napari is closed; then load it from its place."


class TrainWidget(TrainPanel):
    """Trains a denoiser on images of the viewer or of a folder.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its images can be chosen.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        close_at_exit(self)
        # napari hands over a proxy, through which no layer is itself.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._status = StatusLine(self.status)
        self._input = TrainInput(self, self._viewer)
        self._results = TrainResults(self, self._viewer)
        self._run: TrainRun | None = None
        self._kept: KeptRun | None = None
        self._data: str | list[Volume] | None = None
        self._step = 0
        self._clock = TimeLeft()
        self._saving: Any = None
        self._closed = True
        self.train.changed.connect(self.start_run)
        self.resume.changed.connect(self.continue_run)
        self.stop.changed.connect(self.stop_run)
        self.save.changed.connect(self.save_weights)
        self.copy_command.changed.connect(self.copy_as_command)
        self.native.destroyed.connect(self.close_down)
        self._watch = ParentWatch(self.native, self.open, self.close_down)
        self.open()

    def open(self) -> None:
        """Begin to follow the viewer; called when the widget is docked."""
        if not self._closed:
            return
        self._closed = False
        self._input.open()
        self._results.open()
        if self._kept is None:
            self._offer(unsaved_run())
        else:
            self._results.replay(self._kept.curves())
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            self._status.say(str(missing_package(missing[0])))
        self._show_state()

    def start_run(self) -> None:
        """Start a new run; returns at once."""
        if self._is_busy() or not self._may_leave_unsaved():
            return
        try:
            settings = self._input.settings()
            recipe, data = settings.recipe(), self._input.data()
            kept = begin_run(settings.values, settings.device, settings.folder)
        except DranError as error:
            self._status.complain(str(error))
            return
        self._results.clear()
        self._step = 0
        self._launch(kept, recipe, data)

    def continue_run(self) -> None:
        """Go on with the last run as it was set, up to the chosen number of steps."""
        if self._is_busy() or self._kept is None or self._data is None:
            return
        steps = self.steps.value
        if self._step >= steps:
            self._status.complain(
                f"The run is at step {self._step:,} of {steps:,}. Raise Steps to continue."
            )
            return
        try:
            # What it learns from here on is not in the file.
            kept = self._kept.mark(saved=False)
        except DranError as error:
            self._status.complain(str(error))
            return
        self._launch(kept, make_recipe({**kept.recipe, "steps": steps}), self._data)

    def stop_run(self) -> None:
        """End after the running step; the best weights so far are kept."""
        if self._run is not None:
            self._run.stop()
            self._say_stopping()

    def save_weights(self) -> None:
        """Ask where, and write the best weights so far; returns at once."""
        if self._kept is None or self._saving is not None:
            return
        target = self._ask_where()
        if target is None:
            return
        try:
            check_name(target)
        except DranError as error:
            self._status.complain(str(error))
            return
        # The dialog has asked before it gave the name of a file that is there.
        worker = create_worker(
            save_best, self._kept.best, target, target.exists(), _start_thread=False
        )
        # A run that is at work may have better weights by the time these are written.
        whole = None if self._run else self._kept
        worker.returned.connect(lambda card: self._on_saved(target, card, whole))
        self._saving = worker
        self._show_state()
        worker.start()

    def copy_as_command(self) -> None:
        """Put the shell command that does the same on the clipboard."""
        try:
            settings = self._input.settings()
            text = settings.as_command(f"{self._input.name()}{SUFFIX}")
        except DranError as error:
            self._status.complain(str(error))
            return
        QApplication.clipboard().setText(text)
        note = " Save the layers into a folder 'images' first." if settings.folder is None else ""
        self._status.say(f"Copied as command.{note}")

    def close_down(self, *_: Any) -> None:
        """Stop everything and let go of the viewer; called when the dock is closed."""
        if self._closed:
            return
        self._closed = True
        if self._run is not None:
            self._run.stop()
        self._input.close()
        self._results.close()

    def _launch(self, kept: KeptRun, recipe: Recipe, data: str | list[Volume]) -> None:
        self._kept, self._data, self._status.notes = kept, data, []
        self._clock = TimeLeft(recipe.minutes)
        self._run = run = TrainRun(TrainWork(data, recipe, kept.path, kept.device))
        run.reading.connect(self._on_reading)
        run.progressed.connect(self._on_progress)
        run.lost.connect(self._on_loss)
        run.reported.connect(self._on_report)
        run.noticed.connect(self._on_notice)
        run.ended.connect(self._on_end)
        if self.advanced.visible:
            self._show_more()
        self._results.show()
        self._status.say("Starting…")
        self._show_state()
        run.start()

    def _on_reading(self, name: str) -> None:
        if not self._closed and not self._step:
            self._status.say(f"Reading {name}…")

    def _on_progress(self, done: int, total: int) -> None:
        if self._closed or self._run is None:
            return
        if done:
            self._step = done
            self.progress.max, self.progress.value = total, done
        if self._run.stopping:
            # Here, as the Activity dock has a button for it as well.
            self._say_stopping()
            return
        if not done:
            self._status.say("Measuring the weights it starts from…")
            return
        left = self._clock.after(done, total)
        about = "" if left is None else f", about {duration(left)} left"
        self._status.say(f"Step {done:,} of {total:,}{about}")

    def _say_stopping(self) -> None:
        self.stop.enabled = False
        self._status.say("Stopping: validating and saving…")

    def _on_loss(self, step: int, loss: float) -> None:
        if not self._closed:
            self._results.add_loss(step, loss)

    def _on_report(self, report: Report) -> None:
        if not self._closed:
            self._results.add_report(report)
            self._show_state()

    def _on_notice(self, sentence: str) -> None:
        self._status.notes.append(sentence)

    def _on_end(self, state: str, value: Any) -> None:
        self._run = None
        if self._closed:
            return
        taken = duration(self._clock.spent)
        if state == "failed":
            self._status.fail(value)
        else:
            self._step = value.step
            done = "Done" if state == "finished" else "Stopped"
            self._status.say(
                f"{done} at step {value.step:,} after {taken}. {self._results.advice()}"
            )
        self._show_state()

    def _on_saved(self, target: Path, card: Card | Failed, whole: KeptRun | None) -> None:
        self._saving = None
        if not isinstance(card, Failed):
            # Other widgets want to hear of it even if this one is closed.
            new_weights.saved.emit(target)
            if whole is not None and self._kept is whole:
                # Without the note, they are only offered once more.
                with suppress(FileWriteError):
                    self._kept = whole.mark(saved=True)
        if self._closed:
            return
        if isinstance(card, Failed):
            self._status.fail(card.error)
        else:
            listed = "." if target.parent == own_weights_folder() else NOT_FOR_LONG
            self._status.say(
                f"Saved {target.name}, of step {card.steps:,}. The Denoise widget lists it{listed}"
            )
        self._show_state()

    def _offer(self, kept: KeptRun | None) -> None:
        """Take up a run of an earlier session whose weights were not saved."""
        if kept is None:
            return
        self._kept, self._data = kept, kept.folder
        self._input.show(dict(kept.recipe), kept.folder)
        self._step = self._results.replay(kept.curves())
        self._status.say(
            f"The last run was not saved: it is at step {self._step:,}. Save its best weights"
            f"{', or continue it' if kept.folder else ''}."
        )

    def _ask_where(self) -> Path | None:
        return ask_where(self.native, self._input.name())

    def _may_leave_unsaved(self) -> bool:
        kept = self._kept
        unsaved = kept is not None and not kept.saved and kept.trained
        return not unsaved or may_start_anew(self.native)

    def _is_busy(self) -> bool:
        if self._run is not None:
            show_info("Training is already running. Wait for it, or stop it first.")
        return self._run is not None

    def _show_state(self) -> None:
        """Enable what can be pressed now."""
        running, kept = self._run is not None, self._kept
        self.train.enabled = not running
        self.data.enabled = self.settings.enabled = self.advanced.enabled = not running
        trained = kept is not None and kept.trained
        self.resume.enabled = not running and trained and self._data is not None
        self.stop.enabled = running
        self.save.enabled = trained and self._saving is None
        self.progress.visible = running
        if running and not self._step:
            self.progress.max = 0
