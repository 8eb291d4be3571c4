from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest, io_utils

import napari_dran
from napari_dran.errors import FileReadError
from napari_dran.files import read_volume, write_volume
from napari_dran.plugin.layers import layer_to_volume
from napari_dran.plugin.reader_writer import get_reader, read_layers, write_layer
from napari_dran.samples import SAMPLES
from napari_dran.volume import Volume

MANIFEST = Path(napari_dran.__file__).with_name("napari.yaml")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginManager]:
    """npe2 with this plugin and no other."""
    manager = PluginManager()
    manifest = PluginManifest.from_file(MANIFEST)
    manager.register(manifest)
    monkeypatch.setattr(PluginManager, "_PluginManager__instance", manager, raising=False)
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    yield manager
    manager.unregister(manifest.name)


@pytest.fixture
def scan() -> Volume:
    affine = np.diag([3.0, 0.5, 0.7, 1.0])
    affine[:3, 3] = [-20, 31.5, 7.25]
    data = np.random.default_rng(0).integers(-1000, 2000, (5, 16, 12), dtype=np.int16)
    return Volume(data, affine=affine, unit="mm", name="scan")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_scan_goes_through_napari_unharmed(
    plugins: PluginManager, scan: Volume, viewer: ViewerModel, tmp_path: Path, suffix: str
) -> None:
    before = tmp_path / f"before{suffix}"
    after = tmp_path / f"after{suffix}"
    write_volume(scan, before)
    ((data, arguments, kind),) = io_utils.read([str(before)], stack=False)
    layer = viewer._add_layer_from_data(data, arguments, kind)[0]
    written = io_utils.write(str(after), [layer.as_layer_data_tuple()])
    assert written == [str(after)]
    found = read_volume(after)
    np.testing.assert_array_equal(found.data, scan.data)
    np.testing.assert_allclose(found.affine, scan.affine, atol=1e-5)
    assert found.dtype == scan.dtype
    assert found.unit == "mm"


def test_moved_layer_is_written_where_it_lies(
    plugins: PluginManager, scan: Volume, viewer: ViewerModel, tmp_path: Path
) -> None:
    path = tmp_path / "scan.nii.gz"
    write_volume(scan, path)
    ((data, arguments, kind),) = io_utils.read([str(path)], stack=False)
    layer = viewer._add_layer_from_data(data, arguments, kind)[0]
    layer.translate = np.add(layer.translate, (0, 10, 0))
    io_utils.write(str(path), [layer.as_layer_data_tuple()])
    np.testing.assert_allclose(
        read_volume(path).affine[:3, 3], scan.affine[:3, 3] + [0, 10, 0], atol=1e-4
    )


def test_layer_of_unknown_origin_keeps_its_spacing(viewer: ViewerModel, tmp_path: Path) -> None:
    layer = viewer.add_image(np.zeros((4, 16, 12), np.float32), scale=(2, 1, 1), units=("mm",) * 3)
    data, arguments, _ = layer.as_layer_data_tuple()
    path = tmp_path / "plain.nii.gz"
    assert write_layer(str(path), data, arguments) == [str(path)]
    np.testing.assert_allclose(read_volume(path).spacing, (2, 1, 1))


def test_other_files_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no image")
    assert get_reader(str(tmp_path / "note.txt")) is None
    assert get_reader(str(tmp_path)) is None
    assert get_reader([]) is None
    assert get_reader(str(tmp_path / "a.nii")) is not None


def test_several_files_become_several_layers(scan: Volume, tmp_path: Path) -> None:
    paths = [str(write_volume(scan, tmp_path / name)) for name in ("a.nii", "b.nii")]
    reader = get_reader(paths)
    assert reader is not None
    assert len(reader(paths)) == 2


def test_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(FileReadError, match=r"nothing\.nii"):
        read_layers(str(tmp_path / "nothing.nii"))


@pytest.mark.corpus
def test_dicom_folder(plugins: PluginManager, corpus: Path, viewer: ViewerModel) -> None:
    folder = corpus / "volumes" / "dicom_series_seg3d_MR"
    ((data, arguments, kind),) = io_utils.read([str(folder)], stack=False)
    layer = viewer._add_layer_from_data(data, arguments, kind)[0]
    assert layer.data.shape[0] == 7
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layer_to_volume(layer).source is not None


@pytest.mark.corpus
def test_folder_with_two_series_becomes_two_layers(corpus: Path, tmp_path: Path) -> None:
    import pydicom

    source = corpus / "volumes" / "dicom_series_seg3d_MR"
    shutil.copytree(source, tmp_path / "study")
    uid = pydicom.uid.generate_uid()
    for file in sorted(source.glob("*.dcm")):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = uid
        dataset.SOPInstanceUID = pydicom.uid.generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(tmp_path / "study" / f"second-{file.name}")
    layers = read_layers(str(tmp_path / "study"))
    assert [data.shape[0] for data, _, _ in layers] == [7, 7]


@pytest.mark.parametrize("key", SAMPLES)
def test_sample_opens(plugins: PluginManager, viewer: ViewerModel, key: str) -> None:
    (sample,) = [s for _, found in plugins.iter_sample_data() for s in found if s.key == key]
    layers: list[Any] = sample.open(_registry=plugins.commands)
    ((data, arguments, kind),) = layers
    layer = viewer._add_layer_from_data(data, arguments, kind)[0]
    assert layer.ndim == {"epi": 4, "micrograph": 2, "nuclei": 2, "nuclei-noisy": 2}.get(key, 3)
    assert layer.rgb == (key == "micrograph")
