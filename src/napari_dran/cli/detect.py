"""``napari-dran detect``: the objects of a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import analysis
from ..analysis.coco import write_coco
from ..analysis.preparation import check_share
from . import options
from .analysing import Analysis, check_file
from .console import default
from .denoising_first import denoise_options

if TYPE_CHECKING:
    from ..analysis import Detections

DONE = "Looked at"


def detect(
    source: options.Source,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT.json", help="COCO results to write, of all images."
        ),
    ],
    weights: options.Weights = default(analysis.detect, "weights"),
    score_threshold: Annotated[
        float, typer.Option(help="Least score of an object, 0 to 1.")
    ] = default(analysis.detect, "score_threshold"),
    minimum_size: options.MinimumSize = default(analysis.detect, "minimum_size"),
    axis: options.Axis = f"{default(analysis.detect, 'axis')}",
    window: options.Window = default(analysis.detect, "window"),
    denoise: options.DenoiseFirst = False,
    denoise_weights: options.DenoiseWeights = None,
    strength: options.Strength = None,
    denoise_ensemble: options.DenoiseEnsemble = None,
    device: options.Device = default(analysis.detect, "device"),
    labels: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Also write label images here, as segment does."),
    ] = None,
    table: options.Table = None,
    series: options.Series = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Detect objects in images and volumes with a Mask R-CNN, slice by slice.

    Writes one COCO results file: a list of file_name, slice, bbox (x, y, width,
    height in pixels), score, category and segmentation (run lengths). A file that
    fails does not stop the others of a folder. Not a medical device.
    """
    check_share("score threshold", score_threshold)
    first = denoise_options(denoise, denoise_weights, strength, denoise_ensemble, window, axis)
    output = check_file(output, ".json", "Detections are", overwrite=overwrite)
    run = Analysis(source, labels, table, series, overwrite=overwrite, quiet=quiet)
    detector = analysis.Detector(weights, device=device)

    def results() -> Iterator[tuple[str, Detections]]:
        for job, found in run.run(
            detector,
            window=window,
            axis=axis,
            score_threshold=score_threshold,
            minimum_size=minimum_size,
            denoise=first,
        ):
            yield job.file, found
        if run.images.failed == len(run.images.jobs):
            # Nothing is known of any image, which an empty file would not say.
            run.end(DONE)

    write_coco(results(), output, overwrite=overwrite)
    run.end(DONE)
