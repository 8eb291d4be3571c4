"""Label images: as many bits as it takes, and nothing of the image's intensities."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from napari_dran import InputError, Volume, read_volume
from napari_dran.files.labels import write_labels

pytestmark = pytest.mark.corpus


def many(number: int) -> Volume:
    """A slice of as many objects, each of one pixel."""
    data = np.zeros((300, 300), np.int32)
    data.ravel()[:number] = np.arange(1, number + 1)
    return Volume(data)


def test_pictures_have_16_bits_where_that_is_enough(tmp_path: Path) -> None:
    for name, number, dtype in (("a.tif", 65535, "uint16"), ("b.tif", 65536, "int32")):
        path = write_labels(many(number), tmp_path / name)
        assert tifffile.imread(path).dtype == dtype
        np.testing.assert_array_equal(tifffile.imread(path), many(number).data)
    with Image.open(write_labels(many(65535), tmp_path / "a.png")) as image:
        np.testing.assert_array_equal(np.asarray(image), many(65535).data)


def test_too_many_objects_for_png(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"65535.*Write \.tif or \.nii\.gz"):
        write_labels(many(65536), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_colour_profile_does_not_become_that_of_labels(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (9, 8)).save(tmp_path / "in.png", icc_profile=profile)
    image = read_volume(tmp_path / "in.png")
    labels = image.with_data(np.ones((8, 9), np.int32), axes="yx")
    with Image.open(write_labels(labels, tmp_path / "out.png")) as written:
        assert "icc_profile" not in written.info


def test_display_range_of_the_image_is_left_out(corpus: Path, tmp_path: Path) -> None:
    image = read_volume(corpus / "volumes" / "stroke_T1.nii.gz")
    # Even if the image had the labels' own type.
    wide = nib.Nifti1Image(image.data.astype(np.int32), np.diag([1, 2, 3, 1]))
    wide.header["cal_max"] = 900
    nib.save(wide, tmp_path / "in.nii")
    image = read_volume(tmp_path / "in.nii")
    labels = image.with_data((image.data > 100).astype(np.int32))
    written = nib.load(write_labels(labels, tmp_path / "out.nii"))
    assert float(written.header["cal_max"]) == 0
    np.testing.assert_array_equal(written.affine, wide.affine)


def test_entries_of_the_image_are_left_out_but_for_its_history(
    corpus: Path, tmp_path: Path
) -> None:
    scan = SimpleITK.ReadImage(str(corpus / "volumes" / "FLAIR.nrrd"))
    scan.SetMetaData("DWMRI_b-value", "1000")
    scan.SetMetaData("napari-dran", '{"operation": "denoise"}')
    SimpleITK.WriteImage(scan, str(tmp_path / "in.nrrd"))
    image = read_volume(tmp_path / "in.nrrd")
    labels = image.with_data(
        (image.data > 100).astype(np.int32), history=({"operation": "segment"},)
    )
    written = SimpleITK.ReadImage(str(write_labels(labels, tmp_path / "out.nrrd")))
    assert not written.HasMetaDataKey("DWMRI_b-value")
    assert written.GetOrigin() == scan.GetOrigin()
    assert written.GetDirection() == scan.GetDirection()
    history = written.GetMetaData("napari-dran")
    assert "denoise" in history
    assert "segment" in history
