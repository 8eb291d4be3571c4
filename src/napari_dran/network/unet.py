"""The U-Net that segments: MONAI's decoder on an EfficientNet-Lite0 encoder.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets.flexible_unet import FLEXUNET_BACKBONE, FlexibleUNet
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from .efficientnet import NAME, EfficientNetLite0, standardised

FLEXUNET_BACKBONE.register_class(EfficientNetLite0)

DECODER = (128, 64, 48, 32, 16)
STRIDE = 32


class UNet(FlexibleUNet):  # type: ignore[misc]
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

    Raises
    ------
    InputError
        It has another number of levels.
    """

    def __init__(
        self,
        channels: int = 3,
        classes: int = 2,
        decoder: Sequence[int] = DECODER,
        *,
        standardise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        if len(decoder) != len(DECODER):
            raise InputError(
                f"Expected channels of {len(DECODER)} levels of the decoder, got {decoder!r}."
            )
        super().__init__(channels, classes, NAME, decoder_channels=tuple(decoder), dropout=dropout)
        self.channels, self.standardise = channels, standardise
        self.arguments: dict[str, Any] = {
            "channels": channels, "classes": classes, "decoder": list(decoder),
            "standardise": standardise, "dropout": dropout,
        }  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, channels, H, W) of any size to logits (N, classes, H, W)."""
        height, width = inputs.shape[-2:]
        shown = standardised(inputs) if self.standardise else inputs * 2 - 1
        # Every level halves the sides, so they have to be multiples of the last stride.
        padded = F.pad(shown, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        logits: Tensor = super().forward(padded)
        return logits[..., :height, :width]
