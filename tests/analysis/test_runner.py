"""Running a network: devices that fail, threads that share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from napari_dran import DeviceError, MissingPackageError, OutOfMemoryError
from napari_dran.analysis import Detector, Segmenter, runner
from napari_dran.analysis.runner import Runner

from .conftest import Bright, blobs

PIXELS = np.zeros((3, 16, 16), np.float32)


@pytest.fixture
def idle(saved) -> Runner:
    made = Runner(saved("segment"), "cpu")
    made._network = Bright()
    return made


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (RuntimeError("the kernel failed"), DeviceError, "the kernel failed.*device='cpu'"),
        (RuntimeError("CUDA out of memory"), OutOfMemoryError, "256 pixels needs about"),
        (MemoryError(), OutOfMemoryError, "Close other programs"),
        # What PyTorch raises where a device lacks an operation; the CPU has no other to ask.
        (NotImplementedError("no such operation"), DeviceError, "no such operation"),
    ],
)
def test_failures_have_a_sentence(idle, error, expected, words) -> None:
    def fail(network, pixels):
        raise error

    with pytest.raises(expected, match=words) as caught:
        idle.run(PIXELS, fail)
    # napari's workers swallow those.
    assert not isinstance(caught.value, RuntimeError)


def test_the_cpu_takes_over_what_a_device_lacks(idle) -> None:
    idle.device = torch.device("meta")

    def work(network, pixels):
        if pixels.device.type == "meta":
            # As PyTorch does; no device here really lacks an operation.
            raise NotImplementedError("no nms on meta")
        return pixels.device.type

    assert idle.run(PIXELS, work) == "cpu"
    assert idle.device.type == "cpu"
    assert "the CPU did the work: no nms on meta" in idle.notes[0]


def test_no_such_device(saved) -> None:
    with pytest.raises(DeviceError, match="no device 'tpu'"):
        Segmenter(saved("segment"), device="tpu")


def test_operators_that_cannot_load(saved, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = saved("detect")

    def broken(path):
        raise MissingPackageError("Detection needs torchvision")

    monkeypatch.setattr(runner, "load_weights", broken)
    with pytest.raises(MissingPackageError, match="needs torchvision"):
        Detector(weights, device="cpu").run(blobs(20, 20))


def test_weights_are_loaded_once_and_threads_share_them(
    saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, load = [], runner.load_weights

    def counted(path):
        loaded.append(path)
        return load(path)

    monkeypatch.setattr(runner, "load_weights", counted)
    segmenter = Segmenter(saved("segment"), device="cpu")
    assert not loaded
    images = [blobs(20, 20), blobs(20, 24), blobs(2, 20, 20), blobs(24, 20)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(segmenter.run, images))
        threads.submit(segmenter.release).result()
    assert len(loaded) == 1
    for image, result in zip(images, found, strict=True):
        again = segmenter.run(image)
        np.testing.assert_allclose(again.probability.data, result.probability.data, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("task", ["segment", "detect"])
def test_a_gpu_finds_the_same(saved, task) -> None:
    make, image = {"segment": Segmenter, "detect": Detector}[task], blobs(2, 40, 50)
    options = {"segment": {}, "detect": {"score_threshold": 0.0}}[task]
    results = [make(saved(task), device=name).run(image, **options) for name in ("cpu", "cuda")]
    if task == "segment":
        first, second = (result.probability.data for result in results)
        np.testing.assert_allclose(first, second, atol=2e-3)
    else:
        first, second = ([item.score for item in result.items] for result in results)
        np.testing.assert_allclose(first, second, atol=2e-2)
