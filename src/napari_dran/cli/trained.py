"""What training checks first and says while it runs, and the weights file that it ends with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import InputError
from .console import ProgressCallback, progress_bar, show, tell
from .shell import INTERRUPTED

if TYPE_CHECKING:
    from ..training.analysis_recipe import AnalysisRecipe
    from ..training.analysis_run import AnalysisReport
    from ..training.fit import Outcome
    from ..training.recipe import Recipe
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


def check_start(
    recipe: Recipe | AnalysisRecipe,
    folder: Path,
    device: str,
    tensorboard: bool,
    fast_dev_run: bool,
) -> None:
    """Raise before a folder is read, which can take long, what a run would raise after it.

    Parameters
    ----------
    recipe : Recipe or AnalysisRecipe
        Its start must be there and fit unless the run goes on, and the device have its
        precision.
    folder : Path
        Of the run.
    device : str
        Where to train.
    tensorboard : bool
        Whether to log for TensorBoard.
    fast_dev_run : bool
        Whether it is a trial, which begins anew whatever the folder holds.
    """
    from ..denoising.devices import choose_device
    from ..training.analysis_recipe import AnalysisRecipe
    from ..training.machine import chosen_precision, tensorboard_logger
    from ..training.run_folder import CHECKPOINT

    chosen_precision(recipe.precision, choose_device(device))
    if tensorboard:
        tensorboard_logger(folder)
    if not fast_dev_run and (folder.expanduser() / CHECKPOINT).is_file():
        return
    if isinstance(recipe, AnalysisRecipe):
        from ..training.analysis_start import start_analysis

        start_analysis(recipe)
    else:
        from ..training.start import DENOISER, start_network
        from ..weights import ARCHITECTURES

        if recipe.architecture not in ARCHITECTURES:
            known = [name for name, of in ARCHITECTURES.items() if of.task == DENOISER.task]
            raise InputError(
                f"There is no architecture {recipe.architecture!r}. Expected one of "
                f"{', '.join(known)}."
            )
        # The images decide about "auto"; either number will do to see what there is.
        channels = 1 if recipe.channels == "auto" else recipe.channels
        start_network(recipe, channels, lambda sentence: None)


@contextmanager
def training_bars(quiet: bool) -> Iterator[tuple[Callable[[str], None], ProgressCallback]]:
    """Show a bar of what is read, then one of the steps; yield what moves each."""
    number = count(1)
    bars: dict[str, ProgressCallback] = {}
    with ExitStack() as shown:

        def bar(title: str, unit: str) -> ProgressCallback:
            if title not in bars:
                # A terminal shows one at a time.
                shown.close()
                bars.clear()
                bars[title] = shown.enter_context(progress_bar(title, unit, quiet))
            return bars[title]

        def reading(name: str) -> None:
            move = bar("Reading", "images")
            # Folders are told before the images in them, and how many there are at the end.
            if not name.endswith("/"):
                move(next(number), None)  # type: ignore[arg-type]

        def steps(done: int, total: int) -> None:
            bar("Training", "steps")(done, total)

        bar("Training", "steps")
        yield reading, steps


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
    if outcome.stopped and outcome.weights is None:
        raise typer.Exit(INTERRUPTED)
    if outcome.stopped:
        tell(
            f"Stopped at step {outcome.step}. The same command goes on from there; the best "
            f"weights so far are {outcome.weights}.",
            "yellow",
        )
        # With typer.Exit the shell would say that nothing was left behind, but a run was.
        raise SystemExit(INTERRUPTED)
    if outcome.weights is None:
        show("Everything works: two steps and a validation. Nothing was written.")
        return
    from ..weights import load_weights, save_weights

    target = check_output(output, overwrite)
    network, card = load_weights(outcome.weights)
    card = replace(card, name=name or target.stem, licence=licence or card.licence)
    save_weights(target, network, card, overwrite=overwrite)
    if card.steps == 0:
        tell(
            "No validation was better than the weights that training started from, so these are "
            f"what {target} holds. A lower learning rate, larger batches or more steps may help.",
            "yellow",
        )
    if not quiet:
        show(f"Wrote {target}: the best weights, of step {card.steps}. The log is in {folder}.")
        show(f"Try them: napari-dran {USE[card.task]} --weights {target}")


def export(
    run: Path,
    output: Path,
    name: str | None,
    licence: str | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make a weights file of a checkpoint or of a run's folder.

    Raises
    ------
    InputError
        It is a weights file already.
    """
    from ..training.cards import export_weights
    from ..weights import SUFFIX

    if run.suffix == SUFFIX:
        raise InputError(
            f"{run} is a weights file already, which --weights takes as it is. --export makes one "
            "of a checkpoint (.ckpt) or of the folder of a run."
        )
    changes = {"licence": licence} if licence else {}
    card = export_weights(run, output, name=name, overwrite=overwrite, **changes)
    if not quiet:
        show(f"Wrote {output}: {card.architecture} for {card.kind} images, {card.steps} steps.")


def told_denoiser(found: Report) -> None:
    """Print what a validation of a denoiser found."""
    scores = ", ".join(f"{value:.2f} at {sigma:g}" for sigma, value in found.psnr.items())
    _tell(found, f"PSNR {scores} dB")


def told_analysis(found: AnalysisReport) -> None:
    """Print what a validation of a network that segments or detects found."""
    _tell(found, ", ".join(f"{name} {value:.3f}" for name, value in found.scores.items()))


def _tell(found: Report | AnalysisReport, scores: str) -> None:
    if found.step == 0:
        tell(f"before training: {scores}")
        return
    best = ", best so far" if found.best else ""
    tell(f"step {found.step}: loss {found.loss:.4f}, {scores}{best}")
