"""Reading DICOM: real files against SimpleITK and pydicom, and made-up hard cases."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from napari_dran.errors import FileReadError
from napari_dran.files.dicom import GeometryWarning, is_dicom, list_series, read_dicom

CT, MR, US, SC = (
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "6.1", "7")
)  # storage classes
SERIES, STUDY = generate_uid(), generate_uid()


def write_slice(path: Path, stored: np.ndarray, **tags: Any) -> Path:
    """Write a small uncompressed file; tags override those of an axial CT slice."""
    dataset = pydicom.Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": SERIES,
        "StudyInstanceUID": STUDY,
        "Modality": "CT",
        "PatientName": "Test^Case",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "BitsAllocated": 8 * stored.dtype.itemsize,
        "BitsStored": 8 * stored.dtype.itemsize,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 0],
        "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 2,
    }
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.HighBit = tags.get("HighBit", dataset.BitsStored - 1)
    width = "OB" if stored.dtype.itemsize == 1 else "OW"
    dataset.add_new("PixelData", width, stored.astype(stored.dtype.newbyteorder("<")).tobytes())
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_stack(folder: Path, positions: list[Any], **tags: Any) -> Path:
    """Write a series whose slice i is filled with the value i."""
    for i, position in enumerate(positions):
        per_slice = {k: v[i] if isinstance(v, list) and k != "ImageOrientationPatient" else v
                     for k, v in tags.items()}  # fmt: skip
        write_slice(
            folder / f"{i:03d}.dcm",
            np.full((8, 10), i, np.uint16),
            **{"ImagePositionPatient": list(position), "InstanceNumber": i + 1} | per_slice,
        )
    return folder


def assert_agrees(volume: Any, image: sitk.Image) -> None:
    """Check that the corners of an ITK image are the same voxels at the same place."""
    array = sitk.GetArrayFromImage(image)
    assert array.size == volume.data.size
    data = volume.data if "z" in volume.axes else volume.data[np.newaxis]
    size = image.GetSize()
    for corner in itertools.product(*((0, n - 1) for n in size)):
        x, y, z = image.TransformIndexToPhysicalPoint(corner)
        index = np.linalg.solve(volume.affine, [z, y, x, 1])[:3]
        whole = np.rint(index).astype(int)
        assert np.abs(index - whole).max() < 1e-2
        np.testing.assert_array_equal(data[tuple(whole)], array[corner[::-1]])
    # All voxels, whatever the order of axes and slices.
    np.testing.assert_array_equal(np.sort(volume.data, axis=None), np.sort(array, axis=None))


@pytest.fixture
def knee(corpus: Path, tmp_path: Path) -> Path:
    """Return a copy of a real MR series of seven slices."""
    return shutil.copytree(corpus / "volumes" / "dicom_series_seg3d_MR", tmp_path / "series")


def packaged(name: str) -> Path:
    """Return a file that pydicom brings for tests."""
    path = get_testdata_file(name, download=False)
    assert path is not None, f"pydicom no longer brings {name}: choose another file"
    return Path(str(path))


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


def test_slices_are_sorted_by_position_not_by_name_or_number(knee: Path) -> None:
    expected = read_dicom(knee).data
    names = sorted(knee.iterdir())
    for number, path in enumerate(names):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber = (number * 3) % 7
        dataset.save_as(knee / f"{(number * 5) % 7}.dcm")
        path.unlink()
    np.testing.assert_array_equal(read_dicom(knee).data, expected)


@pytest.mark.parametrize("name", ["enh.dcm", "dicom_single/eCT_Supplemental.dcm"])
def test_enhanced_files_agree_with_simpleitk(corpus: Path, name: str) -> None:
    path = corpus / "volumes" / name
    volume = read_dicom(path)
    assert volume.axes == "zyx"
    assert np.all(np.diag(volume.affine) > 0)
    assert_agrees(volume, sitk.ReadImage(str(path)))


@pytest.mark.parametrize("name", ["693_J2KR", "693_UNCR"])
def test_ct_is_read_in_hounsfield_units(corpus: Path, name: str) -> None:
    path = corpus / "volumes" / "dicom_single" / f"{name}.dcm"
    volume = read_dicom(path)
    dataset = pydicom.dcmread(path)
    expected = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    assert (volume.axes, volume.dtype) == ("yx", np.int16)
    np.testing.assert_array_equal(volume.data, expected)
    np.testing.assert_allclose(volume.affine[:3, 3], [47, -112.4, -122.5])
    assert_agrees(volume, sitk.ReadImage(str(path)))


@pytest.mark.parametrize(
    ("name", "axes", "unit", "spacing"),
    [
        ("US1_UNCR", "yxs", "pixel", (1, 1)),
        ("OBXXXX1A_2frame", "tyxs", "mm", (0.2622879, 0.2622879)),
        ("JPGLosslessP14SV1_1s_1f_8b", "yx", "mm", (0.254767, 0.254767)),
        ("emri_small", "zyx", "pixel", (1, 1, 1)),
    ],
)
def test_files_without_a_place_in_the_patient(
    corpus: Path, name: str, axes: str, unit: str, spacing: tuple[float, ...]
) -> None:
    path = corpus / "volumes" / "dicom_single" / f"{name}.dcm"
    volume = read_dicom(path)
    assert (volume.axes, volume.unit) == (axes, unit)
    assert volume.spacing == pytest.approx(spacing, rel=1e-5)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(volume.data, expected.reshape(volume.shape))


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("MR_small_RLE.dcm", 0),
        ("MR_small_jp2klossless.dcm", 0),
        ("MR_small_jpeg_ls_lossless.dcm", 0),
        ("MR_small_bigendian.dcm", 0),
        ("MR_small_implicit.dcm", 0),
        ("CT_small.dcm", 0),
        ("image_dfl.dcm", 0),
        ("SC_rgb_rle.dcm", 0),
        ("SC_rgb_jpeg_gdcm.dcm", 0),
        ("SC_ybr_full_422_uncompressed.dcm", 0),
        ("examples_jpeg2k.dcm", 0),
        ("examples_palette.dcm", 0),
        ("SC_rgb_jpeg_dcmtk.dcm", 0),
        # Lossy decoders may differ by rounding.
        ("JPGExtended.dcm", 1),
        ("SC_rgb_jpeg_lossy_gdcm.dcm", 2),
    ],
)
def test_compressions_and_colours_agree_with_simpleitk(name: str, tolerance: int) -> None:
    path = packaged(name)
    volume = read_dicom(path)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(volume.shape)
    assert np.abs(volume.data.astype(int) - expected).max() <= tolerance


def test_a_clip_has_a_time_step() -> None:
    volume = read_dicom(packaged("examples_ybr_color.dcm"))
    assert (volume.axes, volume.shape[0]) == ("tyxs", 30)
    assert volume.time_step == pytest.approx(1 / 30, rel=1e-3)


def test_dose_is_placed_by_its_frame_offsets() -> None:
    path = packaged("rtdose.dcm")
    dataset = pydicom.dcmread(path)
    volume = read_dicom(path)
    assert volume.shape == (15, 10, 10)
    step = dataset.GridFrameOffsetVector[1] - dataset.GridFrameOffsetVector[0]
    assert volume.spacing == pytest.approx((step, *dataset.PixelSpacing))
    expected = dataset.pixel_array * float(dataset.DoseGridScaling)
    np.testing.assert_allclose(np.sort(volume.data.ravel()), np.sort(expected.ravel()), rtol=1e-6)


@pytest.mark.parametrize("name", ["693_UNCR.dcm", "../dicom_series_seg3d_MR/IM-0001-0011.dcm"])
def test_monochrome1_is_turned_round(corpus: Path, tmp_path: Path, name: str) -> None:
    dataset = pydicom.dcmread(corpus / "volumes" / "dicom_single" / name)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    path = tmp_path / "inverse.dcm"
    dataset.save_as(path)
    volume = read_dicom(path)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    np.testing.assert_array_equal(volume.data, expected)
    # The largest stored value, black in MONOCHROME1, is the darkest.
    assert volume.data.ravel()[dataset.pixel_array.argmax()] == volume.data.min()


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        ("1", "0", np.uint16),
        ("1", "-1024", np.int16),
        ("2", "1", np.int32),
        ("0.25", "-3", np.float32),
        ("1e-4", "1000000", np.float64),
    ],
)
def test_rescale_keeps_every_stored_value_apart(
    tmp_path: Path, slope: str, intercept: str, dtype: type
) -> None:
    stored = np.linspace(0, 30000, 80).astype(np.uint16).reshape(8, 10)
    path = write_slice(tmp_path / "a.dcm", stored, RescaleSlope=slope, RescaleIntercept=intercept)
    volume = read_dicom(path)
    assert volume.dtype == dtype
    np.testing.assert_allclose(volume.data, stored * float(slope) + float(intercept), rtol=1e-6)
    back = np.rint((volume.data.astype(float) - float(intercept)) / float(slope))
    np.testing.assert_array_equal(back, stored)


def test_unused_bits_are_cut_and_signs_extended(tmp_path: Path) -> None:
    values = np.arange(-40, 40, dtype=np.int16).reshape(8, 10)
    # An overlay in the four bits above the value.
    stored = (values & 0x0FFF | 0x5000).astype(np.int16)
    volume = read_dicom(write_slice(tmp_path / "a.dcm", stored, BitsStored=12))
    np.testing.assert_array_equal(volume.data, values)
    shifted = (values << 4).astype(np.int16)
    path = write_slice(tmp_path / "b.dcm", shifted, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(read_dicom(path).data, values)


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    folder = write_stack(
        tmp_path / "s", [(0, 0, z) for z in range(3)], RescaleSlope=[0.5, 1.5, 2.5]
    )
    np.testing.assert_allclose(read_dicom(folder).data[:, 0, 0], [0, 1.5, 5])


def test_pet_keeps_its_values_whatever_the_display(tmp_path: Path) -> None:
    stored = np.arange(80, dtype=np.uint16).reshape(8, 10)
    path = write_slice(
        tmp_path / "a.dcm", stored, Modality="PT", PhotometricInterpretation="MONOCHROME1"
    )
    np.testing.assert_array_equal(read_dicom(path).data, stored)


def test_nuclear_medicine_slices_are_placed_by_their_detector(tmp_path: Path) -> None:
    detector = pydicom.Dataset()
    detector.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    detector.ImagePositionPatient = [-10, -20, 30]
    stored = np.arange(320, dtype=np.uint16).reshape(4, 8, 10)
    path = write_slice(
        tmp_path / "nm.dcm",
        stored,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.20",
        Modality="NM",
        NumberOfFrames=4,
        SliceVector=[1, 2, 3, 4],
        SpacingBetweenSlices=4,
        DetectorInformationSequence=[detector],
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
    )
    volume = read_dicom(path)
    np.testing.assert_array_equal(volume.data, stored)
    assert volume.spacing == pytest.approx((4, 0.5, 0.5))
    np.testing.assert_allclose(volume.affine[:3, 3], [30, -20, -10])


def test_values_from_a_table(tmp_path: Path) -> None:
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [256, 0, 16])
    table.add_new("LUTData", "US", [3 * i for i in range(256)])
    table.ModalityLUTType = "US"
    stored = np.arange(80, dtype=np.uint8).reshape(8, 10)
    path = write_slice(tmp_path / "a.dcm", stored, ModalityLUTSequence=[table])
    np.testing.assert_array_equal(read_dicom(path).data, 3 * stored.astype(int))


def test_coronal_slices_come_as_z_y_x(tmp_path: Path) -> None:
    # Rows run to the left, columns down to the feet: the normal points to the back.
    folder = write_stack(
        tmp_path / "s",
        [(3, 20 + 4 * y, 50) for y in range(5)],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
    )
    volume = read_dicom(folder)
    assert volume.shape == (8, 5, 10)
    assert volume.spacing == pytest.approx((0.5, 4, 0.5))
    np.testing.assert_array_equal(volume.data[0, :, 0], range(5))
    np.testing.assert_allclose(volume.affine @ [0, 0, 0, 1], [46.5, 20, 3, 1])
    np.testing.assert_allclose(volume.affine @ [7, 4, 9, 1], [50, 36, 7.5, 1])


def test_missing_slice_is_told(knee: Path) -> None:
    (knee / "IM-0001-0013.dcm").unlink()
    with pytest.warns(GeometryWarning, match=r"5 mm between IM-0001-0012.dcm and IM-0001-0014.dcm"):
        volume = read_dicom(knee)
    assert volume.shape[0] == 6
    # First and last slice stay where they are.
    np.testing.assert_allclose(volume.affine @ [5, 0, 0, 1], [22.87954, -200, -156.41647, 1], 1e-5)


def test_gantry_tilt_is_told_and_kept(tmp_path: Path) -> None:
    tilt = np.radians(15)
    folder = write_stack(tmp_path / "s", [(0, -2 * z * np.tan(tilt), 2 * z) for z in range(6)])
    with pytest.warns(GeometryWarning, match=r"15\.0 degrees"):
        volume = read_dicom(folder)
    np.testing.assert_allclose(
        volume.affine @ [5, 0, 0, 1], [10, -10 * np.tan(tilt), 0, 1], atol=1e-6
    )


def test_times_at_the_same_places_become_a_time_axis(tmp_path: Path) -> None:
    positions = [(0, 0, 2 * z) for t in range(3) for z in range(4)]
    folder = write_stack(
        tmp_path / "s",
        positions,
        AcquisitionDate="20200229",
        AcquisitionTime=[f"12000{t * 2}.{z}" for t in range(3) for z in range(4)],
    )
    volume = read_dicom(folder)
    assert volume.axes == "tzyx"
    np.testing.assert_array_equal(volume.data[..., 0, 0], np.arange(12).reshape(3, 4))
    assert volume.time_step == pytest.approx(2)


def test_echoes_become_the_first_axis_without_a_time_step(tmp_path: Path) -> None:
    positions = [(0, 0, 2 * z) for z in range(4) for e in range(2)]
    folder = write_stack(
        tmp_path / "s", positions, EchoTime=[10.0 if i % 2 else 20.0 for i in range(8)]
    )
    volume = read_dicom(folder)
    assert volume.axes == "tzyx"
    np.testing.assert_array_equal(volume.data[..., 0, 0], [[1, 3, 5, 7], [0, 2, 4, 6]])
    assert volume.time_step is None


def test_irregular_times_are_stacked_and_told(tmp_path: Path) -> None:
    positions = [(0, 0, 2 * z) for t in range(3) for z in range(4)]
    folder = write_stack(tmp_path / "s", positions)
    (folder / "011.dcm").unlink()
    with pytest.warns(GeometryWarning, match="11 images lie at 4 places, 2 to 3 at each"):
        volume = read_dicom(folder)
    assert (volume.axes, volume.shape) == ("zyx", (11, 8, 10))


def test_enhanced_frames_in_time(corpus: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(corpus / "volumes" / "enh.dcm")
    groups = dataset.PerFrameFunctionalGroupsSequence
    # The six slices become three slices at two times, interleaved.
    for i, group in enumerate(groups):
        content = group.FrameContentSequence[0]
        content.TemporalPositionIndex = 1 + i % 2
        content.FrameAcquisitionDateTime = f"2018102208363{5 + i % 2}.000000"
        del content.FrameReferenceDateTime
        position = groups[2 * (i // 2)].PlanePositionSequence
        group.PlanePositionSequence = position
    path = tmp_path / "times.dcm"
    dataset.save_as(path)
    volume = read_dicom(path)
    assert (volume.axes, volume.shape, volume.time_step) == ("tzyx", (2, 3, 64, 64), 1)
    np.testing.assert_array_equal(volume.data[1], dataset.pixel_array[1::2])
    assert volume.spacing[0] == pytest.approx(4.8)


def test_localiser_is_stacked_without_a_place(tmp_path: Path) -> None:
    write_stack(tmp_path / "s", [(0, 0, 0)])
    write_slice(
        tmp_path / "s" / "b.dcm",
        np.ones((8, 10), np.uint16),
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
        InstanceNumber=2,
    )
    with pytest.warns(GeometryWarning, match="2 different directions"):
        volume = read_dicom(tmp_path / "s")
    assert volume.shape == (2, 8, 10)


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


def test_compression_without_decoder(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = corpus / "volumes" / "dicom_single" / "693_J2KR.dcm"
    decoder = type(pydicom.pixels.get_decoder(pydicom.uid.JPEG2000Lossless))
    monkeypatch.setattr(decoder, "is_available", property(lambda self: False))
    with pytest.raises(FileReadError, match=r"JPEG 2000.*pip install pylibjpeg"):
        read_dicom(path)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.MPEG4HP41
    dataset.save_as(tmp_path / "video.dcm")
    with pytest.raises(FileReadError, match=r"MPEG-4.*no decoder"):
        read_dicom(tmp_path / "video.dcm")


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
