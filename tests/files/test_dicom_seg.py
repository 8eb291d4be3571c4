"""Labels as DICOM segmentations: the same voxels at the same place, and true references."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from scipy.spatial import cKDTree

from napari_dran import InputError, MissingPackageError, OutputExistsError, Volume, write_volume
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_seg import write_dicom_seg

KNEE = "dicom_series_seg3d_MR"
PLACED = [KNEE, "enh.dcm", "dicom_single/eCT_Supplemental.dcm", "dicom_single/693_UNCR.dcm"]


def labels_of(volume: Volume) -> Volume:
    """Three objects of uneven shape that touch the edges of the image, numbers 1, 2 and 5."""
    data = np.zeros(volume.spatial_shape, np.int32)
    rows, columns = data.shape[-2:]
    data[..., : rows // 3, : columns // 4] = 1
    data.reshape(-1, rows, columns)[-1, rows // 2 :, columns // 2 :] = 2
    data[..., rows // 2, 5:9] = 5
    return volume.with_data(data, axes=volume.spatial_axes)


def world(labels: Volume, number: int) -> np.ndarray:
    """x, y, z in mm of every voxel of an object, by the volume's affine."""
    data = labels.data if labels.data.ndim == 3 else labels.data[np.newaxis]
    index = np.argwhere(data == number)
    factor = 1e-3 if labels.unit == "um" else 1.0
    return factor * (np.c_[index, np.ones(len(index))] @ labels.affine.T)[:, 2::-1]


def written_world(seg: Any, segment: int) -> np.ndarray:
    """x, y, z in mm of every pixel of a segment, by what the file says frame by frame."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    rows_apart, columns_apart = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    points = []
    for frame, picture in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        holder = frame if "SegmentIdentificationSequence" in frame else shared
        if holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber != segment:
            continue
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        row, column = np.nonzero(picture)
        points.append(
            position
            + np.outer(column * columns_apart, cosines[:3])
            + np.outer(row * rows_apart, cosines[3:])
        )
    return np.concatenate(points) if points else np.empty((0, 3))


def assert_same_place(labels: Volume, path: Path) -> None:
    seg = pydicom.dcmread(path)
    numbers = np.unique(labels.data[labels.data > 0]).tolist()
    assert len(seg.SegmentSequence) == len(numbers)
    for segment, number in enumerate(numbers, start=1):
        expected, found = world(labels, number), written_world(seg, segment)
        assert len(expected) == len(found) > 0
        assert cKDTree(found).query(expected)[0].max() < 1e-3
        assert cKDTree(expected).query(found)[0].max() < 1e-3


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
def test_frames_refer_to_the_images_they_are_of(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / KNEE)
    labels = labels_of(volume)
    seg = highdicom.seg.segread(write_dicom_seg(labels, tmp_path / "out.seg.dcm"))
    header = volume.source.header  # type: ignore[union-attr]
    in_order = [header.datasets[frame.file].SOPInstanceUID for frame in header.frames]
    read = seg.get_pixels_by_source_instance(in_order, combine_segments=True)
    np.testing.assert_array_equal(read, np.where(labels.data == 5, 3, labels.data))
    item = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert item.SpatialLocationsPreserved == "YES"


@pytest.mark.corpus
def test_frames_refer_to_the_frames_they_are_of(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "dicom_single" / "eCT_Supplemental.dcm")
    labels = labels_of(volume)
    seg = highdicom.seg.segread(write_dicom_seg(labels, tmp_path / "out.seg.dcm"))
    series = volume.source.header.datasets[0].SeriesInstanceUID  # type: ignore[union-attr]
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == series
    assert seg.SeriesInstanceUID != series
    original = pydicom.dcmread(corpus / "volumes" / "dicom_single" / "eCT_Supplemental.dcm")
    read = seg.get_pixels_by_source_frame(original.SOPInstanceUID, [1, 2], combine_segments=True)
    source = volume.source
    assert source is not None
    frames = [frame.number for frame in source.header.frames]
    expected = np.flip(labels.data, [axis for axis, flip in enumerate(source.flips) if flip])
    expected = np.where(expected == 5, 3, expected)[np.argsort(frames)]
    np.testing.assert_array_equal(read, expected)


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
def test_denoised_and_segmented_labels_are_of_the_original(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / KNEE)
    labels = replace(labels_of(volume), history=({"weights": "unet-brain-tumour"},))
    path = write_dicom_seg(labels, tmp_path / "a.seg.dcm", names=["tumour"])
    first, second, _ = pydicom.dcmread(path).SegmentSequence
    assert (first.SegmentLabel, second.SegmentLabel) == ("tumour 1", "tumour 2")
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "unet-brain-tumour"
    assert first.RecommendedDisplayCIELabValue != second.RecommendedDisplayCIELabValue
    # A name for each label; the one that no other object has stands alone.
    names = {1: "cyst", 2: "cyst", 5: "scar"}
    path = write_dicom_seg(labels, tmp_path / "b.seg.dcm", names=names, algorithm="by hand")
    described = pydicom.dcmread(path).SegmentSequence
    assert [one.SegmentLabel for one in described] == ["cyst 1", "cyst 2", "scar"]
    assert described[0].SegmentAlgorithmName == "by hand"
    with pytest.raises(InputError, match="no name for label 5"):
        write_dicom_seg(labels, tmp_path / "c.seg.dcm", names=["one", "two"])


@pytest.mark.corpus
def test_many_objects_become_one_segment_a_name(corpus: Path, tmp_path: Path) -> None:
    volume = read_dicom(corpus / "volumes" / "enh.dcm")
    data = np.zeros(volume.shape, np.int32)
    data[:, ::5, ::5] = np.arange(6 * 13 * 13).reshape(6, 13, 13)
    labels = volume.with_data(data)
    seg = pydicom.dcmread(write_dicom_seg(labels, tmp_path / "a.seg.dcm", names=["nucleus"]))
    assert [one.SegmentLabel for one in seg.SegmentSequence] == ["nucleus"]
    assert_same_place(volume.with_data((data > 0).astype(np.uint8)), tmp_path / "a.seg.dcm")
    names = {n: "even" if n % 2 == 0 else "odd" for n in range(1, data.max() + 1)}
    write_dicom_seg(labels, tmp_path / "b.seg.dcm", names=names)
    kinds = np.where(data > 0, 2 - data % 2, 0)
    assert_same_place(volume.with_data(kinds), tmp_path / "b.seg.dcm")
    with pytest.raises(InputError, match="1013 segments"):
        write_dicom_seg(
            labels, tmp_path / "c.seg.dcm", names={n: f"cell {n}" for n in range(1, 1014)}
        )


@pytest.mark.corpus
def test_nothing_found_is_an_empty_segment(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = read_dicom(corpus / "volumes" / "enh.dcm")
    labels = volume.with_data(np.zeros(volume.shape, bool))
    seg = highdicom.seg.segread(write_dicom_seg(labels, tmp_path / "a.seg.dcm", names=["tumour"]))
    assert seg.get_segment_description(1).segment_label == "tumour"
    assert seg.pixel_array.shape == volume.shape
    assert not seg.pixel_array.any()
    assert capsys.readouterr() == ("", "")


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


@pytest.mark.corpus
def test_careless_headers(knee: Path, tmp_path: Path) -> None:
    for path in knee.iterdir():
        dataset = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            dataset.PatientSex, dataset.PatientBirthDate = "female", "1970"
            dataset.StudyTime = "noon"
            for keyword in ("StudyID", "AccessionNumber", "SliceThickness", "Modality",
                            "FrameOfReferenceUID", "ReferringPhysicianName"):  # fmt: skip
                if keyword in dataset:
                    del dataset[keyword]
            dataset.save_as(path)
    labels = labels_of(read_dicom(knee))
    path = write_dicom_seg(labels, tmp_path / "out.seg.dcm")
    assert_same_place(labels, path)
    seg = pydicom.dcmread(path)
    assert (seg.PatientSex, seg.PatientBirthDate) == ("", "")
    # Two segmentations of a series lie in one frame of reference.
    other = pydicom.dcmread(write_dicom_seg(labels, tmp_path / "other.seg.dcm"))
    assert seg.FrameOfReferenceUID == other.FrameOfReferenceUID
    assert seg.SOPInstanceUID != other.SOPInstanceUID


@pytest.mark.corpus
def test_what_cannot_be_written(
    corpus: Path, tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    target = tmp_path / "out.seg.dcm"
    volume = read_dicom(corpus / "volumes" / "enh.dcm")
    labels = labels_of(volume)
    for wrong, message in [
        (make_volume("zyx", "uint8"), r"came from no file.*\.nii\.gz"),
        (volume.with_data(labels.data.astype(np.float32)), "got float32"),
        (volume.with_data(labels.data - 1), "got -1"),
        (volume.with_data(np.stack([labels.data] * 3, -1), axes="zyxs"), "'zyxs' axes"),
    ]:
        with pytest.raises(InputError, match=message):
            write_volume(wrong, target)
    header = replace(volume.source.header, datasets=(pydicom.Dataset(),))  # type: ignore[union-attr,type-var]
    with pytest.raises(InputError, match="no SOPInstanceUID"):
        write_volume(replace(labels, source=replace(volume.source, header=header)), target)  # type: ignore[type-var]
    assert list(tmp_path.iterdir()) == []
    write_volume(labels, target)
    before = target.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        write_volume(labels, target)
    assert target.read_bytes() == before
    write_volume(labels, target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.seg.dcm"]


def test_without_highdicom(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_volume: Callable[..., Volume]
) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'napari-dran\[dicom-seg\]'"):
        write_volume(make_volume("zyx", "uint8"), tmp_path / "out.seg.dcm")
