"""What a run tells: its progress, the noise it found, what was done."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dran.denoising import Step
from napari_dran.errors import (
    Cancelled,
    DranError,
    InputError,
)

from .conftest import WINDOW, grey, network_of


def test_progress(tenth) -> None:
    calls: list[tuple[int, int]] = []
    tenth.run(grey(3, 9, 9), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_cancel_by_progress(tenth) -> None:
    with pytest.raises(Cancelled, match="after 2 of 5"):
        tenth.run(grey(5, 9, 9), progress=lambda done, total: done < 2)
    assert len(network_of(tenth).seen) == 2
    assert issubclass(Cancelled, DranError)


def test_closing_the_stream_stops_and_frees(tenth, monkeypatch) -> None:
    freed = []
    monkeypatch.setattr(tenth, "free_cache", lambda: freed.append(True))
    steps = tenth.stream(grey(5, 9, 9))
    first = next(steps)
    assert isinstance(first, Step)
    steps.close()
    assert freed == [True]
    assert len(network_of(tenth).seen) == 1
    assert list(steps) == []


def test_stream_checks_its_arguments_at_once(tenth) -> None:
    with pytest.raises(InputError, match="no slice axis 7"):
        tenth.stream(grey(5, 9, 9), axis=7)


def test_sigma_and_provenance(tenth) -> None:
    image = 500 + np.random.default_rng(0).normal(0, 20, (3, 64, 64))
    result = tenth.run(image, window=WINDOW, strength=0.5, axis="axial")
    assert result.sigma == pytest.approx(20, rel=0.1)
    record = result.provenance
    assert (record.weights, record.sha256) == ("tenth", "0123456789abcdef")
    assert (record.window, record.window_name) == ((0, 1000), "custom")
    assert (record.axis, record.strength) == ("z", 0.5)
    assert record.sigma == result.sigma
    assert record.sigma_255 == pytest.approx(result.sigma * 0.255)
    assert record.software == "napari-dran"
    assert len(record.as_text()) < 80
    for part in ("napari-dran", "tenth@01234567", "0:1000", " z ", "x0.5"):
        assert part in record.as_text()
    assert result.notes == ()


def test_provenance_survives_json(tenth) -> None:
    import json

    record = tenth.run(grey(9, 9)).provenance.as_dict()
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize(("sigma", "told"), [(150, False), (300, True)])
def test_noise_beyond_what_the_weights_know_is_told(tenth, sigma, told) -> None:
    image = np.random.default_rng(0).normal(500, sigma, (3, 64, 64))
    notes = tenth.run(image, window=WINDOW).notes
    assert bool(notes) is told
    if told:
        assert "were trained for (0 to 50)" in notes[0]


def test_a_window_that_misses_the_image_is_told(tenth) -> None:
    (note,) = tenth.run(grey(9, 9), window="5000:6000").notes
    assert "0.0% of the values lie in the window 5000:6000" in note
