"""The Segment and Detect widgets: their buttons. How they look is in ``analysis_panel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from ..errors import Cancelled, DranError
from .analysis_input import AnalysisInput
from .analysis_layers import Place
from .analysis_panel import IN_VIEW, AnalysisPanel
from .analysis_results import AnalysisResults
from .analysis_task import DETECT, SEGMENT, Task
from .analysis_work import Analysed, AnalysisEngine
from .docking import ParentWatch
from .durations import TimeLeft, duration
from .leaving import close_at_exit
from .noisy_denoised import describe_agreement
from .notices import StatusLine
from .recipe import source_path, source_series
from .summary import nothing_to_denoise
from .thread_run import ThreadRun

if TYPE_CHECKING:
    import napari.viewer


class AnalysisWidget(AnalysisPanel):
    """Runs a network on an image layer of the viewer; results are new layers and a table.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its images can be chosen, and it shows the results.
    """

    task: ClassVar[Task]

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(self.task)
        close_at_exit(self)
        # napari hands over a proxy, through which no layer is itself.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._status = StatusLine(self.status)
        self._engine = AnalysisEngine()
        self._input = AnalysisInput(self, self._viewer, self.task, self._engine)
        self._results = AnalysisResults(self, self._viewer, self.task, self._status.say)
        self._running: ThreadRun | None = None
        self._place: Place | None = None
        self._clock = TimeLeft()
        self._phase = ""
        self._closed = True
        self.run.changed.connect(self.analyse)
        self.compare.changed.connect(self.analyse_both)
        self.cancel.changed.connect(self.cancel_run)
        self.copy_python.changed.connect(self.copy_as_python)
        self.copy_command.changed.connect(self.copy_as_command)
        self.native.destroyed.connect(self.close_down)
        self._watch = ParentWatch(self.native, self.open, self.close_down)
        self.open()

    def open(self) -> None:
        """Begin to follow the viewer; called when the widget is docked."""
        if self._closed:
            self._closed = False
            self._input.open()
            self._results.open()
            self._show_state()

    def analyse(self) -> None:
        """Run the network on the chosen slices; returns at once."""
        self._start(compares=False)

    def analyse_both(self) -> None:
        """Run the network on the image as it is and denoised; returns at once."""
        self._start(compares=True)

    def analyse_layer(self, layer: Any) -> None:
        """Choose an image layer, and compare its results noisy and denoised."""
        if layer is None or not self._input.choose(layer):
            self._status.complain(nothing_to_denoise(self._viewer.layers, self.task.done))
            return
        self.analyse_both()

    def cancel_run(self) -> None:
        """Stop after the running slice; no layer is made."""
        if self._running is not None:
            self._running.stop()
            self._show_progress()

    def copy_as_python(self) -> None:
        """Put the Python code that does the same on the clipboard."""
        self._copy("Python")

    def copy_as_command(self) -> None:
        """Put the shell command that does the same on the clipboard."""
        self._copy("command")

    def close_down(self, *_: Any) -> None:
        """Stop everything and let go of the viewer; called when the dock is closed."""
        if self._closed:
            return
        self._closed = True
        if self._running is not None:
            self._running.stop()
        self._input.close()
        self._results.close()

    def _start(self, compares: bool) -> None:
        if self._running is not None:
            show_info(f"{self.task.doing} is already running. Wait for it, or cancel it first.")
            return
        try:
            work, self._place = self._input.work(compares)
        except DranError as error:
            self._status.complain(str(error))
            return
        self._clock = TimeLeft()
        self._phase = "Starting…"
        self._running = run = ThreadRun(work, f"{self.task.doing} {self._place.name}")
        run.reading.connect(self._on_phase)
        run.progressed.connect(self._on_progress)
        run.ended.connect(self._on_end)
        self._show_state()
        self._show_progress()
        run.start()

    def _copy(self, what: str) -> None:
        layer = self._input.layer
        if layer is None:
            self._status.complain(nothing_to_denoise(self._viewer.layers, self.task.done))
            return
        try:
            recipe = self._input.recipe()
        except DranError as error:
            self._status.complain(str(error))
            return
        path, series = source_path(layer), source_series(layer)
        note = " It does the whole image." if self.slices.value == IN_VIEW else ""
        if what == "Python":
            text = recipe.as_python(layer.name, path, series)
        else:
            text = recipe.as_command(path, series)
            note += recipe.not_in_command()
            if path is None:
                note += " This layer is not from a file: save it as image.nii.gz first."
        QApplication.clipboard().setText(text)
        self._status.say(f"Copied as {what}.{note}")

    def _on_phase(self, text: str) -> None:
        self._phase = text
        self._show_progress()

    def _on_progress(self, done: int, total: int) -> None:
        if self._closed:
            return
        self.progress.max, self.progress.value = total, done
        left = self._clock.after(done, total)
        self._show_progress("" if left is None else f", about {duration(left)} left")

    def _show_progress(self, left: str = "") -> None:
        if self._closed or self._running is None:
            return
        if self._running.stopping:
            # Here, as the Activity dock has a button for it as well.
            self.cancel.enabled = False
            self._status.say("Cancelling…")
        else:
            self._status.say(f"{self._phase}{left}")

    def _on_end(self, state: str, value: Any) -> None:
        run, self._running = self._running, None
        if self._closed:
            return
        if isinstance(value, Cancelled) or (run is not None and run.stopping):
            self._status.say("Cancelled: no layer was made.")
        elif state == "failed":
            self._status.fail(value)
        else:
            assert self._place is not None
            self._results.show(value, self._place)
            self._status.say(*self._found(value), *value.notes)
        self._place = None
        self._show_state()

    def _found(self, analysed: Analysed) -> tuple[str, ...]:
        """Say what was found."""
        card, count = analysed.found.card, len(analysed.measurements)
        taken = f"in {duration(self._clock.spent)} with {card.name}"
        if analysed.agreement is not None:
            return (*describe_agreement(analysed), f"Done {taken}.")
        after = " after denoising" if analysed.found.denoised else ""
        if not count:
            return (f"Done {taken}{after}.",)
        return (f"Found {count} object{'' if count == 1 else 's'} {taken}{after}.",)

    def _show_state(self) -> None:
        """Enable what can be pressed now."""
        running = self._running is not None
        self.run.enabled = self.compare.enabled = not running
        self.cancel.enabled = running
        self.progress.visible = running
        if running:
            self.progress.max = 0


class SegmentWidget(AnalysisWidget):
    """Segments an image with a U-Net: labels, and a table of measurements."""

    task = SEGMENT


class DetectWidget(AnalysisWidget):
    """Detects objects with a Mask R-CNN: labels, boxes, and a table of measurements."""

    task = DETECT
