"""Writing volumes that never were DICOM, and what writing must not destroy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from napari_dran import Volume
from napari_dran.errors import FileWriteError, InputError, OutputExistsError
from napari_dran.files.dicom import read_dicom
from napari_dran.files.dicom_write import write_dicom_series
from napari_dran.volume import affine_from_ras

from .dicom_files import STEP, assert_same_place, datasets, read_with_simpleitk


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
