"""Batch normalisation folded into convolutions: the same outputs, fewer layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dran.analysis.runner import Runner
from napari_dran.network.folding import Foldable
from napari_dran.network.unet import UNet
from napari_dran.network.unet_ensemble import UNetEnsemble
from napari_dran.weights import load_weights

MEMBER = {"decoder": [8, 8, 8, 8, 8], "dropout": 0.1}


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.fixture(params=[UNet(**MEMBER), UNetEnsemble([{**MEMBER, "standardise": True}, MEMBER])])
def network(request: pytest.FixtureRequest) -> Foldable:
    made: Foldable = request.param
    generator = torch.Generator().manual_seed(0)
    for norm in norms(made):
        # Statistics as of training: fresh ones would hide what is left out.
        for values in (norm.weight.data, norm.running_var, norm.bias.data, norm.running_mean):
            values.uniform_(0.5, 1.5, generator=generator)
    return made


def test_outputs_stay(network: Foldable) -> None:
    image = torch.rand(1, 3, 75, 101, generator=torch.Generator().manual_seed(1))
    network.eval()
    with torch.inference_mode():
        expected = network(image)
        network.fold()
        torch.testing.assert_close(network(image), expected, rtol=1e-3, atol=1e-3)
    assert not norms(network)


def test_folding_is_for_trained_networks() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        UNet(**MEMBER).train().fold()


def test_shipped_networks_are_folded_when_they_are_run() -> None:
    runner = Runner("unet-nuclei", "cpu")
    runner.load()
    image = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    network, _ = load_weights("unet-nuclei")
    with torch.inference_mode():
        expected = network(image).softmax(1)
        found = runner._network(image).softmax(1)
    assert norms(network)
    assert not norms(runner._network)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
