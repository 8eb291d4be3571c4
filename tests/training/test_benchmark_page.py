"""The page and the README say what the committed CSV files hold, and nothing else."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from training.benchmark.__main__ import DOCS, IMAGES, README, RESULTS, app
from training.benchmark.experiments import EXPERIMENTS, experiment
from training.benchmark.page import BEGIN, END, evidence, readme_table, write_pages
from typer.testing import CliRunner

from napari_dran.training.evaluation import CATEGORIES

PAGE = DOCS / "evidence.md"
RENEW = "run: python -m training.benchmark page"


@pytest.fixture(scope="module")
def made() -> str:
    """The page, as the committed results make it."""
    return evidence(RESULTS)


def test_page_is_what_the_committed_results_make(made: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == made, RENEW


def test_readme_holds_the_table_of_the_committed_results() -> None:
    text = README.read_text(encoding="utf-8")
    inside = text.partition(BEGIN)[2].partition(END)[0]
    assert inside.strip() == readme_table(RESULTS).strip(), RENEW


def test_writing_again_changes_nothing(tmp_path: Path, made: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write_pages(RESULTS, tmp_path / "evidence.md", readme)
    assert readme.read_text(encoding="utf-8") == README.read_text(encoding="utf-8"), RENEW
    assert (tmp_path / "evidence.md").read_text(encoding="utf-8") == made


@pytest.mark.parametrize("name", ["noisy", "nlm"])
@pytest.mark.parametrize("sigma", ["10", "25", "50"])
def test_means_of_the_page_are_those_of_the_rows(name: str, sigma: str, made: str) -> None:
    with (RESULTS / "gaussian" / f"{name}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sigma"] == sigma]
    table = made.partition(f"| sigma {sigma}: PSNR in dB / SSIM |")[2].partition("\n\n")[0]
    title = {"noisy": "noisy", "nlm": "non-local means, told sigma"}[name]
    line = next(line for line in table.splitlines() if line.startswith(f"| {title} |"))
    cells = [cell.strip() for cell in line.replace("**", "").split("|")[2:-1]]
    for cell, members in zip(cells, [*CATEGORIES.values(), ("nuclei",)], strict=True):
        mine = [row for row in rows if row["modality"] in members]
        means = [np.mean([float(row[score]) for row in mine]) for score in ("psnr", "ssim")]
        assert cell == f"{means[0]:.2f} / {means[1]:.3f}"


def test_pictures_of_the_page_are_there(made: str) -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", made)
    for target in shown:
        assert (DOCS / target).is_file(), target
    unused = {path.name for path in IMAGES.glob("*.png")} - {Path(t).name for t in shown}
    assert not unused


def test_every_experiment_has_its_section_and_its_command() -> None:
    help_text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for name, summary in EXPERIMENTS.items():
        module = experiment(name)
        assert callable(module.tables), name
        assert callable(module.measure), name
        assert name == module.NAME
        assert name in help_text
        assert summary.endswith(".")
    for name in ("train-networks", "draw", "page"):
        assert name in help_text
