"""Times as people say them."""

from __future__ import annotations

import time


def duration(seconds: float) -> str:
    """Write a time shortly: "12 s", "4 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class TimeLeft:
    """Estimates how long steps will go on, from when it is made.

    Parameters
    ----------
    limit : float
        Minutes after which they end anyway; 0 for none.
    """

    def __init__(self, limit: float = 0.0) -> None:
        self._limit = 60 * limit
        self._first: tuple[float, int] | None = None
        self._started = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started

    def after(self, done: int, total: int) -> float | None:
        """Return the seconds left after ``done`` of ``total`` steps; None if not known yet."""
        now = time.monotonic()
        if self._first is None:
            # The first step waits for what only happens once; and a run may go on from any.
            self._first = now, done
        began, first = self._first
        if done <= first:
            return None
        left = (now - began) / (done - first) * (total - done)
        return min(left, max(0.0, self._limit - (now - began))) if self._limit else left
