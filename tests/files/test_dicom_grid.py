"""Frames are placed in space and time as their files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from napari_dran.files.dicom import GeometryWarning, read_dicom

from .dicom_files import (
    packaged,
    write_slice,
    write_stack,
)


def test_slices_are_sorted_by_position_not_by_name_or_number(knee: Path) -> None:
    expected = read_dicom(knee).data
    names = sorted(knee.iterdir())
    for number, path in enumerate(names):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber = (number * 3) % 7
        dataset.save_as(knee / f"{(number * 5) % 7}.dcm")
        path.unlink()
    np.testing.assert_array_equal(read_dicom(knee).data, expected)


@pytest.mark.parametrize(
    ("name", "axes", "unit", "spacing"),
    [
        ("US1_UNCR", "yxs", "pixel", (1, 1)),
        # Named by those who made it: two frames of ultrasound.
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
