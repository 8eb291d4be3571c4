"""Training runs on disk, so that hours of work outlast the window.

Each run has a folder of its own among the user's data. The last few are kept; one
whose weights were not saved is offered when the Train widget is opened again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import DranError, FileWriteError
from ..training.recipe_file import make_recipe
from ..training.run_folder import BEST, CHECKPOINT, LOG
from ..weights import user_folder

RECORD = "run.json"
KEPT = 3


@dataclass(frozen=True)
class KeptRun:
    """A run's folder, and what it takes to go on with it.

    Parameters
    ----------
    path : Path
        The folder.
    recipe : mapping
        The recipe's keys.
    device : str
        Where it ran.
    folder : str or None
        Of the images; None if they were layers.
    saved : bool
        Whether its weights were saved.
    """

    path: Path
    recipe: Mapping[str, Any]
    device: str
    folder: str | None
    saved: bool = False

    @property
    def best(self) -> Path:
        """The best weights so far; the file may not exist yet."""
        return self.path / BEST

    @property
    def trained(self) -> bool:
        """Whether it has weights besides those it began with."""
        return (self.path / CHECKPOINT).is_file()

    def curves(self) -> list[dict[str, float]]:
        """Return the rows of the run's log."""
        import csv

        try:
            with (self.path / LOG).open(newline="") as file:
                return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        except (OSError, ValueError):
            # The log is for the eyes only.
            return []

    def write(self) -> None:
        """Write the record.

        Raises
        ------
        FileWriteError
            The folder cannot be written.
        """
        values = {"recipe": self.recipe, "device": self.device, "folder": self.folder,
                  "saved": self.saved}  # fmt: skip
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / RECORD).write_text(json.dumps(values, indent=2), encoding="utf-8")
        except OSError as error:
            raise FileWriteError(
                f"Could not write the run's folder {self.path}: {error.strerror}. Free some space, "
                "or name another folder in the environment variable NAPARI_DRAN_HOME."
            ) from error

    def mark(self, *, saved: bool) -> KeptRun:
        """Note whether the weights are saved; returns the run with the note.

        Raises
        ------
        FileWriteError
            The folder cannot be written.
        """
        run = replace(self, saved=saved)
        run.write()
        return run


def begin_run(recipe: Mapping[str, Any], device: str, folder: str | None) -> KeptRun:
    """Make the folder of a new run; the oldest ones go.

    Raises
    ------
    FileWriteError
        It cannot be made.
    """
    for old in _folders()[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    path = _runs() / f"{datetime.now():%Y-%m-%d %H.%M.%S.%f}"
    run = KeptRun(path, recipe, device, folder)
    run.write()
    return run


def unsaved_run() -> KeptRun | None:
    """Return the last run, if it has weights that were not saved."""
    for path in _folders()[:1]:
        try:
            run = KeptRun(path, **json.loads((path / RECORD).read_text(encoding="utf-8")))
            make_recipe(run.recipe)
        except (OSError, ValueError, TypeError, DranError):
            # What cannot be read, or is of another version, cannot be offered.
            return None
        return run if run.trained and not run.saved else None
    return None


def _runs() -> Path:
    return user_folder() / "runs"


def _folders() -> list[Path]:
    """List the runs, the last one first: their names are their times."""
    runs = _runs()
    return sorted((p for p in runs.iterdir() if p.is_dir()), reverse=True) if runs.is_dir() else []
