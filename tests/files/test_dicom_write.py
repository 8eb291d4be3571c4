"""Writing DICOM: round trips, derived tags, and volumes that never were DICOM."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from napari_dran import Volume
from napari_dran.errors import FileWriteError, InputError, OutputExistsError
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_write import write_dicom_series
from napari_dran.volume import affine_from_ras

REAL = (
    "enh.dcm",
    "dicom_series_seg3d_MR",
    "dicom_single/693_J2KR.dcm",
    "dicom_single/eCT_Supplemental.dcm",
    "dicom_single/emri_small.dcm",
    "dicom_single/JPGLosslessP14SV1_1s_1f_8b.dcm",
    "dicom_single/OBXXXX1A_2frame.dcm",
    "dicom_single/US1_UNCR.dcm",
)
STEP = {
    "software": "napari-dran",
    "version": "0.1.0",
    "weights": "dran-grey",
    "window": (-160.0, 240.0),
    "strength": 0.75,
}


def datasets(folder: Path) -> list[Any]:
    """Read all files of a folder, checking that they are valid to the letter."""
    with pydicom.config.strict_reading():
        found = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        for dataset in found:
            dataset.decode()
    return found


def read_with_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_same_place(volume: Volume, image: sitk.Image) -> None:
    """Check that SimpleITK sees the same values at the same corners of the world."""
    array = sitk.GetArrayFromImage(image)
    for corner in itertools.product(*((0, n - 1) for n in image.GetSize())):
        x, y, z = image.TransformIndexToPhysicalPoint(corner)
        index = np.linalg.solve(volume.affine, [z, y, x, 1])[:3]
        whole = np.rint(index).astype(int)
        assert np.abs(index - whole).max() < 1e-2
        np.testing.assert_allclose(array[corner[::-1]], volume.data[tuple(whole)], rtol=1e-5)


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


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx"])
def test_integers_of_other_volumes_are_kept(
    tmp_path: Path, make_volume: Callable[..., Volume], axes: str, dtype: str
) -> None:
    volume = make_volume(axes, dtype)
    again = read_dicom(write_dicom_series(volume, tmp_path / "out"))
    assert (again.axes, again.dtype, again.unit) == (axes, np.dtype(dtype), "mm")
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    assert again.time_step == volume.time_step


def test_floats_are_scaled_to_16_bits_within_half_a_step(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    volume = make_volume("tzyx", "float32")
    again = read_dicom(write_dicom_series(volume, tmp_path / "out"))
    span = float(np.ptp(volume.data))
    assert np.abs(again.data - volume.data).max() <= 1.001 * span / 131070
    whole = volume.with_data(np.rint(volume.data))
    again = read_dicom(write_dicom_series(whole, tmp_path / "whole"))
    np.testing.assert_array_equal(again.data, whole.data)


@pytest.mark.parametrize("values", [[0, 70000], [-1, 65535], [2**40, 2**40 + 10]])
def test_large_integers_are_scaled(tmp_path: Path, values: list[int]) -> None:
    data = np.resize(np.array(values, np.int64), (3, 8, 8))
    again = read_dicom(write_dicom_series(Volume(data, unit="mm"), tmp_path / "out"))
    span = values[1] - values[0]
    assert np.abs(again.data - data.astype(float)).max() <= span / 131070 + 1e-3


def test_simpleitk_sees_an_oblique_volume_at_its_place(
    tmp_path: Path, make_volume: Callable[..., Volume], oblique_affine: np.ndarray
) -> None:
    volume = make_volume("zyx", affine=affine_from_ras(oblique_affine))
    folder = write_dicom_series(volume, tmp_path / "out")
    assert_same_place(volume, read_with_simpleitk(folder))
    again = read_dicom(folder)
    world = again.affine @ np.linalg.inv(volume.affine)
    # Reading may reorder axes; the first voxel's place is found among the corners.
    assert abs(np.linalg.det(world)) == pytest.approx(1)


def test_a_volume_that_never_was_dicom_has_a_patient_without_name(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    volume = make_volume("zyx", name="brain", history=(STEP,))
    first, *_ = written = datasets(write_dicom_series(volume, tmp_path / "out"))
    assert str(first.PatientName) == "Anonymous"
    assert first.SOPClassUID.name == "Secondary Capture Image Storage"
    assert first.SeriesDescription == "brain denoised"
    assert "weights dran-grey" in first.DerivationDescription
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({d[keyword].value for d in written}) == 1
    assert len({d.SOPInstanceUID for d in written}) == 5


def test_micrometres_and_pixels(tmp_path: Path, make_volume: Callable[..., Volume]) -> None:
    small = make_volume("zyx", unit="um")
    again = read_dicom(write_dicom_series(small, tmp_path / "um"))
    np.testing.assert_allclose(again.affine[:3], small.affine[:3] / 1000, atol=1e-12)
    plain = make_volume("tzyx", unit="pixel", affine=np.eye(4))
    again = read_dicom(write_dicom_series(plain, tmp_path / "pixel"))
    assert (again.unit, again.axes) == ("pixel", "tzyx")
    np.testing.assert_array_equal(again.data, plain.data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours(tmp_path: Path, make_volume: Callable[..., Volume], dtype: str) -> None:
    volume = make_volume("zyxs", dtype)
    again = read_dicom(write_dicom_series(volume, tmp_path / "out"))
    assert (again.axes, again.dtype) == ("zyxs", np.dtype(dtype))
    np.testing.assert_array_equal(again.data, volume.data)
    alpha = np.concatenate([volume.data, volume.data[..., :1]], axis=-1)
    rgba = Volume(alpha, "zyxs", volume.affine, "mm")
    again = read_dicom(write_dicom_series(rgba, tmp_path / "alpha"))
    np.testing.assert_array_equal(again.data, volume.data)


def test_sheared_stacks_keep_their_shear(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    affine = np.diag([2.5, 0.75, 0.5, 1.0])
    affine[1, 0] = 0.6
    volume = make_volume("zyx", affine=affine)
    write_dicom_series(volume, tmp_path / "out")
    with pytest.warns(UserWarning, match="gantry tilt"):
        again = read_dicom(tmp_path / "out")
    np.testing.assert_allclose(again.affine, affine, atol=1e-9)


def test_what_dicom_cannot_hold(tmp_path: Path, make_volume: Callable[..., Volume]) -> None:
    with pytest.raises(InputError, match="channels"):
        write_dicom_series(make_volume("czyx"), tmp_path / "out")
    with pytest.raises(InputError, match="8 or 16 bits"):
        write_dicom_series(make_volume("zyxs", "float32"), tmp_path / "out")
    affine = np.diag([2.5, 0.75, 0.5, 1.0])
    affine[1, 2] = 0.2
    with pytest.raises(InputError, match="right angle"):
        write_dicom_series(make_volume("zyx", affine=affine), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_values_that_are_not_numbers_are_told(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    volume = make_volume("zyx", "float32")
    data = volume.data.copy()
    data[0, 0, :3] = np.nan, np.inf, -np.inf
    with pytest.warns(UserWarning, match="3 values are not finite"):
        write_dicom_series(volume.with_data(data), tmp_path / "out")
    again = read_dicom(tmp_path / "out").data
    usual = data[np.isfinite(data)]
    assert np.abs(again - data)[np.isfinite(data)].max() <= np.ptp(usual) / 131000
    np.testing.assert_allclose(again[0, 0, 1:3], [usual.max(), usual.min()], rtol=1e-4)
    assert abs(again[0, 0, 0]) < np.ptp(usual) / 65000


def test_overwriting_and_missing_folders(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    volume = make_volume("zyx")
    out = write_dicom_series(volume, tmp_path / "out")
    before = sorted(path.read_bytes() for path in out.iterdir())
    with pytest.raises(OutputExistsError):
        write_dicom_series(volume, out)
    assert sorted(path.read_bytes() for path in out.iterdir()) == before
    write_dicom_series(Volume(volume.data[:2], unit="mm"), out, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == ["IM0001.dcm", "IM0002.dcm"]
    with pytest.raises(FileWriteError, match="does not exist"):
        write_dicom_series(volume, tmp_path / "no" / "out")


def test_overwriting_never_deletes_another_series(
    tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    volume = make_volume("zyx")
    out = write_dicom_series(volume, tmp_path / "out")
    contours = pydicom.dcmread(out / "IM0001.dcm")
    contours.SOPClassUID = contours.file_meta.MediaStorageSOPClassUID = (
        pydicom.uid.RTStructureSetStorage
    )
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(contours, keyword)
    other = pydicom.dcmread(out / "IM0001.dcm")
    other.SeriesInstanceUID, other.SOPInstanceUID = pydicom.uid.generate_uid(), "1.2.3"
    for dataset, words in ((contours, "RT Structure Set"), (other, "2: ")):
        dataset.save_as(out / "other.dcm")
        with pytest.raises(OutputExistsError, match=rf"more than one series.*{words}"):
            write_dicom_series(volume, out, overwrite=True)
        assert (out / "other.dcm").exists()


def test_a_failure_leaves_nothing(
    tmp_path: Path, make_volume: Callable[..., Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pydicom.Dataset, "save_as", full)
    with pytest.raises(FileWriteError, match="disk is full"):
        write_dicom_series(make_volume("zyx"), tmp_path / "out")
    assert not list(tmp_path.iterdir())
