"""``napari-dran denoise``: a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import denoising
from ..errors import DranError
from .console import default, fail, on_terminal, one_line, progress_bar, seconds, show, tell
from .jobs import Job, folder_jobs, is_folder_of_files, single_job
from .shell import SOME_FILES_FAILED

if TYPE_CHECKING:
    from ..denoising import Denoised, Denoiser


@dataclass(frozen=True)
class Settings:
    """How every image is denoised and written."""

    window: str
    axis: str
    strength: float
    overwrite: bool
    quiet: bool


def denoise(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Image file, DICOM folder, or folder of files.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File to write, in the format of its suffix, or folder to put it in; for a DICOM "
            "folder also a folder; for a folder of files the folder that gets the same tree.",
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="Shipped name, .safetensors file, or 'auto': grey or colour.")
    ] = default(denoising.denoise, "weights"),
    window: Annotated[
        str,
        typer.Option(
            help="Intensities to work on: percentile, full, LOW:HIGH, or for CT brain, lung, "
            "bone, abdomen, ... Values outside stay as they are."
        ),
    ] = default(denoising.denoise, "window"),
    axis: Annotated[
        str, typer.Option(help="Axis to slice across: 0, 1, 2, or axial, coronal, sagittal.")
    ] = str(default(denoising.denoise, "axis")),
    strength: Annotated[
        float, typer.Option(help="Share of the noise to take away, 0 to 2.")
    ] = default(denoising.denoise, "strength"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = default(
        denoising.denoise, "device"
    ),
    batch: Annotated[
        int | None, typer.Option(help="Slices at a time.", show_default="what fits into memory")
    ] = default(denoising.denoise, "batch"),
    residual: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Also write what was taken away: before minus after."),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(help="Which series of a DICOM folder: number, UID or the end of the UID."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Remove noise from images and volumes, slice by slice.

    Shape, dtype, units and geometry stay as they are. A folder of files gives
    the same tree again; a file that fails does not stop the others.
    """
    settings = Settings(window, axis, strength, overwrite, quiet)
    source = source.expanduser()
    if is_folder_of_files(source):
        jobs, ignored = folder_jobs(source, output, residual, overwrite=overwrite)
        denoiser = denoising.Denoiser(weights, device=device, batch=batch)
        _run_all(jobs, ignored, denoiser, settings)
    else:
        job = single_job(source, output, residual, series, overwrite=overwrite)
        denoiser = denoising.Denoiser(weights, device=device, batch=batch)
        _run(job, denoiser, settings)


def _run(job: Job, denoiser: Denoiser, settings: Settings) -> None:
    """Read, denoise and write one image."""
    from ..files import read_volume, write_volume

    started = time.monotonic()
    volume = read_volume(job.source, series=job.series)
    with progress_bar(job.name, quiet=settings.quiet) as progress:
        result = denoiser.run(
            volume,
            window=settings.window,
            axis=settings.axis,
            strength=settings.strength,
            progress=progress,
        )
    write_volume(result.image, job.target, overwrite=settings.overwrite)
    if job.residual is not None:
        taken = result.noise.with_data(result.noise.data * settings.strength)
        write_volume(taken, job.residual, overwrite=settings.overwrite)
    if not settings.quiet:
        for note in result.notes:
            tell(f"{job.name}: {note}", "yellow")
    if not settings.quiet and on_terminal():
        tell(f"{job.target}: {_summary(result)}, {seconds(time.monotonic() - started)}")


def _run_all(jobs: list[Job], ignored: int, denoiser: Denoiser, settings: Settings) -> None:
    """Run every job; report those that fail and go on."""
    failed = 0
    for job in jobs:
        try:
            for path in (job.target, job.residual):
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
            _run(job, denoiser, settings)
        except Exception as error:  # one bad file must not stop the rest
            failed += 1
            kind = "" if isinstance(error, DranError) else f"unexpected {type(error).__name__}: "
            fail(f"{job.name}: {kind}{one_line(error)}")
    done = len(jobs) - failed
    left = f" {ignored} other files were left out." if ignored else ""
    if not settings.quiet:
        show(f"Denoised {done} of {len(jobs)} images, {failed} failed.{left}")
    if failed:
        raise typer.Exit(SOME_FILES_FAILED)


def _summary(result: Denoised) -> str:
    provenance = result.provenance
    if provenance.window is None or provenance.sigma_255 is None:
        return "constant, left as it was"
    low, high = provenance.window
    return (
        f"{provenance.weights}, window {low:.5g}:{high:.5g}, estimated sigma "
        f"{result.sigma:.3g} ({provenance.sigma_255:.1f} of 255)"
    )
