"""Batches, memory, and devices that fail."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from napari_dran.denoising import Denoiser
from napari_dran.errors import (
    DeviceError,
    InputError,
    OutOfMemoryError,
    WeightsError,
)
from napari_dran.network.baselines import DnCNN
from napari_dran.network.dran import DRAN

from .conftest import WINDOW, Tenth, card_for, grey, network_of


def test_a_slice_does_not_depend_on_the_batch_it_is_in(tiny) -> None:
    image = grey(5, 16, 16)
    network = next(iter(tiny._predictors.values())).network
    alone = tiny.run(image, window=WINDOW)
    assert alone.image.tobytes() == tiny.run(image, window=WINDOW).image.tobytes()
    for batch in (2, 5, 100):
        together = Denoiser.from_network(
            network, card_for(1, features=8), device="cpu", batch=batch
        )
        assert together.run(image, window=WINDOW).image.tobytes() == alone.image.tobytes()


def test_batches_hold_what_was_asked_for(tenth) -> None:
    tenth.batch = 3
    image = grey(8, 9, 9)
    image[4] = 5
    tenth.run(image, window=WINDOW)
    assert [len(seen) for seen in network_of(tenth).seen] == [3, 2, 2]


class Hungry(Tenth):
    """Runs out of memory above a batch of ``most``."""

    most = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if len(image) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return super().forward(image)


def test_batches_are_halved_when_memory_runs_out() -> None:
    network = Hungry()
    network.most = 2
    denoiser = Denoiser.from_network(network, card_for(1), device="cpu", batch=8)
    image = grey(20, 9, 9)
    result = denoiser.run(image, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    # 8 and 4 failed once; from then on the size that fits is known.
    assert [len(seen) for seen in network.seen] == [2] * 10
    network.seen.clear()
    denoiser.run(image, window=WINDOW, ensemble=2)
    assert [len(seen) for seen in network.seen] == [2] * 20
    smaller = denoiser.run(grey(4, 3, 9), window=WINDOW)
    assert smaller.image.shape == (4, 3, 9)


def test_an_ensemble_remembers_what_fits_from_pass_to_pass() -> None:
    network, sizes = Hungry(), []
    network.most = 2
    network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    denoiser = Denoiser.from_network(network, card_for(1), device="cpu", batch=8)
    denoiser.run(grey(8, 9, 9), window=WINDOW, ensemble=3)
    assert sizes == [8, 4] + [2] * 12


def test_a_slice_too_large_says_what_to_do() -> None:
    denoiser = Denoiser.from_network(Hungry(), card_for(1), device="cpu", batch=4)
    with pytest.raises(OutOfMemoryError, match=r"A slice of 1,089 pixels .* crop") as caught:
        denoiser.run(grey(5, 33, 33), window=WINDOW)
    # napari's workers lose RuntimeErrors.
    assert not isinstance(caught.value, RuntimeError)


class Failing(Tenth):
    error: Exception = RuntimeError("cuDNN error")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raise self.error


def test_errors_of_the_device_are_ours() -> None:
    denoiser = Denoiser.from_network(Failing(), card_for(1), device="cpu")
    with pytest.raises(DeviceError, match="failed on cpu: cuDNN error") as caught:
        denoiser.run(grey(9, 9))
    assert not isinstance(caught.value, RuntimeError)


def test_a_device_that_lacks_an_operation_hands_over_to_the_cpu() -> None:
    class Picky(Tenth):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if image.device.type == "meta":
                # As PyTorch does; no device here really lacks an operation.
                raise NotImplementedError("aten::abacus is not implemented for this device")
            return super().forward(image)

    denoiser = Denoiser.from_network(Picky(), card_for(1), device="cpu")
    predictor = denoiser.predictor(card_for(1))
    predictor.device = torch.device("meta")
    image = grey(2, 9, 9)
    result = denoiser.run(image, window=WINDOW)
    np.testing.assert_allclose(result.image, 0.9 * image, rtol=1e-4)
    assert predictor.device.type == "cpu"
    assert "aten::abacus" in result.notes[-1]


def test_weights_that_give_nan_are_refused() -> None:
    class Broken(Tenth):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image / 0

    with pytest.raises(WeightsError, match="not finite"):
        Denoiser.from_network(Broken(), card_for(1), device="cpu").run(grey(9, 9))


def test_threads_and_inference_mode_are_left_alone(tenth) -> None:
    threads = torch.get_num_threads()
    for _ in tenth.stream(grey(2, 9, 9)):
        # A generator must not leave its mode behind in the caller's thread.
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "made", [DRAN(features=8, blocks=1, layers=2), DnCNN(features=8, layers=3)]
)
def test_a_network_in_memory_is_not_changed(made) -> None:
    network = made.train()
    before = copy.deepcopy(network.state_dict())
    denoiser = Denoiser.from_network(network, card_for(1, features=8), device="cpu")
    denoiser.run(grey(16, 16))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2"])
def test_batch_below_one(batch) -> None:
    with pytest.raises(InputError, match="at least one slice"):
        Denoiser(batch=batch)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu_and_gives_memory_back() -> None:
    image = grey(6, 64, 64)
    on_cpu = Denoiser("dran-grey", device="cpu").run(image, window=WINDOW)
    denoiser = Denoiser("dran-grey", device="cuda")
    on_cuda = denoiser.run(image, window=WINDOW)
    # PyTorch lets convolutions round to TF32 there.
    np.testing.assert_allclose(on_cuda.image, on_cpu.image, atol=1)
    denoiser.release()
    assert torch.cuda.memory_allocated() < 1_000_000
