"""The Denoise widget: its buttons. How it looks is in ``denoise_panel``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from ..denoising.ensemble import units
from ..errors import DranError
from .denoise_panel import DenoisePanel
from .docking import ParentWatch
from .durations import duration
from .input_section import InputSection
from .leaving import close_at_exit
from .notices import StatusLine
from .open_denoisers import open_denoisers
from .pending import settle
from .preview import Preview, contrast_limits
from .recipe import Recipe, source_path, source_series
from .result_section import ResultSection
from .run import Run
from .summary import nothing_to_denoise
from .worker import Engine, Failed, Work

if TYPE_CHECKING:
    import napari.viewer


class DenoiseWidget(DenoisePanel):
    """Denoises an image layer of the viewer into a new layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its images can be chosen, and it shows the results.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        close_at_exit(self)
        # napari hands over a proxy, through which no layer is itself.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._status = StatusLine(self.status)
        self._engine = Engine()
        self._input = InputSection(self, self._viewer, self._engine)
        self._results = ResultSection(self, self._viewer)
        self._running: Run | None = None
        self._previewing: Preview | None = None
        self._preview_layer: Any = None
        self._started = 0.0
        self._closed = True
        self.image.changed.connect(self._on_image)
        self.run.changed.connect(self.denoise)
        self.preview.changed.connect(self.preview_slice)
        self.cancel.changed.connect(self.cancel_run)
        self.copy_python.changed.connect(self.copy_as_python)
        self.copy_command.changed.connect(self.copy_as_command)
        self.changed.connect(lambda _: open_denoisers.changed.emit())
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
            open_denoisers.add(self)

    @property
    def viewer(self) -> Any:
        """The viewer it works for."""
        return self._viewer

    def current_recipe(self) -> Recipe:
        """Return what the controls say."""
        return self._input.recipe()

    def denoise(self) -> None:
        """Denoise the chosen image into a new layer; returns at once."""
        if self._is_busy():
            return
        work = self._work()
        if work is None:
            return
        self._remove_preview()
        self._started = time.monotonic()
        self._running = Run(self._viewer, self._input.layer, work)
        self._running.progressed.connect(self._on_progress)
        self._running.ended.connect(self._on_end)
        self._running.start()
        self.status.value = "Starting…"
        self._show_state()

    def preview_slice(self) -> None:
        """Denoise only the slice in view; returns at once."""
        if self._is_busy():
            return
        work = self._work()
        if work is None:
            return
        try:
            preview = Preview(
                self._viewer, self._input.layer, work.volume, self._engine, work.recipe
            )
        except DranError as error:
            self._status.complain(str(error))
            return
        self._previewing = preview
        self._status.say("Denoising the slice in view…")
        self._show_state()
        preview.start(lambda pixels: self._on_preview(preview, pixels), self._on_preview_end)

    def cancel_run(self) -> None:
        """Stop after the running pass; nothing of the run or preview is kept."""
        if self._running is not None:
            self._running.cancel()
            self._on_progress(0, 0)
        elif self._previewing is not None:
            self._previewing.cancel()
            self._say_cancelling()

    def copy_as_python(self) -> None:
        """Put the Python code that does the same on the clipboard."""
        layer = self._input.layer
        if layer is None:
            self._status.complain(nothing_to_denoise(self._viewer.layers))
            return
        recipe = self._input.recipe().fixed(contrast_limits(layer))
        text = recipe.as_python(layer.name, source_path(layer), source_series(layer))
        QApplication.clipboard().setText(text)
        self._status.say("Copied as Python.")

    def copy_as_command(self) -> None:
        """Put the shell command that does the same on the clipboard."""
        layer = self._input.layer
        if layer is None:
            self._status.complain(nothing_to_denoise(self._viewer.layers))
            return
        path = source_path(layer)
        recipe = self._input.recipe().fixed(contrast_limits(layer))
        QApplication.clipboard().setText(recipe.as_command(path, source_series(layer)))
        note = "" if path else " This layer is not from a file: save it as image.nii.gz first."
        self._status.say(f"Copied as command.{note}")

    def close_down(self, *_: Any) -> None:
        """Stop everything and let go of the viewer; called when the dock is closed."""
        if self._closed:
            return
        self._closed = True
        open_denoisers.remove(self)
        for work in (self._running, self._previewing):
            if work is not None:
                work.cancel()
        self._input.close()
        self._results.close()
        self._engine.release()

    def _work(self) -> Work | None:
        """Return what there is to do, or say why there is nothing."""
        layer = self._input.layer
        if layer is None:
            self._status.complain(nothing_to_denoise(self._viewer.layers))
            return None
        try:
            volume = self._input.volume()
        except DranError as error:
            self._status.complain(str(error))
            return None
        if settle(layer.data):
            # An earlier result, whose strength may be changed while this run works on it.
            volume = replace(volume, data=volume.data.copy())
        return Work(self._engine, volume, self._input.recipe(), contrast_limits(layer))

    def _on_image(self) -> None:
        if self._running is None and self._previewing is None:
            # What was said of another image.
            self._status.say("")

    def _is_busy(self) -> bool:
        if self._running is None and self._previewing is None:
            return False
        show_info("Denoising is already running. Wait for it, or cancel it first.")
        return True

    def _on_progress(self, done: int, total: int) -> None:
        if self._closed or self._running is None:
            return
        if self._running.cancelled:
            # Here, as the Activity dock has a button for it as well.
            self._say_cancelling()
            return
        self.progress.max, self.progress.value = total, done
        spent = time.monotonic() - self._started
        left = f", about {duration(spent / done * (total - done))} left" if done else ""
        one, _ = units(self._running.work.recipe.ensemble)
        self._status.say(f"{one.capitalize()} {done} of {total}{left}")

    def _on_end(self, state: str, value: Any) -> None:
        run, self._running = self._running, None
        if self._closed:
            return
        if state == "finished" and run is not None and run.result is not None:
            if run.result.layer in self._viewer.layers:
                self._results.add(run.result)
            taken = duration(time.monotonic() - self._started)
            done = f"Done in {taken} with {value.provenance.weights}."
            self._status.say(done, *(f"⚠ {note}" for note in value.notes))
        elif state == "failed":
            self._status.fail(value)
        else:
            self._status.say("Cancelled: no layer was made.")
        self._show_state()

    def _on_preview(self, preview: Preview, pixels: Any) -> None:
        if self._closed or preview.source not in self._viewer.layers:
            return
        if isinstance(pixels, Failed):
            self._status.fail(pixels.error)
            return
        if pixels is None or preview.cancelled:
            self._status.say("Cancelled: no preview was made.")
            return
        self._remove_preview()
        active = self._viewer.layers.selection.active
        self._preview_layer = preview.show(pixels)
        self._viewer.layers.selection.active = active
        self._status.say("Preview of the slice in view. Hide the layer to compare.")

    def _on_preview_end(self) -> None:
        self._previewing = None
        if not self._closed:
            self._show_state()

    def _remove_preview(self) -> None:
        if self._preview_layer is not None and self._preview_layer in self._viewer.layers:
            self._viewer.layers.remove(self._preview_layer)
        self._preview_layer = None

    def _show_state(self) -> None:
        """Enable what can be pressed now."""
        busy = self._running is not None or self._previewing is not None
        self.run.enabled = self.preview.enabled = not busy
        self.cancel.enabled = self.progress.visible = busy
        if busy:
            self.progress.max = 0

    def _say_cancelling(self) -> None:
        self.cancel.enabled = False
        self._status.say("Cancelling…")
