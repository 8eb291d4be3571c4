"""A run: from a folder of labelled images to a U-Net or a Mask R-CNN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..denoising.devices import choose_device
from ..errors import TrainingError
from .analysis import AnalysisModule, LabelledCropsData, average_precision, validation_score
from .analysis_recipe import AnalysisRecipe
from .analysis_start import images_and_held, start_analysis
from .cards import export_weights
from .checkpoints import Checkpoint, read_checkpoint
from .data import corpus_sources
from .labelled import LabelledImage
from .machine import PRECISIONS, chosen_precision, device_name, hardware, make_folder, quiet
from .recipe import missing_package
from .run import Outcome
from .supervision import BEST, CHECKPOINT, AtomicCheckpoints
from .validation import LOG, Log

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise missing_package("lightning") from error

_MAY_CHANGE = ("steps", "minutes", "validate_every", "validation_share")


@dataclass(frozen=True)
class AnalysisReport:
    """What a validation found.

    Parameters
    ----------
    step : int
        Optimiser steps done.
    minutes : float
        Minutes of training.
    loss : float
        Mean over the steps since the last validation.
    learning_rate : float
        At this step.
    scores : dict
        See :func:`~napari_dran.training.analysis.validation_score`.
    best : bool
        Whether the score is the best so far.
    """

    step: int
    minutes: float
    loss: float
    learning_rate: float
    scores: dict[str, float]
    best: bool

    def row(self) -> dict[str, float]:
        """Return the numbers, one column each."""
        return {
            "step": self.step,
            "minutes": round(self.minutes, 3),
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            **self.scores,
        }


def train_analysis(
    data: str | Path,
    recipe: AnalysisRecipe,
    *,
    run: str | Path,
    validation: str | Path | None = None,
    device: str = "auto",
    fast_dev_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], object] = lambda done, total: None,
    report: Callable[[AnalysisReport], object] = lambda found: None,
    notice: Callable[[str], object] = lambda sentence: None,
) -> Outcome:
    """Train a network that segments or detects, or go on with a run that was stopped.

    Parameters
    ----------
    data : path
        Folder of labelled images, see
        :func:`~napari_dran.training.labelled.read_labelled`.
    recipe : AnalysisRecipe
        How to train.
    run : path
        Folder of the run, made if missing: gets ``checkpoint.ckpt``, ``log.csv`` and
        ``best.safetensors``. If it holds a checkpoint, training goes on from there,
        exactly as if it had never stopped.
    validation : path, optional
        Folder to validate on; by default a share of ``data``, split by patient.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    fast_dev_run : bool
        Two steps and a validation, to see whether everything works; writes nothing.
    stop : callable
        Asked after each step; True validates, saves and ends.
    progress : callable
        Gets steps done and in all.
    report : callable
        Gets an :class:`AnalysisReport` for each validation.
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
    folder, chosen = Path(run).expanduser(), choose_device(device)
    images, held = images_and_held(data, validation, recipe, notice)
    if recipe.task == "detect":
        average_precision()  # what it needs is missed now, not at the first validation
    recipe = replace(
        recipe,
        precision=chosen_precision(recipe.precision, chosen),  # type: ignore[arg-type]
        steps=2 if fast_dev_run else recipe.steps,
    )
    before = None if fast_dev_run else _begun(folder, recipe)
    if before is not None:
        if before.step >= recipe.steps or 0 < 60 * recipe.minutes <= before.elapsed:
            notice(f"The run in {folder} is finished, at step {before.step}.")
            return Outcome(before.step, False, folder / BEST)
        notice(f"Going on at step {before.step} of the run in {folder}.")
    network, start = start_analysis(recipe, notice)
    facts = {
        **start,
        "images": len(images),
        "device": device_name(chosen),
        "data": corpus_sources(data),
    }
    module = AnalysisModule(recipe, network, facts)
    watch = AnalysisSupervision(held, None if fast_dev_run else folder, stop, progress, report)
    if not fast_dev_run:
        make_folder(folder)
    with quiet():
        trainer = Trainer(
            **hardware(chosen, 1),
            precision=PRECISIONS[recipe.precision],  # type: ignore[arg-type]
            max_steps=recipe.steps,
            max_epochs=-1,
            gradient_clip_val=recipe.clip or None,
            callbacks=[watch],
            plugins=[AtomicCheckpoints()],
            logger=False,
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        crops = LabelledCropsData(images, recipe)
        trainer.fit(module, crops, ckpt_path=folder / CHECKPOINT if before else None)
    return Outcome(
        step=trainer.global_step,
        stopped=watch.stopped and module.progress < 1,
        weights=None if fast_dev_run else folder / BEST,
    )


class AnalysisSupervision(Callback):
    """Validates, logs, saves, and ends the run when it is time.

    Parameters
    ----------
    images : list of LabelledImage
        What to validate on.
    run : Path or None
        Folder of the run; None writes nothing.
    stop, progress, report
        See :func:`train_analysis`.
    """

    def __init__(
        self,
        images: list[LabelledImage],
        run: Path | None,
        stop: Callable[[], bool],
        progress: Callable[[int, int], object],
        report: Callable[[AnalysisReport], object],
    ) -> None:
        self.images, self.run = images, run
        self.stop, self.progress, self.report = stop, progress, report
        self.stopped = False
        self.table: Log | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        module = _module(pl_module)
        module.tick()
        if self.run is not None:
            self.table = Log(self.run / LOG, module.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look after what the step left."""
        module = _module(pl_module)
        module.tick()
        self.stopped = self.stopped or self.stop()
        self.progress(module.global_step, module.recipe.steps)
        last = module.progress >= 1 or self.stopped
        if last or module.global_step % module.recipe.validate_every == 0:
            self._validate(trainer, module)
        trainer.should_stop = trainer.should_stop or last

    def _validate(self, trainer: Trainer, module: AnalysisModule) -> None:
        scores = validation_score(module.averaged, self.images, module.recipe.task, module.device)
        (score,) = scores.values()
        found = AnalysisReport(
            step=module.global_step,
            minutes=module.elapsed / 60,
            loss=float(np.mean(module.losses)),
            learning_rate=module.learning_rate,
            scores=scores,
            best=score > module.best,
        )
        module.losses, module.best = [], max(module.best, score)
        module.scores = {name: round(value, 4) for name, value in scores.items()}
        if self.run is not None:
            if found.best:
                export_weights(
                    module.as_checkpoint(), self.run / BEST, name=self.run.name, overwrite=True
                )
            trainer.save_checkpoint(self.run / CHECKPOINT)
        if self.table is not None:
            self.table.add(found.row())
        self.report(found)


def _begun(folder: Path, recipe: AnalysisRecipe) -> Checkpoint | None:
    """Return the checkpoint to go on from, if the folder holds one of this recipe."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    before, now = read_checkpoint(path), recipe.as_dict()
    known = {"task": "denoise", **before.recipe}
    changed = [
        f"{key} was {known[key]}, is {now[key]}"
        for key in now
        if key not in _MAY_CHANGE and known.get(key, now[key]) != now[key]
    ]
    if changed:
        raise TrainingError(
            f"The folder {folder} holds a run with another recipe: {'; '.join(changed[:3])}. "
            "Use the same recipe to go on with it, or another folder for a new run."
        )
    return before


def _module(module: LightningModule) -> AnalysisModule:
    if not isinstance(module, AnalysisModule):
        raise TypeError(f"Expected an AnalysisModule, got {type(module).__name__}.")
    return module
