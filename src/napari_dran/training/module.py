"""What every training shares: clock, learning rate, average, and what checkpoints hold."""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import TrainingError
from .analysis_recipe import IMAGENET, AnalysisRecipe
from .checkpoints import Checkpoint
from .recipe import SCRATCH, Recipe, missing_package

try:
    from lightning.pytorch import LightningModule
except ImportError as error:
    raise missing_package("lightning") from error

SHORTEST_AVERAGE = 10
CHECK_EVERY = 50
"""Steps between looks at the loss on devices that would have to wait for it."""

JUDGED_BY = ("validation_images", "validation_side", "validation_sigmas")
"""Keys of a recipe: scores measured with others cannot be compared."""

DIGEST = "images digest"
"""Fact that tells whether a run goes on with the images it began with."""

LOWEST_RATE = 1e-3
"""Share of the learning rate that is left at the end."""


def images_digest(training: Iterable[Named], held: Iterable[Named]) -> str:
    """Digest the names of the images to train and to validate on."""
    parts = ("\n".join(sorted(image.name for image in part)) for part in (training, held))
    return hashlib.sha256("\n\n".join(parts).encode()).hexdigest()[:12]


def rate_share(step: int, warmup: int, progress: float, cooldown: float = 1.0) -> float:
    """Return the share of the highest learning rate that a step gets.

    Parameters
    ----------
    step, warmup : int
        The rate rises over the first ``warmup`` steps.
    progress : float
        Share of the run that is done, in [0, 1].
    cooldown : float
        Share of the run at whose end it falls by half a cosine; 0 for never.
    """
    rise = min(1.0, (step + 1) / max(1, warmup))
    left = max(0.0, 1.0 - progress)
    fall = 1.0 if left >= cooldown else 0.5 - 0.5 * math.cos(math.pi * left / cooldown)
    return rise * max(fall, LOWEST_RATE)


class Named(Protocol):
    """An image that has a name."""

    @property
    def name(self) -> str:
        """Path inside the folder."""


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


class TrainingModule(LightningModule, ABC):
    """A network in training and the running average of its weights.

    What the network is shown and how wrong it is, subclasses say in ``training_step``,
    which ends in :meth:`kept`.

    Parameters
    ----------
    recipe : Recipe or AnalysisRecipe
        How to train.
    network : Module
        What to train.
    facts : dict
        What the card of the weights shall say besides the recipe.
    """

    def __init__(
        self, recipe: Recipe | AnalysisRecipe, network: nn.Module, facts: dict[str, Any]
    ) -> None:
        super().__init__()
        self.recipe, self.network, self.facts = recipe, network, facts
        self.averaged = deepcopy(network).requires_grad_(False).eval()
        self.elapsed = 0.0
        self.best = -math.inf
        self.scores: dict[str, Any] = {}
        self.losses: list[Tensor] = []
        self._last_tick: float | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by the clock, whichever is further."""
        by_clock = self.elapsed / (60 * self.recipe.minutes) if self.recipe.minutes else 0.0
        return min(1.0, max(self.global_step / self.recipe.steps, by_clock))

    @property
    def begins_trained(self) -> bool:
        """Whether the run is at its start, which is of use already."""
        return self.global_step == 0 and self.recipe.weights not in (SCRATCH, IMAGENET)

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The rate of the step that comes."""

    @property
    def arguments(self) -> dict[str, Any]:
        """What the averaged network is built with."""
        return dict(self.averaged.arguments)  # type: ignore[arg-type]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate for this step."""
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate

    def kept(self, loss: Tensor) -> Tensor:
        """Return the loss of a step after noting it for the log.

        Raises
        ------
        TrainingError
            It is no number.
        """
        # Looking at a value waits for a GPU to finish, so it is done now and then.
        if loss.device.type == "cpu" or self.global_step % CHECK_EVERY == 0:
            self.check_finite(loss.detach())
        self.losses.append(loss.detach())
        return loss

    def check_finite(self, value: Tensor) -> None:
        """Raise TrainingError if ``value`` is NaN or infinite."""
        if not math.isfinite(float(value)):
            # Before the first validation the folder holds no more than the start.
            trained = math.isfinite(self.best) and self.global_step > self.recipe.validate_every
            start = (
                "from the best weights so far (weights: this run's folder)"
                if trained
                else "from the same weights"
            )
            now = self.recipe.precision
            precision = f" or with precision '32' (now '{now}')" if now != "32" else ""
            raise TrainingError(
                f"The loss became {float(value)} at step {self.global_step}, and the same run "
                f"would come there again. Start a new run {start} in another folder, with a lower "
                f"learning rate (now {self.learning_rate:.2g}){precision}, or check the images for "
                "extreme values."
            )

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, then their average."""
        super().optimizer_step(*args, **kwargs)
        step = self.global_step + 1
        # The average is short at first, or it would remember the random start.
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
        return Checkpoint(
            architecture=self.recipe.architecture,
            arguments=self.arguments,
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
        if self._is_judged_as(checkpoint["napari-dran"]):
            self.best = checkpoint["napari-dran-run"]["best"]

    def _is_judged_as(self, before: dict[str, Any]) -> bool:
        """Whether scores of an earlier part of the run can be compared with those to come."""
        then, now = before["recipe"], self.recipe.as_dict()
        names = self.facts.get(DIGEST)
        same_images = before["facts"].get(DIGEST, names) == names
        return same_images and all(then.get(k) == now[k] for k in JUDGED_BY if k in now)
