"""Leaving Python while a worker runs.

napari waits for its workers when its event loop ends. A script that made a viewer
and never ran the loop leaves without that: Qt's objects are deleted under the
worker, and its next signal aborts the process.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

LONGEST_WAIT_MS = 60_000
"""A worker ends after its slice; one that does not may not keep Python for ever."""


class Closable(Protocol):
    """Something that can stop what it has going on."""

    def close_down(self) -> None:
        """Stop everything."""


_open: WeakSet[Closable] = WeakSet()


def close_at_exit(widget: Closable) -> None:
    """Have Python close a widget, and wait for its workers, before it leaves."""
    if not _open:
        atexit.unregister(_leave)
        atexit.register(_leave)
    _open.add(widget)


def _leave() -> None:
    from napari.qt.threading import WorkerBase

    for widget in list(_open):
        # A RuntimeError says that Qt was faster.
        with suppress(RuntimeError):
            widget.close_down()
    # Here it says that time is up: then there is nothing left to do.
    with suppress(RuntimeError):
        WorkerBase.await_workers(LONGEST_WAIT_MS)
