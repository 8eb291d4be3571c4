"""Tells every open widget that weights were saved."""

from __future__ import annotations

from pathlib import Path

from psygnal import Signal


class NewWeights:
    """Says which file was saved; there is one, :data:`new_weights`."""

    saved = Signal(Path)


new_weights = NewWeights()
