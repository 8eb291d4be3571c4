"""Networks whose findings are known exactly, and tiny real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.measure import label, regionprops
from torch import Tensor, nn

from napari_dran.analysis import Detector, Segmenter
from napari_dran.network.dran import DRAN
from napari_dran.weights import Card, build_network, save_weights

SEQUENCES = ("T1", "FLAIR", "T1 with contrast")
STEEP = 1e4
"""How fast a stub's logits rise around the middle of the window."""


class Bright(nn.Module):
    """Calls what is brighter than the middle of the window an object.

    ``classes`` counts the background; those beyond the second are for still brighter
    pixels. It remembers what it was shown.
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.levels = np.linspace(0.5, 1.0, classes, endpoint=False).tolist()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert torch.isfinite(images).all()
        self.seen.append(images.clone())
        grey = images.mean(1)
        above = [torch.zeros_like(grey)]
        above += [STEEP * (grey - level) * (number + 1) for number, level in enumerate(self.levels)]
        return torch.stack(above[: len(self.levels)], 1)


class BrightBoxes(nn.Module):
    """Finds each connected part that is brighter than the middle of the window.

    The first in reading order is the surest; scores fall from 0.95 in steps of 0.1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        assert torch.is_inference_mode_enabled()
        (image,) = images
        self.seen.append(image.clone())
        parts = label(image.mean(0).cpu().numpy() > 0.5, connectivity=2)
        boxes, masks = [], []
        for region in regionprops(parts):
            y0, x0, y1, x1 = region.bbox
            boxes.append([x0, y0, x1, y1])
            masks.append(parts == region.label)
        shape = (len(boxes), 1, *image.shape[-2:])
        return [
            {
                "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                "labels": torch.ones(len(boxes), dtype=torch.int64),
                "scores": 0.95 - 0.1 * torch.arange(len(boxes), dtype=torch.float32),
                "masks": torch.tensor(np.array(masks), dtype=torch.float32).reshape(shape),
            }
        ]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write tiny networks; the arguments are the card's. The same one is written once."""
    folder, files = tmp_path_factory.mktemp("networks"), {}

    def save(task: str, channels: int = 3, outputs: int = 2, **facts: Any) -> Path:
        key = repr((task, channels, outputs, sorted(facts.items())))
        if key not in files:
            torch.manual_seed(0)
            small: dict[str, Any] = {"decoder": (8,) * 5} if task == "segment" else {
                "width": 16, "head": 16, "most": 5,
            }  # fmt: skip
            architecture = {"segment": "unet", "detect": "mask-rcnn"}[task]
            network = build_network(
                architecture, {"channels": channels, "classes": outputs, **small}
            ).eval()
            if task == "detect":
                # Untrained masks may be empty; these are full.
                torch.nn.init.constant_(network.roi_heads.mask_predictor.mask_fcn_logits.bias, 9)
            names = tuple(f"kind {n}" for n in range(1, outputs)) if outputs > 2 else ("tumour",)
            card = Card(
                "tiny", architecture, network.arguments, channels,
                **({"classes": names} | facts), task=task,
            )  # fmt: skip
            files[key] = folder / f"{len(files)}.safetensors"
            save_weights(files[key], network, card)
        return files[key]

    return save


@pytest.fixture(scope="session")
def dran(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Tiny networks that denoise, for grey (1) and colour (3)."""
    folder, files = tmp_path_factory.mktemp("dran"), {}
    for channels in (1, 3):
        torch.manual_seed(channels)
        network = DRAN(channels, features=8, blocks=1, layers=2).eval()
        card = Card(f"tiny-{channels}", "dran", network.arguments, channels, (0.0, 255.0))
        files[channels] = folder / f"{channels}.safetensors"
        save_weights(files[channels], network, card)
    return files


@pytest.fixture
def bright(saved: Callable[..., Path]) -> Callable[..., Segmenter]:
    """Make a segmenter that marks what is bright."""

    def make(channels: int = 3, outputs: int = 2, **facts: Any) -> Segmenter:
        segmenter = Segmenter(saved("segment", channels, outputs, **facts), device="cpu")
        segmenter._runner._network = Bright(outputs)
        return segmenter

    return make


@pytest.fixture
def bright_boxes(saved: Callable[..., Path]) -> Callable[..., Detector]:
    """Make a detector that finds what is bright."""

    def make(channels: int = 3, **facts: Any) -> Detector:
        detector = Detector(saved("detect", channels, **facts), device="cpu")
        detector._runner._network = BrightBoxes()
        return detector

    return make


def blobs(*shape: int, dtype: str = "f4", low: float = 0, high: float = 1000) -> np.ndarray:
    """Draw bright blobs on a dark ground: smooth noise, of which a quarter is bright."""
    from skimage.filters import gaussian

    rough = np.random.default_rng(0).random(shape)
    smooth = gaussian(rough, 2, mode="wrap")
    ground = low + 0.2 * (high - low) * rough
    return np.where(smooth > np.quantile(smooth, 0.75), high - ground + low, ground).astype(dtype)
