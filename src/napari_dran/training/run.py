"""A run: from a folder of images to weights. Needs the extra ``train``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..denoising.devices import choose_device
from ..errors import InputError, TrainingError
from .checkpoints import Checkpoint, read_checkpoint
from .inputs import Data, sources_of, training_and_validation
from .recipe import RATE_FROM_SCRATCH, RATE_FROM_WEIGHTS, SCRATCH, Recipe, missing_package
from .start import start_network
from .validation import Report, validation_pairs

try:
    from lightning.pytorch import Trainer
except ImportError as error:
    raise missing_package("lightning") from error

from .denoising import DenoisingModule, NoisyCropsData
from .machine import (
    PRECISIONS,
    chosen_precision,
    device_name,
    hardware,
    make_folder,
    quiet,
    tensorboard_logger,
)
from .supervision import BEST, CHECKPOINT, AtomicCheckpoints, Supervision

# What may change when a run goes on; anything else would make it another run.
_MAY_CHANGE = ("steps", "minutes", "validate_every", "validation_images", "validation_side",
               "validation_sigmas", "validation_share")  # fmt: skip


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


def train(
    data: Data,
    recipe: Recipe | None = None,
    *,
    run: str | Path,
    validation: Data | None = None,
    device: str = "auto",
    processes: int = 1,
    fast_dev_run: bool = False,
    tensorboard: bool = False,
    reading: Callable[[str], object] = lambda name: None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], object] = lambda done, total: None,
    losses: Callable[[int, float], object] | None = None,
    report: Callable[[Report], object] = lambda found: None,
    notice: Callable[[str], object] = lambda sentence: None,
) -> Outcome:
    """Train a denoiser on clean images, or go on with a run that was stopped.

    Parameters
    ----------
    data : path, or sequence of TrainingImage, Volume or ndarray
        Clean images: a folder, see :func:`~napari_dran.training.data.read_folder`, or
        images in memory, see :func:`~napari_dran.training.inputs.read_images`.
    recipe : Recipe, optional
        How to train.
    run : path
        Folder of the run, made if missing: gets ``checkpoint.ckpt``, ``log.csv``
        and ``best.safetensors``. If it holds a checkpoint, training goes on from
        there, exactly as if it had never stopped; if that one is finished, nothing
        is done.
    validation : path or sequence, optional
        Images to validate on; by default a share of ``data``, split by patient.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    processes : int
        Number of GPUs, or of processes on the CPU.
    fast_dev_run : bool
        Two steps and a validation, to see whether everything works; writes nothing.
    tensorboard : bool
        Also log for TensorBoard, which must be installed.
    reading : callable
        Gets the name of each image before it is read; what it raises ends the run.
    stop : callable
        Asked after each step; True validates, saves and ends.
    progress : callable
        Gets steps done and in all.
    losses : callable, optional
        Gets the step and the mean loss of the last few, more often than ``report``.
    report : callable
        Gets a :class:`~napari_dran.training.validation.Report` for each validation.
    notice : callable
        Gets sentences for people.

    Returns
    -------
    Outcome
        How it ended, and where the weights are.

    Raises
    ------
    InputError
        Images or recipe cannot be used.
    WeightsError
        What to start from cannot be used.
    TrainingError
        The loss is no longer a number, or the run's folder holds another run.
    FileWriteError
        A checkpoint could not be written; the previous one is whole.
    """
    recipe, folder = recipe or Recipe(), Path(run).expanduser()
    chosen = choose_device(device)
    if recipe.batch % processes:
        raise InputError(
            f"A batch of {recipe.batch} cannot be shared by {processes} processes. Choose a "
            f"multiple of {processes}."
        )
    images, held, channels = training_and_validation(data, validation, recipe, notice, reading)
    network, start = start_network(recipe, channels, notice)
    recipe = _resolved(recipe, channels, chosen)
    pairs = validation_pairs(held, channels, recipe)
    if fast_dev_run:
        recipe, pairs = replace(recipe, steps=2), pairs[: len(recipe.validation_sigmas)]
    facts = {
        **start,
        "images": len(images),
        "device": device_name(chosen),
        "processes": processes,
        "data": sources_of(data),
    }
    before = None if fast_dev_run else _begun(folder, recipe, len(images), notice)
    if before is not None:
        if _is_finished(before, recipe):
            notice(f"The run in {folder} is finished, at step {before.step}.")
            return Outcome(before.step, False, folder / BEST)
        notice(f"Going on at step {before.step} of the run in {folder}.")
    module = DenoisingModule(recipe, network, facts)
    crops = NoisyCropsData(images, channels, recipe)
    # The crops hold the pixels from here on; a second copy could fill the memory.
    del images, held
    supervision = Supervision(
        pairs, None if fast_dev_run else folder, stop, progress, report, losses
    )
    if not fast_dev_run:
        make_folder(folder)
    with quiet():
        trainer = Trainer(
            **hardware(chosen, processes),
            precision=PRECISIONS[recipe.precision],  # type: ignore[arg-type]
            max_steps=recipe.steps,
            max_epochs=-1,
            gradient_clip_val=recipe.clip or None,
            fast_dev_run=2 if fast_dev_run else False,
            callbacks=[supervision],
            plugins=[AtomicCheckpoints()],
            logger=tensorboard_logger(folder) if tensorboard and not fast_dev_run else False,
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, crops, ckpt_path=folder / CHECKPOINT if before else None)
    return Outcome(
        step=trainer.global_step,
        stopped=supervision.stopped and module.progress < 1,
        weights=None if fast_dev_run else folder / BEST,
        leader=trainer.is_global_zero,
    )


def _resolved(recipe: Recipe, channels: int, device: torch.device) -> Recipe:
    """Fill in what the recipe leaves to the data and the device."""
    rate = RATE_FROM_SCRATCH if recipe.weights == SCRATCH else RATE_FROM_WEIGHTS
    return replace(
        recipe,
        channels=1 if channels == 1 else 3,
        learning_rate=recipe.learning_rate or rate,
        precision=chosen_precision(recipe.precision, device),  # type: ignore[arg-type]
    )


def _begun(
    folder: Path, recipe: Recipe, images: int, notice: Callable[[str], object]
) -> Checkpoint | None:
    """Return the checkpoint to go on from, if the folder holds one of this recipe."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    before = read_checkpoint(path)
    now = recipe.as_dict()
    changed = [
        f"{key} was {before.recipe.get(key)}, is {now[key]}"
        for key in now
        if key not in _MAY_CHANGE and before.recipe.get(key, now[key]) != now[key]
    ]
    if changed:
        raise TrainingError(
            f"The folder {folder} holds a run with another recipe: {'; '.join(changed[:3])}. "
            "Use the same recipe to go on with it, or another folder for a new run."
        )
    if before.facts.get("images") != images:
        notice(f"The run began with {before.facts.get('images')} images and goes on with {images}.")
    return before


def _is_finished(before: Checkpoint, recipe: Recipe) -> bool:
    return before.step >= recipe.steps or 0 < 60 * recipe.minutes <= before.elapsed
