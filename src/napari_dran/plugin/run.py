"""One run, from the button to its end: worker, progress, and layer held together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress
from psygnal import Signal
from qtpy.QtCore import QTimer

from .result import Result
from .worker import Begun, Cleaned, Failed, Outcome, Work

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

TICK_MS = 100
"""How often the picture and the bars are brought up to date."""


class RunProgress(cancelable_progress):  # type: ignore[misc]
    """A bar in the Activity dock whose Cancel button stops the worker."""

    def cancel(self) -> None:
        """Stop after the running pass."""
        super().cancel()
        if self.cancel_callback is not None:
            self.cancel_callback()


class Run:
    """Denoises a layer into a new layer, slice by slice, in a thread.

    Everything here happens in the window's thread, a little at a time. It does not
    know the widget, and goes on, or ends, without it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the new layer.
    source : napari.layers.Image
        The noisy layer. It may be deleted meanwhile.
    work : Work
        What to do.
    """

    progressed = Signal(int, int)
    """(passes done, passes in all), ten times a second at most; without an ensemble, slices."""

    ended = Signal(str, object)
    """("finished", Outcome), ("cancelled", None) or ("failed", DranError)."""

    def __init__(self, viewer: Viewer, source: Image, work: Work) -> None:
        self.viewer = viewer
        self.source = source
        self.work = work
        self.result: Result | None = None
        self.running = False
        self._end: tuple[str, Any] = ("cancelled", None)
        self._done = self._total = 0
        self._in_view = self._ticking = False
        self._bar: RunProgress | None = None
        self._timer = QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._worker = create_worker(work.denoise, _start_thread=False)
        self._worker.yielded.connect(self._take)
        self._worker.returned.connect(self._set_end)
        self._worker.finished.connect(self._finish)

    def start(self) -> None:
        """Start the worker; returns at once."""
        self.running = True
        self._bar = RunProgress(
            total=0, desc=f"Denoising {self.source.name}", cancel_callback=self.cancel
        )
        # Without a viewer it would draw itself on the terminal.
        self._bar.gui = True
        self.viewer.layers.events.removed.connect(self._on_removed)
        self._timer.start()
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the running pass; the unfinished layer is taken away then."""
        self._worker.quit()

    @property
    def cancelled(self) -> bool:
        """Whether it stops, or has stopped, before its end."""
        return bool(self._worker.abort_requested)

    def _take(self, piece: Begun | Cleaned) -> None:
        if isinstance(piece, Begun):
            self._total = piece.plan.passes
            if self._bar is not None:
                self._bar.total = self._total
            if not self._worker.abort_requested:
                self.result = Result(self.viewer, self.source, piece, self.work.recipe.strength)
            self.work.shown.set()
        elif self.result is not None:
            self._in_view |= self.result.write(piece)
            self._done = piece.step.done

    def _tick(self) -> None:
        # The bar of the Activity dock lets Qt process events, this timer's too.
        if self._ticking:
            return
        self._ticking = True
        try:
            if self.result is not None and self._in_view:
                self._in_view = False
                self.result.refresh()
            if self._bar is not None and self._done > self._bar.n:
                self._bar.update(self._done - self._bar.n)
            if self.running and self._total:
                self.progressed.emit(self._done, self._total)
        finally:
            self._ticking = False

    def _on_removed(self, event: Any) -> None:
        if self.result is not None and event.value is self.result.layer:
            self.cancel()

    def _set_end(self, outcome: Outcome | Failed) -> None:
        if isinstance(outcome, Failed):
            self._end = ("failed", outcome.error)
        else:
            self._end = ("finished", outcome)

    def _finish(self) -> None:
        if self._ticking:
            # Reached from inside a tick, by the bar: let the tick end first.
            QTimer.singleShot(0, self._finish)
            return
        self._timer.stop()
        self.work.close()
        self.running = False
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        state, value = self._end
        if self.result is not None:
            if state == "finished":
                self.result.finish(value.provenance.as_dict())
                self.result.refresh()
            elif self.result.layer in self.viewer.layers:
                # Half a denoised scan must not be taken for a whole one.
                self.viewer.layers.remove(self.result.layer)
                if not self.viewer.layers.selection and self.source in self.viewer.layers:
                    self.viewer.layers.selection.active = self.source
        self.ended.emit(state, value)
