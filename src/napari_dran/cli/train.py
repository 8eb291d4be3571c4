"""``napari-dran train``: weights for a user's own images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..training.analysis_recipe import AnalysisRecipe
from ..training.recipe import NOISE_NAMES, Noise, Recipe
from .console import default, tell
from .interrupt import first_ctrl_c
from .recipe_options import (
    recipe_file,
    refuse_with_export,
    refuse_with_task,
    set_noise,
    setting,
)
from .trained import (
    check_output,
    check_start,
    export,
    finish,
    told_analysis,
    told_denoiser,
    training_bars,
)


def _default(name: str) -> str:
    """Write a default, and that of networks that segment or detect if it is another."""
    denoiser, analysis = default(Recipe, name), default(AnalysisRecipe, name)
    return str(denoiser) if denoiser == analysis else f"{denoiser}; {analysis} with a task"


def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="Folder of clean images, or of images with labels."),
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
            help="Start: auto (shipped weights), imagenet, a shipped name, a file, or scratch.",
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
            show_default=str(default(Recipe, "other_kind")),
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(help="Axis to cut volumes across.", show_default=str(default(Recipe, "axis"))),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Intensities that become 0 to 1, as for denoise.",
            show_default=str(default(Recipe, "window")),
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
    export_run: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="RUN", help="Train nothing: write a checkpoint or run to OUT."
        ),
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
    """Train a denoiser on clean images, to which noise is added, or a network of another task.

    By default the shipped weights are trained further. With ``--set task=segment`` or
    ``task=detect`` a U-Net or a Mask R-CNN is trained on images and their labels.
    Ctrl-C validates, saves and ends; the same command goes on from there, and so it
    does after a crash.
    """
    if export_run is not None:
        refuse_with_export(context)
        output = check_output(output, overwrite)
        export(export_run, output, name, licence, overwrite=overwrite, quiet=quiet)
        return
    if not fast_dev_run:
        check_output(output, overwrite)
    if data is not None and data_option is not None:
        raise InputError(f"Two folders of images were given, {data} and {data_option}. Name one.")
    values, data, validation = recipe_file(config, data or data_option, validation)
    shared = {"weights": weights, "steps": steps, "minutes": minutes, "crop": crop, "batch": batch}
    denoiser = {"channels": channels, "other_kind": other_kind, "axis": axis, "window": window}
    given = {key: value for key, value in {**shared, **denoiser}.items() if value is not None}
    values = {**values, **given, **dict(setting(text) for text in settings or [])}
    if "task" in values:
        several, logger = processes if processes > 1 else None, tensorboard or None
        refuse_with_task(
            values["task"],
            {
                **denoiser,
                "noise": noise,
                "sigma": sigma,
                "processes": several,
                "tensorboard": logger,
            },
        )
    else:
        set_noise(values, noise, sigma)
    from ..training.recipe_file import make_any_recipe

    recipe = make_any_recipe(values)
    if data is None:
        raise InputError("Name the folder of images to train on: napari-dran train DATA -o OUT.")
    # Of several processes, one speaks.
    quiet = quiet or os.environ.get("LOCAL_RANK", "0") != "0"
    folder = run or (Path("run") if output is None else output.with_name(f"{output.stem}-run"))
    told = told_analysis if isinstance(recipe, AnalysisRecipe) else told_denoiser
    with first_ctrl_c() as stop, training_bars(quiet) as (reading, progress):
        check_start(recipe, folder, device, tensorboard, fast_dev_run)
        options: dict[str, Any] = {
            "run": folder, "validation": validation, "device": device, "stop": stop,
            "fast_dev_run": fast_dev_run, "progress": progress,
            "report": (lambda found: None) if quiet else told,
            "notice": (lambda sentence: None) if quiet else tell,
        }  # fmt: skip
        if isinstance(recipe, AnalysisRecipe):
            from ..training.analysis_run import train_analysis

            outcome = train_analysis(data, recipe, **options)
        else:
            from ..training.run import train as train_denoiser

            options |= {"processes": processes, "tensorboard": tensorboard, "reading": reading}
            outcome = train_denoiser(data, recipe, **options)
    if outcome.leader:
        finish(outcome, folder, output, name, licence, overwrite=overwrite, quiet=quiet)
