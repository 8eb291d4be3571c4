"""Working through one image, or a folder of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import typer

from ..errors import DranError
from .console import fail, one_line, show, tell
from .jobs import Job, folder_jobs, is_folder_of_files, single_job
from .outputs import Output
from .shell import SOME_FILES_FAILED

Result = TypeVar("Result")


class Batch:
    """What a command has to do, and how it went.

    Planning checks all that can be checked before any work.

    Parameters
    ----------
    source : Path
        A file, a DICOM folder, or a folder of files.
    outputs : mapping
        Kind of output -> where to, see :func:`single_job` and :func:`folder_jobs`.
    series : str, optional
        Which series of a DICOM folder.
    overwrite : bool
        Whether what is there may be replaced.
    quiet : bool
        Whether to print errors only.
    """

    def __init__(
        self,
        source: Path,
        outputs: Mapping[Output, str | None],
        series: str | None = None,
        *,
        overwrite: bool,
        quiet: bool,
    ) -> None:
        source = source.expanduser()
        self.is_folder = is_folder_of_files(source)
        self.ignored = self.failed = 0
        if self.is_folder:
            self.jobs, self.ignored = folder_jobs(source, outputs)
        else:
            self.jobs = [single_job(source, outputs, series, overwrite=overwrite)]
        self.quiet = quiet
        self._noted: Counter[str] = Counter()

    def run(self, work: Callable[[Job], Result]) -> Iterator[tuple[Job, Result]]:
        """Yield each job with what ``work`` made of it.

        In a folder, a file that fails is reported and does not stop the others.
        """
        for job in self.jobs:
            if not self.is_folder:
                yield job, _done(job, work)
                continue
            try:
                result = _done(job, work)
            except Exception as error:  # one bad file must not stop the rest
                self.failed += 1
                expected = isinstance(error, DranError)
                kind = "" if expected else f"unexpected {type(error).__name__}: "
                fail(f"{job.name}: {kind}{one_line(error)}")
            else:
                yield job, result

    def note(self, job: Job, sentences: Iterable[str]) -> None:
        """Tell what to know of a result, but the same of several images once."""
        for sentence in sentences:
            self._noted[sentence] += 1
            if self._noted[sentence] == 1 and not self.quiet:
                tell(f"{job.name}: {sentence}", "yellow")

    def end(self, done: str) -> None:
        """Sum up a folder; ``done`` is a verb, e.g. "Denoised".

        Raises
        ------
        Exit
            Some files failed.
        """
        if not self.is_folder:
            return
        if not self.quiet:
            for sentence, count in self._noted.items():
                if count > 1:
                    others = "1 more image" if count == 2 else f"{count - 1} more images"
                    tell(f"The same for {others}: {sentence}", "yellow")
            left = f" {self.ignored} other files were left out." if self.ignored else ""
            good = len(self.jobs) - self.failed
            show(f"{done} {good} of {len(self.jobs)} images, {self.failed} failed.{left}")
        if self.failed:
            raise typer.Exit(SOME_FILES_FAILED)


def _done(job: Job, work: Callable[[Job], Result]) -> Result:
    for path in job.targets.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    return work(job)
