"""Reading DICOM: real files against SimpleITK, folders of several series, and damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from napari_dran.errors import FileReadError
from napari_dran.files.dicom import is_dicom, list_series, read_dicom

from .dicom_files import (
    assert_agrees,
    packaged,
    write_slice,
    write_stack,
)


def test_real_series_agrees_with_simpleitk(knee: Path) -> None:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(knee)))
    volume = read_dicom(knee)
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", (7, 640, 640), np.uint16)
    assert volume.unit == "mm"
    assert volume.spacing == pytest.approx((2.5, 0.625, 0.625))
    assert volume.name == "My Special Series For Testing"
    image = reader.Execute()
    assert_agrees(volume, image)
    np.testing.assert_array_equal(volume.data, sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("name", ["enh.dcm", "dicom_single/eCT_Supplemental.dcm"])
def test_enhanced_files_agree_with_simpleitk(corpus: Path, name: str) -> None:
    path = corpus / "volumes" / name
    volume = read_dicom(path)
    assert volume.axes == "zyx"
    assert np.all(np.diag(volume.affine) > 0)
    assert_agrees(volume, sitk.ReadImage(str(path)))


def test_copies_of_a_file_are_read_once(knee: Path) -> None:
    shutil.copy(knee / "IM-0001-0013.dcm", knee / "IM-0001-0013 (1).dcm")
    assert read_dicom(knee).shape[0] == 7


def test_other_files_of_a_folder_are_skipped(knee: Path) -> None:
    (knee / "notes.txt").write_text("knee")
    (knee / ".DS_Store").write_bytes(b"\0" * 200)
    shutil.copy(packaged("test-SR.dcm"), knee / "report.dcm")
    sub = knee / "SER1"
    sub.mkdir()
    for path in sorted(knee.glob("IM*"))[:3]:
        path.rename(sub / path.name)
    assert read_dicom(knee).shape[0] == 7


def test_several_series_need_a_choice(knee: Path) -> None:
    uid = "1.2.826.0.1.3680043.8.498.12345678901234567893"
    write_stack(knee / "ct", [(0, 0, z) for z in range(3)], SeriesInstanceUID=uid,
                SeriesDescription="Head 2 mm", SeriesNumber=2000)  # fmt: skip
    with pytest.raises(FileReadError, match=r"2 image series.*--series") as caught:
        read_dicom(knee)
    text = str(caught.value)
    assert "1: My Special Series For Testing (MR, 7 images" in text
    assert f"2: Head 2 mm (CT, 3 images, UID ...{uid[-12:]})" in text
    assert [info.images for info in list_series(knee)] == [7, 3]
    for choice in ("2", uid, uid[-4:], f"...{uid[-12:]}"):
        assert read_dicom(knee, series=choice).shape == (3, 8, 10)
    # A number beyond the list is no end of a UID, even where one ends so.
    with pytest.raises(FileReadError, match=r"No series .* matches '3'.*Choose one"):
        read_dicom(knee, series="3")


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(FileReadError, match="holds no DICOM image"):
        read_dicom(tmp_path)
    shutil.copy(packaged("test-SR.dcm"), tmp_path / "report.dcm")
    with pytest.raises(FileReadError, match="Comprehensive SR"):
        read_dicom(tmp_path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileReadError, match="no file"):
        read_dicom(tmp_path / "nothing.dcm")
    with pytest.raises(FileReadError, match="no folder"):
        list_series(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtstruct.dcm", "rtplan.dcm"])
def test_files_without_an_image(name: str) -> None:
    with pytest.raises(FileReadError, match=r"holds no image but: .*(SR|Structure|Plan)"):
        read_dicom(packaged(name))


@pytest.mark.parametrize("length", [100_000, 2_000, 300, 10])
def test_truncated_file(knee: Path, length: int) -> None:
    path = knee / "IM-0001-0013.dcm"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileReadError) as caught:
        read_dicom(path)
    assert "IM-0001-0013.dcm" in str(caught.value)


def test_truncated_slice_of_a_series(knee: Path) -> None:
    path = knee / "IM-0001-0013.dcm"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(FileReadError, match=r"IM-0001-0013.dcm.*cut short"):
        read_dicom(knee)


def test_truncated_compressed_file(corpus: Path, tmp_path: Path) -> None:
    raw = (corpus / "volumes" / "dicom_single" / "693_J2KR.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(FileReadError, match="cut short"):
        read_dicom(path)


def test_images_of_two_sizes(tmp_path: Path) -> None:
    write_stack(tmp_path / "s", [(0, 0, 0), (0, 0, 1)])
    write_slice(tmp_path / "s" / "b.dcm", np.ones((9, 10), np.uint16))
    with pytest.raises(FileReadError, match=r"2 of 8 x 10 .*1 of 9 x 10"):
        read_dicom(tmp_path / "s")


def test_is_dicom(knee: Path, tmp_path: Path) -> None:
    assert is_dicom(knee)
    assert is_dicom(knee / "IM-0001-0013.dcm")
    other = tmp_path / "other"
    other.mkdir()
    (other / "image.png").write_bytes(b"\x89PNG\r\n" + b"\0" * 200)
    assert not is_dicom(other)
    assert not is_dicom(other / "image.png")
    assert not is_dicom(tmp_path / "nothing")
