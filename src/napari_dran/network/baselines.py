"""Networks to compare DRAN with, trained on the same data."""

from __future__ import annotations

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

    def forward(self, image: Tensor) -> Tensor:
        """Predict the noise of (N, channels, H, W), in the image's units."""
        check_input(image, self.channels)
        noise: Tensor = self.layers(image)
        return noise


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
