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
    """Yield what a run asks after each step: whether Ctrl-C was pressed.

    A second one ends at once, with KeyboardInterrupt. So does the first while the run
    has not asked yet: before its first step, as while it reads, it has nothing to save.
    """
    asked, begun, ended = threading.Event(), threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set() or not begun.is_set():
            ended.set()
            raise KeyboardInterrupt
        asked.set()
        tell("Stopping after this step. Ctrl-C again ends at once.", "yellow")

    def is_asked() -> bool:
        begun.set()
        return asked.is_set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield is_asked
    except SystemExit:
        # Lightning turns KeyboardInterrupt into an exit with code 1, without a word.
        if ended.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
