"""The lower half of the Denoise widget: strength, residual, comparing."""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_info

from .comparison import Comparison
from .denoise_panel import SHOW_DENOISED, SHOW_NOISY, DenoisePanel
from .result import Result


class ResultSection:
    """Acts on the results that this widget made, one of which is the current one.

    The current result is the last one, or the one whose layer was selected last.

    Parameters
    ----------
    panel : DenoisePanel
        The controls.
    viewer : napari.viewer.Viewer
        Shows the results.
    """

    def __init__(self, panel: DenoisePanel, viewer: Any) -> None:
        self.panel = panel
        self.viewer = viewer
        self.results: list[Result] = []
        self.current: Result | None = None
        self._comparison = Comparison(viewer)
        panel.strength.changed.connect(self._on_strength)
        panel.residual.changed.connect(self._on_residual)
        panel.flip.changed.connect(self._on_flip)
        panel.side_by_side.native.toggled.connect(self._on_side_by_side)
        self.show_state()

    def open(self) -> None:
        """Begin to follow the viewer."""
        self.viewer.layers.events.removed.connect(self._on_removed)
        self.viewer.layers.selection.events.active.connect(self._on_active)
        self.viewer.dims.events.current_step.connect(self._on_dims)

    def add(self, result: Result) -> None:
        """Make a finished result the current one."""
        self.results.append(result)
        self._choose(result)
        if self.panel.residual.value:
            result.show_residual(True)

    def show_state(self) -> None:
        """Bring the controls in line with the current result."""
        panel, result = self.panel, self.current
        panel.result.enabled = result is not None
        if result is None:
            panel.flip.text = SHOW_NOISY
            with panel.strength.changed.blocked():
                # The next run would take what nobody can change now.
                panel.strength.value = 1.0
            return
        with panel.strength.changed.blocked(), panel.residual.changed.blocked():
            panel.strength.value = result.strength
            panel.residual.value = result.residual is not None or (
                panel.residual.value and result is self.results[-1]
            )
        panel.flip.enabled = not self._comparison.side_by_side
        panel.flip.text = SHOW_NOISY if result.layer.visible else SHOW_DENOISED

    def close(self) -> None:
        """Let go of the viewer, and of the results: their noise takes much memory."""
        for result in self.results:
            result.close()
        self.results.clear()
        self._choose(None)
        self._comparison.stop_side_by_side()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.viewer.layers.selection.events.active.disconnect(self._on_active)
        self.viewer.dims.events.current_step.disconnect(self._on_dims)

    def _choose(self, result: Result | None) -> None:
        if self.current is not None:
            self.current.layer.events.visible.disconnect(self._on_visible)
        self.current = result
        if result is not None:
            result.layer.events.visible.connect(self._on_visible)
        self.show_state()

    def _on_strength(self, value: float) -> None:
        if self.current is not None:
            self.current.set_strength(value)

    def _on_residual(self, shown: bool) -> None:
        if self.current is None:
            return
        self.current.show_residual(shown)
        if self._comparison.side_by_side:
            self._comparison.start_side_by_side(self.current)

    def _on_flip(self) -> None:
        if self.current is not None and self._source_is_there():
            self._comparison.flip(self.current)

    def _on_side_by_side(self, on: bool) -> None:
        if not on:
            self._comparison.stop_side_by_side()
        elif self.current is not None and self._source_is_there():
            self._comparison.start_side_by_side(self.current)
        else:
            self.panel.side_by_side.native.setChecked(False)
        self.show_state()

    def _source_is_there(self) -> bool:
        assert self.current is not None
        if self.current.source in self.viewer.layers:
            return True
        show_info("The noisy layer was deleted: there is nothing left to compare with.")
        return False

    def _on_visible(self, _: Any = None) -> None:
        self.show_state()

    def _on_removed(self, event: Any) -> None:
        for result in list(self.results):
            if event.value is result.residual:
                result.residual = None
            if event.value is not result.layer:
                continue
            result.close()
            self.results.remove(result)
            if result is self.current:
                self.panel.side_by_side.native.setChecked(False)
                self._choose(self.results[-1] if self.results else None)
        if self.current is not None and event.value is self.current.source:
            self.panel.side_by_side.native.setChecked(False)
        self.show_state()

    def _on_active(self, event: Any) -> None:
        for result in self.results:
            if event.value is result.layer and result is not self.current:
                self._choose(result)

    def _on_dims(self, _: Any = None) -> None:
        if self.current is not None:
            self.current.blend_view()
