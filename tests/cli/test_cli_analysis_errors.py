"""Bad input to segment and detect: exit code 2, one line, and nothing written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Try = Callable[..., str]


@pytest.fixture
def segment(refused: Any, save_png: Any, unet: Path, tmp_path: Path) -> Try:
    """Segment a colour picture with further options, which must be refused."""
    picture = save_png(tmp_path / "cells.png", colour=True)

    def run(*words: object, weights: object = unet) -> str:
        line = refused("segment", picture, "-o", tmp_path / "o.png", "--weights", weights, *words)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.png"]
        return str(line)

    return run


@pytest.mark.parametrize("threshold", [-0.1, 1.5, "nan"])
def test_threshold_outside_0_and_1(
    segment: Try, refused: Any, mask_rcnn: Path, tmp_path: Path, threshold: object
) -> None:
    assert "from 0 to 1" in segment("--threshold", threshold)
    words = ("--weights", mask_rcnn, "--score-threshold", threshold)
    picture = tmp_path / "cells.png"
    assert "from 0 to 1" in refused("detect", picture, "-o", tmp_path / "o.json", *words)


def test_negative_size(segment: Try) -> None:
    assert "--minimum-size" in segment("--minimum-size", -1)


def test_weights_of_another_task(
    segment: Try, refused: Any, grey: Path, unet: Path, mask_rcnn: Path, tmp_path: Path
) -> None:
    assert "denoises, expected one that segments" in segment(weights=grey)
    assert "detects objects, expected one that segments" in segment(weights=mask_rcnn)
    assert "segments, expected one that denoises" in segment("--denoise", "--denoise-weights", unet)
    picture = tmp_path / "cells.png"
    line = refused("detect", picture, "-o", tmp_path / "o.json", "--weights", unet)
    assert "segments, expected one that detects objects" in line
    line = refused("denoise", picture, "-o", tmp_path / "o.png", "--weights", unet)
    assert "segments, expected one that denoises" in line


def test_unknown_weights(segment: Try) -> None:
    assert "Unknown weights 'unet-blue'" in segment(weights="unet-blue")


def test_colour_image_for_a_network_of_one_channel(
    segment: Try, save_analysis: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("one") / "one.safetensors"
    weights = save_analysis(path, "unet", "segment", channels=1)
    assert "colour samples" in segment(weights=weights)


def test_options_of_denoising_without_denoising(segment: Try, grey: Path) -> None:
    line = segment("--strength", 0.5, "--denoise-weights", grey)
    assert "--denoise-weights and --strength" in line
    assert "Add --denoise" in line
    assert "Add --denoise" in segment("--strength", 1)


def test_strength_out_of_range(segment: Try) -> None:
    assert "strength" in segment("--denoise", "--strength", 3)


def test_ensemble_out_of_range(segment: Try) -> None:
    assert "ensemble of 1 to 8" in segment("--denoise", "--denoise-ensemble", 9)
    assert "--denoise-ensemble" in segment("--denoise-ensemble", 2)


def test_names_that_cannot_be_written(segment: Try, tmp_path: Path) -> None:
    assert "label image" in segment("-o", tmp_path / "o.xyz")
    assert "does not exist" in segment("-o", tmp_path / "none" / "o.png")
    assert "does not exist" in segment("-o", tmp_path / "none" / "folder")
    assert ".csv" in segment("--table", tmp_path / "table.xlsx")
    assert "does not exist" in segment("--table", tmp_path / "none" / "t.csv")
    assert "input itself" in segment("-o", tmp_path / "cells.png", "--overwrite")


def test_damaged_weights_are_refused_before_a_folder_is_begun(
    refused: Any, save_png: Any, unet: Path, tmp_path: Path, tmp_path_factory: Any
) -> None:
    for name in ("a.png", "b.png"):
        save_png(tmp_path / "in" / name, colour=True)
    damaged = tmp_path_factory.mktemp("damaged") / "damaged.safetensors"
    content = bytearray(unet.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    line = refused("segment", tmp_path / "in", "-o", tmp_path / "out", "--weights", damaged)
    assert "damaged" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "words", "package"),
    [("unet", ("segment", "o.png"), "MONAI"), ("mask_rcnn", ("detect", "o.json"), "torchvision")],
)
def test_missing_packages(
    refused: Any,
    save_png: Any,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    words: tuple[str, str],
    package: str,
) -> None:
    weights = request.getfixturevalue(module)
    picture = save_png(tmp_path / "cells.png", colour=True)
    monkeypatch.setitem(sys.modules, f"napari_dran.network.{module}", None)
    line = refused(words[0], picture, "-o", tmp_path / words[1], "--weights", weights)
    assert package in line
    assert "napari-dran[analysis]" in line
