"""What segment and detect have in common: one image after the other, and a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InputError
from .batch import Batch
from .console import on_terminal, progress_bar, seconds, tell
from .outputs import LABELS

if TYPE_CHECKING:
    from ..analysis import Detections, Segmentation
    from .jobs import Job

Found = TypeVar("Found", "Segmentation", "Detections")

CSV = ".csv"
JSON = ".json"


@dataclass
class Analysis:
    """A run of segment or detect.

    Parameters
    ----------
    images : Batch
        What to work on.
    table : Path or None
        Where measurements are written.
    overwrite, quiet : bool
        As the options.
    """

    images: Batch
    table: Path | None
    overwrite: bool
    quiet: bool
    _columns: dict[str, Mapping[str, Sequence[object]]] = field(default_factory=dict)

    def look_at(self, job: Job, run: Callable[..., Found], **options: Any) -> Found:
        """Read an image, ``run`` a network on it, write its labels and measure them."""
        from ..files import read_volume
        from ..files.labels import write_labels

        started = time.monotonic()
        volume = read_volume(job.source, series=job.series)
        # Each slice that is denoised first is a step too.
        unit = "steps" if options["denoise"] else "slices"
        with progress_bar(job.name, unit, self.quiet) as progress:
            found = run(volume, progress=progress, **options)
        if LABELS in job.targets:
            target = job.targets[LABELS]
            write_labels(found.labels, target, names=found.names, overwrite=self.overwrite)
        if self.table is not None:
            self._columns[job.file] = _measured(found)
        self.images.note(job, found.notes)
        if on_terminal() and not self.quiet:
            tell(f"{job.name}: {_counted(found)}, {seconds(time.monotonic() - started)}")
        return found

    def write_table(self) -> None:
        """Write the measurements of all images, if that is wanted and there are any images."""
        if self.table is None or not self._columns:
            return
        from ..analysis.measurements import write_table, write_tables

        if self.images.is_folder:
            write_tables(self._columns, self.table, overwrite=self.overwrite)
        else:
            (columns,) = self._columns.values()
            write_table(columns, self.table, overwrite=self.overwrite)


def check_file(path: Path, suffix: str, what: str, *, overwrite: bool) -> Path:
    """Return the path of a file to write, or say before any work that it cannot be.

    Raises
    ------
    InputError
        Its name does not end in ``suffix``.
    OutputExistsError, FileWriteError
        See :func:`~napari_dran.files.atomic.check_target`.
    """
    from ..files.atomic import check_target

    path = path.expanduser()
    if path.suffix.lower() != suffix:
        raise InputError(f"{what} written as {suffix} files, got {path.name!r}.")
    check_target(path, overwrite)
    return path


def _measured(found: Any) -> dict[str, list[object]]:
    from ..analysis import columns, measure

    rows = measure(found.labels, found.image, found.scores, found.names, found.axis)
    return columns(rows, found.labels.unit)


def _counted(found: Segmentation | Detections) -> str:
    """Count the objects for people, e.g. "2 x tumour"."""
    from collections import Counter

    often = Counter(found.names.values())
    return ", ".join(f"{count} x {name}" for name, count in often.items()) or "nothing found"
