"""``napari-dran train``: weights for a user's own images."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..training.recipe import NOISE_NAMES, Noise, Recipe
from .console import default, progress_bar, show, tell
from .recipe_options import recipe_file, set_noise, setting
from .shell import INTERRUPTED

if TYPE_CHECKING:
    from ..training.run import Outcome
    from ..training.validation import Report


def _default(name: str) -> str:
    return str(default(Recipe, name))


def train(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="Folder of clean images of any format and depth."),
    ] = None,
    data_option: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="The same, as an option.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="The .safetensors file to write."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Recipe; options here override it.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start: auto (shipped weights), a shipped name, a file, or scratch.",
            show_default=_default("weights"),
        ),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(NOISE_NAMES)}. Repeat for a mixture.", show_default=Noise.model
        ),
    ] = None,
    sigma: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH",
            help="Range of the noise, in grey levels of 255.",
            show_default="{:g}:{:g}".format(*Noise.sigma),
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps.", show_default=_default("steps"))
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Also end after this time.", show_default="no limit")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="1 grey, 3 colour.", show_default="by the images")
    ] = None,
    other_kind: Annotated[
        str | None,
        typer.Option(
            help="Colour images for a grey network, and the reverse: ask, use, skip.",
            show_default=_default("other_kind"),
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(help="Axis to cut volumes across.", show_default=_default("axis")),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Intensities that become 0 to 1, as for denoise.", show_default=_default("window")
        ),
    ] = None,
    crop: Annotated[
        int | None, typer.Option(help="Side of the crops.", show_default=_default("crop"))
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Crops a step.", show_default=_default("batch"))
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key of the recipe. Repeat."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Folder to validate on.", show_default="a tenth of the patients"),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoint and log.", show_default="OUT's name with -run"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    processes: Annotated[int, typer.Option(min=1, help="GPUs, or processes on the CPU.")] = 1,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also log for TensorBoard.")
    ] = False,
    fast_dev_run: Annotated[
        bool, typer.Option("--fast-dev-run", help="Two steps to see that all works.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Train nothing: write a checkpoint or run to OUT."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name on the card.", show_default="OUT's name")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="What the weights may be used for.", show_default="that of the start"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Train a denoiser on clean images, to which noise is added.

    By default the shipped weights are trained further. Ctrl-C validates, saves and
    ends; the same command goes on from there, and so it does after a crash.
    """
    if export is not None:
        _check_output(output, overwrite)
        _export(export, _needed(output), name, licence, overwrite=overwrite)
        return
    if not fast_dev_run:
        _check_output(output, overwrite)
    if data is not None and data_option is not None:
        raise InputError(f"Two folders of images were given, {data} and {data_option}. Name one.")
    values, data, validation = recipe_file(config, data or data_option, validation)
    given = {
        "weights": weights, "steps": steps, "minutes": minutes, "channels": channels,
        "other_kind": other_kind, "axis": axis, "window": window, "crop": crop, "batch": batch,
    }  # fmt: skip
    values |= {key: value for key, value in given.items() if value is not None}
    values |= dict(setting(text) for text in settings or [])
    set_noise(values, noise, sigma)
    from ..training.recipe_file import make_recipe

    recipe = make_recipe(values)
    if data is None:
        raise InputError("Name the folder of images to train on: napari-dran train DATA -o OUT.")
    # Of several processes, one speaks.
    quiet = quiet or os.environ.get("LOCAL_RANK", "0") != "0"
    from ..training.run import train as train_on

    folder = run or _run_folder(output)
    with progress_bar("Training", "steps", quiet) as progress, _ctrl_c() as stop:
        outcome = train_on(
            data,
            recipe,
            run=folder,
            validation=validation,
            device=device,
            processes=processes,
            fast_dev_run=fast_dev_run,
            tensorboard=tensorboard,
            stop=stop,
            progress=progress,
            report=(lambda found: None) if quiet else _tell_report,
            notice=(lambda sentence: None) if quiet else tell,
        )
    if outcome.leader:
        _finish(outcome, folder, output, name, licence, overwrite=overwrite, quiet=quiet)


def _finish(
    outcome: Outcome,
    folder: Path,
    output: Path | None,
    name: str | None,
    licence: str | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
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

    target = _needed(output)
    network, card = load_weights(outcome.weights)
    card = replace(card, name=name or target.stem, licence=licence or card.licence)
    save_weights(target, network, card, overwrite=overwrite)
    if not quiet:
        show(f"Wrote {target}: the best weights, of step {card.steps}. The log is in {folder}.")
        show(f"Try them: napari-dran denoise IN -o OUT --weights {target}")


def _export(
    checkpoint: Path, output: Path, name: str | None, licence: str | None, *, overwrite: bool
) -> None:
    from ..training.checkpoints import export_weights

    changes = {"licence": licence} if licence else {}
    card = export_weights(checkpoint, output, name=name, overwrite=overwrite, **changes)
    show(f"Wrote {output}: {card.architecture} for {card.kind} images, {card.steps} steps.")


def _check_output(output: Path | None, overwrite: bool) -> None:
    """Say before hours of work that the output cannot be written."""
    from ..files.atomic import check_target
    from ..weights import SUFFIX

    target = _needed(output)
    if target.suffix != SUFFIX:
        raise InputError(f"Weights are written as {SUFFIX} files, got {target.name!r}.")
    check_target(target, overwrite)


def _needed(output: Path | None) -> Path:
    if output is None:
        raise InputError("Say where to write the weights: -o NAME.safetensors.")
    return output


def _run_folder(output: Path | None) -> Path:
    return Path("run") if output is None else output.with_name(f"{output.stem}-run")


def _tell_report(found: Report) -> None:
    scores = ", ".join(f"{value:.2f} at {sigma:g}" for sigma, value in found.psnr.items())
    best = ", best so far" if found.best else ""
    tell(f"step {found.step}: loss {found.loss:.4f}, PSNR {scores} dB{best}")


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the run in order, and a second one at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        tell("Stopping after this step. Ctrl-C again ends at once.", "yellow")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
