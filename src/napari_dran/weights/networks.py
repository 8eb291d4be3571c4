"""Networks by the names that cards give them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import MissingPackageError, WeightsError

if TYPE_CHECKING:
    from torch import nn


class Architecture(NamedTuple):
    """Where a network's class is, and what it is for."""

    module: str
    name: str
    task: str


ARCHITECTURES = {
    "dran": Architecture("dran", "DRAN", "denoise"),
    "dncnn": Architecture("baselines", "DnCNN", "denoise"),
    "residual-mid": Architecture("baselines", "ResidualMID", "denoise"),
    "unet": Architecture("unet", "UNet", "segment"),
    "unet-ensemble": Architecture("unet_ensemble", "UNetEnsemble", "segment"),
    "mask-rcnn": Architecture("mask_rcnn", "MaskRCNN", "detect"),
    "monai-unet": Architecture("monai_unet", "MonaiUNet", "segment"),
    "maskrcnn-resnet50": Architecture("mask_rcnn_resnet", "MaskRCNNResNet50", "detect"),
}
"""By the name that a card gives them."""


def build_network(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network by the name a card gives it.

    Raises
    ------
    WeightsError
        Unknown architecture, or arguments it does not have.
    MissingPackageError
        What it is made of is not installed, or does not fit together.
    """
    if architecture not in ARCHITECTURES:
        raise WeightsError(
            f"Unknown architecture {architecture!r}. Expected one of {', '.join(ARCHITECTURES)}."
        )
    found = ARCHITECTURES[architecture]
    try:
        module = import_module(f"..network.{found.module}", __package__)
    except (ImportError, RuntimeError) as error:
        raise _missing(found.task, error) from error
    network: type[nn.Module] = getattr(module, found.name)
    try:
        return network(**arguments)
    except TypeError as error:
        raise WeightsError(
            f"Arguments that {architecture} does not have: {error}. The file may come from a later "
            "version of napari-dran."
        ) from error


def _missing(task: str, error: Exception) -> MissingPackageError:
    """Say what to install; torchvision raises RuntimeError where its operators cannot load."""
    if task == "detect":
        return MissingPackageError(
            f"Detection needs torchvision and its operators, which could not be loaded ({error}). "
            "Install the pair that belongs together: pip install --upgrade torch torchvision "
            "'napari-dran[analysis]'. All else works without it."
        )
    return MissingPackageError(
        f"Segmentation needs the package MONAI, which could not be loaded ({error}). "
        "Install it with: pip install 'napari-dran[analysis]'."
    )
