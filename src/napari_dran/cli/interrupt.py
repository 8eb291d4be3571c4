"""Ctrl-C that ends a long run in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .console import tell


@contextmanager
def first_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield what says whether Ctrl-C was pressed; a second one ends at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        tell("Stopping after this step. Ctrl-C again ends at once.", "yellow")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
