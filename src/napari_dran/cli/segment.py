"""``napari-dran segment``: label images of a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import analysis
from ..analysis.preparation import check_share
from .analysing import CSV, Analysis, check_file
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
    from ..analysis import Segmentation
    from .jobs import Job


def segment(
    source: Source,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Label image to write, in the format of its suffix (.dcm is DICOM-SEG), or folder "
            "to put it in; for a folder of files the folder that gets the same tree.",
        ),
    ],
    weights: Weights = default(analysis.segment, "weights"),
    threshold: Annotated[
        float, typer.Option(help="Least probability of an object's pixels, 0 to 1.")
    ] = default(analysis.segment, "threshold"),
    minimum_size: MinimumSize = default(analysis.segment, "minimum_size"),
    axis: Axis = f"{default(analysis.segment, 'axis')}",
    window: Window = default(analysis.segment, "window"),
    denoise: DenoiseFirst = False,
    denoise_weights: DenoiseWeights = None,
    strength: Strength = None,
    device: Device = default(analysis.segment, "device"),
    table: Table = None,
    series: Series = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Segment images and volumes with a U-Net, slice by slice.

    Label images have the geometry of the image: 0 is background, each object has a
    number. PNG gives PNG of 16 bits. A folder of files gives the same tree again; a
    file that fails does not stop the others. Not a medical device.
    """
    check_share("threshold", threshold)
    first = denoise_options(denoise, denoise_weights, strength, window, axis)
    if table is not None:
        table = check_file(table, CSV, "Measurements are", overwrite=overwrite)
    images = Batch(source, {LABELS: output}, series, overwrite=overwrite, quiet=quiet)
    run = Analysis(images, table, overwrite, quiet)
    segmenter = analysis.Segmenter(weights, device=device)
    segmenter.load()

    def work(job: Job) -> Segmentation:
        return run.look_at(
            job,
            segmenter.run,
            window=window,
            axis=axis,
            threshold=threshold,
            minimum_size=minimum_size,
            denoise=first,
        )

    for _ in images.run(work):
        pass
    run.write_table()
    images.end("Segmented")
