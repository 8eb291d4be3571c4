"""What training says while it runs, and the weights file that it ends with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import InputError
from .console import show, tell
from .shell import INTERRUPTED

if TYPE_CHECKING:
    from ..training.analysis_run import AnalysisReport
    from ..training.fit import Outcome
    from ..training.validation import Report

USE = {
    "denoise": "denoise IN -o OUT",
    "segment": "segment IN -o OUT",
    "detect": "detect IN -o OUT.json",
}
"""The command that takes the weights of a task."""


def check_output(output: Path | None, overwrite: bool) -> Path:
    """Return the weights file to write, or say before hours of work that it cannot be.

    Raises
    ------
    InputError
        None was given, or one of another kind.
    OutputExistsError
        It is there already.
    """
    from ..files.atomic import check_target
    from ..weights import SUFFIX

    if output is None:
        raise InputError("Say where to write the weights: -o NAME.safetensors.")
    if output.suffix != SUFFIX:
        raise InputError(f"Weights are written as {SUFFIX} files, got {output.name!r}.")
    check_target(output, overwrite)
    return output


def finish(
    outcome: Outcome,
    folder: Path,
    output: Path | None,
    name: str | None,
    licence: str | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Say how a run ended, and write its best weights if it came to its end."""
    if outcome.stopped:
        tell(
            f"Stopped at step {outcome.step}. The same command goes on from there; the best "
            f"weights so far are {outcome.weights}.",
            "yellow",
        )
        raise typer.Exit(INTERRUPTED)
    if outcome.weights is None:
        show("Everything works: two steps and a validation. Nothing was written.")
        return
    from ..weights import load_weights, save_weights

    target = check_output(output, overwrite)
    network, card = load_weights(outcome.weights)
    card = replace(card, name=name or target.stem, licence=licence or card.licence)
    save_weights(target, network, card, overwrite=overwrite)
    if not quiet:
        show(f"Wrote {target}: the best weights, of step {card.steps}. The log is in {folder}.")
        show(f"Try them: napari-dran {USE[card.task]} --weights {target}")


def export(
    run: Path, output: Path, name: str | None, licence: str | None, *, overwrite: bool
) -> None:
    """Make a weights file of a checkpoint or of a run's folder."""
    from ..training.cards import export_weights

    changes = {"licence": licence} if licence else {}
    card = export_weights(run, output, name=name, overwrite=overwrite, **changes)
    show(f"Wrote {output}: {card.architecture} for {card.kind} images, {card.steps} steps.")


def told_denoiser(found: Report) -> None:
    """Print what a validation of a denoiser found."""
    scores = ", ".join(f"{value:.2f} at {sigma:g}" for sigma, value in found.psnr.items())
    _tell(found, f"PSNR {scores} dB")


def told_analysis(found: AnalysisReport) -> None:
    """Print what a validation of a network that segments or detects found."""
    _tell(found, ", ".join(f"{name} {value:.3f}" for name, value in found.scores.items()))


def _tell(found: Report | AnalysisReport, scores: str) -> None:
    best = ", best so far" if found.best else ""
    tell(f"step {found.step}: loss {found.loss:.4f}, {scores}{best}")
