"""Writing DICOM: round trips, derived tags, and volumes that never were DICOM."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from napari_dran import Volume
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_write import write_dicom_series

from .dicom_files import STEP, assert_same_place, datasets, read_with_simpleitk

REAL = (
    "enh.dcm",
    "dicom_series_seg3d_MR",
    "dicom_single/693_J2KR.dcm",
    "dicom_single/eCT_Supplemental.dcm",
    "dicom_single/emri_small.dcm",
    "dicom_single/JPGLosslessP14SV1_1s_1f_8b.dcm",
    # Named so by those who made it: two frames of ultrasound.
    "dicom_single/OBXXXX1A_2frame.dcm",
    "dicom_single/US1_UNCR.dcm",
)


@pytest.mark.parametrize("name", REAL)
def test_round_trip_of_real_files(corpus: Path, tmp_path: Path, name: str) -> None:
    volume = read_dicom(corpus / "volumes" / name)
    folder = write_dicom_series(volume, tmp_path / "out")
    again = read_dicom(folder)
    assert (again.axes, again.dtype, again.unit) == (volume.axes, volume.dtype, volume.unit)
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    originals = volume.source.header.datasets  # type: ignore[union-attr]
    written = datasets(folder)
    assert len({d.SeriesInstanceUID for d in written}) == 1
    assert len({d.SOPInstanceUID for d in written}) == len(written)
    for dataset in written:
        assert dataset.SeriesInstanceUID != originals[0].get("SeriesInstanceUID")
        assert dataset.SOPInstanceUID not in {d.SOPInstanceUID for d in originals}
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert dataset.ImageType[:2] == ["DERIVED", "SECONDARY"]
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
            if originals[0].get(keyword):
                assert dataset.get(keyword) == originals[0].get(keyword)
    assert {d.SourceImageSequence[0].ReferencedSOPInstanceUID for d in written} == {
        d.SOPInstanceUID for d in originals
    }


@pytest.mark.parametrize("name", ["enh.dcm", "dicom_series_seg3d_MR"])
def test_simpleitk_reads_what_was_written(corpus: Path, tmp_path: Path, name: str) -> None:
    volume = read_dicom(corpus / "volumes" / name)
    image = read_with_simpleitk(write_dicom_series(volume, tmp_path / "out"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.data)
    assert_same_place(volume, image)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_bigendian.dcm",
        "liver_expb_1frame.dcm",
        "rtdose.dcm",
        "SC_rgb_rle_16bit.dcm",
        "SC_rgb_small_odd.dcm",
        "examples_ybr_color.dcm",
        "examples_palette.dcm",
        "dicomdirtests/98892003/MR1/15820",
    ],
)
def test_round_trip_of_odd_files(tmp_path: Path, name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert path is not None, f"pydicom no longer brings {name}: choose another file"
    volume = read_dicom(str(path))
    again = read_dicom(write_dicom_series(volume, tmp_path / "out"))
    assert again.axes == volume.axes
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-6)
    assert again.time_step == pytest.approx(volume.time_step)


def test_derived_tags_say_what_was_done(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_series_seg3d_MR")
    originals = volume.source.header.datasets  # type: ignore[union-attr]
    originals[0].SmallestImagePixelValue = 3
    volume = volume.with_data(volume.data, history=(STEP,))
    first, *_ = written = datasets(write_dicom_series(volume, tmp_path / "out"))
    assert first.SeriesDescription == "My Special Series For Testing denoised"
    assert first.SeriesNumber == originals[0].SeriesNumber + 1000
    assert [d.InstanceNumber for d in written] == [d.InstanceNumber for d in originals]
    for words in ("Denoised by napari-dran 0.1.0", "weights dran-grey", "window -160 to 240",
                  "strength 0.75", "My Derivation Description"):  # fmt: skip
        assert words in first.DerivationDescription
    assert first.ImageType == ["DERIVED", "SECONDARY", "M", "NORM", "DIS2D"]
    assert first.SOPClassUID.name == "MR Image Storage"
    assert "SmallestImagePixelValue" not in first
    assert first.BitsStored == 12
    # The volume's own header is left as it was.
    assert originals[0].ImageType[0] == "ORIGINAL"
    assert originals[0].SmallestImagePixelValue == 3
    # Denoising again does not say "denoised denoised", and the text stays within 64.
    twice = read_dicom(tmp_path / "out").with_data(volume.data, history=(STEP,))
    again = datasets(write_dicom_series(twice, tmp_path / "again"))[0]
    assert again.SeriesDescription == first.SeriesDescription
    for dataset in twice.source.header.datasets:  # type: ignore[union-attr]
        dataset.SeriesDescription = "x" * 64
    long = datasets(write_dicom_series(twice, tmp_path / "long"))[0]
    assert long.SeriesDescription == "x" * 55 + " denoised"


def test_enhanced_files_become_classic_ones(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "enh.dcm")
    written = datasets(write_dicom_series(volume, tmp_path / "out"))
    assert len(written) == 6
    for number, dataset in enumerate(written, 1):
        assert dataset.SOPClassUID.name == "MR Image Storage"
        assert dataset.EchoTime == 30
        assert dataset.SpacingBetweenSlices == 2.4
        assert dataset.InstanceNumber == number
        assert dataset.SourceImageSequence[0].ReferencedFrameNumber == number
        assert "PerFrameFunctionalGroupsSequence" not in dataset
        assert "NumberOfFrames" not in dataset
    assert written[3].AcquisitionTime == "083635.295000"


def test_values_are_rounded_and_kept_inside_bits_stored(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_series_seg3d_MR")
    data = volume.data.astype(np.float32)
    data[0, 0, :6] = 10.6, 10.4, 10.5, -7, 5000, 70000
    written = datasets(write_dicom_series(volume.with_data(data), tmp_path / "out"))
    assert list(written[0].pixel_array[0, :6]) == [11, 10, 11, 0, 4095, 4095]
    np.testing.assert_array_equal(written[1].pixel_array, volume.data[1])


def test_signed_values_are_kept_inside_bits_stored(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_single" / "693_UNCR.dcm")
    data = volume.data.copy()
    data[0, :3] = -32768, 32767, -1024
    dataset = datasets(write_dicom_series(volume.with_data(data), tmp_path / "out"))[0]
    # 14 bits with sign, intercept -1024.
    assert list(dataset.pixel_array[0, :3]) == [-8192, 8191, 0]
    assert (dataset.RescaleIntercept, dataset.BitsStored, dataset.BitsAllocated) == (-1024, 14, 16)
    assert dataset.PixelPaddingValue == -2000


def test_lossy_compression_stays_in_the_history(tmp_path: Path) -> None:
    path = get_testdata_file("JPGExtended.dcm", download=False)
    dataset = datasets(write_dicom_series(read_dicom(str(path)), tmp_path / "out"))[0]
    assert dataset.LossyImageCompression == "01"


@pytest.mark.parametrize("signed", [False, True])
def test_monochrome1_is_turned_back(corpus: Path, tmp_path: Path, signed: bool) -> None:
    name = "dicom_single/693_UNCR.dcm" if signed else "dicom_series_seg3d_MR/IM-0001-0011.dcm"
    original = pydicom.dcmread(corpus / "volumes" / name)
    original.PhotometricInterpretation = "MONOCHROME1"
    original.save_as(tmp_path / "inverse.dcm")
    volume = read_dicom(tmp_path / "inverse.dcm")
    for number, data in enumerate([volume.data, volume.data.astype(np.float32)]):
        folder = write_dicom_series(volume.with_data(data), tmp_path / f"out{number}")
        dataset = datasets(folder)[0]
        assert dataset.PhotometricInterpretation == "MONOCHROME1"
        np.testing.assert_array_equal(dataset.pixel_array, original.pixel_array)


def test_scaled_slices_keep_their_stored_values(corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(corpus / "volumes" / "dicom_series_seg3d_MR", tmp_path / "series")
    originals = []
    for number, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope, dataset.RescaleIntercept = (
            f"{0.1 + 0.7 * number:.4f}",
            f"{-3.3 * number:.3f}",
        )
        dataset.save_as(path)
        originals.append(dataset)
    volume = read_dicom(folder)
    assert volume.dtype == np.float32
    written = datasets(write_dicom_series(volume, tmp_path / "out"))
    for one, other in zip(written, originals, strict=True):
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)
        assert one.RescaleSlope == other.RescaleSlope


def test_slices_are_written_the_way_the_file_had_them(corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(corpus / "volumes" / "dicom_series_seg3d_MR", tmp_path / "series")
    originals = []
    for number, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        # Sagittal, from right to left, columns to the feet.
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [20 - 3 * number, -100, 80]
        dataset.save_as(path)
        originals.append(dataset)
    volume = read_dicom(folder)
    assert volume.shape == (640, 640, 7)
    out = write_dicom_series(volume, tmp_path / "out")
    written = {d.InstanceNumber: d for d in datasets(out)}
    for original in originals:
        dataset = written[original.InstanceNumber]
        np.testing.assert_array_equal(dataset.pixel_array, original.pixel_array)
        assert dataset.ImagePositionPatient == original.ImagePositionPatient
    np.testing.assert_array_equal(read_dicom(out).data, volume.data)


def test_values_from_a_table_are_written_without_it(corpus: Path, tmp_path: Path) -> None:
    original = pydicom.dcmread(corpus / "volumes" / "dicom_single" / "693_UNCR.dcm")
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [1024, 0, 16])
    table.add_new("LUTData", "US", [60 * i for i in range(1024)])
    table.ModalityLUTType = "US"
    original.ModalityLUTSequence = [table]
    del original.RescaleSlope, original.RescaleIntercept, original.RescaleType
    original.save_as(tmp_path / "table.dcm")
    volume = read_dicom(tmp_path / "table.dcm")
    assert volume.data.max() == 61380
    folder = write_dicom_series(volume, tmp_path / "out")
    np.testing.assert_array_equal(read_dicom(folder).data, volume.data)
    assert "ModalityLUTSequence" not in datasets(folder)[0]


@pytest.mark.parametrize("name", ["chrH31", "chrRuss", "chrArab", "chrX1"])
def test_names_keep_their_characters(tmp_path: Path, name: str) -> None:
    path = Path(pydicom.__file__).parent / "data" / "charset_files" / f"{name}.dcm"
    volume = read_dicom(path)
    out = write_dicom_series(volume, tmp_path / "out")
    written = pydicom.dcmread(next(out.iterdir()))
    assert str(written.PatientName) == str(pydicom.dcmread(path).PatientName)


def test_cropped_volume_gets_its_geometry_from_the_affine(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_series_seg3d_MR")
    affine = volume.affine.copy()
    affine[:3, 3] = (volume.affine @ [2, 100, 50, 1])[:3]
    part = volume.data[2:6, 100:300, 50:260]
    crop = Volume(part, "zyx", affine, "mm", source=volume.source, history=(STEP,))
    again = read_dicom(write_dicom_series(crop, tmp_path / "out"))
    np.testing.assert_array_equal(again.data, crop.data)
    np.testing.assert_allclose(again.affine, affine, atol=1e-9)
    dataset = datasets(tmp_path / "out")[0]
    assert dataset.PatientID == "123456789"
    assert dataset.StudyInstanceUID == volume.source.header.datasets[0].StudyInstanceUID  # type: ignore[union-attr]
    assert dataset.ImageType[:2] == ["DERIVED", "SECONDARY"]


def test_one_time_point_of_several(tmp_path: Path, make_volume: Callable[..., Volume]) -> None:
    volume = read_dicom(write_dicom_series(make_volume("tzyx"), tmp_path / "all"))
    one = Volume(volume.data[1], "zyx", volume.affine, "mm", source=volume.source)
    again = read_dicom(write_dicom_series(one, tmp_path / "one"))
    assert again.axes == "zyx"
    np.testing.assert_array_equal(again.data, volume.data[1])
