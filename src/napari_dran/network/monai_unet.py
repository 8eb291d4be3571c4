"""U-Nets of MONAI that somebody else trained, given what they were trained on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from monai.networks import nets
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import WeightsError
from .intensity_steps import Step, apply_steps, check_steps

LEAST_SIDE = 2
"""In pixels of the coarsest level: instance normalisation needs more than one."""


def _strides(arguments: Mapping[str, Any]) -> int:
    return prod(s if isinstance(s, int) else max(s) for s in arguments["strides"])


def _down(arguments: Mapping[str, Any]) -> int:
    return int(2 ** (len(arguments["blocks_down"]) - 1))


COARSEST: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "UNet": _strides,
    "AttentionUnet": _strides,
    "DynUNet": _strides,
    "BasicUNet": lambda arguments: 16,
    "BasicUNetPlusPlus": lambda arguments: 16,
    "FlexibleUNet": lambda arguments: 32,
    "SegResNet": _down,
}
"""The networks that are known -> the stride of their coarsest level, which sides of images
have to be multiples of."""


class MonaiUNet(nn.Module):
    """Maps images to logits of their classes, the background first.

    Parameters
    ----------
    network : str
        A class of ``monai.networks.nets``, see :data:`COARSEST`.
    arguments : mapping
        Its arguments; two spatial dimensions.
    steps : sequence of mapping
        What was done to intensities before training, where [0, 1] is what this module
        is given; see :mod:`~napari_dran.network.intensity_steps`.
    transposed : bool
        Whether it was trained on images with rows and columns exchanged, which is how
        MONAI reads files: the first axis is x.

    Notes
    -----
    A network with one output, which says how likely a pixel belongs to the object
    (sigmoid), gets a second one that is 0: the softmax of both is the same number.

    Raises
    ------
    WeightsError
        There is no such network, or it has no such arguments.
    """

    def __init__(
        self,
        network: str,
        arguments: Mapping[str, Any],
        steps: Sequence[Step] = (),
        transposed: bool = False,
    ) -> None:
        super().__init__()
        known = _complete(network, arguments)
        check_steps(steps)
        try:
            self.network: nn.Module = getattr(nets, network)(**known)
            self.stride = COARSEST[network](known)
        except Exception as error:  # MONAI raises many kinds, all meaning the same here
            raise WeightsError(
                f"MONAI cannot build {network}({dict(arguments)}): {type(error).__name__}: {error}."
            ) from error
        self.channels = int(known["in_channels"])
        self.outputs = max(2, int(known["out_channels"]))
        self.steps, self.transposed = [dict(step) for step in steps], transposed
        self.arguments: dict[str, Any] = {
            "network": network, "arguments": dict(arguments), "steps": self.steps,
            "transposed": transposed,
        }  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, channels, H, W) of any size, in [0, 1], to logits (N, outputs, H, W)."""
        images = inputs.mT if self.transposed else inputs
        images = apply_steps(images, self.steps)
        height, width = images.shape[-2:]
        extra = [
            max(-side % self.stride, LEAST_SIDE * self.stride - side) for side in (width, height)
        ]
        logits = self.network(F.pad(images, (0, extra[0], 0, extra[1]), mode="replicate"))
        if isinstance(logits, list | tuple):  # those of several depths, the finest last
            logits = logits[-1]
        logits = logits[..., :height, :width]
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        result: Tensor = logits.mT if self.transposed else logits
        return result


def _complete(network: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a network, defaults included.

    Raises
    ------
    WeightsError
        There is no such network, an argument is not one of its own, or it is not 2-D.
    """
    if network not in COARSEST:
        raise WeightsError(
            f"The network {network!r} is not one that can be imported. Expected one of MONAI's "
            f"{', '.join(COARSEST)}."
        )
    try:
        bound = inspect.signature(getattr(nets, network)).bind(**arguments)
    except TypeError as error:
        raise WeightsError(
            f"{network} of MONAI cannot be built from {dict(arguments)}: {error}."
        ) from error
    bound.apply_defaults()
    known = dict(bound.arguments)
    if known["spatial_dims"] != 2:
        raise WeightsError(
            f"The network segments volumes as a whole (spatial_dims is {known['spatial_dims']}). "
            "Expected one for slices: spatial_dims 2."
        )
    if "pretrained" in known:
        known["pretrained"] = False  # or MONAI would fetch weights that are replaced anyway
    return known
