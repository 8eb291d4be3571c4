"""DRAN for inference: the same function in fewer operations.

Batch normalisation is linear once trained, and so is the aggregation of the
kernels, so it is folded into the K kernels when the network is built. Both
convolutions of a noise gate read the same input and become one.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import DynamicConv2d, DynamicResidualAttentionBlock, KernelAttention, NoiseGate
from .corners import QuietCorners
from .dran import DRAN, check_input
from .scales import MultiScale
from .whiteness import WhiteOnly


class FusedDynamicConv2d(nn.Module):
    """Dynamic convolution, batch normalisation and ReLU in one."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: DynamicConv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        # In double precision, so that folding adds no error of its own.
        variance, mean = norm.running_var.double(), norm.running_mean.double()  # type: ignore[union-attr]
        scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
        weight = conv.weight.double() * scale[None, :, None, None, None]
        bias = (conv.bias.double() - mean) * scale + norm.bias.double()
        self.attention: KernelAttention = deepcopy(conv.attention)
        self.register_buffer("weight", weight.to(conv.weight.dtype).detach())
        self.register_buffer("bias", bias.to(conv.bias.dtype).detach())

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, I, H, W) to (1, O, H, W)."""
        attention = self.attention(x)[0].to(self.weight.dtype)
        weight = torch.tensordot(attention, self.weight, dims=1)
        if x.is_contiguous(memory_format=torch.channels_last):
            weight = weight.contiguous(memory_format=torch.channels_last)
        return F.relu_(F.conv2d(x, weight, attention @ self.bias, padding=1))


class FusedNoiseGate(nn.Module):
    """Both convolutions of a noise gate as one of twice the outputs."""

    def __init__(self, gate: NoiseGate) -> None:
        super().__init__()
        features = gate.feature.in_channels
        self.slope = gate.slope
        self.conv = nn.Conv2d(
            features, 2 * features, 3, padding=1, padding_mode=gate.feature.padding_mode
        )
        with torch.no_grad():
            self.conv.weight.copy_(torch.cat([gate.feature.weight, gate.mask.weight]))
            self.conv.bias.copy_(torch.cat([gate.feature.bias, gate.mask.bias]))  # type: ignore[union-attr, list-item]

    def forward(self, x: Tensor) -> Tensor:
        """Gate features (1, C, H, W)."""
        feature, mask = self.conv(x).chunk(2, dim=1)
        return F.leaky_relu_(feature, self.slope).mul_(torch.sigmoid_(mask))


class FusedDRAN(nn.Module):
    """A trained :class:`DRAN` in evaluation mode, made faster.

    Images of a batch are run one after the other: each has kernels of its own,
    and a grouped convolution over a batch is slower on a CPU than a loop.

    Parameters
    ----------
    network : DRAN
        The trained network; it is not changed, and shares nothing with this one.
    """

    def __init__(self, network: DRAN) -> None:
        super().__init__()
        self.channels = network.channels
        self.bounded = network.bounded
        self.head, self.tail = deepcopy(network.head), deepcopy(network.tail)
        self.blocks = nn.ModuleList(_fuse_block(block) for block in network.blocks)  # type: ignore[arg-type]
        self.gates = nn.ModuleList(
            FusedNoiseGate(gate) if isinstance(gate, NoiseGate) else nn.Identity()
            for gate in network.gates
        )
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Predict the noise of (N, channels, H, W), as :meth:`DRAN.forward` does."""
        check_input(image, self.channels)
        return torch.cat([self._one(single) for single in torch.split(image, 1)])

    def _one(self, image: Tensor) -> Tensor:
        # Interleaved channels are the layout that CPU convolutions prefer.
        image = image.contiguous(memory_format=torch.channels_last)
        x = F.relu_(self.head(image * 2 - 1 if self.bounded else image))
        for index, gate in enumerate(self.gates):
            block = self.blocks[min(index, len(self.blocks) - 1)]
            x = block(x).add_(gate(x))
        noise: Tensor = self.tail(x)
        return torch.tanh(noise) / 2 if self.bounded else noise


def _fuse_block(block: DynamicResidualAttentionBlock) -> nn.Sequential:
    pairs = zip(block.convs, block.norms, strict=True)
    return nn.Sequential(*(FusedDynamicConv2d(conv, norm) for conv, norm in pairs))  # type: ignore[arg-type]


def fuse(network: nn.Module, scales: int = 1, white: bool = False) -> nn.Module:
    """Return what ``network`` is run as: its fastest exact form, and what its card asks for.

    That of a :class:`DRAN` ends in :class:`~napari_dran.network.corners.QuietCorners`.

    Parameters
    ----------
    network : Module
        A :class:`DRAN` becomes a :class:`FusedDRAN`; of other modules a copy in
        evaluation mode is returned. Nothing is shared with it, nor changed.
    scales : int
        Scales to run it at, see :class:`~napari_dran.network.scales.MultiScale`.
    white : bool
        Hold its noise to be white, see :class:`~napari_dran.network.whiteness.WhiteOnly`.
    """
    if isinstance(network, DRAN):
        fused: nn.Module = nn.Sequential(FusedDRAN(network), QuietCorners())
    else:
        fused = deepcopy(network).eval()
    scaled = MultiScale(fused, scales) if scales > 1 else fused
    return nn.Sequential(scaled, WhiteOnly()) if white else scaled
