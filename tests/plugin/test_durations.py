from __future__ import annotations

import pytest

from napari_dran.plugin import durations
from napari_dran.plugin.durations import TimeLeft, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (240, "4 min"), (12600, "3.5 h")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left_counts_from_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(durations.time, "monotonic", lambda: now)
    clock, limited = TimeLeft(), TimeLeft(1.0)
    now = 100.0  # what only happens once
    assert clock.after(500, 1000) is None
    assert limited.after(500, 1000) is None
    now = 120.0
    assert clock.after(510, 1000) == pytest.approx(980)
    assert limited.after(510, 1000) == pytest.approx(40)
    assert clock.spent == 120
