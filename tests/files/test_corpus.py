"""Real files of many origins: each opens, or says in one sentence why not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from napari_dran import DranError, FileReadError
from napari_dran.files import is_readable, read_volume, write_volume

pytestmark = pytest.mark.corpus

FILES = (
    "CT_AVM.nii.gz", "FLAIR.nrrd", "ct_perfusion_4d.nii.gz", "enh.dcm", "minc2-4d-d.mnc",
    "nibabel_anatomical.nii", "nibabel_example4d.nii.gz", "nibabel_functional.nii",
    "nih_GE_epi_4d.nii", "nih_Si_epi_AP.nii", "osteosarcoma_rgb_fluo.tif", "sct_dmri_4d.nii.gz",
    "sct_t1w.nii.gz", "stroke_FLAIR.nii.gz", "stroke_T1.mha", "stroke_T1.nii.gz",
    "stroke_T2.nii.gz", "dicom_series_seg3d_MR",
)  # fmt: skip


def test_every_file_opens_or_says_why_not(corpus):
    opened, refused = [], {}
    for path in sorted((corpus / "volumes").rglob("*")):
        if path.is_dir():
            continue
        try:
            volume = read_volume(path)
        except DranError as error:
            refused[path.name] = str(error)
        else:
            opened.append(path.name)
            assert is_readable(path)
            assert np.isfinite(volume.affine).all()
            assert volume.dtype.isnative
    tables = {"manifest.csv", "sct_bvals.txt", "sct_bvecs.txt"}
    minc2 = set() if importlib.util.find_spec("h5py") else {"minc2-4d-d.mnc"}
    assert set(refused) == tables | minc2, refused
    assert not any("\n" in sentence for sentence in refused.values())
    assert len(opened) > 20


@pytest.mark.parametrize("name", FILES)
def test_known_files(corpus, name):
    path = corpus / "volumes" / name
    if name.endswith(".mnc") and not importlib.util.find_spec("h5py"):
        with pytest.raises(FileReadError, match="pip install h5py"):
            read_volume(path)
        return
    volume = read_volume(path)
    assert min(volume.shape[volume.axes.index("y") :][:2]) > 8
    assert volume.unit == ("pixel" if path.suffix == ".tif" else "mm")


@pytest.mark.parametrize(
    "name", [n for n in FILES if ".nii" in n and n != "ct_perfusion_4d.nii.gz"]
)
def test_nifti_against_simpleitk(corpus, tmp_path, name):
    """Read by nibabel, written by us, read by SimpleITK: same values, same place."""
    path = corpus / "volumes" / name
    volume = read_volume(path)
    written = write_volume(volume, tmp_path / name)
    first, second = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(written))
    np.testing.assert_array_equal(
        SimpleITK.GetArrayViewFromImage(first), SimpleITK.GetArrayViewFromImage(second)
    )
    assert first.GetPixelIDTypeAsString() == second.GetPixelIDTypeAsString()
    for corner in np.ndindex(*[2] * first.GetDimension()):
        index = [int(c * (n - 1)) for c, n in zip(corner, first.GetSize(), strict=True)]
        place = first.TransformIndexToPhysicalPoint(index)
        assert place == pytest.approx(second.TransformIndexToPhysicalPoint(index))
        # The volume has the same value at the same place.
        zyx = (np.linalg.inv(volume.affine) @ [*place[:3][::-1], 1])[:3]
        np.testing.assert_allclose(zyx, np.rint(zyx), atol=0.01)
        time = (index[3],) if volume.axes[0] == "t" else ()
        found = volume.data[(*time, *np.rint(zyx).astype(int))]
        assert found == pytest.approx(first.GetPixel(*index), rel=1e-5, abs=1e-4)
    old, new = nib.load(path).header, nib.load(written).header
    for key in old:
        if key != "vox_offset":
            np.testing.assert_array_equal(old[key], new[key], err_msg=key)


@pytest.mark.parametrize("name", ["FLAIR.nrrd", "stroke_T1.mha"])
def test_itk_against_nibabel(corpus, tmp_path, name):
    """The same scan is there as NIfTI: values at one world place are the same."""
    volume = read_volume(corpus / "volumes" / name)
    twin = read_volume(
        corpus / "volumes" / f"stroke_{Path(name).stem.removeprefix('stroke_')}.nii.gz"
    )
    np.testing.assert_allclose(volume.affine, twin.affine, atol=1e-3)
    image = nib.load(write_volume(volume, tmp_path / "out.nii.gz"))
    np.testing.assert_allclose(image.affine, volume.affine_ras, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, volume.data)
    if name == "stroke_T1.mha":
        np.testing.assert_array_equal(volume.data, twin.data)
