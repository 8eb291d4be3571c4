"""Tables made of small CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest
from training.benchmark import ablations, gaussian, markdown
from training.benchmark.comparison import (
    Scores,
    differences_table,
    means_table,
    modalities_table,
)
from training.benchmark.page import BEGIN, END, fill, readme_table
from training.benchmark.rows import Table
from training.benchmark.statistics import Interval

from napari_dran.errors import InputError

IMAGES = [("ct/a.png", "ct"), ("ct/b.png", "ct"), ("mri/a.png", "mri"), ("skin/a.png", "skin")]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of four images, of which BM3D has not seen one yet."""
    start = {"noisy": 20.0, "bm3d": 30.0, "dran": 30.5}
    for name, psnr in start.items():
        table = Table(tmp_path / "gaussian" / f"{name}.csv")
        for number, (image, modality) in enumerate(IMAGES):
            if (name, image) != ("bm3d", "mri/a.png"):
                table.add(
                    {
                        "image": image,
                        "modality": modality,
                        "sigma": 25.0,
                        "psnr": psnr + number,
                        "ssim": 0.5 + psnr / 100,
                        "weights": "",
                    }
                )
    return tmp_path


def test_means_are_bold_where_best_and_missing_where_half_measured(results: Path) -> None:
    text = means_table(Scores.read(results / "gaussian"), 25.0, {"dran": "DRAN"})
    assert text.splitlines() == [
        "| sigma 25: PSNR in dB / SSIM | radiology (3) |",
        "| --- | ---: |",
        "| noisy | 21.00 / 0.700 |",
        "| DRAN | **31.50** / **0.805** |",
    ]


def test_modalities_have_intervals(results: Path) -> None:
    text = modalities_table(Scores.read(results / "gaussian"), 25.0, "psnr", {})
    assert "| sigma 25: PSNR in dB | noisy | bm3d | dran |" in text
    assert "| ct | 20.50 [20.00, 21.00] | 30.50 [30.00, 31.00] | " in text
    assert "| mri | 22.00 [22.00, 22.00] |  | 32.50 [32.50, 32.50] |" in text


def test_differences_are_of_the_same_images(results: Path) -> None:
    scores = Scores.read(results / "gaussian")
    text = differences_table(scores, "dran", ["noisy", "bm3d"], "psnr", {})
    assert "| noisy | 25 | **+10.50** [10.50, 10.50] |" in text
    assert "bm3d" not in text.splitlines()[-1]  # a category that is half measured says nothing
    assert scores.difference("dran", "bm3d", ["ct"], 25.0, "psnr") == Interval(0.5, 0.5, 0.5, 2)


def test_section_holds_every_table(results: Path) -> None:
    text = gaussian.tables(results)
    assert text.startswith("## Gaussian noise")
    assert "| DRAN, shipped weights | **31.50** / **0.805** |" in text
    assert gaussian.tables(results / "elsewhere") == ""


def test_networks_that_learnt_nothing_are_named(results: Path) -> None:
    assert "has learnt nothing" not in gaussian.tables(results)
    table = Table(results / "gaussian" / "dncnn.csv")
    for number, (image, modality) in enumerate(IMAGES):
        psnr = 20.05 + number + 5 * (modality == "mri")
        row = {"image": image, "modality": modality, "sigma": 25.0, "psnr": psnr, "ssim": 0.7}
        table.add({**row, "weights": ""})
    text = gaussian.tables(results)
    assert "DnCNN, same training: images of ct and skin come out as noisy as they were" in text


def test_readme_table_goes_between_its_marks(results: Path) -> None:
    table = readme_table(results)
    assert "| DRAN, shipped weights | **31.50** / **0.805** |" in table
    filled = fill(f"before\n{BEGIN}\nold\n{END}\nafter\n", table)
    assert filled == f"before\n{BEGIN}\n\n{table}\n{END}\nafter\n"
    assert fill(filled, table) == filled
    with pytest.raises(InputError, match="Expected the lines"):
        fill("no marks", table)


def test_ablations_are_laid_out_with_how_the_networks_were_trained(results: Path) -> None:
    facts = Table(results / "networks.csv", keys=["network"])
    for name, steps, gain in (("dran", 600, 0.0), ("no-gates", 580, -0.2)):
        facts.add(
            {
                "network": name, "parameters": 2456640, "steps": steps,
                "finished": "yes" if steps == 600 else "no", "minutes": 30.5, "batch": 8,
                "crop": 64, "loss": "l1", "seed": 0, "precision": "bf16", "device": "cpu",
                "images": 1150,
            }
        )  # fmt: skip
        scores = Table(results / "ablations" / f"{name}.csv")
        log = Table(results / "ablations" / f"{name}-log.csv", keys=["step"])
        for sigma in (25.0, 50.0):
            for image in ("mri/a.png", "ct/a.png"):
                psnr = 40 - sigma / 5 + gain
                scores.add({"image": image, "sigma": sigma, "psnr": psnr, "ssim": 0.8})
        for step in (50, 100):
            log.add({"step": step, "psnr_25": 25 + step / 50})
    text = ablations.tables(results)
    assert "for 580 or 600 steps: batch 8, crops of 64, seed 0, precision bf16, device cpu" in text
    assert "| DRAN | 2,456,640 | 600 | 30.5 | 35.00 / 0.800 |  | 30.00 / 0.800 |  |" in text
    assert (
        "| DRAN without noise gates | 2,456,640 | 580 (not finished) | 30.5 | 34.80 / 0.800 | "
        "-0.20 [-0.20, -0.20] |" in text
    )
    assert "2 grey images" in text
    ablations.draw(Path("no corpus is needed"), results, results / "pictures")
    assert (results / "pictures/training-curves.png").stat().st_size > 5000


def test_interval_of_a_difference_is_bold_only_if_all_of_it_is_above_zero() -> None:
    better, unsure = Interval(0.3, 0.1, 0.5, 9), Interval(0.3, -0.1, 0.5, 9)
    assert markdown.with_interval(better, 1, signed=True) == "**+0.3** [0.1, 0.5]"
    assert markdown.with_interval(unsure, 1, signed=True) == "+0.3 [-0.1, 0.5]"
    assert markdown.with_interval(better, 2) == "0.30 [0.10, 0.50]"
