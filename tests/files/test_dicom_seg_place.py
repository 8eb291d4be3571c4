"""Labels as DICOM segmentations: the same voxels at the same place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from napari_dran import InputError, write_volume
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_seg import write_dicom_seg

from .dicom_labels import KNEE, assert_same_place, labels_of

PLACED = [KNEE, "enh.dcm", "dicom_single/eCT_Supplemental.dcm", "dicom_single/693_UNCR.dcm"]


@pytest.fixture
def sagittal(knee: Path) -> Path:
    """The same series as if from right to left, its columns running to the feet."""
    for number, path in enumerate(sorted(knee.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [20 - 3 * number, -100, 80]
        dataset.save_as(path)
    return knee


@pytest.mark.corpus
@pytest.mark.parametrize("name", PLACED)
def test_labels_lie_where_the_volume_puts_them(corpus: Path, tmp_path: Path, name: str) -> None:
    volume = read_dicom(corpus / "volumes" / name)
    labels = labels_of(volume)
    path = write_volume(labels, tmp_path / "out.seg.dcm")
    assert path == tmp_path / "out.seg.dcm"
    assert_same_place(labels, path)
    seg = highdicom.seg.segread(path)
    assert seg.SOPClassUID.name == "Segmentation Storage"
    assert seg.segmentation_type.value == "BINARY"
    original = volume.source.header.datasets[0]  # type: ignore[union-attr]
    for keyword in ("StudyInstanceUID", "PatientID", "FrameOfReferenceUID"):
        assert seg.get(keyword) == original.get(keyword) or not original.get(keyword)
    assert seg.get_segment_description(3).segment_label == "object 5"
    # Nothing that breaks the letter of the standard.
    with pydicom.config.strict_reading():
        pydicom.dcmread(path).decode()


@pytest.mark.corpus
def test_axes_that_the_reader_flips_and_permutes(sagittal: Path, tmp_path: Path) -> None:
    volume = read_dicom(sagittal)
    assert volume.source is not None
    assert volume.source.permutation != (0, 1, 2)
    assert any(volume.source.flips)
    labels = labels_of(volume)
    path = write_dicom_seg(labels, tmp_path / "out.seg.dcm")
    assert_same_place(labels, path)
    seg = pydicom.dcmread(path)
    # In the images' own orientation, so that viewers lay one over the other.
    assert (seg.Rows, seg.Columns) == (640, 640)
    orientation = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    assert list(orientation.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]


@pytest.mark.corpus
def test_a_series_of_several_multi_frame_files(corpus: Path, tmp_path: Path) -> None:
    for number in (0, 1):
        part = pydicom.dcmread(corpus / "volumes" / "enh.dcm")
        frames = slice(3 * number, 3 * number + 3)
        part.PerFrameFunctionalGroupsSequence = part.PerFrameFunctionalGroupsSequence[frames]
        part.PixelData = part.pixel_array[frames].tobytes()
        part.NumberOfFrames, part.SOPInstanceUID = 3, f"{part.SOPInstanceUID}.{number}"
        (tmp_path / "series").mkdir(exist_ok=True)
        part.save_as(tmp_path / "series" / f"{number}.dcm")
    volume = read_dicom(tmp_path / "series")
    assert volume.shape == (6, 64, 64)
    labels = labels_of(volume)
    path = write_dicom_seg(labels, tmp_path / "out.seg.dcm")
    assert_same_place(labels, path)
    (series,) = pydicom.dcmread(path).ReferencedSeriesSequence
    assert len(series.ReferencedInstanceSequence) == 2


@pytest.mark.corpus
def test_cropped_labels_get_their_place_from_the_affine(sagittal: Path, tmp_path: Path) -> None:
    labels = labels_of(read_dicom(sagittal))
    affine = labels.affine.copy()
    affine[:3, 3] = (labels.affine @ [100, 50, 1, 1])[:3]
    crop = replace(labels, data=labels.data[100:500, 50:620, 1:6], affine=affine)
    assert_same_place(crop, write_dicom_seg(crop, tmp_path / "crop.seg.dcm"))
    # In other units, too.
    thousand = np.diag([1000.0, 1000.0, 1000.0, 1.0]) @ affine
    crop = replace(crop, affine=thousand, unit="um")
    assert_same_place(crop, write_dicom_seg(crop, tmp_path / "um.seg.dcm"))
    with pytest.raises(InputError, match="are in pixel"):
        write_dicom_seg(replace(crop, unit="pixel"), tmp_path / "pixel.seg.dcm")


@pytest.mark.corpus
def test_a_picture_without_a_place(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_single" / "JPGLosslessP14SV1_1s_1f_8b.dcm")
    labels = labels_of(volume)
    seg = pydicom.dcmread(write_dicom_seg(labels, tmp_path / "a.seg.dcm"))
    assert (seg.Rows, seg.Columns) == volume.shape
    np.testing.assert_array_equal(seg.pixel_array[0], labels.data == 1)
    reference = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert reference.ReferencedSOPInstanceUID == volume.source.header.datasets[0].SOPInstanceUID  # type: ignore[union-attr]
    stack = read_dicom(corpus / "volumes" / "dicom_single" / "emri_small.dcm")
    with pytest.raises(InputError, match="needs their places"):
        write_dicom_seg(labels_of(stack), tmp_path / "b.seg.dcm")


@pytest.mark.corpus
def test_one_time_point_of_several(knee: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(knee.iterdir())):
        again = pydicom.dcmread(path)
        again.SOPInstanceUID += ".2"
        again.InstanceNumber, again.AcquisitionNumber = 100 + number, 2
        again.save_as(knee / f"second{number}.dcm")
    volume = read_dicom(knee)
    assert volume.axes == "tzyx"
    labels = labels_of(volume)
    assert_same_place(labels, write_dicom_seg(labels, tmp_path / "out.seg.dcm"))
    series = volume.with_data(np.stack([labels.data] * 2))
    with pytest.raises(InputError, match="one time point at a time"):
        write_dicom_seg(series, tmp_path / "series.seg.dcm")
