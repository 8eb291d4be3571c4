"""``napari-dran detect``: the objects of a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import analysis
from ..analysis.coco import write_coco
from ..analysis.preparation import check_share
from .analysing import CSV, JSON, Analysis, check_file
from .batch import Batch
from .console import default
from .denoising_first import denoise_options
from .options import (
    Axis,
    DenoiseFirst,
    DenoiseWeights,
    Device,
    MinimumSize,
    Overwrite,
    Quiet,
    Series,
    Source,
    Strength,
    Table,
    Weights,
    Window,
)
from .outputs import LABELS

if TYPE_CHECKING:
    from ..analysis import Detections
    from .jobs import Job


def detect(
    source: Source,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT.json", help="COCO results to write, of all images."
        ),
    ],
    weights: Weights = default(analysis.detect, "weights"),
    score_threshold: Annotated[
        float, typer.Option(help="Least score of an object, 0 to 1.")
    ] = default(analysis.detect, "score_threshold"),
    minimum_size: MinimumSize = default(analysis.detect, "minimum_size"),
    axis: Axis = f"{default(analysis.detect, 'axis')}",
    window: Window = default(analysis.detect, "window"),
    denoise: DenoiseFirst = False,
    denoise_weights: DenoiseWeights = None,
    strength: Strength = None,
    device: Device = default(analysis.detect, "device"),
    labels: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Also write label images here, as segment does."),
    ] = None,
    table: Table = None,
    series: Series = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Detect objects in images and volumes with a Mask R-CNN, slice by slice.

    Writes one COCO results file: a list of file_name, slice, bbox (x, y, width,
    height in pixels), score, category and segmentation (run lengths). A file that
    fails does not stop the others of a folder. Not a medical device.
    """
    check_share("score threshold", score_threshold)
    first = denoise_options(denoise, denoise_weights, strength, window, axis)
    output = check_file(output, JSON, "Detections are", overwrite=overwrite)
    if table is not None:
        table = check_file(table, CSV, "Measurements are", overwrite=overwrite)
    images = Batch(source, {LABELS: labels}, series, overwrite=overwrite, quiet=quiet)
    run = Analysis(images, table, overwrite, quiet)
    detector = analysis.Detector(weights, device=device)
    detector.load()

    def work(job: Job) -> Detections:
        return run.look_at(
            job,
            detector.run,
            window=window,
            axis=axis,
            score_threshold=score_threshold,
            minimum_size=minimum_size,
            denoise=first,
        )

    def results() -> Iterator[tuple[str, Detections]]:
        for job, found in images.run(work):
            yield job.file, found
        if images.failed == len(images.jobs):
            # Nothing is known of any image, which an empty file would not say.
            images.end("Looked at")

    write_coco(results(), output, overwrite=overwrite)
    run.write_table()
    images.end("Looked at")
