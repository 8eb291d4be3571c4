"""Training a denoiser: one step, the schedules, the average.

The network sees noisy crops and predicts their noise. A running average of its
weights is what is validated and kept. Needs the extra ``train``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import TrainingError
from ..network.blocks import ConvolutionForm
from ..network.dran import DRAN
from .checkpoints import Checkpoint
from .crops import NoisyCrops
from .data import TrainingImage
from .recipe import RATE_FROM_SCRATCH, Recipe, missing_package
from .step_speed import fastest_form

try:
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer
except ImportError as error:
    raise missing_package("lightning") from error

CHARBONNIER_EPSILON = 1e-3
"""Where the Charbonnier loss turns from square to linear, in units of [0, 1] images."""

SHORTEST_AVERAGE = 10
CHECK_EVERY = 50
"""Steps between looks at the loss on devices that would have to wait for it."""


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Return the rate at ``step``, ``progress`` in [0, 1] of the run."""
    peak = recipe.learning_rate or RATE_FROM_SCRATCH
    rise = min(1.0, (step + 1) / max(1, recipe.warmup))
    length = {"constant": 0.0, "cosine": 1.0, "hold": recipe.cooldown}[recipe.schedule]
    left = max(0.0, 1.0 - progress)
    fall = 1.0 if left >= length else 0.5 - 0.5 * math.cos(math.pi * left / length)
    return peak * rise * max(fall, 1e-3)


def temperature(recipe: Recipe, start: float, progress: float) -> float:
    """Return the attention's temperature at ``progress`` in [0, 1] of the run."""
    if progress >= recipe.annealing:
        return 1.0
    return start + (1.0 - start) * progress / recipe.annealing


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move ``averaged`` towards ``network`` by ``1 - decay``, batch statistics included."""
    pairs = zip(averaged.state_dict().values(), network.state_dict().values(), strict=True)
    moving = []
    for old, new in pairs:
        if old.is_floating_point():
            moving.append((old, new))
        else:
            old.copy_(new)
    # All at once: a GPU would spend longer on starting one small operation a tensor.
    move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    move([old for old, _ in moving], [new for _, new in moving], None)


def residual_loss(name: str, predicted: Tensor, noise: Tensor) -> Tensor:
    """Compare predicted noise with what was added: "l1", "l2" or "charbonnier"."""
    if name == "l1":
        return F.l1_loss(predicted, noise)
    if name == "l2":
        return F.mse_loss(predicted, noise)
    return torch.sqrt((predicted - noise).square() + CHARBONNIER_EPSILON**2).mean()


class DenoisingModule(LightningModule):
    """A network in training and the running average of its weights.

    Parameters
    ----------
    recipe : Recipe
        How to train.
    network : Module
        What to train.
    facts : dict
        What the card of the weights shall say besides the recipe.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, facts: dict[str, Any]) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.averaged = deepcopy(network).requires_grad_(False)
        self.facts = facts
        self.elapsed = 0.0
        self.best = -math.inf
        self.scores: dict[str, Any] = {}
        self.losses: list[Tensor] = []
        self.form: ConvolutionForm | None = None
        self._start_temperature = float(self._arguments().get("temperature", 1.0))
        self._last_tick: float | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by the clock, whichever is further."""
        by_clock = self.elapsed / (60 * self.recipe.minutes) if self.recipe.minutes else 0.0
        return min(1.0, max(self.global_step / self.recipe.steps, by_clock))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam on the network's parameters."""
        rate = self.recipe.learning_rate or RATE_FROM_SCRATCH
        return torch.optim.Adam(self.network.parameters(), lr=rate, betas=self.recipe.betas)

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
        step, progress = self.global_step, self.progress
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = learning_rate(self.recipe, step, progress)
        for network in (self.network, self.averaged):
            if isinstance(network, DRAN):
                network.set_temperature(temperature(self.recipe, self._start_temperature, progress))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Predict the noise of a batch of noisy crops, and say how wrong it is."""
        noisy, noise = batch
        loss = residual_loss(self.recipe.loss, self.network(noisy).float(), noise)
        # Looking at a value waits for a GPU to finish, so it is done now and then.
        if loss.device.type == "cpu" or self.global_step % CHECK_EVERY == 0:
            self.check_finite(loss.detach())
        self.losses.append(loss.detach())
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, then their average."""
        super().optimizer_step(*args, **kwargs)
        step = self.global_step + 1
        # The average is short at first, or it would remember the random start.
        decay = min(self.recipe.averaging, (1 + step) / (SHORTEST_AVERAGE + step))
        average(self.averaged, self.network, decay)

    def check_finite(self, value: Tensor) -> None:
        """Raise TrainingError if ``value`` is NaN or infinite in any process."""
        mean = self.trainer.strategy.reduce(value, reduce_op="mean")
        if not math.isfinite(float(mean)):
            rate = learning_rate(self.recipe, self.global_step, self.progress)
            raise TrainingError(
                f"The loss became {float(mean)} at step {self.global_step}. The last good weights "
                "are those of the last validation, if there was one, in the run's folder. Lower "
                f"the learning rate (now {rate:.2g}), use precision '32' (now "
                f"'{self.recipe.precision}'), or check the images for extreme values."
            )

    def tick(self) -> None:
        """Count the time since the last call."""
        now = time.monotonic()
        if self._last_tick is not None:
            self.elapsed += now - self._last_tick
        self._last_tick = now

    def as_checkpoint(self) -> Checkpoint:
        """Return the averaged weights and what is known of them."""
        return Checkpoint(
            architecture=self.recipe.architecture,
            arguments=self._arguments(),
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
        checkpoint["napari-dran-run"] = {
            "best": self.best,
            "form": self.form,
            "start_temperature": self._start_temperature,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        self.elapsed = checkpoint["napari-dran"]["elapsed"]
        self.scores = checkpoint["napari-dran"]["scores"]
        self.best = checkpoint["napari-dran-run"]["best"]
        # Another form would round differently: the run would not go on exactly.
        self.form = checkpoint["napari-dran-run"].get("form", "grouped")
        self._start_temperature = checkpoint["napari-dran-run"]["start_temperature"]

    def _arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(self.averaged.arguments)  # type: ignore[arg-type]
        return arguments


class Endless:
    """A loader of nothing: batches are made on the device, see :class:`NoisyCropsData`."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yield for ever."""
        while True:
            yield torch.empty(0)


class NoisyCropsData(LightningDataModule):
    """Makes the batch of each step on the device.

    Parameters
    ----------
    images : list of TrainingImage
        Clean images; let go once they are on the device.
    channels : {1, 3}
        Channels of the network.
    recipe : Recipe
        Says which crops and which noise.
    """

    def __init__(self, images: list[TrainingImage], channels: int, recipe: Recipe) -> None:
        super().__init__()
        self.images, self.channels, self.recipe = images, channels, recipe

    def setup(self, stage: str) -> None:
        """Bring the images to the device."""
        trainer = self._trainer
        self.crops = NoisyCrops(
            self.images, self.channels, self.recipe, trainer.strategy.root_device
        )
        self.images = []
        self.size = self.recipe.batch // trainer.world_size

    def train_dataloader(self) -> Endless:
        """Return a loader that only keeps Lightning going."""
        return Endless()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Make the batch of this step."""
        trainer = self._trainer
        return self.crops.batch(self.size, trainer.global_step, trainer.global_rank)

    @property
    def _trainer(self) -> Trainer:
        trainer: Trainer = self.trainer  # type: ignore[assignment]
        return trainer
