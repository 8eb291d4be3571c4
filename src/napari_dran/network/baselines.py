"""Networks to compare DRAN with, trained on the same data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .dran import check_input


class DnCNN(nn.Module):
    """DnCNN: convolutions with batch normalisation that predict the noise.

    Zhang et al., "Beyond a Gaussian Denoiser", IEEE Transactions on Image
    Processing 26(7), 2017.

    Parameters
    ----------
    channels : int
        Image channels.
    features : int
        Channels of the feature maps.
    layers : int
        Convolutions, first and last included: 17 for one noise level, 20 blind,
        in that paper.
    """

    def __init__(self, channels: int = 1, features: int = 64, layers: int = 17) -> None:
        super().__init__()
        self.channels = channels
        self.arguments = {"channels": channels, "features": features, "layers": layers}
        parts: list[nn.Module] = [
            nn.Conv2d(channels, features, 3, padding=1),
            nn.ReLU(inplace=True),
        ]
        for _ in range(layers - 2):
            parts += [
                nn.Conv2d(features, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
                nn.ReLU(inplace=True),
            ]
        parts.append(nn.Conv2d(features, channels, 3, padding=1))
        self.layers = nn.Sequential(*parts)
        for part in parts[2:-1:3]:
            delta_orthogonal_(part.weight)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """Predict the noise of (N, channels, H, W), in the image's units."""
        check_input(image, self.channels)
        noise: Tensor = self.layers(image)
        return noise


@torch.no_grad()
def delta_orthogonal_(weight: Tensor) -> None:
    """Fill a convolution's weights so that it turns features, and blurs nothing.

    An orthogonal matrix in the middle of the kernel and zeros around it: Xiao et al.,
    "Dynamical Isometry and a Mean Field Theory of CNNs", ICML 2018. Random kernels mix
    neighbours anew in each layer, and of the noise, which neighbours do not share, too
    little comes through 17 of them to learn from: with batches of 4 colour crops
    DnCNN predicted no noise at all for 2000 steps.

    Parameters
    ----------
    weight : Tensor
        (features, features, side, side), side odd.
    """
    features, _, height, width = weight.shape
    weight.zero_()
    weight[:, :, height // 2, width // 2] = nn.init.orthogonal_(torch.empty(features, features))


class ResidualMID(DnCNN):
    """Residual medical image denoiser ("residual MID").

    Jifara et al., "Medical image denoising using convolutional neural network: a
    residual learning approach", The Journal of Supercomputing 75, 2019: the same
    kind of network as DnCNN, shallower. The number of layers is ours, as the
    full text of that paper was not at hand: 10.

    Parameters
    ----------
    channels, features, layers : int
        See :class:`DnCNN`.
    """

    def __init__(self, channels: int = 1, features: int = 64, layers: int = 10) -> None:
        super().__init__(channels, features, layers)
