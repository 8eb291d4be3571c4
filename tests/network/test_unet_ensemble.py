"""Several U-Nets that decide together."""

from __future__ import annotations

import pytest
import torch

from napari_dran.errors import InputError
from napari_dran.network.unet import UNet
from napari_dran.network.unet_ensemble import UNetEnsemble

MEMBER = {"channels": 3, "classes": 2, "decoder": [8, 8, 8, 8, 8]}


@pytest.fixture
def ensemble() -> UNetEnsemble:
    torch.manual_seed(0)
    return UNetEnsemble([MEMBER, {**MEMBER, "standardise": True}], even=0.3).eval()


def test_is_the_mean_of_its_members(ensemble: UNetEnsemble) -> None:
    image = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        mean = torch.stack([m(image).softmax(1) for m in ensemble.members]).mean(0)
        ensemble.even = 0.5
        torch.testing.assert_close(ensemble(image).softmax(1), mean)


def test_the_even_probability_becomes_a_half(ensemble: UNetEnsemble) -> None:
    image = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        mean = torch.stack([m(image).softmax(1) for m in ensemble.members]).mean(0)[:, 1]
        ensemble.even = float(mean.median())
        found = ensemble(image).softmax(1)[:, 1]
    assert torch.equal(found > 0.5, mean > ensemble.even)


def test_is_built_anew_from_its_arguments(ensemble: UNetEnsemble) -> None:
    again = UNetEnsemble(**ensemble.arguments)
    again.load_state_dict(ensemble.state_dict())
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again.eval()(image), ensemble(image))
    assert again.channels == 3
    assert isinstance(again.members[0], UNet)


def test_members_have_to_go_together() -> None:
    with pytest.raises(InputError, match="same classes"):
        UNetEnsemble([MEMBER, {**MEMBER, "classes": 3}])
    with pytest.raises(InputError, match="same classes"):
        UNetEnsemble([])
    with pytest.raises(InputError, match="1 channels"):
        UNetEnsemble([MEMBER], channels=1)
    with pytest.raises(InputError, match="between 0 and 1"):
        UNetEnsemble([MEMBER], even=1.0)
