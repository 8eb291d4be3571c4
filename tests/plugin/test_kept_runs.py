from __future__ import annotations

from pathlib import Path

import pytest

from napari_dran.errors import FileWriteError
from napari_dran.plugin import kept_runs
from napari_dran.plugin.kept_runs import KEPT, begin_run, unsaved_run
from napari_dran.training.run_folder import CHECKPOINT, LOG
from napari_dran.weights import user_folder


def test_only_the_last_runs_are_kept() -> None:
    paths = [begin_run({}, "cpu", None).path for _ in range(KEPT + 2)]
    assert [path.is_dir() for path in paths] == [False] * 2 + [True] * KEPT


def test_run_is_offered_until_it_is_saved() -> None:
    assert unsaved_run() is None
    run = begin_run({"steps": 3}, "cpu", "scans")
    assert unsaved_run() is None, "no weights yet"
    run.best.write_bytes(b"weights")
    assert unsaved_run() is None, "no more than those it began with"
    (run.path / CHECKPOINT).write_bytes(b"trained")
    (run.path / LOG).write_text("step,loss,psnr_25\n10,0.5,30\n")
    found = unsaved_run()
    assert found == run
    assert found.curves() == [{"step": 10, "loss": 0.5, "psnr_25": 30}]
    found.mark(saved=True)
    assert unsaved_run() is None


def test_what_is_damaged_is_not_offered() -> None:
    run = begin_run({}, "cpu", None)
    run.best.write_bytes(b"weights")
    (run.path / CHECKPOINT).write_bytes(b"trained")
    assert unsaved_run() == run
    assert run.curves() == []
    record = run.path / kept_runs.RECORD
    record.write_text(record.read_text().replace('"recipe": {}', '"recipe": {"later": 1}'))
    assert unsaved_run() is None
    record.write_text("{")
    assert unsaved_run() is None


def test_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_DRAN_HOME", str(tmp_path / "file"))
    assert not user_folder().is_dir()
    with pytest.raises(FileWriteError, match="NAPARI_DRAN_HOME"):
        begin_run({}, "cpu", None)
