"""What watches over a run: validation, log, checkpoints, and when to stop."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ..files.atomic import writing
from .cards import export_weights
from .module import TrainingModule
from .run_folder import BEST, CHECKPOINT, LOG
from .validation import Log, TrainingReport

ASK_EVERY = 10
"""Steps between agreements of several processes on the time and on stopping, and between
losses that are told."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints so that the previous one stays whole, and unpickles no code."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; raise FileWriteError if that fails."""
        with writing(path, overwrite=True) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint."""
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state


class Supervision(Callback, ABC):
    """Validates, logs, saves, and ends the run when it is time.

    How the network is measured, subclasses say in :meth:`measure`.

    Parameters
    ----------
    module : TrainingModule
        What is trained.
    run : Path or None
        Folder of the run; None writes nothing.
    stop : callable
        Asked after each step whether the user wants to end.
    progress : callable
        Gets steps done, 0 while the weights it starts from are measured, and in all.
    report : callable
        Gets what :meth:`measure` returns for each validation.
    losses : callable, optional
        Gets the step and the mean loss of the last few.
    """

    def __init__(
        self,
        module: TrainingModule,
        run: Path | None,
        stop: Callable[[], bool],
        progress: Callable[[int, int], object],
        report: Callable[[Any], object],
        losses: Callable[[int, float], object] | None = None,
    ) -> None:
        self.module, self.run = module, run
        self.stop, self.progress, self.report, self.losses = stop, progress, report, losses
        self.stopped = False
        self.table: Log | None = None

    @abstractmethod
    def measure(self, trainer: Trainer, loss: float) -> TrainingReport:
        """Measure the averaged network, and leave the scores for its card in ``module.scores``.

        Parameters
        ----------
        trainer : Trainer
            Has the loggers.
        loss : float
            Mean over the steps since the last validation; NaN before the first.
        """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and measure what training begins with: it may stay the best."""
        self.module.tick()
        if self.run is None:
            return
        if trainer.is_global_zero:
            self.table = Log(self.run / LOG, self.module.global_step)
        if self.module.begins_trained:
            if trainer.is_global_zero:
                self.progress(0, self.module.recipe.steps)
            self._validate(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look after what the step left."""
        module, recipe = self.module, self.module.recipe
        due = module.global_step % recipe.validate_every == 0
        # Processes must agree on the time, and asking costs a little.
        if trainer.world_size == 1 or due or module.global_step % ASK_EVERY == 0:
            module.tick()
            module.elapsed, self.stopped = trainer.strategy.broadcast(
                (module.elapsed, self.stopped or self.stop())
            )
        if trainer.is_global_zero:
            self.progress(module.global_step, recipe.steps)
            if self.losses is not None and module.global_step % ASK_EVERY == 0:
                # Now and then only: looking at a value waits for a GPU to finish.
                recent = torch.stack(module.losses[-ASK_EVERY:])
                self.losses(module.global_step, float(recent.mean()))
        last = module.progress >= 1 or self.stopped
        if last or due:
            self._validate(trainer)
        trainer.should_stop = trainer.should_stop or last

    def _validate(self, trainer: Trainer) -> None:
        module = self.module
        loss = math.nan
        if module.losses:
            mean = torch.stack(module.losses).mean()
            module.losses = []
            module.check_finite(mean)
            loss = float(mean)
        report = self.measure(trainer, loss)
        report = replace(report, best=report.score > module.best)
        module.best = max(module.best, report.score)
        if self.run is not None:
            if report.best and trainer.is_global_zero:
                export_weights(
                    module.as_checkpoint(), self.run / BEST, name=self.run.name, overwrite=True
                )
            if module.global_step:
                trainer.save_checkpoint(self.run / CHECKPOINT)
        if trainer.is_global_zero:
            if self.table is not None:
                self.table.add(report.row())
            for logger in trainer.loggers:
                logger.log_metrics(report.row(), report.step)
            self.report(report)
