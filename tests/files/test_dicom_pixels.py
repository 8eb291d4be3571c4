"""Stored values become real ones, whatever their compression, bits, rescale and colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from napari_dran.errors import FileReadError
from napari_dran.files.dicom import read_dicom

from .dicom_files import (
    assert_agrees,
    packaged,
    write_slice,
    write_stack,
)


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


def test_values_from_a_table(tmp_path: Path) -> None:
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [256, 0, 16])
    table.add_new("LUTData", "US", [3 * i for i in range(256)])
    table.ModalityLUTType = "US"
    stored = np.arange(80, dtype=np.uint8).reshape(8, 10)
    path = write_slice(tmp_path / "a.dcm", stored, ModalityLUTSequence=[table])
    np.testing.assert_array_equal(read_dicom(path).data, 3 * stored.astype(int))


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
