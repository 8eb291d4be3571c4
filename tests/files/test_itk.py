from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from napari_dran import FileReadError, OutputExistsError, Volume
from napari_dran.files import read_volume, write_volume

VALUES = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


@pytest.fixture
def image():
    """An image of ITK with a rotated and reversed direction and named entries."""
    image = SimpleITK.GetImageFromArray(VALUES)
    image.SetSpacing((0.5, 0.75, 2.5))
    image.SetOrigin((10, -20, 30))
    turn = np.deg2rad(100)
    direction = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, -1]]
    image.SetDirection(np.ravel(direction).tolist())
    image.SetMetaData("site", "ward 7, bed 2")
    return image


def facts(path):
    """All that a reader of ITK gets to know about a file."""
    image = SimpleITK.ReadImage(str(path))
    entries = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    # NRRD stores spacing times direction, whose last bit may change.
    numbers = (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    return (
        image.GetSize(),
        [float(f"{number:.13g}") for number in numbers],
        image.GetPixelIDTypeAsString(),
        {key: value for key, value in entries.items() if "UNKNOWN" not in value},
        SimpleITK.GetArrayFromImage(image).tolist(),
    )


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_file_is_kept(suffix, compressed, image, tmp_path, capfd):
    path = tmp_path / f"in{suffix}"
    SimpleITK.WriteImage(image, str(path), compressed)
    volume = read_volume(path)
    assert (volume.axes, volume.dtype, volume.unit) == ("zyx", np.int16, "mm")
    np.testing.assert_allclose(volume.spacing, (2.5, 0.5, 0.75))  # turned by 100 degrees
    assert facts(write_volume(volume, tmp_path / f"out{suffix}")) == facts(path)
    assert capfd.readouterr() == ("", "")


def test_from_one_format_to_the_other(image, tmp_path):
    SimpleITK.WriteImage(image, str(tmp_path / "in.nrrd"))
    SimpleITK.WriteImage(image, str(tmp_path / "in.mha"))
    write_volume(read_volume(tmp_path / "in.nrrd"), tmp_path / "out.mha")
    write_volume(read_volume(tmp_path / "in.mha"), tmp_path / "out.nrrd")
    assert facts(tmp_path / "out.mha") == facts(tmp_path / "in.mha")
    assert facts(tmp_path / "out.nrrd") == facts(tmp_path / "in.nrrd")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("shape", "dtype", "vector", "axes"),
    [((6, 7), "uint8", False, "yx"), ((6, 7, 3), "uint8", True, "yxs"),
     ((6, 7, 2), "float32", True, "cyx"), ((5, 6, 7, 4), "uint8", True, "zyxs"),
     ((5, 6, 7, 3), "float32", True, "czyx"), ((2, 5, 6, 7), "float64", False, "tzyx"),
     ((1, 5, 6, 7), "uint16", False, "zyx"), ((2, 5, 6, 7, 3), "uint8", True, "tzyxs"),
     ((1, 6, 7), "uint32", False, "zyx"), ((5, 6, 7), "int64", False, "zyx")],
)  # fmt: skip
def test_axes(suffix, shape, dtype, vector, axes, tmp_path):
    data = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    image = SimpleITK.GetImageFromArray(data, isVector=vector)
    if image.GetDimension() == 4:
        image.SetSpacing((1, 2, 3, 0.8))
    SimpleITK.WriteImage(image, str(tmp_path / f"in{suffix}"))
    volume = read_volume(tmp_path / f"in{suffix}")
    assert volume.axes == axes
    assert volume.dtype == dtype
    assert volume.time_step == (0.8 if axes[0] == "t" else None)
    path = write_volume(volume, tmp_path / f"out{suffix}")
    assert facts(path) == facts(tmp_path / f"in{suffix}")


def test_slice_with_a_place_is_written_as_a_volume(tmp_path):
    affine = np.diag([3.0, 1, 1, 1])
    affine[0, 3] = 42
    path = write_volume(Volume(VALUES[0], affine=affine, unit="mm"), tmp_path / "slice.mha")
    image = SimpleITK.ReadImage(str(path))
    assert image.GetSize() == (7, 6, 1)
    assert image.GetOrigin() == (0, 0, 42)


def test_measurement_frame_and_gradients(tmp_path):
    """What a diffusion NRRD says in its own frame and its own handedness."""
    header = (
        "NRRD0005\ntype: short\ndimension: 4\nspace: right-anterior-superior\nsizes: 4 7 6 5\n"
        "space directions: none (1,0,0) (0,2,0) (0,0,3)\nkinds: list domain domain domain\n"
        "endian: big\nencoding: raw\nspace origin: (1,2,3)\n"
        "measurement frame: (1,0,0) (0,0,1) (0,1,0)\nmodality:=DWMRI\nDWMRI_b-value:=1000\n\n"
    )
    data = np.arange(5 * 6 * 7 * 4, dtype=">i2")
    (tmp_path / "in.nrrd").write_bytes(header.encode() + data.tobytes())
    volume = read_volume(tmp_path / "in.nrrd")
    assert volume.axes == "czyx"
    path = write_volume(volume, tmp_path / "out.nrrd")
    written = path.read_bytes().partition(b"\n\n")[0].decode()
    assert "measurement frame: (-1,0,0) (0,0,1) (0,-1,0)" in written  # now in left-posterior
    assert "space: left-posterior-superior" in written
    assert "DWMRI_b-value:=1000" in written
    again = read_volume(path)
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_array_equal(again.affine, volume.affine)
    # Written and read once more, the frame is not turned again.
    write_volume(again, path, overwrite=True)
    assert "measurement frame: (-1,0,0)" in path.read_bytes().partition(b"\n\n")[0].decode()


def test_two_files_are_replaced_together(image, tmp_path):
    path = tmp_path / "image.mhd"
    volume = Volume(VALUES)
    write_volume(volume, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image.mhd", "image.zraw"]
    path.unlink()
    with pytest.raises(OutputExistsError, match=r"image\.zraw, which belongs to image\.mhd"):
        write_volume(volume, path)
    write_volume(volume.with_data(VALUES + 1), path, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).data, VALUES + 1)


def test_edited_time_step_and_place(tmp_path):
    data = np.stack([VALUES] * 2)
    volume = Volume(data, "tzyx", np.diag([3.0, 2, 1, 1]), "mm", time_step=2.0)
    volume = read_volume(write_volume(volume, tmp_path / "a.nrrd"))
    assert volume.time_step == 2
    affine = volume.affine.copy()
    affine[2, 3] = 5
    moved = replace(volume, affine=affine, time_step=3.0)
    image = SimpleITK.ReadImage(str(write_volume(moved, tmp_path / "b.nrrd")))
    assert image.GetOrigin() == (5, 0, 0, 0)
    assert image.GetSpacing() == (1, 2, 3, 3)


def test_damaged(image, tmp_path):
    for name in ("a.nrrd", "a.mha", "a.mhd", "a.nhdr"):
        SimpleITK.WriteImage(image, str(tmp_path / name), False)
    for name in ("a.nrrd", "a.mha"):
        (tmp_path / f"cut-{name}").write_bytes((tmp_path / name).read_bytes()[:-50])
        (tmp_path / f"junk-{name}").write_bytes(b"this is no image\n" * 10)
    (tmp_path / "a.raw").unlink()
    for name in ("cut-a.nrrd", "cut-a.mha", "junk-a.nrrd", "junk-a.mha", "a.mhd", "a.nhdr"):
        with pytest.raises(FileReadError, match=f"Could not read .*{name}") as caught:
            read_volume(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_too_many_values(tmp_path):
    image = SimpleITK.GetImageFromArray(np.zeros((2, 5, 6, 7, 2), np.float32), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
    with pytest.raises(FileReadError, match="4 axes and 2 values"):
        read_volume(tmp_path / "a.nrrd")
    image = SimpleITK.GetImageFromArray(np.zeros((5, 6, 7), np.complex64))
    SimpleITK.WriteImage(image, str(tmp_path / "b.nrrd"))
    with pytest.raises(FileReadError, match="complex"):
        read_volume(tmp_path / "b.nrrd")
