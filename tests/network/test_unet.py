"""The U-Net: any size in, logits of the same size out."""

from __future__ import annotations

import pytest
import torch

from napari_dran.errors import InputError
from napari_dran.network.efficientnet import standardised
from napari_dran.network.unet import UNet


@pytest.fixture(scope="module")
def network() -> UNet:
    return UNet(decoder=(8, 8, 8, 8, 8)).eval()


@pytest.mark.parametrize("size", [(64, 64), (61, 83), (32, 40), (7, 9)])
def test_logits_have_the_size_of_the_image(network: UNet, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = network(torch.rand(2, 3, *size))
    assert logits.shape == (2, 2, *size)
    assert logits.isfinite().all()


def test_channels_and_classes() -> None:
    network = UNet(channels=1, classes=3, decoder=(8, 8, 8, 8, 8)).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 32, 32)).shape == (1, 3, 32, 32)


def test_parameters_and_arguments() -> None:
    network = UNet()
    assert sum(p.numel() for p in network.parameters()) == 3_653_306
    again = UNet(**network.arguments)
    again.load_state_dict(network.state_dict())


def test_padding_is_cut_off_again(network: UNet) -> None:
    image = torch.rand(1, 3, 40, 50)
    padded = torch.nn.functional.pad(image, (0, 14, 0, 24), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(padded)[..., :40, :50])


def test_standardised_images_have_neither_window_nor_brightness() -> None:
    network = UNet(decoder=(8, 8, 8, 8, 8), standardise=True).eval()
    image = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(network(image * 0.3 + 0.5), expected, rtol=1e-3, atol=1e-3)
        # Of the image itself, not of what pads it.
        shown = standardised(image)
        assert float(shown.mean()) == pytest.approx(0, abs=1e-5)
        assert float(shown.std()) == pytest.approx(1, abs=1e-3)
        assert network(torch.full((1, 3, 32, 32), 0.7)).isfinite().all()


def test_dropout_is_for_training() -> None:
    network = UNet(decoder=(8, 8, 8, 8, 8), dropout=0.5).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert network(image).equal(network(image))
        network.train()
        assert not network(image).equal(network(image))


def test_scales_are_averaged() -> None:
    network = UNet(decoder=(8, 8, 8, 8, 8), scales=(1, 2)).eval()
    alone = UNet(decoder=(8, 8, 8, 8, 8)).eval()
    alone.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 45, 70)
    with torch.no_grad():
        both = network(image).softmax(1)
        large = alone(torch.nn.functional.interpolate(image, scale_factor=2, mode="bilinear"))
        small = torch.nn.functional.avg_pool2d(large, 2)
        expected = (alone(image).softmax(1) + small.softmax(1)) / 2
    torch.testing.assert_close(both, expected)
    assert UNet(**network.arguments).scales == (1, 2)
    network.train()
    alone.train()
    torch.manual_seed(0)
    seen = network(image.repeat(2, 1, 1, 1))
    torch.manual_seed(0)
    torch.testing.assert_close(seen, alone(image.repeat(2, 1, 1, 1)))


@pytest.mark.parametrize("scales", [(), (0,), (1, -2)])
def test_scales_that_cannot_be(scales: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="scales of 1 or more"):
        UNet(scales=scales)


def test_decoder_of_another_depth() -> None:
    with pytest.raises(InputError, match="5 levels of the decoder"):
        UNet(decoder=(8, 8))
