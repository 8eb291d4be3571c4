from __future__ import annotations

from importlib import import_module, metadata
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_dran
from napari_dran.samples import SAMPLES

PACKAGE = Path(napari_dran.__file__).parent


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(PACKAGE / "napari.yaml")


def test_entry_point_leads_to_the_manifest() -> None:
    found = {e.group: e.value for e in metadata.distribution("napari-dran").entry_points}
    assert found["napari.manifest"] == "napari_dran:napari.yaml"


def test_name_is_that_of_the_distribution(manifest: PluginManifest) -> None:
    assert manifest.name == "napari-dran"
    assert manifest.schema_version == "0.3.0"


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    commands = {c.id: c.python_name for c in manifest.contributions.commands}
    assert set(commands) == {
        "napari-dran.denoise",
        "napari-dran.train",
        "napari-dran.segment",
        "napari-dran.detect",
        "napari-dran.compare_segmentation",
        "napari-dran.compare_detection",
        "napari-dran.read",
        "napari-dran.write",
        "napari-dran.sample_t1_noisy",
        "napari-dran.sample_t1",
        "napari-dran.sample_flair",
        "napari-dran.sample_epi",
        "napari-dran.sample_micrograph",
        "napari-dran.sample_nuclei_noisy",
        "napari-dran.sample_nuclei",
    }
    for name in commands.values():
        module, function = str(name).split(":")
        assert callable(getattr(import_module(module), function))


def test_widgets(manifest: PluginManifest) -> None:
    widgets = {w.command: w.display_name for w in manifest.contributions.widgets}
    assert widgets == {
        "napari-dran.denoise": "Denoise",
        "napari-dran.train": "Train",
        "napari-dran.segment": "Segment (U-Net)",
        "napari-dran.detect": "Detect (Mask R-CNN)",
    }


def test_reader(manifest: PluginManifest) -> None:
    (reader,) = manifest.contributions.readers
    assert reader.command == "napari-dran.read"
    assert reader.accepts_directories
    patterns = set(reader.filename_patterns)
    assert patterns >= {f"*.{s}" for s in "nii nii.gz nrrd mha mhd mgz dcm".split()}  # noqa: SIM905
    assert not patterns & {"*", "*.tif", "*.png"}, "those are napari's own"


def test_reader_promises_nothing_that_files_cannot_read(manifest: PluginManifest) -> None:
    from napari_dran.files import READABLE_SUFFIXES

    (reader,) = manifest.contributions.readers
    assert {p.removeprefix("*") for p in reader.filename_patterns} <= set(READABLE_SUFFIXES)


def test_writers(manifest: PluginManifest) -> None:
    image, labels = manifest.contributions.writers
    assert (image.layer_types, labels.layer_types) == (["image"], ["labels"])
    for writer in (image, labels):
        assert writer.command == "napari-dran.write"
        # npe2 takes the first suffix that fits.
        assert writer.filename_extensions == [".nii.gz", ".nii", ".nrrd", ".mha"]


def test_sample_data(manifest: PluginManifest) -> None:
    samples = {s.key: s.command for s in manifest.contributions.sample_data}
    assert set(samples) == set(SAMPLES) >= {"t1-noisy", "t1", "epi", "micrograph"}
    for key, command in samples.items():
        assert command == f"napari-dran.sample_{key.replace('-', '_')}"


def test_menus(manifest: PluginManifest) -> None:
    menus = manifest.contributions.menus
    commands = [item.command for item in menus["napari/layers/filter"]]
    assert commands == ["napari-dran.denoise", "napari-dran.train"]
    assert [item.command for item in menus["napari/layers/segment"]] == [
        "napari-dran.segment",
        "napari-dran.detect",
        "napari-dran.compare_segmentation",
        "napari-dran.compare_detection",
    ]


def test_configurations(manifest: PluginManifest) -> None:
    from napari_dran.intensity import DEFAULT_WINDOW, window_names

    configuration = manifest.contributions.configurations["inference"]
    device, window = configuration.properties["device"], configuration.properties["window"]
    assert (device.default, window.default) == ("auto", DEFAULT_WINDOW)
    assert device.enum == ["auto", "cpu", "cuda", "mps"]
    assert set(window.enum) <= set(window_names())


def test_no_contribution_is_misspelt(manifest: PluginManifest) -> None:
    # npe2 passes over keys that it does not know.
    import yaml

    written = yaml.safe_load((PACKAGE / "napari.yaml").read_text(encoding="utf-8"))
    assert set(written["contributions"]) == {
        "commands",
        "widgets",
        "readers",
        "writers",
        "sample_data",
        "menus",
        "configurations",
    }
