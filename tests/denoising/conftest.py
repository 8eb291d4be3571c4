"""Networks whose noise is known exactly, and one tiny real one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_dran.denoising import Denoiser
from napari_dran.network.dran import DRAN, check_input
from napari_dran.weights import Card

WINDOW = (0, 1000)


class Tenth(nn.Module):
    """Calls a tenth of the normalised image noise, and remembers what it was shown."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Tensor:
        check_input(image, self.channels)
        assert torch.isfinite(image).all()
        assert torch.is_inference_mode_enabled()
        self.seen.append(image.clone())
        return 0.1 * image

    def __deepcopy__(self, memo: object) -> Tenth:
        return self


def card_for(channels: int, /, **arguments: int) -> Card:
    return Card("tenth", "dran", arguments, channels, (0.0, 50.0), sha256="0123456789abcdef")


def network_of(denoiser: Denoiser) -> Tenth:
    (predictor,) = denoiser._predictors.values()
    assert isinstance(predictor.network, Tenth)
    return predictor.network


def grey(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 1000, shape).astype(dtype)


@pytest.fixture
def tenth() -> Denoiser:
    """In the window (0, 1000), its noise is a tenth of the value."""
    return Denoiser.from_network(Tenth(), card_for(1), device="cpu")


@pytest.fixture
def colour_tenth() -> Denoiser:
    return Denoiser.from_network(Tenth(3), card_for(3), device="cpu")


@pytest.fixture
def tiny() -> Denoiser:
    torch.manual_seed(0)
    network = DRAN(features=8, blocks=1, layers=2).eval()
    return Denoiser.from_network(network, card_for(1, features=8), device="cpu")
