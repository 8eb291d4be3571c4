"""The form of a training step, and what it costs."""

from __future__ import annotations

import pytest
import torch

from napari_dran.network.baselines import DnCNN
from napari_dran.network.dran import DRAN
from napari_dran.training import step_speed

CPU = torch.device("cpu")
SMALL = {"features": 8, "blocks": 1, "layers": 2}


def test_operations_of_the_whole_network() -> None:
    # 777,600 multiply-adds a pixel in the 3 x 3 convolutions, twice that in operations.
    convolutions = 3 * 2 * 777_600 * 16 * 24 * 24
    counted = step_speed.step_operations(DRAN(1), batch=16, crop=24)
    # The attention and the mixing of kernels are counted too: they are little.
    assert convolutions <= counted <= 1.05 * convolutions
    dense = DRAN(1)
    dense.set_convolution("dense")
    assert step_speed.step_operations(dense, batch=16, crop=24) == counted


def test_operations_of_dncnn() -> None:
    network = DnCNN(1, features=8, layers=3)
    a_pixel = 9 * (8 + 64 + 8)
    assert step_speed.step_operations(network, batch=2, crop=16) == 3 * 2 * a_pixel * 2 * 256


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("form", step_speed.FORMS)
def test_a_step_takes_time_and_leaves_the_network_alone(form: str, channels_last: bool) -> None:
    network = DRAN(1, **SMALL)
    network.set_convolution(form)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    seconds = step_speed.step_seconds(
        network, 2, 16, CPU, torch.float32, channels_last=channels_last
    )
    assert 0 < seconds < 5
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())


def test_the_fastest_form_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"grouped": 2.0, "dense": 1.0}

    def timed(network: DRAN, *_: object) -> float:
        return seconds[network.blocks[0].convs[0].form]

    monkeypatch.setattr(step_speed, "step_seconds", timed)
    network = DRAN(1, **SMALL)
    assert step_speed.fastest_form(network, 2, 16, CPU, torch.float32) == "dense"
    assert network.blocks[0].convs[0].form == "grouped"

    def full(network: DRAN, *_: object) -> float:
        if network.blocks[0].convs[0].form == "dense":
            raise torch.OutOfMemoryError
        return 2.0

    monkeypatch.setattr(step_speed, "step_seconds", full)
    assert step_speed.fastest_form(network, 2, 16, CPU, torch.float32) == "grouped"


def test_peak_of_a_matrix_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(step_speed.GEMM_SIDE, "cpu", 64)
    assert step_speed.gemm_peak(CPU, torch.float32) > 1e6
