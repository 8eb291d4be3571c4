"""Labels as DICOM segmentations: true references, names, and what cannot be written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from napari_dran import InputError, MissingPackageError, OutputExistsError, Volume, write_volume
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_seg import write_dicom_seg

from .dicom_labels import KNEE, assert_same_place, labels_of


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
