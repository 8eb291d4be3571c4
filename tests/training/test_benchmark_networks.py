"""Networks to compare: trained alike, stopped and gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from training.benchmark import ablations, methods, networks
from training.benchmark.__main__ import counter, main
from training.benchmark.networks import NETWORKS, Network, read_facts, recipe_of, train_networks
from training.benchmark.rows import read

from napari_dran.errors import InputError

SMALL = {"network": {"features": 4, "blocks": 1, "layers": 1}, "precision": "32", "warmup": 2}
SHARED = {"steps": 12, "batch": 2, "crop": 16}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, pictures: Path, tmp_path: Path) -> Path:
    """A corpus of small pictures, and two networks of a few parameters."""
    found = {
        "one": Network("one", changes=SMALL),
        "two": Network("two", changes={**SMALL, "loss": "l2"}),
    }
    monkeypatch.setattr(networks, "NETWORKS", found)
    (tmp_path / "corpus").mkdir()
    for part in ("train", "val"):
        shutil.copytree(pictures / "grey", tmp_path / "corpus" / part)
    return tmp_path / "corpus"


def test_recipes_differ_in_nothing_but_what_is_compared() -> None:
    for channels, base in (("", "dran"), ("-colour", "dran-colour")):
        names = [n for n in NETWORKS if n.endswith("-colour") == bool(channels) and n != base]
        for name in names:
            mine, dran = recipe_of(name, steps=600).as_dict(), recipe_of(base, steps=600).as_dict()
            different = {key for key in mine if mine[key] != dran[key]}
            assert different == set(NETWORKS[name].changes), name
            assert len(different) == 1


def test_networks_are_trained_noted_and_found_again(small: Path, tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    assert train_networks(small, runs, results, ["one", "two"], **SHARED)
    facts = read_facts(results)
    assert list(facts) == ["one", "two"]
    assert facts["two"]["loss"] == "l2"
    assert (facts["one"]["steps"], facts["one"]["finished"]) == ("12", "yes")
    log = (results / "ablations/one-log.csv").read_text().splitlines()
    assert log[0].startswith("step,minutes,loss")
    assert len(log) == 1 + networks.POINTS
    clean = methods.trained("one", runs)(np.zeros((20, 20), np.float32), 0.1)
    assert clean.shape == (20, 20)
    (small / "test").symlink_to(small / "val")
    ablations.measure(small, results, ["one", "two", "not trained"], runs=runs)
    rows = {name: read(results / f"ablations/{name}.csv") for name in ("one", "two")}
    assert [len(found) for found in rows.values()] == [16, 16]  # 8 pictures at 2 levels
    assert not {r["weights"] for r in rows["one"]} & {r["weights"] for r in rows["two"]}


def test_time_ends_training_which_goes_on_later(small: Path, tmp_path: Path) -> None:
    runs, results, said = tmp_path / "runs", tmp_path / "results", []
    finished = train_networks(
        small, runs, results, ["one", "two"], minutes=1e-9, notice=said.append, **SHARED
    )
    assert not finished
    assert list(read_facts(results)) == ["one"]
    assert read_facts(results)["one"]["finished"] == "no"
    assert "goes on from there" in said[-1]
    assert train_networks(small, runs, results, ["one"], **SHARED)
    assert read_facts(results)["one"]["steps"] == "12"
    assert read_facts(results)["one"]["finished"] == "yes"


def test_unknown_networks_are_named(small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no network 'three'\. Expected some of one, two"):
        train_networks(small, tmp_path, tmp_path, ["three"])


def test_progress_of_a_run_is_seen_in_a_log_too(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(1, 401):
        counter("dran", done, 400)
    for done in range(1, 4):
        counter("flat", done, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] + lines[9:] == [
        "dran 40/400",
        "dran 80/400",
        "dran 400/400",
        "flat 1/3",
        "flat 2/3",
        "flat 3/3",
    ]


def test_a_mistake_on_the_command_line_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", "train-networks", "--only", "three"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="1"):
        main()
    error = capsys.readouterr().err
    assert error.startswith("Error: There is no network 'three'.")
    assert error.count("\n") == 1
