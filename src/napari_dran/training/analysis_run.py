"""A run: from a folder of labelled images to a U-Net or a Mask R-CNN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..denoising.devices import choose_device
from .analysis import AnalysisModule, LabelledCropsData, average_precision, validation_score
from .analysis_recipe import AnalysisRecipe
from .analysis_start import images_and_held, start_analysis
from .fit import Outcome, begun, fit, is_finished
from .labelled import LabelledImage
from .machine import chosen_precision, device_name
from .manifest import corpus_sources
from .module import DIGEST, images_digest
from .recipe import missing_package
from .run_folder import BEST
from .supervision import Supervision
from .validation import TrainingReport

try:
    from lightning.pytorch import Trainer
except ImportError as error:
    raise missing_package("lightning") from error


@dataclass(frozen=True)
class AnalysisReport(TrainingReport):
    """What a validation found, besides what every one finds.

    Parameters
    ----------
    scores : mapping
        See :func:`~napari_dran.training.analysis.validation_score`.
    """

    scores: Mapping[str, float]

    @property
    def score(self) -> float:
        """The only score."""
        (score,) = self.scores.values()
        return score

    def row(self) -> dict[str, float]:
        """Return the numbers, one column each, for tables."""
        return {**super().row(), **self.scores}


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
        Gets steps done, 0 while the weights it starts from are measured, and in all.
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
    names = images_digest(images, held)
    before = None if fast_dev_run else begun(folder, recipe, len(images), names, notice)
    if before is not None and is_finished(before, recipe):
        return Outcome(before.step, False, folder / BEST)
    network, start = start_analysis(recipe, notice) if before is None else before.resumed()
    facts = {
        **start,
        "images": len(images),
        DIGEST: names,
        "device": device_name(chosen),
        "data": {**start.get("data", {}), **corpus_sources(data)},
    }
    module = AnalysisModule(recipe, network, facts)
    supervision = AnalysisSupervision(
        held, module, None if fast_dev_run else folder, stop, progress, report
    )
    return fit(module, LabelledCropsData(images, recipe), supervision, chosen, before=before)


class AnalysisSupervision(Supervision):
    """Measures by Dice or average precision.

    Parameters
    ----------
    images : list of LabelledImage
        What to validate on.
    module, *others
        See :class:`~napari_dran.training.supervision.Supervision`.
    """

    module: AnalysisModule

    def __init__(self, images: list[LabelledImage], module: AnalysisModule, *others: Any) -> None:
        super().__init__(module, *others)
        self.images = images

    def measure(self, trainer: Trainer, loss: float) -> AnalysisReport:
        """Analyse the images whole."""
        module = self.module
        scores = validation_score(module.averaged, self.images, module.recipe.task, module.device)
        module.scores = {name: round(value, 4) for name, value in scores.items()}
        return AnalysisReport(
            step=module.global_step,
            minutes=module.elapsed / 60,
            loss=loss,
            learning_rate=trainer.optimizers[0].param_groups[0]["lr"],
            scores=scores,
        )
