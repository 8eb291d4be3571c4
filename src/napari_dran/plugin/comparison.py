"""Noisy and denoised: one after the other at the same view, or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .result import Result

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Comparison:
    """Shows a result against its source.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where both are.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._before: dict[str, Any] = {}
        self._hidden: list[Any] = []

    @property
    def side_by_side(self) -> bool:
        """Whether the layers stand beside each other because of us."""
        return bool(self._before)

    def flip(self, result: Result) -> bool:
        """Show the noisy image if the denoised one is shown, and the reverse.

        Returns
        -------
        bool
            Whether the denoised one is shown now.
        """
        denoised = not result.layer.visible
        if result.source in self.viewer.layers:
            result.source.visible = True
        result.layer.visible = denoised
        if result.residual is not None:
            # It lies on top of both.
            result.residual.visible = False
        return denoised

    def start_side_by_side(self, result: Result) -> None:
        """Show noisy, denoised and, if there is one, residual in a row; hide the rest."""
        shown = (result.source, result.layer, result.residual)
        self.start_in_row([layer for layer in shown if layer is not None])

    def start_in_row(self, shown: Sequence[Any], stride: int = 1) -> None:
        """Show layers in a row, the lowest first; hide the rest.

        Parameters
        ----------
        shown : sequence of layers
            Which.
        stride : int
            How many lie on top of each other in each cell. The first one's place in the
            list of layers has to be a multiple of it.
        """
        for layer in self.viewer.layers:
            if layer not in shown and layer.visible:
                layer.visible = False
                self._hidden.append(layer)
        for layer in shown:
            layer.visible = True
        grid = _grid(self.viewer)
        if not self._before:
            self._before = {
                key: getattr(grid, key) for key in ("enabled", "stride", "shape", "spacing")
            }
        # The lowest layer comes first: noisy to the left.
        grid.stride, grid.shape, grid.spacing = stride, (1, -1), 0.02
        grid.enabled = True
        self.viewer.reset_view()

    def stop_side_by_side(self) -> None:
        """Put the grid and the other layers back as they were."""
        if not self._before:
            return
        grid = _grid(self.viewer)
        for key, value in self._before.items():
            setattr(grid, key, value)
        for layer in self._hidden:
            layer.visible = True
        self._before, self._hidden = {}, []
        self.viewer.reset_view()


def _grid(viewer: Any) -> Any:
    # Before napari 0.9 the grid belonged to the viewer itself.
    canvas = getattr(viewer, "canvas", None)
    return viewer.grid if canvas is None else canvas.grid
