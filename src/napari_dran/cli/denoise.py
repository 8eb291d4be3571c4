"""``napari-dran denoise``: a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .. import denoising
from ..denoising.ensemble import check_ensemble, units
from .batch import Batch
from .console import default, on_terminal, progress_bar, seconds, tell
from .options import Axis, Device, Overwrite, Quiet, Series, Source
from .outputs import IMAGE, RESIDUAL

if TYPE_CHECKING:
    from ..denoising import Denoised, Denoiser
    from .jobs import Job


@dataclass(frozen=True)
class Settings:
    """How every image is denoised and written."""

    window: str
    axis: str
    strength: float
    ensemble: int
    overwrite: bool
    quiet: bool


def denoise(
    source: Source,
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
    axis: Axis = f"{default(denoising.denoise, 'axis')}",
    strength: Annotated[
        float, typer.Option(help="Share of the noise to take away, 0 to 2.")
    ] = default(denoising.denoise, "strength"),
    device: Device = default(denoising.denoise, "device"),
    batch: Annotated[
        int | None, typer.Option(help="Slices at a time.", show_default="what fits into memory")
    ] = default(denoising.denoise, "batch"),
    ensemble: Annotated[
        int,
        typer.Option(
            help="Orientations of each slice to average, 1 to 8: less noise is left, and as many "
            "times longer it takes."
        ),
    ] = default(denoising.denoise, "ensemble"),
    residual: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Also write what was taken away: before minus after."),
    ] = None,
    series: Series = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Remove noise from images and volumes, slice by slice.

    Shape, dtype, units and geometry stay as they are. A folder of files gives
    the same tree again; a file that fails does not stop the others.
    """
    settings = Settings(window, axis, strength, check_ensemble(ensemble), overwrite, quiet)
    outputs = {IMAGE: output, RESIDUAL: residual}
    images = Batch(source, outputs, series, overwrite=overwrite, quiet=quiet)
    denoiser = denoising.Denoiser(weights, device=device, batch=batch)
    for job, result in images.run(lambda job: _run(job, denoiser, settings)):
        images.note(job, result.notes)
    images.end("Denoised")


def _run(job: Job, denoiser: Denoiser, settings: Settings) -> Denoised:
    """Read, denoise and write one image."""
    from ..files import read_volume, write_volume

    started = time.monotonic()
    volume = read_volume(job.source, series=job.series)
    with progress_bar(job.name, units(settings.ensemble)[1], settings.quiet) as progress:
        result = denoiser.run(
            volume,
            window=settings.window,
            axis=settings.axis,
            strength=settings.strength,
            ensemble=settings.ensemble,
            progress=progress,
        )
    write_volume(result.image, job.targets[IMAGE], overwrite=settings.overwrite)
    if RESIDUAL in job.targets:
        taken = result.noise.with_data(result.noise.data * settings.strength)
        write_volume(taken, job.targets[RESIDUAL], overwrite=settings.overwrite)
    if not settings.quiet and on_terminal():
        took = seconds(time.monotonic() - started)
        tell(f"{job.targets[IMAGE]}: {_summary(result)}, {took}")
    return result


def _summary(result: Denoised) -> str:
    provenance = result.provenance
    if provenance.window is None or provenance.sigma_255 is None:
        return "constant, left as it was"
    low, high = provenance.window
    return (
        f"{provenance.weights}, window {low:.5g}:{high:.5g}, estimated sigma "
        f"{result.sigma:.3g} ({provenance.sigma_255:.1f} of 255)"
    )
