"""Networks of others, small and random, as their trainers would save them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

CHANNELS, STRIDES = (4, 8, 16), (2, 2)

METADATA = {
    "task": "Segments the ventricles in short axis MR",
    "license": "CC0-1.0",
    "network_data_format": {
        "inputs": {"image": {"num_channels": 1, "channel_def": {"0": "image"}}},
        "outputs": {
            "pred": {"channel_def": {"0": "background", "1": "lv_pool", "2": "myocardium"}}
        },
    },
}


def inference() -> dict[str, Any]:
    """Return a configuration written like those of MONAI's model zoo."""
    return {
        "imports": ["$import glob"],
        "device": "$torch.device('cpu')",
        "strides": list(STRIDES),
        "parts": {"channels": list(CHANNELS)},
        "network_def": {
            "_target_": "UNet",
            "_desc_": "small",
            "spatial_dims": 2,
            "in_channels": 1,
            "out_channels": 3,
            "channels": "@parts#channels",
            "strides": "@strides",
            "num_res_units": 1,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "ScaleIntensityd", "keys": "image"},
                {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
            ],
        },
    }


def trained(outputs: int = 3, channels: int = 1) -> UNet:
    """Return a U-Net of MONAI with random weights, in evaluation mode."""
    return UNet(2, channels, outputs, CHANNELS, STRIDES, num_res_units=1).eval()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a MONAI bundle; changes are of the configuration's entries."""

    def write(network: nn.Module | None = None, /, **changes: Any) -> Path:
        root = tmp_path / "bundle"
        for folder in ("configs", "models"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        values = inference() | changes
        (root / "configs" / "inference.json").write_text(json.dumps(values))
        (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
        torch.save((network or trained()).state_dict(), root / "models" / "model.pt")
        return root

    return write


@pytest.fixture
def image() -> Tensor:
    """Return an image (1, 1, 48, 64) in [0, 1] whose axes differ."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    return ((x + 3 * y) % 37 / 36.0 * (x > 8))[None, None]


@pytest.fixture
def torchscript(tmp_path: Path) -> Path:
    """Return a TorchScript archive."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated since torch 2.10, but people have them
        torch.jit.trace(trained(), torch.zeros(1, 1, 16, 16)).save(tmp_path / "model.ts")
    return tmp_path / "model.ts"


def agree(found: Tensor, wanted: Tensor) -> None:
    """Check that two outputs differ by what half precision of the weights explains."""
    torch.testing.assert_close(found, wanted, rtol=0.01, atol=0.005 * float(wanted.abs().max()))
