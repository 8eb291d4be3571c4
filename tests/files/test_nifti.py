from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from nibabel.nifti1 import Nifti1Extension

from napari_dran.files import read_volume, write_volume
from napari_dran.volume import affine_from_ras

from .conftest import assert_same_file


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "int64", "float32", "float64"]
)
def test_header_is_kept(save, tmp_path, dtype, endian, second):
    data = np.arange(5 * 6 * 7 * 3).reshape(5, 6, 7, 3).astype(dtype)
    path = save(data, endian=endian, second=second, descrip=b"spm - realigned", aux_file=b"none",
                intent_code=3, intent_p1=12.0, intent_name=b"t test", cal_max=99, toffset=1.5,
                slice_code=3, slice_end=6, slice_duration=0.08, dim_info=57,
                xyzt_units=2 + 16, pixdim=[1, 1, 1, 1, 720, 0, 0, 0])  # fmt: skip
    volume = read_volume(path)
    assert volume.axes == "tzyx"
    assert volume.dtype == np.dtype(dtype)
    assert volume.dtype.isnative
    assert volume.time_step == pytest.approx(0.72)
    assert volume.unit == "mm"
    assert volume.name == "in"
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii.gz"))


def test_qform_and_sform_of_different_places(tmp_path, oblique_affine):
    data = np.zeros((5, 6, 7), np.int16)
    image = nib.Nifti1Image(data, None)
    image.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
    image.set_sform(oblique_affine, code=4)
    image.to_filename(tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    again = nib.load(write_volume(volume, tmp_path / "out.nii"))
    assert_same_file(tmp_path / "in.nii", tmp_path / "out.nii")
    assert (int(again.header["qform_code"]), int(again.header["sform_code"])) == (1, 4)
    # Moved: both say the new place, with the codes they had.
    affine = volume.affine.copy()
    affine[:3, 3] += 5
    again = nib.load(write_volume(replace(volume, affine=affine), tmp_path / "moved.nii"))
    moved = oblique_affine.copy()
    moved[:3, 3] += [-5, -5, 5]
    assert (int(again.header["qform_code"]), int(again.header["sform_code"])) == (1, 4)
    np.testing.assert_allclose(again.get_sform(), moved, atol=1e-5)
    np.testing.assert_allclose(again.get_qform(), moved, atol=1e-5)


@pytest.mark.parametrize(("qform", "sform"), [(0, 0), (1, 0), (0, 2)])
def test_codes_that_are_not_set(tmp_path, oblique_affine, qform, sform):
    image = nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), None)
    image.set_qform(oblique_affine, code=qform)
    image.set_sform(oblique_affine if sform else None, code=sform)
    image.to_filename(tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    assert volume.unit == ("mm" if qform or sform else "pixel")
    if qform or sform:
        expected = np.sort([0.5, 0.75, 2.5])
        np.testing.assert_allclose(np.sort(volume.spacing), expected, rtol=1e-6)
    assert_same_file(tmp_path / "in.nii", write_volume(volume, tmp_path / "out.nii"))


def test_new_file(make_volume, oblique_affine, tmp_path):
    volume = make_volume("tzyx", "int16", affine=affine_from_ras(oblique_affine))
    image = nib.load(write_volume(volume, tmp_path / "new.nii.gz"))
    assert isinstance(image.header, nib.Nifti1Header)
    assert image.shape == volume.shape[::-1]
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)
    np.testing.assert_allclose(image.affine, volume.affine_ras, atol=1e-5)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert image.header.get_zooms()[3] == 1.75


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((5, 6), "yx"), ((5, 6, 1), "zyx"), ((5, 6, 7, 1), "zyx"), ((5, 6, 1, 3), "tzyx"),
     ((5, 6, 7, 1, 3), "czyx"), ((5, 6, 7, 1, 1, 1, 2), "czyx"), ((5, 6, 7, 2, 1), "tzyx")],
)  # fmt: skip
def test_axes_of_length_one(save, tmp_path, shape, axes):
    path = save(np.arange(np.prod(shape)).reshape(shape).astype(np.int16))
    volume = read_volume(path)
    assert volume.axes == axes
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))


def test_extensions_are_kept_and_not_shared(save, tmp_path):
    path = save(np.zeros((5, 6, 7), np.uint8))
    image = nib.load(path)
    image.header.extensions.append(Nifti1Extension("comment", b"made by hand"))
    image.to_filename(tmp_path / "with.nii")
    volume = read_volume(tmp_path / "with.nii")
    done = replace(volume, history=({"software": "napari-dran"},))
    write_volume(done, tmp_path / "one.nii")
    second = nib.load(write_volume(done, tmp_path / "two.nii"))
    texts = [e.get_content() for e in second.header.extensions]
    assert texts[0].rstrip(b"\0") == b"made by hand"
    assert len(texts) == 2
    assert_same_file(tmp_path / "with.nii", write_volume(volume, tmp_path / "out.nii"))
    # Other readers are not put off by it.
    assert SimpleITK.ReadImage(str(tmp_path / "two.nii")).GetSize() == (5, 6, 7)


@pytest.mark.parametrize("length", [0, 40, 55, 70, 79])
def test_description_with_little_room(save, tmp_path, length):
    path = save(np.zeros((5, 6, 7), np.uint8), descrip=b"x" * length)
    step = {"software": "napari-dran", "version": "0.1.0", "weights": "dran-grey", "strength": 1.0}
    volume = replace(read_volume(path), history=(step,))
    written = nib.load(write_volume(volume, tmp_path / "out.nii")).header["descrip"].item()
    assert len(written) < 80
    assert written.startswith(b"x" * length)
    assert (b"napari-dran 0.1.0" in written) == (length < 61)


def test_singular_position(save, tmp_path, caplog):
    """A matrix of zeros: the voxel size still counts, and the file stays as it was."""
    path = save(np.zeros((5, 6, 7), np.uint8), None, sform_code=2, srow_x=0, srow_y=0,
                srow_z=0, pixdim=[1, 2, 3, 4, 0, 0, 0, 0], qform_code=0)  # fmt: skip
    volume = read_volume(path)
    assert volume.spacing == (4, 3, 2)
    assert "singular" in caplog.text
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))


def test_shear_is_kept_in_the_sform(make_volume, tmp_path):
    affine = np.diag([2.0, 1, 1, 1])
    affine[1, 0] = 0.5  # gantry tilt
    volume = make_volume("zyx", "int16", affine=affine)
    again = read_volume(write_volume(volume, tmp_path / "tilted.nii"))
    np.testing.assert_allclose(again.affine, affine, atol=1e-6)


def test_2d_slice_of_any_plane(save, tmp_path):
    """A sagittal 2-D file shows the head up: rows along z, columns along y."""
    sagittal = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    raw = np.arange(30, dtype=np.int16).reshape(5, 6)  # towards anterior, superior
    path = save(raw, sagittal)
    volume = read_volume(path)
    assert volume.axes == "yx"
    np.testing.assert_array_equal(volume.data, raw.T[:, ::-1])
    # The last column is the most anterior one, and y counts towards posterior.
    world = volume.affine @ [0, 5, 0, 1]
    np.testing.assert_allclose(world[:3], [5, -4, 0])
    assert_same_file(path, write_volume(volume, tmp_path / "out.nii"))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_slice_of_a_scan_lies_where_it_was(corpus, tmp_path, suffix):
    import SimpleITK as sitk

    source = corpus / "volumes" / "dicom_single" / "693_UNCR.dcm"
    volume = read_volume(source)
    image = sitk.ReadImage(write_volume(volume, tmp_path / f"slice{suffix}"))
    original = sitk.ReadImage(source)
    for corner in [(0, 0, 0), (511, 0, 0), (511, 511, 0)]:
        place = original.TransformIndexToPhysicalPoint(corner)
        index = image.TransformPhysicalPointToIndex(place)
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), place, atol=0.01)
        assert image[index] == original[corner]


def test_very_long_axis_becomes_nifti2(tmp_path):
    from napari_dran import Volume

    volume = Volume(np.zeros((8, 40000), np.uint8))
    image = nib.load(write_volume(volume, tmp_path / "long.nii"))
    assert isinstance(image, nib.Nifti2Image)
    assert read_volume(tmp_path / "long.nii").shape == (8, 40000)
