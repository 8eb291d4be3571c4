"""One training run: what happens in its thread, and what the window hears of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QTimer

from ..errors import Cancelled, DranError, FileWriteError, OutOfMemoryError
from ..training.recipe import Recipe
from ..volume import Volume
from .run import TICK_MS, RunProgress
from .torch_loading import importing, load_torch
from .worker import Failed, WorkerError

if TYPE_CHECKING:
    from ..training.run import Outcome
    from ..weights import Card


@dataclass
class TrainWork:
    """What the thread does: no viewer, no layer, no Qt in here.

    Parameters
    ----------
    data : str or sequence of Volume
        Folder, or images.
    recipe : Recipe
        How to train.
    run : Path
        Folder of the run.
    device : str
        Where.

    Attributes
    ----------
    stop : callable
        Whether to end.
    told : deque
        (name of a signal of :class:`TrainRun`, its arguments), oldest first. The window
        fetches them when it has time: signals across threads would come in floods.
    outcome : Outcome, Failed or None
        What came out of it; None before the end. A worker that was asked to quit does
        not pass on what it returns.
    """

    data: str | Sequence[Volume]
    recipe: Recipe
    run: Path
    device: str
    stop: Callable[[], bool] = field(default=lambda: False, init=False)
    told: deque[tuple[str, tuple[Any, ...]]] = field(default_factory=deque, init=False)
    outcome: Outcome | Failed | None = field(default=None, init=False)

    def train(self) -> None:
        """Train; errors are kept, as napari's workers lose some that are raised."""
        try:
            load_torch()
            with importing():
                from ..training.run import train
            self.outcome = train(
                self.data,
                self.recipe,
                run=self.run,
                device=self.device,
                reading=self._reading,
                stop=self.stop,
                progress=lambda done, total: self._tell("progressed", done, total),
                losses=lambda step, loss: self._tell("lost", step, loss),
                report=lambda report: self._tell("reported", report),
                notice=lambda sentence: self._tell("noticed", sentence),
            )
        except DranError as error:
            self.outcome = Failed(error)
        except Exception as error:
            self.outcome = Failed(_explain(error))

    def _reading(self, name: str) -> None:
        if self.stop():
            raise Cancelled("Stopped while the images were read: nothing was trained.")
        self._tell("reading", name)

    def _tell(self, signal: str, *arguments: Any) -> None:
        self.told.append((signal, arguments))


class TrainRun:
    """Trains in a thread, and tells of it in the window's thread.

    It does not know the widget, and goes on, or ends, without it.

    Parameters
    ----------
    work : TrainWork
        What to do.
    """

    reading = Signal(str)
    """Name of the image that is read."""

    progressed = Signal(int, int)
    """(steps done, steps in all), ten times a second at most."""

    lost = Signal(int, float)
    """(step, mean loss of the last few)."""

    reported = Signal(object)
    """A ``Report`` of a validation."""

    noticed = Signal(str)
    """A sentence for people."""

    ended = Signal(str, object)
    """("finished" or "stopped", Outcome), or ("failed", DranError)."""

    def __init__(self, work: TrainWork) -> None:
        self.work = work
        self.running = False
        self._ticking = False
        self._bar: RunProgress | None = None
        self._timer = QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._worker = create_worker(work.train, _start_thread=False)
        self._worker.finished.connect(self._finish)
        # napari asks its workers to quit when it is closed.
        work.stop = lambda: bool(self._worker.abort_requested)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return bool(self._worker.abort_requested)

    def start(self) -> None:
        """Start the worker; returns at once."""
        self.running = True
        self._bar = RunProgress(total=0, desc="Training", cancel_callback=self.stop)
        # Without a viewer it would draw itself on the terminal.
        self._bar.gui = True
        self._timer.start()
        self._worker.start()

    def stop(self) -> None:
        """End after this step; validates and saves first."""
        self._worker.quit()

    def _tick(self) -> None:
        # The bar of the Activity dock lets Qt process events, this timer's too.
        if self._ticking:
            return
        self._ticking = True
        try:
            self._pass_on()
        finally:
            self._ticking = False

    def _pass_on(self) -> None:
        """Emit what the thread told; of many steps and names, only the last."""
        latest: dict[str, tuple[Any, ...]] = {}
        while self.work.told:
            signal, arguments = self.work.told.popleft()
            if signal in ("progressed", "reading"):
                latest[signal] = arguments
            else:
                getattr(self, signal).emit(*arguments)
        for signal, arguments in latest.items():
            getattr(self, signal).emit(*arguments)
        if self._bar is not None and "progressed" in latest:
            done, total = latest["progressed"]
            self._bar.total = total
            self._bar.update(done - self._bar.n)

    def _finish(self) -> None:
        if self._ticking:
            # Reached from inside a tick, by the bar: let the tick end first.
            QTimer.singleShot(0, self._finish)
            return
        self._timer.stop()
        self._pass_on()
        self.running = False
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        outcome = self.work.outcome
        if outcome is None:
            self.ended.emit("failed", Cancelled("Training did not start."))
        elif isinstance(outcome, Failed):
            self.ended.emit("failed", outcome.error)
        else:
            self.ended.emit("stopped" if outcome.stopped else "finished", outcome)


def save_best(best: Path, target: Path, overwrite: bool) -> Card | Failed:
    """Write a run's best weights under another name; call it in a worker.

    Parameters
    ----------
    best : Path
        Weights with their card.
    target : Path
        The file to write; its name becomes that of the weights. Its folder is made.
    overwrite : bool
        Whether it may be replaced.

    Returns
    -------
    Card or Failed
        The card as it was written, or what went wrong.
    """
    try:
        load_torch()
        from ..weights import load_weights, save_weights

        network, card = load_weights(best)
        target.parent.mkdir(parents=True, exist_ok=True)
        return save_weights(target, network, replace(card, name=target.stem), overwrite=overwrite)
    except DranError as error:
        return Failed(error)
    except OSError as error:
        return Failed(FileWriteError(f"Could not write {target}: {error.strerror}."))


def _explain(error: Exception) -> DranError:
    """Turn an error that is not one of ours into a sentence; its traceback stays with it."""
    explained: DranError
    if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
        explained = OutOfMemoryError(
            "There is not enough memory to train like this. Lower Batch or Crop under More "
            "settings, choose fewer images, or another device."
        )
    else:
        explained = WorkerError(f"Training failed: {type(error).__name__}: {error}")
    explained.__cause__ = error
    return explained
