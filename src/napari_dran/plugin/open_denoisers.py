"""Which Denoise widgets are open, for those who want to denoise as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from psygnal import Signal

if TYPE_CHECKING:
    from .recipe import Recipe


class Denoises(Protocol):
    """What the Denoise widget is for others."""

    @property
    def viewer(self) -> Any:
        """The viewer it works for."""

    def current_recipe(self) -> Recipe:
        """Return what its controls say."""


class OpenDenoisers:
    """Knows the open widgets; there is one, :data:`open_denoisers`."""

    changed = Signal()
    """One was opened, closed, or set otherwise."""

    def __init__(self) -> None:
        self._widgets: WeakSet[Denoises] = WeakSet()

    def add(self, widget: Denoises) -> None:
        """Make a widget known that was opened."""
        self._widgets.add(widget)
        self.changed.emit()

    def remove(self, widget: Denoises) -> None:
        """Forget a widget that was closed."""
        self._widgets.discard(widget)
        self.changed.emit()

    def recipe(self, viewer: Any) -> Recipe | None:
        """Return the settings of the widget that is open beside a viewer, if there is one."""
        for widget in self._widgets:
            if widget.viewer is viewer:
                return widget.current_recipe()
        return None


open_denoisers = OpenDenoisers()
