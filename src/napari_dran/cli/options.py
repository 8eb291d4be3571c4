"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    Path, typer.Argument(metavar="IN", help="Image file, DICOM folder, or folder of files.")
]
Axis = Annotated[
    str, typer.Option(help="Axis to slice across: 0, 1, 2, or axial, coronal, sagittal.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Series = Annotated[
    str | None,
    typer.Option(help="Which series of a DICOM folder: number, UID or the end of the UID."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]

# Of the commands that segment and detect.

Weights = Annotated[str, typer.Option(help="Shipped name, or .safetensors file.")]
Window = Annotated[
    str,
    typer.Option(
        help="Intensities that the network sees: auto (0 to 255 for 8 bits, else percentile), "
        "percentile, full, LOW:HIGH, or for CT brain, lung, bone, abdomen, ..."
    ),
]
MinimumSize = Annotated[
    float,
    typer.Option(
        min=0, help="Smaller objects are dropped: in mm², or mm³ of a stack; µm or pixels alike."
    ),
]
DenoiseFirst = Annotated[
    bool, typer.Option("--denoise", help="Denoise first, slice by slice along the same axis.")
]
DenoiseWeights = Annotated[
    str | None, typer.Option(help="Weights to denoise with.", show_default="auto")
]
Strength = Annotated[
    float | None,
    typer.Option(help="Share of the noise to take away, 0 to 2.", show_default="1.0"),
]
DenoiseEnsemble = Annotated[
    int | None,
    typer.Option(
        help="Orientations of each slice to average when denoising, 1 to 8: as many times longer.",
        show_default="1",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Write measurements of all objects here."),
]
