"""Writing is all or nothing, and never over something unasked; names tell the format."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from napari_dran import FileReadError, FileWriteError, OutputExistsError, Volume
from napari_dran.files import (
    READABLE_SUFFIXES,
    WRITABLE_SUFFIXES,
    is_readable,
    read_volume,
    write_volume,
)
from napari_dran.files.atomic import writing

VOLUME = Volume(np.arange(5 * 12 * 14, dtype=np.int16).reshape(5, 12, 14))
SUFFIXES = [s for s in WRITABLE_SUFFIXES if s != ".png"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_files_stay(suffix, tmp_path):
    path = write_volume(VOLUME, tmp_path / f"a{suffix}")
    old = path.read_bytes()
    with pytest.raises(OutputExistsError, match=r"exists already.*overwrit"):
        write_volume(VOLUME, path)
    assert path.read_bytes() == old
    write_volume(VOLUME.with_data(VOLUME.data + 1), path, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).data, VOLUME.data + 1)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_leaves_the_old_file(suffix, tmp_path, monkeypatch):
    import nibabel.filebasedimages
    import SimpleITK
    import tifffile

    path = write_volume(VOLUME, tmp_path / f"a{suffix}")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nibabel.filebasedimages.FileBasedImage, "to_filename", fail)
    monkeypatch.setattr(SimpleITK, "WriteImage", fail)
    monkeypatch.setattr(tifffile, "imwrite", fail)
    with pytest.raises(FileWriteError, match=r"disk is full \(about 1.68 kB are needed, .*free"):
        write_volume(VOLUME, path, overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_full_disk_that_a_library_does_not_name(tmp_path, monkeypatch):
    from napari_dran.files import atomic

    monkeypatch.setattr(atomic, "_free", lambda path: 0)
    with pytest.raises(FileWriteError, match="disk is full"), writing(tmp_path / "a"):
        raise RuntimeError("error 17")
    with pytest.raises(FileWriteError, match="disk is full"), writing(tmp_path / "a", size=9):
        raise OSError("811008 requested and 102288 written")  # as NumPy does for tifffile
    monkeypatch.setattr(atomic, "_free", lambda path: 10**9)
    with pytest.raises(FileWriteError, match=r"a: error 17\.$"), writing(tmp_path / "a"):
        raise RuntimeError("first line\nerror 17")
    with pytest.raises(FileWriteError, match=r"a: seek failed\.$"), writing(tmp_path / "a"):
        raise OSError("seek failed")


def test_full_disk_that_pydicom_wraps(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileWriteError, match="disk is full"), writing(tmp_path / "a"):
        raise OSError("With tag (7fe0,0010): no space") from full


def test_failure_half_way(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def write():
        with writing(tmp_path / "a.txt", overwrite=True) as temporary:
            temporary.write_text("new, but not")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders(tmp_path):
    target = tmp_path / "series"

    def write(text, overwrite=False):
        with writing(target, overwrite) as temporary:
            temporary.mkdir()
            (temporary / "1.dcm").write_bytes(b"\0" * 128 + b"DICM" + text)

    write(b"first")
    with pytest.raises(OutputExistsError):
        write(b"second")
    write(b"third", overwrite=True)
    assert (target / "1.dcm").read_bytes().endswith(b"third")
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match=r"more than DICOM files \(thesis\.txt\)"):
        write(b"fourth", overwrite=True)
    assert (target / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    target = tmp_path / "empty"
    write(b"into an empty folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "series"]


def test_folder_that_cannot_be_moved_comes_back(tmp_path, monkeypatch):
    from pathlib import Path

    target = tmp_path / "series"
    target.mkdir()
    (target / "1.dcm").write_bytes(b"\0" * 128 + b"DICM")
    rename = Path.rename

    def fail(self, other):
        if Path(other) == target and not self.name.endswith(".old"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with (
        pytest.raises(FileWriteError, match="Input/output error"),
        writing(target, overwrite=True) as temporary,
    ):
        temporary.mkdir()
    assert (target / "1.dcm").exists()


def test_missing_folder(tmp_path):
    with pytest.raises(FileWriteError, match=r"the folder .*nowhere does not exist"):
        write_volume(VOLUME, tmp_path / "nowhere" / "a.nii")


def test_permission_refused(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(FileWriteError, match="no permission"):
        write_volume(VOLUME, tmp_path / "a.nii")


# The same, refused by a real file system; as root, or on Windows, there is no such folder.
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is refused to root"
)
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileWriteError, match="no permission"):
        write_volume(VOLUME, tmp_path / "a.nii")


def test_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target = write_volume(VOLUME, tmp_path / "real" / "a.nii")
    link = tmp_path / "link.nii"
    link.symlink_to(target)
    write_volume(VOLUME.with_data(VOLUME.data + 1), link, overwrite=True)
    assert link.is_symlink()
    np.testing.assert_array_equal(read_volume(target).data, VOLUME.data + 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.mnc", "a.xyz", "a.dcm", "a.gz", "a.bmp"])
def test_formats_that_are_not_written(name, tmp_path):
    with pytest.raises(FileWriteError, match=r"not a format that can be written.*\.nii\.gz"):
        write_volume(VOLUME, tmp_path / name)


def test_missing_file(tmp_path):
    with pytest.raises(FileReadError, match=r"no file or folder .*a\.nii"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["notes.txt", "archive.gz", "README"])
def test_unknown_format(name, tmp_path):
    (tmp_path / name).write_text("hello")
    with pytest.raises(FileReadError, match=rf"format of .*{name}.*\.nii\.gz"):
        read_volume(tmp_path / name)
    assert not is_readable(tmp_path / name)


def test_is_readable(tmp_path):
    for suffix in READABLE_SUFFIXES:
        assert is_readable(f"some/where/scan{suffix.upper()}")
    assert not is_readable("some/where/scan.gz")
    assert not is_readable(tmp_path)
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
    assert is_readable(tmp_path / "IM0001")
    assert is_readable(tmp_path)


def test_suffix_in_capitals(tmp_path):
    path = write_volume(VOLUME, tmp_path / "SCAN.NII.GZ")
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    np.testing.assert_array_equal(read_volume(path).data, VOLUME.data)
