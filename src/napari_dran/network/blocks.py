"""The two parts DRAN is made of: dynamic convolution and the noise gate."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["zeros", "reflect"]
ConvolutionForm = Literal["grouped", "dense"]


class KernelAttention(nn.Module):
    """Weights of the K kernels of a dynamic convolution, one set an image.

    Global average pooling (eq. 4), then squeeze and excite (eq. 5). Where the
    paper writes a sigmoid, this uses a softmax with a temperature, so that the
    kernels are aggregated convexly (Chen et al., "Dynamic Convolution", CVPR
    2020): the weights of one image sum to one.

    Parameters
    ----------
    features : int
        Channels of the feature map.
    kernels : int
        Number of kernels K.
    temperature : float
        Divides the logits. High values keep the attention near uniform, which
        lets every kernel learn early in training; it is lowered to 1 later.
    """

    def __init__(self, features: int, kernels: int, temperature: float = 1.0) -> None:
        super().__init__()
        hidden = max(1, features // 4)
        self.squeeze = nn.Linear(features, hidden, bias=False)
        self.excite = nn.Linear(hidden, kernels, bias=False)
        self.temperature = float(temperature)
        for layer in (self.squeeze, self.excite):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to kernel weights (N, K), float32."""
        # The mean runs over a whole slice: half precision would lose digits.
        with torch.autocast(x.device.type, enabled=False):
            pooled = x.float().mean(dim=(2, 3))
            logits = self.excite(F.relu(self.squeeze(pooled)))
            return torch.softmax(logits / self.temperature, dim=1)


class DynamicConv2d(nn.Module):
    """3 x 3 convolution whose kernel is mixed anew for each image (eq. 2, 3).

    Parameters
    ----------
    in_features, out_features : int
        Channels in and out.
    kernels : int
        Number of kernels K that the attention mixes.
    temperature : float
        See :class:`KernelAttention`.
    """

    def __init__(
        self, in_features: int, out_features: int, kernels: int = 4, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.attention = KernelAttention(in_features, kernels, temperature)
        self.weight = nn.Parameter(torch.empty(kernels, out_features, in_features, 3, 3))
        self.bias = nn.Parameter(torch.zeros(kernels, out_features))
        for kernel in self.weight:
            nn.init.kaiming_uniform_(kernel)
        self.form: ConvolutionForm = "grouped"

    def aggregate(self, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Mix kernels (N, O, I, 3, 3) and biases (N, O) for attention (N, K)."""
        weight = torch.einsum("nk,koihw->noihw", attention, self.weight)
        return weight, attention @ self.bias

    def forward(self, x: Tensor) -> Tensor:
        """Convolve features (N, I, H, W) to (N, O, H, W)."""
        if self.form == "dense":
            return self._dense(x)
        n, channels, height, width = x.shape
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.aggregate(self.attention(x))
        # One group an image: N kernels are applied in a single call.
        out = F.conv2d(
            x.reshape(1, n * channels, height, width),
            weight.flatten(0, 1),
            bias.flatten(),
            padding=1,
            groups=n,
        )
        return out.view(n, -1, height, width)

    def _dense(self, x: Tensor) -> Tensor:
        """Convolve [pi_1 x .. pi_K x] with all kernels side by side.

        The same sum in another order: K times the multiplications, but one
        ordinary convolution, which a GPU may do faster than many small groups.
        """
        attention = self.attention(x)
        scaled = attention.to(x.dtype)[:, :, None, None, None] * x[:, None]
        out = F.conv2d(scaled.flatten(1, 2), self.weight.transpose(0, 1).flatten(1, 2), padding=1)
        bias = (attention @ self.bias.float()).to(out.dtype)
        convolved: Tensor = out + bias[:, :, None, None]
        return convolved


class NoiseGate(nn.Module):
    """Gated skip connection (eq. 8 to 10): LeakyReLU(G) x sigmoid(F).

    Parameters
    ----------
    features : int
        Channels in and out.
    slope : float
        Negative slope of the LeakyReLU: 0.1 in the paper, 0.2 in the code its
        authors released. (The code computes ``lrelu(G * sigmoid(F))``, which is
        the same function, as a sigmoid is positive.)
    padding_mode : {"zeros", "reflect"}
        The paper names none; the released code reflects.
    """

    def __init__(self, features: int, slope: float = 0.1, padding_mode: Padding = "zeros") -> None:
        super().__init__()
        self.slope = slope
        self.feature = nn.Conv2d(features, features, 3, padding=1, padding_mode=padding_mode)
        self.mask = nn.Conv2d(features, features, 3, padding=1, padding_mode=padding_mode)

    def forward(self, x: Tensor) -> Tensor:
        """Gate features (N, C, H, W)."""
        return F.leaky_relu(self.feature(x), self.slope) * torch.sigmoid(self.mask(x))


class DynamicResidualAttentionBlock(nn.Module):
    """Dynamic convolutions, each with batch normalisation (eq. 7) and ReLU.

    Parameters
    ----------
    features, layers, kernels : int
        Channels, number of convolutions, kernels of each.
    temperature : float
        See :class:`KernelAttention`.
    """

    def __init__(
        self, features: int = 64, layers: int = 5, kernels: int = 4, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            DynamicConv2d(features, features, kernels, temperature) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(features) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to features of the same shape."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return x
