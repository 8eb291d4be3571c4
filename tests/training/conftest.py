"""A folder of small pictures, and a recipe that trains on them within a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.training.recipe import Recipe

CHECKPOINT = "checkpoint.ckpt"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth grey pictures in two folders, and colour ones in a root of their own."""
    root = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:40, :44] / 44
    for folder in ("grey/mri", "grey/ct", "colour/skin"):
        (root / folder).mkdir(parents=True)
        for number in range(4):
            wave = 0.5 + 0.4 * np.sin(7 * x + number) * np.cos(5 * y)
            pixels = np.stack([wave, wave**2, 1 - wave], -1) if "colour" in folder else wave
            Image.fromarray((255 * pixels).astype(np.uint8)).save(root / folder / f"{number}.png")
    return root


@pytest.fixture
def tiny() -> Recipe:
    """A recipe for a network of a few hundred parameters."""
    return Recipe(
        weights="scratch",
        network={"features": 4, "blocks": 1, "layers": 1},
        crop=16,
        batch=4,
        steps=12,
        warmup=3,
        validate_every=4,
        validation_side=24,
        validation_sigmas=(10.0, 25.0),
        precision="32",
    )


def state(run: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a run's checkpoint."""
    tensors: dict[str, torch.Tensor] = torch.load(run / CHECKPOINT, weights_only=True)["state_dict"]
    return tensors
