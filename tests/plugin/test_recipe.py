from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dran.files import read_volume, write_volume
from napari_dran.plugin.layers import METADATA_KEY, volume_to_layer
from napari_dran.plugin.recipe import Recipe
from napari_dran.volume import Volume

PLAIN = Recipe("auto", "percentile", 0, "auto")
FULL = Recipe("dran-grey", (-160.0, 240.0), 2, "cpu", 0.5, 4)


def test_python_says_only_what_differs() -> None:
    assert "denoise(noisy)" in PLAIN.as_python("scan", "/a/scan.nii.gz")
    text = FULL.as_python("scan", "/a/scan.nii.gz")
    assert (
        "denoise(noisy, weights='dran-grey', window=(-160.0, 240.0), axis=2, device='cpu', "
        "strength=0.5, ensemble=4)" in text
    )
    assert "write_volume(denoised, '/a/scan_denoised.nii.gz')" in text


def test_command_is_one_safe_line() -> None:
    text = FULL.as_command("/a b/it's.nii")
    assert shlex.split(text) == [
        "napari-dran", "denoise", "/a b/it's.nii", "-o", "/a b/it's_denoised.nii",
        "--weights=dran-grey", "--window=-160:240", "--axis=2", "--device=cpu", "--strength=0.5",
        "--ensemble=4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("scan.nii.gz", "scan_denoised.nii.gz"),
        ("scan.v2.nrrd", "scan.v2_denoised.nrrd"),
        ("scan.mhd", "scan_denoised.mha"),
        ("brain.mgz", "brain_denoised.nii.gz"),
        ("series", "series_denoised"),
    ],
)
def test_output_can_be_written(path: str, output: str) -> None:
    assert shlex.split(PLAIN.as_command(path))[4] == output


def test_contrast_limits_become_numbers() -> None:
    recipe = Recipe("auto", "contrast-limits", 0, "auto").fixed((1.0, 2.0))
    assert recipe.window == (1.0, 2.0)
    assert PLAIN.fixed((1.0, 2.0)) is PLAIN


def test_copied_python_does_what_the_widget_did(
    widget: Any, viewer: ViewerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    run: Callable[[], Any], qapp: Any,
) -> None:  # fmt: skip
    import napari_dran
    from napari_dran.denoising import Denoiser, entry
    from napari_dran.plugin.worker import Engine

    engine = Engine()
    monkeypatch.setattr(entry, "Denoiser", lambda *a, **k: _Runs(engine.get(PLAIN)))
    assert Denoiser is not None
    path = tmp_path / "scan.nii.gz"
    image = np.random.default_rng(0).normal(500, 100, (4, 16, 12)).astype(np.float32)
    write_volume(Volume(image, unit="mm"), path)
    data, arguments, _ = volume_to_layer(read_volume(path))
    viewer.add_image(data, **arguments)
    widget.axis.value = 1
    widget.ensemble.value = 2
    layer = run()
    widget.strength.value = 0.5
    widget.copy_python.native.click()
    text = qapp.clipboard().text()
    assert "axis=1, strength=0.5, ensemble=2" in text
    exec(compile(text, "copied", "exec"), {})
    found = napari_dran.read_volume(tmp_path / "scan_denoised.nii.gz")
    np.testing.assert_allclose(found.data, layer.data, rtol=1e-6)
    widget.copy_command.native.click()
    assert "--axis=1 --strength=0.5 --ensemble=2" in qapp.clipboard().text()


class _Runs:
    """Gives the stub of conftest the ``run`` of a denoiser."""

    def __init__(self, both: Any) -> None:
        self.both = both

    def run(self, image: Any, **arguments: Any) -> Any:
        arguments.pop("axes", None)
        strength, progress = arguments.pop("strength"), arguments.pop("progress")
        return self.both.plan(image, **arguments).denoiser.run(
            image, strength=strength, progress=progress, **arguments
        )


def test_layer_without_a_file(widget: Any, viewer: ViewerModel, qapp: Any) -> None:
    viewer.add_image(np.zeros((16, 16)), name="made here")
    widget.copy_python.native.click()
    assert "noisy = viewer.layers['made here']" in qapp.clipboard().text()
    widget.copy_command.native.click()
    assert qapp.clipboard().text().startswith("napari-dran denoise image.nii.gz -o")
    assert "save it as" in widget.status.value


def test_layer_that_is_no_longer_what_its_file_holds(
    widget: Any, viewer: ViewerModel, run: Callable[[], Any], tmp_path: Path, qapp: Any
) -> None:
    path = tmp_path / "scan.nii.gz"
    image = np.random.default_rng(0).normal(500, 100, (3, 16, 12)).astype(np.float32)
    write_volume(Volume(image, unit="mm"), path)
    data, arguments, _ = volume_to_layer(read_volume(path))
    viewer.add_image(data, **arguments)
    widget.image.value = run()
    widget.copy_python.native.click()
    assert "noisy = viewer.layers['scan (denoised)']" in qapp.clipboard().text()


def test_one_series_of_a_folder(widget: Any, viewer: ViewerModel, qapp: Any) -> None:
    with_series = PLAIN.as_python("scan", "/a/series", "2")
    assert "read_volume('/a/series', series='2')" in with_series
    from napari.layers._source import layer_source

    with layer_source(path="/a/series"):
        viewer.add_image(np.zeros((16, 16)), metadata={METADATA_KEY: {"series": "2"}})
    widget.copy_command.native.click()
    assert "/a/series_denoised --series=2" in qapp.clipboard().text()
