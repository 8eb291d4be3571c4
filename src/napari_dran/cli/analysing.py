"""What segment and detect have in common: one image after the other, and a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .batch import Batch
from .console import on_terminal, progress_bar, seconds, tell
from .outputs import LABELS

if TYPE_CHECKING:
    from ..analysis import Detections, Detector, Segmentation, Segmenter
    from .jobs import Job


class Analysis:
    """A run of segment or detect; what can be checked before any work is checked first.

    Parameters
    ----------
    source : Path
        A file, a DICOM folder, or a folder of files.
    labels : str or None
        Where label images are written.
    table : Path or None
        Where measurements are written.
    series : str or None
        Which series of a DICOM folder.
    overwrite, quiet : bool
        As the options.
    """

    def __init__(
        self,
        source: Path,
        labels: str | None,
        table: Path | None,
        series: str | None,
        *,
        overwrite: bool,
        quiet: bool,
    ) -> None:
        if table is not None:
            table = check_file(table, ".csv", "Measurements are", overwrite=overwrite)
        self.images = Batch(source, {LABELS: labels}, series, overwrite=overwrite, quiet=quiet)
        self.table = table
        self.overwrite = overwrite
        self.quiet = quiet
        self._columns: dict[str, Mapping[str, Sequence[object]]] = {}

    def run(self, network: Segmenter | Detector, **options: Any) -> Iterator[tuple[Job, Any]]:
        """Yield each image with what the network found in it, its labels written.

        ``options`` are those of the network's ``run``.
        """
        network.load()
        yield from self.images.run(lambda job: self._look_at(job, network, options))

    def end(self, done: str) -> None:
        """Write the measurements of all images, if that is wanted, and sum up a folder.

        ``done`` is a verb, as for :meth:`Batch.end`.

        Raises
        ------
        Exit
            Some files of a folder failed.
        """
        if self.table is not None and self._columns:
            from ..analysis.measurements import write_table, write_tables

            if self.images.is_folder:
                write_tables(self._columns, self.table, overwrite=self.overwrite)
            else:
                (columns,) = self._columns.values()
                write_table(columns, self.table, overwrite=self.overwrite)
        self.images.end(done)

    def _look_at(self, job: Job, network: Segmenter | Detector, options: Mapping[str, Any]) -> Any:
        from ..files import read_volume
        from ..files.labels import write_labels

        started = time.monotonic()
        volume = read_volume(job.source, series=job.series)
        # Each slice that is denoised first is a step too.
        unit = "steps" if options["denoise"] else "slices"
        with progress_bar(job.name, unit, self.quiet) as progress:
            found = network.run(volume, progress=progress, **options)
        if LABELS in job.targets:
            target = job.targets[LABELS]
            write_labels(found.labels, target, names=found.names, overwrite=self.overwrite)
        if self.table is not None:
            self._columns[job.file] = _measured(found)
        self.images.note(job, found.notes)
        if on_terminal() and not self.quiet:
            tell(f"{job.name}: {_counted(found)}, {seconds(time.monotonic() - started)}")
        return found


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


def _measured(found: Segmentation | Detections) -> dict[str, list[object]]:
    from ..analysis import columns, measure

    rows = measure(found.labels, found.image, found.scores, found.names, found.axis)
    return columns(rows, found.labels.unit)


def _counted(found: Segmentation | Detections) -> str:
    """Count the objects for people, e.g. "2 x tumour"."""
    from collections import Counter

    often = Counter(found.names.values())
    return ", ".join(f"{count} x {name}" for name, count in often.items()) or "nothing found"
