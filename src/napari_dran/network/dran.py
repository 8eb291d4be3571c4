"""DRAN, the Dynamic Residual Attention Network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from .blocks import (
    ConvolutionForm,
    DynamicConv2d,
    DynamicResidualAttentionBlock,
    NoiseGate,
    Padding,
)

SMALLEST_SIDE = 8
"""Images narrower than this (in pixels) are refused."""


class DRAN(nn.Module):
    """Predicts the noise of an image.

    Sharif, Naqvi, Biswas, "Learning Medical Image Denoising with Deep Dynamic
    Residual Attention Network", Mathematics 8(12):2192, 2020. Each block adds
    the noise-gated input to the output of its dynamic convolutions. With the
    default arguments the network has 2,456,640 parameters, and 2,458,944 with
    ``channels=3``.

    Parameters
    ----------
    channels : int
        Image channels: 1 for grey, 3 for colour.
    features : int
        Channels of the feature maps.
    blocks : int
        Number of dynamic residual attention blocks.
    layers : int
        Dynamic convolutions a block.
    kernels : int
        Kernels K that each dynamic convolution mixes.
    temperature : float
        Temperature of the kernel attention.
    gates : bool
        False replaces the noise gates by plain skip connections, as in Table 3.
    share_blocks : bool
        Run the first block ``blocks`` times, each time with a noise gate of its
        own, as the released code does.
    gate_slope : float
        Negative slope of the noise gates' LeakyReLU.
    gate_padding : {"zeros", "reflect"}
        Padding of the noise gates' convolutions.
    bounded : bool
        Work on images in [-1, 1] and end with tanh, as the released code does.
        Input and output of :meth:`forward` stay in units of [0, 1] images.
    """

    def __init__(
        self,
        channels: int = 1,
        features: int = 64,
        blocks: int = 3,
        layers: int = 5,
        kernels: int = 4,
        temperature: float = 1.0,
        gates: bool = True,
        share_blocks: bool = False,
        gate_slope: float = 0.1,
        gate_padding: Padding = "zeros",
        bounded: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.arguments: dict[str, Any] = {
            "channels": channels,
            "features": features,
            "blocks": blocks,
            "layers": layers,
            "kernels": kernels,
            "temperature": temperature,
            "gates": gates,
            "share_blocks": share_blocks,
            "gate_slope": gate_slope,
            "gate_padding": gate_padding,
            "bounded": bounded,
        }
        self.bounded = bounded
        self.head = nn.Conv2d(channels, features, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            DynamicResidualAttentionBlock(features, layers, kernels, temperature)
            for _ in range(1 if share_blocks else blocks)
        )
        self.gates = nn.ModuleList(
            NoiseGate(features, gate_slope, gate_padding) if gates else nn.Identity()
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(features, channels, 3, padding=1, bias=False)

    @classmethod
    def released(cls, channels: int = 3) -> DRAN:
        """Build the variant that the authors' released code computes."""
        return cls(
            channels,
            temperature=34.0,
            share_blocks=True,
            gate_slope=0.2,
            gate_padding="reflect",
            bounded=True,
        )

    def set_temperature(self, temperature: float) -> None:
        """Set the temperature of every kernel attention."""
        for module in self.modules():
            if isinstance(module, DynamicConv2d):
                module.attention.temperature = float(temperature)
        self.arguments["temperature"] = float(temperature)

    def set_convolution(self, form: ConvolutionForm) -> None:
        """Choose how batches are convolved: the result is the same, the speed is not."""
        for module in self.modules():
            if isinstance(module, DynamicConv2d):
                module.form = form

    def forward(self, image: Tensor) -> Tensor:
        """Predict the noise.

        Parameters
        ----------
        image : Tensor
            Noisy images (N, channels, H, W), the window of interest at [0, 1];
            H and W of at least 8 pixels. Values may lie outside [0, 1].

        Returns
        -------
        Tensor
            Noise of the same shape, in the same units:
            ``image - forward(image)`` is the clean image (eq. 1).

        Raises
        ------
        InputError
            The input has another rank, number of channels, or is too small.
        """
        check_input(image, self.channels)
        x = F.relu(self.head(image * 2 - 1 if self.bounded else image))
        for index, gate in enumerate(self.gates):
            block = self.blocks[min(index, len(self.blocks) - 1)]
            x = block(x) + gate(x)
        noise: Tensor = self.tail(x)
        return torch.tanh(noise) / 2 if self.bounded else noise


def check_input(image: Tensor, channels: int) -> None:
    """Raise InputError unless ``image`` is (N, channels, >= 8, >= 8)."""
    if image.ndim != 4 or image.shape[1] != channels:
        raise InputError(
            f"Expected images of shape (N, {channels}, height, width), got {tuple(image.shape)}."
        )
    if min(image.shape[2:]) < SMALLEST_SIDE:
        raise InputError(
            f"Expected images of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, "
            f"got {image.shape[2]} x {image.shape[3]}. Pad the image first."
        )
