"""Training a network that segments or detects: one step, its loss, its score.

Needs the extras ``train`` and ``analysis``.
"""

from __future__ import annotations

import math
import time
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import TrainingError
from .analysis_recipe import AnalysisRecipe
from .checkpoints import Checkpoint
from .denoising import SHORTEST_AVERAGE, Endless, average
from .labelled import LabelledImage
from .labelled_crops import LabelledCrops
from .recipe import missing_package

try:
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer
except ImportError as error:
    raise missing_package("lightning") from error
try:
    from monai.losses import DiceCELoss
except ImportError as error:
    raise missing_package("monai", "analysis,train") from error

SMALLEST_BOX = 2
"""Objects cut down to less than this many pixels a side are not shown to a detector."""

LOWEST_RATE = 1e-3
"""Share of the learning rate that is left at the end."""


def class_map(labels: Tensor, *, border: bool) -> Tensor:
    """Turn objects' numbers into classes.

    Parameters
    ----------
    labels : Tensor
        int64 (N, H, W): 0 and the objects' numbers.
    border : bool
        Make the outermost pixels of each object a class of their own, so that the
        line between two that touch is two pixels wide.

    Returns
    -------
    Tensor
        int64 (N, H, W): 0 background, 1 object, 2 its border.
    """
    classes = (labels > 0).long()
    if border:
        numbers = labels[:, None].float()
        highest = F.max_pool2d(numbers, 3, 1, 1)
        lowest = -F.max_pool2d(-numbers, 3, 1, 1)
        edge = (highest != numbers) | (lowest != numbers)
        classes[edge[:, 0] & (labels > 0)] = 2
    return classes


def targets_of(labels: Tensor) -> dict[str, Tensor]:
    """Turn objects' numbers (H, W) into what a detector learns: boxes, masks, classes."""
    numbers = torch.unique(labels)
    masks = labels == numbers[numbers > 0][:, None, None]
    boxes = []
    for mask in masks:
        rows, columns = torch.nonzero(mask, as_tuple=True)
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    found = torch.tensor(boxes, dtype=torch.float32, device=labels.device).reshape(-1, 4)
    large = (found[:, 2:] - found[:, :2]).amin(1) >= SMALLEST_BOX
    return {
        "boxes": found[large],
        "masks": masks[large].to(torch.uint8),
        "labels": torch.ones(int(large.sum()), dtype=torch.int64, device=labels.device),
    }


class AnalysisModule(LightningModule):
    """A network in training and the running average of its weights.

    Parameters
    ----------
    recipe : AnalysisRecipe
        How to train.
    network : Module
        What to train.
    facts : dict
        What the card of the weights shall say besides the recipe.
    """

    def __init__(self, recipe: AnalysisRecipe, network: nn.Module, facts: dict[str, Any]) -> None:
        super().__init__()
        self.recipe, self.network, self.facts = recipe, network, facts
        self.averaged = deepcopy(network).requires_grad_(False).eval()
        self.dice_and_entropy = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
        self.elapsed = 0.0
        self.best = -math.inf
        self.scores: dict[str, Any] = {}
        self.losses: list[float] = []
        self._last_tick: float | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by the clock, whichever is further."""
        by_clock = self.elapsed / (60 * self.recipe.minutes) if self.recipe.minutes else 0.0
        return min(1.0, max(self.global_step / self.recipe.steps, by_clock))

    @property
    def learning_rate(self) -> float:
        """The rate at this step."""
        rise = min(1.0, (self.global_step + 1) / max(1, self.recipe.warmup))
        fall = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        return self.recipe.learning_rate * rise * max(fall, LOWEST_RATE)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW on the network's parameters."""
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate for this step."""
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Say how wrong the network is on a batch."""
        images, labels = batch
        if self.recipe.task == "segment":
            classes = class_map(labels, border=self.recipe.border)
            loss: Tensor = self.dice_and_entropy(self.network(images).float(), classes[:, None])
        else:
            losses = self.network(list(images), [targets_of(each) for each in labels])
            loss = torch.stack([value.float() for value in losses.values()]).sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss became {value} at step {self.global_step}. The last good weights are "
                "those of the last validation, if there was one, in the run's folder. Lower the "
                f"learning rate (now {self.recipe.learning_rate:.2g}), or use precision '32'."
            )
        self.losses.append(value)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, then their average."""
        super().optimizer_step(*args, **kwargs)
        step = self.global_step + 1
        decay = min(self.recipe.averaging, (1 + step) / (SHORTEST_AVERAGE + step))
        average(self.averaged, self.network, decay)

    def tick(self) -> None:
        """Count the time since the last call."""
        now = time.monotonic()
        if self._last_tick is not None:
            self.elapsed += now - self._last_tick
        self._last_tick = now

    def as_checkpoint(self) -> Checkpoint:
        """Return the averaged weights and what is known of them."""
        arguments: dict[str, Any] = dict(self.averaged.arguments)  # type: ignore[arg-type]
        return Checkpoint(
            architecture=ARCHITECTURE[self.recipe.task],
            arguments=arguments,
            weights=self.averaged.state_dict(),
            step=self.global_step,
            elapsed=self.elapsed,
            recipe=self.recipe.as_dict(),
            scores=self.scores,
            facts=self.facts,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what makes weights of it, and what Lightning does not know."""
        now = self.as_checkpoint()
        checkpoint["napari-dran"] = {
            key: getattr(now, key) for key in Checkpoint.__dataclass_fields__ if key != "weights"
        }
        checkpoint["napari-dran-run"] = {"best": self.best}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        self.elapsed = checkpoint["napari-dran"]["elapsed"]
        self.scores = checkpoint["napari-dran"]["scores"]
        self.best = checkpoint["napari-dran-run"]["best"]


ARCHITECTURE = {"segment": "unet", "detect": "mask-rcnn"}
"""What is trained for a task."""


class LabelledCropsData(LightningDataModule):
    """Makes the batch of each step on the device.

    Parameters
    ----------
    images : list of LabelledImage
        What the pieces are cut from.
    recipe : AnalysisRecipe
        Says how.
    """

    def __init__(self, images: list[LabelledImage], recipe: AnalysisRecipe) -> None:
        super().__init__()
        self.images, self.recipe = images, recipe

    def setup(self, stage: str) -> None:
        """Bring the images to the device."""
        device = self._trainer.strategy.root_device
        self.crops = LabelledCrops(self.images, self.recipe, device)

    def train_dataloader(self) -> Endless:
        """Return a loader that only keeps Lightning going."""
        return Endless()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Make the batch of this step."""
        return self.crops.batch(self.recipe.batch, self._trainer.global_step)

    @property
    def _trainer(self) -> Trainer:
        trainer: Trainer = self.trainer  # type: ignore[assignment]
        return trainer


@torch.no_grad()
def validation_score(
    network: nn.Module, images: list[LabelledImage], task: str, device: torch.device
) -> dict[str, float]:
    """Measure a network on whole images.

    Returns
    -------
    dict
        "Dice" for "segment": mean over the images with an object, object against
        background. "AP50" for "detect": average precision of boxes at an IoU of 0.5.
    """
    prepared = [
        torch.from_numpy(image.pixels).to(device).permute(2, 0, 1).float() / 255 for image in images
    ]
    if task == "segment":
        scores = []
        for image, pixels in zip(images, prepared, strict=True):
            found = network(pixels[None]).argmax(1)[0].cpu().numpy() > 0
            real = image.labels > 0
            if real.any():
                scores.append(2 * (found & real).sum() / (found.sum() + real.sum()))
        return {"Dice": float(np.mean(scores))}
    precision = average_precision()
    for image, pixels in zip(images, prepared, strict=True):
        result = {key: value.cpu() for key, value in network([pixels])[0].items()}
        target = targets_of(torch.from_numpy(image.labels))
        precision.update([_boxes(result)], [_boxes(target)])
    return {"AP50": float(precision.compute()["map_50"])}


def average_precision() -> Any:
    """Return what measures the average precision of boxes at an IoU of 0.5.

    Raises
    ------
    MissingPackageError
        What it counts with is not installed.
    """
    try:
        from torchmetrics.detection import MeanAveragePrecision

        precision = MeanAveragePrecision(backend="faster_coco_eval", iou_thresholds=[0.5])
    except ImportError as error:
        raise missing_package("faster-coco-eval") from error
    precision.warn_on_many_detections = False
    return precision


def _boxes(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: found[key] for key in ("boxes", "labels", "scores") if key in found}
