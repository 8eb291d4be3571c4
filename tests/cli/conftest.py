"""Tiny weights, small images, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from napari_dran.cli import app

Command = Callable[..., Result]


@pytest.fixture
def command() -> Command:
    """Run ``napari-dran`` with some words and return its result."""

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def refused(command: Command) -> Callable[..., str]:
    """Run a command that must end with exit code 2 and one line; return the line."""

    def run(*words: object) -> str:
        result = command(*words)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("Error: ")
        return lines[0]

    return run


def save_tiny(path: Path, channels: int) -> Path:
    """Save random weights of a network small enough for any test."""
    import torch

    from napari_dran.network.dran import DRAN
    from napari_dran.weights import Card, save_weights

    torch.manual_seed(channels)
    network = DRAN(channels, features=8, blocks=1, layers=2).eval()
    card = Card(path.stem, "dran", network.arguments, channels, (0.0, 50.0))
    save_weights(path, network, card)
    return path


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for grey images."""
    return save_tiny(tmp_path_factory.mktemp("weights") / "tiny-grey.safetensors", 1)


@pytest.fixture(scope="session")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for colour images."""
    return save_tiny(tmp_path_factory.mktemp("weights") / "tiny-colour.safetensors", 3)


def save_analysis(path: Path, architecture: str, task: str, **facts: Any) -> Path:
    """Save random weights of a small network that segments or detects."""
    import torch

    from napari_dran.weights import Card, build_network, save_weights

    torch.manual_seed(1)
    small: dict[str, dict[str, Any]] = {
        "unet": {"decoder": [8, 8, 8, 8, 8]},
        "mask-rcnn": {"width": 8, "head": 16, "most": 5},
    }
    channels = facts.pop("channels", 3)
    network = build_network(architecture, {"channels": channels, **small[architecture]}).eval()
    card = Card(
        path.stem,
        architecture,
        network.arguments,
        channels,
        task=task,
        classes=("tumour",),
        **facts,
    )
    save_weights(path, network, card)
    return path


@pytest.fixture(scope="session")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that segment images of three MR sequences."""
    path = tmp_path_factory.mktemp("weights") / "tiny-unet.safetensors"
    return save_analysis(path, "unet", "segment", inputs=("T1", "FLAIR", "T1 with contrast"))


@pytest.fixture(scope="session")
def mask_rcnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that detect something in colour images, or in grey ones."""
    path = tmp_path_factory.mktemp("weights") / "tiny-mask-rcnn.safetensors"
    return save_analysis(path, "mask-rcnn", "detect")


@pytest.fixture(name="save_analysis")
def save_analysis_fixture() -> Callable[..., Path]:
    """Return :func:`save_analysis`."""
    return save_analysis


@pytest.fixture
def brains(corpus: Path, tmp_path: Path) -> Path:
    """A folder of real brain slices, small ones: two PNG files, one of them deeper; one JPEG."""
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    files = sorted((corpus / "lgg" / "test" / "images").glob("*.png"))[:3]
    for file, name in zip(files, ("a.png", "deep/b.png", "c.jpg"), strict=True):
        with Image.open(file) as image:
            image.crop((80, 80, 144, 140)).save(root / name)
    return root


def save_nifti(path: Path, dtype: Any = np.int16) -> Path:
    """Save a small noisy volume at a place of its own."""
    rng = np.random.default_rng(5)
    data = (200 + 100 * rng.standard_normal((16, 14, 5))).astype(dtype)
    affine = np.array([[-2.0, 0, 0, 30], [0, 1.5, 0, -20], [0, 0, 3, 7], [0, 0, 0, 1]])
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    return path


@pytest.fixture(name="save_nifti")
def save_nifti_fixture() -> Callable[..., Path]:
    """Return :func:`save_nifti`, as test modules cannot import this one."""
    return save_nifti


@pytest.fixture(name="save_png")
def save_png_fixture() -> Callable[..., Path]:
    """Return :func:`save_png`."""
    return save_png


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A small NIfTI file."""
    return save_nifti(tmp_path / "scan.nii.gz")


def save_png(path: Path, colour: bool = False, side: int = 24) -> Path:
    """Save a small noisy picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (side, side + 4, 3) if colour else (side, side + 4)
    pixels = np.random.default_rng(6).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
