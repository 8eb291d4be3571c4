"""What watches over a run: validation, log, checkpoints, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ..errors import DranError
from ..files.atomic import writing
from ..weights import SUFFIX
from .cards import export_weights
from .denoising import DenoisingModule
from .validation import (
    LOG,
    Log,
    Pair,
    Report,
    all_finite,
    denoise_pairs,
    middle,
    panel,
    score_noisy,
    score_pairs,
    tensorboard_panels,
)

CHECKPOINT = "checkpoint.ckpt"
BEST = f"best{SUFFIX}"

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


class Supervision(Callback):
    """Validates, logs, saves, and ends the run when it is time.

    Parameters
    ----------
    pairs : list of Pair
        What to validate on.
    run : Path or None
        Folder of the run; None writes nothing.
    stop : callable
        Asked after each step whether the user wants to end.
    progress : callable
        Gets steps done and in all.
    report : callable
        Gets a :class:`Report` for each validation.
    losses : callable, optional
        Gets the step and the mean loss of the last few.
    """

    def __init__(
        self,
        pairs: list[Pair],
        run: Path | None,
        stop: Callable[[], bool],
        progress: Callable[[int, int], object],
        report: Callable[[Report], object],
        losses: Callable[[int, float], object] | None = None,
    ) -> None:
        self.pairs, self.run = pairs, run
        self.stop, self.progress, self.report, self.losses = stop, progress, report, losses
        self.noisy_psnr: dict[float, float] = {}
        self.stopped = False
        self.table: Log | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        module = _module(pl_module)
        module.tick()
        if self.run is not None and trainer.is_global_zero:
            self.table = Log(self.run / LOG, module.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look after what the step left."""
        module, recipe = _module(pl_module), _module(pl_module).recipe
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
            self._validate(trainer, module)
        trainer.should_stop = trainer.should_stop or last

    def _validate(self, trainer: Trainer, module: DenoisingModule) -> None:
        loss = torch.stack(module.losses).mean()
        module.losses = []
        outputs = denoise_pairs(module.averaged, self.pairs, module.device)
        psnr, ssim = score_pairs(self.pairs, outputs)
        module.check_finite(loss)
        if not all_finite(psnr):
            module.check_finite(loss * math.nan)
        self.noisy_psnr = self.noisy_psnr or score_noisy(self.pairs)
        shown = middle(module.recipe.validation_sigmas)
        first = next(index for index, pair in enumerate(self.pairs) if pair.sigma == shown)
        report = Report(
            step=module.global_step,
            minutes=module.elapsed / 60,
            loss=float(loss),
            learning_rate=trainer.optimizers[0].param_groups[0]["lr"],
            temperature=float(module.as_checkpoint().arguments.get("temperature", 1.0)),
            psnr=psnr,
            ssim=ssim,
            noisy_psnr=self.noisy_psnr,
            best=sum(psnr.values()) / len(psnr) > module.best,
            panel=panel(self.pairs[first], outputs[first]),
        )
        module.best = max(module.best, report.score)
        module.scores = {"PSNR in dB by sigma": _rounded(psnr), "SSIM by sigma": _rounded(ssim)}
        if self.run is not None:
            if report.best and trainer.is_global_zero:
                export_weights(
                    module.as_checkpoint(), self.run / BEST, name=self.run.name, overwrite=True
                )
            trainer.save_checkpoint(self.run / CHECKPOINT)
        if trainer.is_global_zero:
            if self.table is not None:
                self.table.add(report.row())
            for logger in trainer.loggers:
                logger.log_metrics(report.row(), report.step)
                if isinstance(logger, TensorBoardLogger):
                    tensorboard_panels(logger.experiment, self.pairs, outputs, report.step, shown)
            self.report(report)


def _rounded(scores: dict[float, float]) -> dict[str, float]:
    return {f"{sigma:g}": round(value, 4) for sigma, value in scores.items()}


def _module(module: LightningModule) -> DenoisingModule:
    if not isinstance(module, DenoisingModule):
        raise DranError(f"Expected a DenoisingModule, got {type(module).__name__}.")
    return module
