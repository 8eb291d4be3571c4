"""Whose an image is, and that no patient is both trained and validated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_dran.errors import InputError
from napari_dran.training.data import read_folder, split
from napari_dran.training.inputs import training_and_validation
from napari_dran.training.patients import groups_of, hold_out
from napari_dran.training.recipe import Recipe
from napari_dran.training.sources import Source

NAMES = ("p0/0.png", "p0/1.png", "p1/0.png", "p1/1.png")


def sources(*names: str, patient: str = "") -> list[Source]:
    return [Source(Path(name), name, patient) for name in names]


def write(folder: Path, *names: str, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (20, 24), dtype=np.uint8)).save(path)


@pytest.mark.parametrize(
    "table",
    [
        "file,patient\np0/0.png,a\np0/1.png,a\np1/0.png,b\np1/1.png,b\n",
        "file,group\n./p0/0.png,a\n./p0/1.png,a\n./p1/0.png,b\n./p1/1.png,b\n",
        "file;patient\np0\\0.png;a\np0\\1.png;a\np1\\0.png;b\np1\\1.png;b\n",
        "file,patient\np0,a\np1/,b\n",
    ],
    ids=["patient", "dots", "semicolons", "folders"],
)
def test_a_manifest_says_whose_an_image_is(tmp_path: Path, table: str) -> None:
    (tmp_path / "manifest.csv").write_text(table)
    told: list[str] = []
    found = groups_of(sources(*NAMES), tmp_path, "auto", told.append)
    assert list(found.values()) == ["group a", "group a", "group b", "group b"]
    assert not told


def test_a_manifest_that_fits_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,patient\n0.png,a\n")
    with pytest.raises(InputError, match=r"names none of the images: it has '0.png'.*'p0/0.png'"):
        groups_of(sources(*NAMES), tmp_path, "auto")


def test_a_manifest_that_leaves_something_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,patient\np0,a\n")
    told: list[str] = []
    found = groups_of(sources(*NAMES), tmp_path, "auto", told.append)
    assert list(found.values()) == ["group a", "group a", "p1/0.png", "p1/1.png"]
    assert told == ["2 of 4 images have no patient in manifest.csv, e.g. p1/0.png."]
    (tmp_path / "manifest.csv").write_text("file,source\np0/0.png,here\n")
    groups_of(sources(*NAMES), tmp_path, "auto", told.append)
    assert "not used to tell patients apart" in told[1]


def test_a_folder_a_patient_is_seen_and_told(tmp_path: Path) -> None:
    many = [f"p{patient}/{number}.png" for patient in range(5) for number in range(3)]
    told: list[str] = []
    found = groups_of(sources(*many), tmp_path, "auto", told.append)
    assert set(found.values()) == {f"p{patient}" for patient in range(5)}
    assert len(told) == 1
    assert "Each of the 5 folders counts as one patient" in told[0]
    # Folders of many images are rather kinds of images.
    kinds = [f"{kind}/{number}.png" for kind in "abcd" for number in range(9)]
    assert set(groups_of(sources(*kinds), tmp_path, "auto").values()) == set(kinds)
    assert set(groups_of(sources(*many), tmp_path, "file").values()) == set(many)


def test_folders_of_bids_are_one_subject(tmp_path: Path) -> None:
    names = [f"sub-{n}/{kind}/{n}.nii" for n in (1, 2) for kind in ("anat", "func")]
    for split_by in ("auto", "folder"):
        found = groups_of(sources(*names), tmp_path, split_by)
        assert [found[name] for name in names] == ["sub-1", "sub-1", "sub-2", "sub-2"]


def test_headers_tell_unless_folders_are_asked_for(tmp_path: Path) -> None:
    series = sources(*NAMES, patient="patient A")
    assert set(groups_of(series, tmp_path, "auto").values()) == {"patient A"}
    assert set(groups_of(series, tmp_path, "folder").values()) == {"p0", "p1"}


def test_a_folder_a_patient_leaves_some_to_validate_on() -> None:
    patients = [(f"p{number}", f"p{number}") for number in range(4)]
    assert len(hold_out(patients, 0.1)) == 1
    assert len(hold_out([(f"p{n}", f"p{n}") for n in range(40)], 0.1)) == 4
    assert len(hold_out([("", f"p{n}") for n in range(40)], 0.1)) == 4
    # Each kind of image is validated.
    kinds = [(kind, f"{kind}{n}") for kind in ("ct", "mri") for n in range(12)]
    assert {group[:2] for group in hold_out(kinds, 0.1)} == {"ct", "mr"}
    assert hold_out(patients, 0) == set()


def test_patients_of_a_folder_are_on_one_side(tmp_path: Path) -> None:
    write(tmp_path, *(f"p{patient}/{number}.png" for patient in range(4) for number in range(2)))
    for recipe in (Recipe(), Recipe(split_by="folder")):
        training, held = split(read_folder(tmp_path, recipe), 0.1)
        assert (len(training), len(held)) == (6, 2)
        assert not {i.group for i in training} & {i.group for i in held}


def test_what_is_validated_on_is_not_trained_on(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png", "val/c.png", "val/d.png")
    told: list[str] = []
    training, held, _ = training_and_validation(tmp_path, tmp_path / "val", Recipe(), told.append)
    assert [image.name for image in training] == ["a.png", "b.png"]
    assert [image.name for image in held] == ["c.png", "d.png"]
    assert told == [
        "Left out 2 of 4 images to train on, which are validated on or of the same patients.",
        "Training on 2 images, validating on 2.",
    ]
    with pytest.raises(InputError, match="none is left to train on"):
        training_and_validation(tmp_path, tmp_path, Recipe(), told.append)


def test_the_same_patients_of_two_manifests_are_told(tmp_path: Path) -> None:
    for side, patients in (("train", "ab"), ("val", "bc")):
        write(tmp_path / side, "0.png", "1.png")
        rows = "".join(f"{number}.png,{patient}\n" for number, patient in enumerate(patients))
        (tmp_path / side / "manifest.csv").write_text("file,patient\n" + rows)
    told: list[str] = []
    training_and_validation(tmp_path / "train", tmp_path / "val", Recipe(), told.append)
    assert "1 patients of manifest.csv are both trained and validated on, e.g. 'b'" in told[0]


def test_constant_images_are_told(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    Image.new("L", (20, 20), 7).save(tmp_path / "flat.png")
    told: list[str] = []
    assert [i.name for i in read_folder(tmp_path, notice=told.append)] == ["a.png"]
    assert told == ["Skipped flat.png: it is all but constant, so nothing is learnt from it."]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="all 1 are constant"):
        read_folder(tmp_path)
