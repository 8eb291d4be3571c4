"""A run as Lightning sees it: going on or beginning, fitting, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ..errors import TrainingError
from .analysis_recipe import AnalysisRecipe
from .batches import CropsData
from .checkpoints import Checkpoint, read_checkpoint
from .machine import PRECISIONS, hardware, make_folder, quiet, tensorboard_logger
from .module import DIGEST, JUDGED_BY, TrainingModule
from .recipe import Recipe, missing_package
from .run_folder import BEST, CHECKPOINT
from .supervision import AtomicCheckpoints, Supervision

try:
    from lightning.pytorch import Trainer
except ImportError as error:
    raise missing_package("lightning") from error

# What may change when a run goes on; anything else would make it another run.
_MAY_CHANGE = ("steps", "minutes", "validate_every", *JUDGED_BY)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    step : int
        Optimiser steps done.
    stopped : bool
        The user ended it early; it can go on.
    weights : Path or None
        The best weights by validation, a .safetensors file with its card; None for
        a fast development run.
    leader : bool
        Whether this is the process, of several, that writes and speaks.
    """

    step: int
    stopped: bool
    weights: Path | None
    leader: bool = True


def begun(
    folder: Path,
    recipe: Recipe | AnalysisRecipe,
    images: int,
    names: str,
    notice: Callable[[str], object],
) -> Checkpoint | None:
    """Return the checkpoint to go on from, if the folder holds one of this recipe.

    Parameters
    ----------
    folder : Path
        Of the run.
    recipe : Recipe or AnalysisRecipe
        With everything decided that it leaves to data and device.
    images : int
        Number of images to train on.
    names : str
        Their digest and that of those to validate on, see
        :func:`~napari_dran.training.module.images_digest`.
    notice : callable
        Gets a sentence if they are others than at first, or are validated otherwise,
        and one that says whether the run goes on.

    Raises
    ------
    TrainingError
        The folder holds a run with another recipe.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    before = read_checkpoint(path)
    now = {"task": "denoise", **recipe.as_dict()}
    # A run from before there was a key was as that key's default is.
    defaults: dict[str, Any] = {field.name: field.default for field in fields(recipe)}
    known = {**defaults, "task": "denoise", **before.recipe}
    changed = [
        f"{key} was {known[key]}, is {now[key]}"
        for key in now
        if key not in _MAY_CHANGE and known[key] != now[key]
    ]
    if changed:
        raise TrainingError(
            f"The folder {folder} holds a run with another recipe: {'; '.join(changed[:3])}. "
            "Use the same recipe to go on with it, or another folder for a new run."
        )
    if before.facts.get("images") != images:
        notice(f"The run began with {before.facts.get('images')} images and goes on with {images}.")
    if before.facts.get(DIGEST, names) != names:
        notice(
            "The run began with other images. Some that it is validated on now may have been "
            "trained on; the best weights are chosen anew."
        )
    judged = [f"{key} was {known[key]}, is {now[key]}" for key in JUDGED_BY
              if key in now and known[key] != now[key]]  # fmt: skip
    if judged:
        notice(f"Other validation ({'; '.join(judged)}): the best weights are chosen anew.")
    if is_finished(before, recipe):
        notice(f"The run in {folder} is finished, at step {before.step}.")
    else:
        notice(f"Going on at step {before.step} of the run in {folder}.")
    return before


def is_finished(before: Checkpoint, recipe: Recipe | AnalysisRecipe) -> bool:
    """Whether a run has done its steps or its minutes."""
    return before.step >= recipe.steps or 0 < 60 * recipe.minutes <= before.elapsed


def fit(
    module: TrainingModule,
    crops: CropsData,
    supervision: Supervision,
    device: torch.device,
    *,
    before: Checkpoint | None,
    processes: int = 1,
    tensorboard: bool = False,
) -> Outcome:
    """Train until the recipe or the user ends it.

    Parameters
    ----------
    module : TrainingModule
        What is trained.
    crops : CropsData
        Makes its batches.
    supervision : Supervision
        Validates; its folder of the run is made if missing.
    device : torch.device
        Where to train.
    before : Checkpoint or None
        What :func:`begun` returned.
    processes : int
        Number of GPUs, or of processes on the CPU.
    tensorboard : bool
        Also log for TensorBoard.
    """
    run, recipe = supervision.run, module.recipe
    if run is not None:
        make_folder(run)
    with quiet():
        trainer = Trainer(
            **hardware(device, processes),
            precision=PRECISIONS[recipe.precision],  # type: ignore[arg-type]
            max_steps=recipe.steps,
            max_epochs=-1,
            gradient_clip_val=recipe.clip or None,
            callbacks=[supervision],
            plugins=[AtomicCheckpoints()],
            logger=tensorboard_logger(run) if tensorboard and run is not None else False,
            default_root_dir=run,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        resumed = run / CHECKPOINT if run is not None and before is not None else None
        trainer.fit(module, crops, ckpt_path=resumed)
    return Outcome(
        step=trainer.global_step,
        stopped=supervision.stopped and module.progress < 1,
        weights=None if run is None else run / BEST,
        leader=trainer.is_global_zero,
    )
