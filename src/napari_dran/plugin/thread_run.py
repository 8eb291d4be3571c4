"""Long work in a thread, and what the window hears of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QTimer

from ..errors import Cancelled, DranError
from .run import TICK_MS, RunProgress
from .worker import Failed, unforeseen


@dataclass
class ThreadWork(ABC):
    """What the thread does: no viewer, no layer, no Qt in here.

    Attributes
    ----------
    stop : callable
        Whether to end.
    told : deque
        (name of a signal of the run, its arguments), oldest first. The window fetches
        them when it has time: signals across threads would come in floods.
    outcome : object
        What came out of it, or :class:`Failed`; None before the end. A worker that was
        asked to quit does not pass on what it returns.
    """

    stop: Callable[[], bool] = field(default_factory=lambda: lambda: False, init=False)
    told: deque[tuple[str, tuple[Any, ...]]] = field(default_factory=deque, init=False)
    outcome: Any = field(default=None, init=False)

    @abstractmethod
    def work(self) -> Any:
        """Do it, and return what came out of it."""

    def explain(self, error: Exception) -> DranError:
        """Turn an error that is not one of ours into a sentence."""
        return unforeseen(error)

    def run(self) -> None:
        """Do it; errors are kept, as napari's workers lose some that are raised."""
        try:
            self.outcome = self.work()
        except DranError as error:
            self.outcome = Failed(error)
        except Exception as error:
            self.outcome = Failed(self.explain(error))

    def tell(self, signal: str, *arguments: Any) -> None:
        """Have the run emit a signal in the window's thread."""
        self.told.append((signal, arguments))


class ThreadRun:
    """Works in a thread, and tells of it in the window's thread.

    It does not know the widget, and goes on, or ends, without it.

    Parameters
    ----------
    work : ThreadWork
        What to do.
    title : str
        Of its bar in the Activity dock.
    """

    reading = Signal(str)
    """What it is busy with before, or between, steps that can be counted."""

    progressed = Signal(int, int)
    """(steps done, steps in all), ten times a second at most."""

    ended = Signal(str, object)
    """("finished" or "stopped", what came out of it), or ("failed", DranError)."""

    LATEST = ("progressed", "reading")
    """Signals of which only the last one counts."""

    def __init__(self, work: ThreadWork, title: str) -> None:
        self.work = work
        self.title = title
        self.running = False
        self._ticking = False
        self._bar: RunProgress | None = None
        self._timer = QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._worker = create_worker(work.run, _start_thread=False)
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
        self._bar = RunProgress(total=0, desc=self.title, cancel_callback=self.stop)
        # Without a viewer it would draw itself on the terminal.
        self._bar.gui = True
        self._timer.start()
        self._worker.start()

    def stop(self) -> None:
        """End after this step."""
        self._worker.quit()

    def end_of(self, outcome: Any) -> str:
        """Say how a run that did not fail ended."""
        return "finished"

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
        """Emit what the thread told."""
        latest: dict[str, tuple[Any, ...]] = {}
        while self.work.told:
            signal, arguments = self.work.told.popleft()
            if signal in self.LATEST:
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
            self.ended.emit("failed", Cancelled(f"{self.title} did not start."))
        elif isinstance(outcome, Failed):
            self.ended.emit("failed", outcome.error)
        else:
            self.ended.emit(self.end_of(outcome), outcome)
