"""``napari-dran segment``: label images of a file, a DICOM folder, or a folder of files."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import analysis
from ..analysis.preparation import check_share
from . import options
from .analysing import Analysis
from .console import default
from .denoising_first import denoise_options


def segment(
    source: options.Source,
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
    weights: options.Weights = default(analysis.segment, "weights"),
    threshold: Annotated[
        float, typer.Option(help="Least probability of an object's pixels, 0 to 1.")
    ] = default(analysis.segment, "threshold"),
    minimum_size: options.MinimumSize = default(analysis.segment, "minimum_size"),
    axis: options.Axis = f"{default(analysis.segment, 'axis')}",
    window: options.Window = default(analysis.segment, "window"),
    denoise: options.DenoiseFirst = False,
    denoise_weights: options.DenoiseWeights = None,
    strength: options.Strength = None,
    denoise_ensemble: options.DenoiseEnsemble = None,
    device: options.Device = default(analysis.segment, "device"),
    table: options.Table = None,
    series: options.Series = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Segment images and volumes with a U-Net, slice by slice.

    Label images have the geometry of the image: 0 is background, each object has a
    number. PNG gives PNG of 16 bits. A folder of files gives the same tree again; a
    file that fails does not stop the others. Not a medical device.
    """
    check_share("threshold", threshold)
    first = denoise_options(denoise, denoise_weights, strength, denoise_ensemble, window, axis)
    run = Analysis(source, output, table, series, overwrite=overwrite, quiet=quiet)
    segmenter = analysis.Segmenter(weights, device=device)
    for _ in run.run(
        segmenter,
        window=window,
        axis=axis,
        threshold=threshold,
        minimum_size=minimum_size,
        denoise=first,
    ):
        pass
    run.end("Segmented")
