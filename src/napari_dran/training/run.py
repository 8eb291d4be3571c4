"""A run: from a folder of images to a denoiser. Needs the extra ``train``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..denoising.devices import choose_device
from ..errors import InputError
from .crops import check_sizes
from .inputs import Data, sources_of, training_and_validation
from .recipe import RATE_FROM_SCRATCH, RATE_FROM_WEIGHTS, SCRATCH, Recipe, missing_package
from .start import start_network
from .validation import (
    Pair,
    Report,
    all_finite,
    denoise_pairs,
    middle,
    panel,
    score_noisy,
    score_pairs,
    tensorboard_panels,
    validation_pairs,
)

try:
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import TensorBoardLogger
except ImportError as error:
    raise missing_package("lightning") from error

from .denoising import DenoisingModule, NoisyCropsData
from .fit import Outcome, begun, fit, is_finished
from .machine import chosen_precision, device_name
from .module import DIGEST, images_digest
from .run_folder import BEST
from .supervision import Supervision


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
        Gets the name of each folder and image before it is read; folders end in "/".
        What it raises ends the run.
    stop : callable
        Asked after each step; True validates, saves and ends.
    progress : callable
        Gets steps done, 0 while the weights it starts from are measured, and in all.
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
    recipe = _resolved(recipe, channels, chosen)
    if fast_dev_run:
        recipe = replace(recipe, steps=2)
    # Where there are too few, those to train on are validated on.
    check_sizes(images if held is images else [*images, *held], recipe.crop)
    names = images_digest(images, held)
    before = None if fast_dev_run else begun(folder, recipe, len(images), names, notice)
    if before is not None and is_finished(before, recipe):
        return Outcome(before.step, False, folder / BEST)
    network, start = start_network(recipe, channels, notice) if before is None else before.resumed()
    pairs = validation_pairs(held, channels, recipe)
    if fast_dev_run:
        pairs = [pair for pair in pairs if pair.name == pairs[0].name]
    facts = {
        **start,
        "images": len(images),
        DIGEST: names,
        "device": device_name(chosen),
        "processes": processes,
        # What the start has learnt from is in these weights, too.
        "data": {**start.get("data", {}), **sources_of(data)},
    }
    module = DenoisingModule(recipe, network, facts)
    crops = NoisyCropsData(images, channels, recipe)
    # The crops hold the pixels from here on; a second copy could fill the memory.
    del images, held
    supervision = DenoisingSupervision(
        pairs, module, None if fast_dev_run else folder, stop, progress, report, losses
    )
    return fit(
        module, crops, supervision, chosen,
        before=before, processes=processes, tensorboard=tensorboard,
    )  # fmt: skip


class DenoisingSupervision(Supervision):
    """Measures by PSNR and SSIM.

    Parameters
    ----------
    pairs : list of Pair
        What to validate on.
    module, *others
        See :class:`~napari_dran.training.supervision.Supervision`.
    """

    module: DenoisingModule

    def __init__(self, pairs: list[Pair], module: DenoisingModule, *others: Any) -> None:
        super().__init__(module, *others)
        self.pairs = pairs
        self.noisy_psnr: dict[float, float] = {}

    def measure(self, trainer: Trainer, loss: float) -> Report:
        """Denoise the pairs; the score is the mean PSNR."""
        module = self.module
        outputs = denoise_pairs(module.averaged, self.pairs, module.device)
        psnr, ssim = score_pairs(self.pairs, outputs)
        if not all_finite(psnr):
            module.check_finite(torch.tensor(math.nan, device=module.device))
        module.scores = {"PSNR in dB by sigma": _rounded(psnr), "SSIM by sigma": _rounded(ssim)}
        self.noisy_psnr = self.noisy_psnr or score_noisy(self.pairs)
        shown = middle({pair.sigma for pair in self.pairs})
        first = next(index for index, pair in enumerate(self.pairs) if pair.sigma == shown)
        for logger in trainer.loggers:
            if trainer.is_global_zero and isinstance(logger, TensorBoardLogger):
                step = module.global_step
                tensorboard_panels(logger.experiment, self.pairs, outputs, step, shown)
        return Report(
            step=module.global_step,
            minutes=module.elapsed / 60,
            loss=loss,
            learning_rate=trainer.optimizers[0].param_groups[0]["lr"],
            temperature=float(module.arguments.get("temperature", 1.0)),
            psnr=psnr,
            ssim=ssim,
            noisy_psnr=self.noisy_psnr,
            panel=panel(self.pairs[first], outputs[first]),
        )


def _rounded(scores: dict[float, float]) -> dict[str, float]:
    return {f"{sigma:g}": round(value, 4) for sigma, value in scores.items()}


def _resolved(recipe: Recipe, channels: int, device: torch.device) -> Recipe:
    """Fill in what the recipe leaves to the data and the device."""
    rate = RATE_FROM_SCRATCH if recipe.weights == SCRATCH else RATE_FROM_WEIGHTS
    return replace(
        recipe,
        channels=1 if channels == 1 else 3,
        learning_rate=recipe.learning_rate or rate,
        precision=chosen_precision(recipe.precision, device),  # type: ignore[arg-type]
    )
