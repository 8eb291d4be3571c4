"""Layers whose strength can be changed, and whose data may be behind for a moment.

A large result is blended anew slice in view first, the rest soon. Whoever wants all
of its data, to write them or to work on, asks here first.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakSet

import numpy as np


class Blended(Protocol):
    """What :class:`napari_dran.plugin.result.Result` is, without Qt."""

    clean: np.ndarray

    def settle(self) -> None:
        """Bring ``clean`` up to date."""


_known: WeakSet[Blended] = WeakSet()


def watch(result: Blended) -> None:
    """Make a result known; it is forgotten when nobody needs it any more."""
    _known.add(result)


def settle(data: Any) -> bool:
    """Bring a layer's data up to date, if a result is behind them.

    Parameters
    ----------
    data : array
        The data of any layer.

    Returns
    -------
    bool
        Whether a result is, so that the data may change again.
    """
    owners = [result for result in _known if result.clean is data]
    for result in owners:
        result.settle()
    return bool(owners)
