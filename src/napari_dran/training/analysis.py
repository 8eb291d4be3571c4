"""Training a network that segments or detects: one step, its loss, its score.

Needs the extras ``train`` and ``analysis``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .analysis_recipe import AnalysisRecipe
from .batches import CropsData
from .labelled import LabelledImage
from .labelled_crops import LabelledCrops
from .module import TrainingModule, rate_share
from .recipe import missing_package

try:
    from monai.losses import DiceCELoss
except ImportError as error:
    raise missing_package("monai", "analysis,train") from error

SMALLEST_BOX = 2
"""Objects cut down to less than this many pixels a side are not shown to a detector."""


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


class AnalysisModule(TrainingModule):
    """A U-Net or a Mask R-CNN in training.

    Parameters
    ----------
    recipe, network, facts
        See :class:`~napari_dran.training.module.TrainingModule`.
    """

    recipe: AnalysisRecipe

    def __init__(self, recipe: AnalysisRecipe, network: nn.Module, facts: dict[str, Any]) -> None:
        super().__init__(recipe, network, facts)
        self.dice_and_entropy = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)

    @property
    def learning_rate(self) -> float:
        """The rate of the step that comes."""
        share = rate_share(self.global_step, self.recipe.warmup, self.progress)
        return self.recipe.learning_rate * share

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW on the network's parameters."""
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Say how wrong the network is on a batch."""
        images, labels = batch
        if self.recipe.task == "segment":
            classes = class_map(labels, border=self.recipe.border)
            loss: Tensor = self.dice_and_entropy(self.network(images).float(), classes[:, None])
        else:
            losses = self.network(list(images), [targets_of(each) for each in labels])
            loss = torch.stack([value.float() for value in losses.values()]).sum()
        return self.kept(loss)


class LabelledCropsData(CropsData):
    """Pieces of labelled images.

    Parameters
    ----------
    images : list of LabelledImage
        What they are cut from.
    recipe : AnalysisRecipe
        Says how.
    """

    images: list[LabelledImage]
    recipe: AnalysisRecipe

    def crops_on(self, device: torch.device) -> LabelledCrops:
        """Bring the images to the device."""
        return LabelledCrops(self.images, self.recipe, device)


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
