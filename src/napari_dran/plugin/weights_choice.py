"""Choosing weights: by name, or a file of one's own; in any of the plugin's widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicgui.widgets import ComboBox

from ..weights import list_weights, own_weights_folder, read_card
from .new_weights import new_weights
from .weights_dialog import ask_for_weights

LOAD = "load"
LAST = ("Load…", LOAD)
NONE = ("None yet: load a file", "")
"""What is chosen where there are no weights for a task."""


class WeightsChoice:
    """Fills a box with the weights for a task, and remembers the files that were loaded.

    Connect to ``box.changed`` after making this: then :attr:`value` is the new choice.

    Parameters
    ----------
    box : ComboBox
        The control.
    task : str
        What the weights are for.
    title : str
        Of the dialog that asks for a file.
    first : sequence of (str, str)
        Choices before the names, (text, value).
    """

    def __init__(
        self, box: ComboBox, task: str, title: str, first: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.box = box
        self.task = task
        self.title = title
        self.first = tuple(first)
        self.value = self.first[0][1] if self.first else ""
        self._loaded: list[str] = []
        box.changed.connect(self._on_changed)

    def open(self) -> None:
        """Fill the box, and follow what is trained."""
        new_weights.saved.connect(self._on_saved)
        self.fill()

    def close(self) -> None:
        """Follow no longer."""
        new_weights.saved.disconnect(self._on_saved)

    def fill(self) -> None:
        """Bring the box up to date; the choice stays if it is still there."""
        choices = [
            *self.first,
            *((card.name, card.name) for card in list_weights(self.task)),
            *((Path(path).name, path) for path in self._loaded),
        ]
        choices = choices or [NONE]
        values = [value for _, value in choices]
        with self.box.changed.blocked():
            self.box.choices = [*choices, LAST]
            if self.value not in values:
                # Deleted from the user's folder meanwhile, or nothing was chosen yet.
                self.value = values[0]
            self.box.value = self.value

    def choose(self, weights: str) -> bool:
        """Choose a name, or the path of a file; returns whether there is such a thing."""
        if weights not in self.box.choices:
            if not Path(weights).is_file():
                return False
            self._loaded.append(weights)
        self.value = weights
        self.fill()
        return True

    def _on_saved(self, path: Path) -> None:
        """List weights that were saved this moment; the choice stays."""
        elsewhere = path.parent != own_weights_folder() and str(path) not in self._loaded
        if elsewhere and read_card(path).task == self.task:
            self._loaded.append(str(path))
        self.fill()

    def _on_changed(self, value: str | None) -> None:
        if value != LOAD:
            self.value = value or ""
            return
        path = ask_for_weights(self.box.native, self.title, self.task)
        if path:
            self._loaded = [*(p for p in self._loaded if p != path), path]
            self.value = path
        self.fill()
