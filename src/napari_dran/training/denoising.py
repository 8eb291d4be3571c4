"""Training a denoiser: one step, its loss, its schedules.

The network sees noisy crops and predicts their noise. Needs the extra ``train``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..network.blocks import ConvolutionForm
from ..network.dran import DRAN
from .batches import CropsData
from .crops import NoisyCrops
from .data import TrainingImage
from .module import TrainingModule, rate_share
from .muon import Muon
from .recipe import RATE_FROM_SCRATCH, Recipe
from .step_speed import fastest_form

CHARBONNIER_EPSILON = 1e-3
"""Where the Charbonnier loss turns from square to linear, in units of [0, 1] images."""


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Return the rate at ``step``, ``progress`` in [0, 1] of the run."""
    peak = recipe.learning_rate or RATE_FROM_SCRATCH
    cooldown = {"constant": 0.0, "cosine": 1.0, "hold": recipe.cooldown}[recipe.schedule]
    return peak * rate_share(step, recipe.warmup, progress, cooldown)


def temperature(recipe: Recipe, start: float, progress: float) -> float:
    """Return the attention's temperature at ``progress`` in [0, 1] of the run."""
    if progress >= recipe.annealing:
        return 1.0
    return start + (1.0 - start) * progress / recipe.annealing


def residual_loss(name: str, predicted: Tensor, noise: Tensor) -> Tensor:
    """Compare predicted noise with what was added: "l1", "l2" or "charbonnier"."""
    if name == "l1":
        return F.l1_loss(predicted, noise)
    if name == "l2":
        return F.mse_loss(predicted, noise)
    return torch.sqrt((predicted - noise).square() + CHARBONNIER_EPSILON**2).mean()


class DenoisingModule(TrainingModule):
    """A denoiser in training; DRAN's temperature falls meanwhile.

    Parameters
    ----------
    recipe, network, facts
        See :class:`~napari_dran.training.module.TrainingModule`.
    """

    recipe: Recipe

    def __init__(self, recipe: Recipe, network: nn.Module, facts: dict[str, Any]) -> None:
        super().__init__(recipe, network, facts)
        self.form: ConvolutionForm | None = None
        self._start_temperature = float(self.arguments.get("temperature", 1.0))

    @property
    def learning_rate(self) -> float:
        """The rate of the step that comes."""
        return learning_rate(self.recipe, self.global_step, self.progress)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimiser on the network's parameters."""
        rate = self.recipe.learning_rate or RATE_FROM_SCRATCH
        kind = {"adam": torch.optim.Adam, "muon": Muon}[self.recipe.optimizer]
        return kind(self.network.parameters(), lr=rate, betas=self.recipe.betas)

    def on_fit_start(self) -> None:
        """Choose how the convolutions are computed."""
        if not isinstance(self.network, DRAN):
            return
        if self.form is None:
            self.form = self._chosen_form(self.network)
        self.network.set_convolution(self.form)

    def _chosen_form(self, network: DRAN) -> ConvolutionForm:
        if self.recipe.convolution != "auto":
            return self.recipe.convolution
        if self.device.type != "cuda":
            return "grouped"
        batch = self.recipe.batch // self.trainer.world_size
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.recipe.precision)
        return fastest_form(network, batch, self.recipe.crop, self.device, dtype or torch.float32)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set learning rate and temperature for this step."""
        super().on_train_batch_start(batch, batch_idx)
        degrees = temperature(self.recipe, self._start_temperature, self.progress)
        for network in (self.network, self.averaged):
            if isinstance(network, DRAN):
                network.set_temperature(degrees)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Predict the noise of a batch of noisy crops, and say how wrong it is."""
        noisy, noise = batch
        return self.kept(residual_loss(self.recipe.loss, self.network(noisy).float(), noise))

    def check_finite(self, value: Tensor) -> None:
        """Raise TrainingError if ``value`` is NaN or infinite in any process."""
        super().check_finite(self.trainer.strategy.reduce(value, reduce_op="mean"))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what only a denoiser needs to go on."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["napari-dran-run"] |= {
            "form": self.form,
            "start_temperature": self._start_temperature,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        super().on_load_checkpoint(checkpoint)
        # Another form would round differently: the run would not go on exactly.
        self.form = checkpoint["napari-dran-run"].get("form", "grouped")
        self._start_temperature = checkpoint["napari-dran-run"]["start_temperature"]


class NoisyCropsData(CropsData):
    """Noisy crops of clean images.

    Parameters
    ----------
    images : list of TrainingImage
        Clean images.
    channels : {1, 3}
        Channels of the network.
    recipe : Recipe
        Says which crops and which noise.
    """

    images: list[TrainingImage]
    recipe: Recipe

    def __init__(self, images: list[TrainingImage], channels: int, recipe: Recipe) -> None:
        super().__init__(images, recipe)
        self.channels = channels

    def crops_on(self, device: torch.device) -> NoisyCrops:
        """Bring the images to the device."""
        return NoisyCrops(self.images, self.channels, self.recipe, device)
