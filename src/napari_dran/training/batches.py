"""Batches that are made on the device, instead of by a loader's processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .analysis_recipe import AnalysisRecipe
from .crops import NoisyCrops
from .labelled_crops import LabelledCrops
from .recipe import Recipe, missing_package

try:
    from lightning.pytorch import LightningDataModule, Trainer
except ImportError as error:
    raise missing_package("lightning") from error


class Endless:
    """A loader of nothing, which only keeps Lightning going."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yield for ever."""
        while True:
            yield torch.empty(0)


class CropsData(LightningDataModule, ABC):
    """Makes the batch of each step on the device; subclasses say what it is cut from.

    Parameters
    ----------
    images : sequence
        Let go once they are on the device: a second copy could fill the memory.
    recipe : Recipe or AnalysisRecipe
        Says what is made of them.
    """

    def __init__(self, images: Sequence[Any], recipe: Recipe | AnalysisRecipe) -> None:
        super().__init__()
        self.images, self.recipe = images, recipe

    @abstractmethod
    def crops_on(self, device: torch.device) -> NoisyCrops | LabelledCrops:
        """Bring the images to the device."""

    def setup(self, stage: str) -> None:
        """Get ready for the first step."""
        self.crops = self.crops_on(self._trainer.strategy.root_device)
        self.images = ()
        self.size = self.recipe.batch // self._trainer.world_size

    def train_dataloader(self) -> Endless:
        """Return a loader of nothing."""
        return Endless()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Make the batch of this step."""
        return self.crops.batch(self.size, self._trainer.global_step, self._trainer.global_rank)

    @property
    def _trainer(self) -> Trainer:
        trainer: Trainer = self.trainer  # type: ignore[assignment]
        return trainer
