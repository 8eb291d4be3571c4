"""``napari-dran evaluate``: PSNR and SSIM on clean images with added noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..training import evaluation as protocol
from .console import default, fail, progress_bar, show, tell
from .shell import SOME_FILES_FAILED

if TYPE_CHECKING:
    from ..training.evaluation import Mean, Row

SIGMAS = list(default(protocol.evaluate, "sigmas"))


def evaluate(
    root: Annotated[Path, typer.Argument(help="Folder of clean images, of any format and depth.")],
    weights: Annotated[
        str, typer.Option(help="Shipped name, .safetensors file, or 'auto': by the image's kind.")
    ] = default(protocol.evaluate, "weights"),
    sigma: Annotated[
        list[float], typer.Option(help="Noise to add, in grey levels of 255. Repeat for more.")
    ] = SIGMAS,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write one row an image and sigma here.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = default(
        protocol.evaluate, "device"
    ),
    ensemble: Annotated[int, typer.Option(help="Orientations to average, 1 to 8.")] = default(
        protocol.evaluate, "ensemble"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the CSV file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Measure weights on clean images to which known noise is added.

    Every image below the folder is measured, volumes slice by slice, at most 100 of each.
    Gaussian noise is added without clipping; the network is not told how much.
    An image that cannot be measured does not stop the others, and what was
    measured before Ctrl-C is kept.
    """
    from ..files.atomic import check_target

    if csv:
        check_target(csv, overwrite)
    rows: list[Row] = []
    failures: list[str] = []

    def failed(sentence: str) -> None:
        failures.append(sentence)
        fail(sentence)

    try:
        with progress_bar("Evaluating", "images", quiet) as progress:
            protocol.evaluate(
                root,
                weights,
                sigma,
                device=device,
                ensemble=ensemble,
                progress=progress,
                notice=(lambda sentence: None) if quiet else tell,
                failed=failed,
                measured=rows.append,
            )
    except BaseException:  # Ctrl-C too: hours of work may lie in the rows
        if rows:
            if not quiet:
                tell("Ended early. These are the images measured by then:", "yellow")
            _report(rows, csv, overwrite=overwrite, quiet=quiet)
        raise
    _report(rows, csv, overwrite=overwrite, quiet=quiet)
    if failures:
        if not quiet:
            show(f"Measured {len({row.image for row in rows})} images, {len(failures)} failed.")
        raise typer.Exit(SOME_FILES_FAILED)


def _report(rows: list[Row], csv: Path | None, *, overwrite: bool, quiet: bool) -> None:
    """Show the means, and write the rows."""
    if not quiet:
        show(table_of(protocol.summarise(rows)))
    if csv:
        protocol.write_rows(rows, csv, overwrite=overwrite)
        if not quiet:
            show(f"Wrote {len(rows)} rows to {csv}.")


def table_of(means: list[Mean]) -> Table:
    """Lay out means, one line a group and sigma."""
    table = Table("group", "images", "sigma", "PSNR", "SSIM", "noisy PSNR", "noisy SSIM", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for mean in means:
        table.add_row(
            mean.group,
            str(mean.images),
            f"{mean.sigma:g}",
            f"{mean.psnr:.2f}",
            f"{mean.ssim:.4f}",
            f"{mean.psnr_noisy:.2f}",
            f"{mean.ssim_noisy:.4f}",
        )
    return table
