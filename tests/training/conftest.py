"""Folders of small pictures, and recipes that train on them within a second."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dran.training.analysis_recipe import AnalysisRecipe
from napari_dran.training.recipe import Recipe
from napari_dran.training.run_folder import CHECKPOINT


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


@pytest.fixture(scope="session")
def brains(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slices with a tumour of each of three patients, 96 x 96 pixels around it."""
    source, root = corpus / "lgg" / "train", tmp_path_factory.mktemp("brains")
    with (source / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["tumour_pixels"]) > 500]
    patients = list(dict.fromkeys(row["patient"] for row in rows))[:3]
    chosen = [row for p in patients for row in [row for row in rows if row["patient"] == p][:2]]
    for row in chosen:
        x0, y0, x1, y1 = map(int, row["bbox_xyxy"].split())
        left, top = ((a + b) // 2 - 48 for a, b in ((x0, x1), (y0, y1)))
        for key in ("image", "mask"):
            (root / row[key]).parent.mkdir(exist_ok=True)
            with Image.open(source / row[key]) as picture:
                picture.crop((left, top, left + 96, top + 96)).save(root / row[key])
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("image", "mask", "patient"), extrasaction="ignore")
        table.writeheader()
        table.writerows(chosen)
    return root


SMALLEST = {
    "segment": {"decoder": [8, 8, 8, 8, 8]},
    "detect": {"width": 8, "head": 16},
}
"""Arguments of the smallest networks."""


@pytest.fixture(params=["segment", "detect"])
def tiny_analysis(request: pytest.FixtureRequest) -> AnalysisRecipe:
    """A recipe for each task, of six steps."""
    return small_analysis(request.param)


def small_analysis(task: str) -> AnalysisRecipe:
    """Return a recipe of six small steps."""
    return AnalysisRecipe(
        task=task,  # type: ignore[arg-type]
        weights="scratch",
        network=SMALLEST[task],
        finds="tumour",
        crop=64,
        batch=2,
        steps=6,
        warmup=2,
        validate_every=3,
        validation_share=0.3,
        precision="32",
    )
