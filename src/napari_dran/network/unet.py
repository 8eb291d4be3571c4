"""The U-Net that segments: MONAI's decoder on an EfficientNet-Lite0 encoder.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets.flexible_unet import FLEXUNET_BACKBONE, FlexibleUNet
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from .efficientnet import NAME, EfficientNetLite0, standardised
from .folding import Foldable

FLEXUNET_BACKBONE.register_class(EfficientNetLite0)

DECODER = (128, 64, 48, 32, 16)
STRIDE = 32


class UNet(FlexibleUNet, Foldable):  # type: ignore[misc]
    """Maps images to logits of their classes.

    Parameters
    ----------
    channels : int
        Channels of the images, which come in [0, 1].
    classes : int
        Outputs, the background among them.
    decoder : sequence of int
        Channels of the decoder's five levels, the coarsest first.
    standardise : bool
        Bring each channel of each image to mean 0 and standard deviation 1 first, so
        that neither window nor brightness matters.
    dropout : float
        Share of the decoder's features left out while training.
    scales : sequence of int
        Factors by which images are enlarged for the network; it decides by the mean of
        what it sees at each. While training it sees them at their own size only.

    Raises
    ------
    InputError
        It has another number of levels, or no scale.
    """

    def __init__(
        self,
        channels: int = 3,
        classes: int = 2,
        decoder: Sequence[int] = DECODER,
        *,
        standardise: bool = False,
        dropout: float = 0.0,
        scales: Sequence[int] = (1,),
    ) -> None:
        if len(decoder) != len(DECODER):
            raise InputError(
                f"Expected channels of {len(DECODER)} levels of the decoder, got {decoder!r}."
            )
        if not scales or min(scales) < 1:
            raise InputError(f"Expected scales of 1 or more, got {list(scales)}.")
        super().__init__(channels, classes, NAME, decoder_channels=tuple(decoder), dropout=dropout)
        self.channels, self.standardise, self.scales = channels, standardise, tuple(scales)
        self.arguments: dict[str, Any] = {
            "channels": channels, "classes": classes, "decoder": list(decoder),
            "standardise": standardise, "dropout": dropout,
            "scales": list(scales),
        }  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, channels, H, W) of any size to logits (N, classes, H, W)."""
        if self.training or self.scales == (1,):
            return self._seen(inputs)
        return mean_logits([self._at(scale, inputs) for scale in self.scales])

    def _at(self, scale: int, inputs: Tensor) -> Tensor:
        large = F.interpolate(inputs, scale_factor=scale, mode="bilinear")
        return F.avg_pool2d(self._seen(large), scale)

    def _seen(self, inputs: Tensor) -> Tensor:
        height, width = inputs.shape[-2:]
        shown = standardised(inputs) if self.standardise else inputs * 2 - 1
        # Every level halves the sides, so they have to be multiples of the last stride.
        padded = F.pad(shown, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        if not self.training and padded.device.type == "cpu":
            # Interleaved channels: all layers keep them, and nothing is rearranged for each.
            padded = padded.contiguous(memory_format=torch.channels_last)
        logits: Tensor = super().forward(padded)
        return logits[..., :height, :width]


def mean_logits(every: Sequence[Tensor]) -> Tensor:
    """Return logits whose softmax is the mean of the softmax of several.

    Parameters
    ----------
    every : sequence of Tensor
        Logits (N, classes, H, W), all of one shape.
    """
    mean = torch.stack([logits.softmax(1) for logits in every]).mean(0)
    return mean.clamp_min(torch.finfo(mean.dtype).tiny).log()
