"""What ``napari-dran train`` refuses in one sentence, before it reads a single image."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_dran.cli.recipe_options import recipe_file
from napari_dran.training.run_folder import CHECKPOINT
from napari_dran.weights import read_card

LIST = "Expected a list such as noise: [{model: rician, sigma: [0, 20]}]."


@pytest.fixture
def words(tmp_path: Path) -> tuple[object, ...]:
    """A command whose folder is not there: a refusal of anything else came before reading."""
    return ("train", tmp_path / "none", "-o", tmp_path / "o.safetensors", "--device", "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "noise=rician", "--sigma", "0:20"), f"noise cannot be 'rician'. {LIST}"),
        (("--set", "noise=[gaussian]", "--sigma", "0:30"), f"cannot be ['gaussian']. {LIST}"),
        (("--set", "noise={model: rician}", "--sigma", "0:9"), LIST),
        (("--set", "noise=", "--sigma", "0:9"), LIST),
        (("--set", "betas=[2, 3]"), "Expected betas of 0 or more and below 1, got [2.0, 3.0]"),
        (
            ("--axis", "sagitall"),
            "There is no slice axis 'sagitall' in an image with axes 'zyx'. Expected 0 (z, axial)",
        ),
        (("--window", "contrast-limits"), "Choose one of auto, percentile, full, brain"),
        (("--weights", "dran-gray"), "Unknown weights 'dran-gray'. Known are dran-colour,"),
        (("--weights", "none.ckpt"), "There is no checkpoint none.ckpt"),
        (("--weights", "unet-nuclei"), "of a network that segments, expected one that denoises"),
        (("--set", "architecture=dran2"), "Expected one of dran, dncnn, residual-mid."),
        (("--set", "precision=fp16"), "Precision 'fp16' needs a CUDA device"),
        (("--set", "task=segment", "--weights", "none.ckpt"), "no checkpoint none.ckpt"),
        ((), "There is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refused_before_reading(
    options: tuple[str, ...],
    message: str,
    words: tuple[object, ...],
    refused: Callable[..., str],
) -> None:
    assert message in refused(*words, *options)


def test_start_is_read_first_unless_the_run_goes_on(
    words: tuple[object, ...], tmp_path: Path, refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"")
    wrong = (*words, "--weights", "none.ckpt", "--run", "~/run")
    assert "There is no folder" in refused(*wrong)
    assert "There is no checkpoint none.ckpt" in refused(*wrong, "--fast-dev-run")


def test_sigma_replaces_that_of_a_list(tmp_path: Path) -> None:
    from napari_dran.cli.recipe_options import set_noise

    values = {"noise": [{"model": "rician", "sigma": [0, 9]}, {"model": "speckle", "weight": 2}]}
    set_noise(values, None, "5:30")
    assert values["noise"] == [
        {"model": "rician", "sigma": (5, 30)},
        {"model": "speckle", "weight": 2, "sigma": (5, 30)},
    ]


def test_folders_of_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    config = tmp_path / "recipe.yaml"
    config.write_text("data: ~/scans\nvalidation: held\n")
    _, data, validation = recipe_file(config, None, None)
    assert (data, validation) == (tmp_path / "home" / "scans", tmp_path / "held")


def test_a_recipe_names_one_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    config = tmp_path / "recipe.yaml"
    config.write_text("data: [a, b]\n")
    line = refused("train", "--config", config, "-o", tmp_path / "o.safetensors")
    assert "The recipe's data cannot be ['a', 'b']. Expected a folder" in line


def test_export_takes_no_images_and_no_options_of_training(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    words = ("train", "--export", tmp_path / "run", "-o", tmp_path / "o.safetensors")
    line = refused(*words, tmp_path, "--steps", "5", "--set", "loss=l2", "--device", "cpu")
    assert "DATA, --steps, --set, --device would do nothing. Leave them out" in line
    assert "--tensorboard would do nothing. Leave it out" in refused(*words, "--tensorboard")
    line = refused(*words, "-q", "--name", "a", "--licence", "mine", "--overwrite")
    assert "There is no checkpoint" in line


def test_weights_need_no_export(grey: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("train", "--export", grey, "-o", tmp_path / "o.safetensors")
    assert "is a weights file already, which --weights takes as it is" in line
    assert read_card(grey).name == "tiny-grey"


def test_the_extra_holds_what_the_option_for_tensorboard_needs() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    needed = project["project"]["optional-dependencies"]["train"]
    assert any(requirement.startswith("tensorboard>") for requirement in needed)
