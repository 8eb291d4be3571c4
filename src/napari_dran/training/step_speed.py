"""How long a training step takes in each form that it can be computed in.

On a CPU the grouped convolution is near the limit. On a GPU nobody can tell
beforehand: a run on CUDA times both forms and takes the faster one, and
``training/speed.py`` prints all of them beside the device's measured peak.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ..network.blocks import ConvolutionForm
from ..network.dran import DRAN

FORMS: tuple[ConvolutionForm, ...] = ("grouped", "dense")

PASSES = 3
"""Forward, and backward to inputs and to weights: each as many operations as the first."""

WARM_UP, TIMED = 3, 5
GEMM_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}


def step_seconds(
    network: nn.Module,
    batch: int,
    crop: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    channels_last: bool = False,
    compiled: bool = False,
) -> float:
    """Time a training step on random crops: forward, loss, backward, Adam.

    Parameters
    ----------
    network : Module
        Copied, so it stays as it is.
    batch, crop : int
        Crops a step, and their side in pixels.
    device : torch.device
        Where to run.
    dtype : torch.dtype
        Of the convolutions: bfloat16 or float16 by autocast, or float32.
    channels_last : bool
        Whether features lie in memory with their channels side by side.
    compiled : bool
        Whether torch compiles the network first, which takes up to minutes.

    Returns
    -------
    float
        Median over five steps, in seconds.
    """
    network = deepcopy(network).to(device).train()
    shape = (batch, int(network.channels), crop, crop)  # type: ignore[arg-type]
    noisy, noise = torch.rand(shape, device=device), torch.rand(shape, device=device)
    if channels_last:
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5)
    run = torch.compile(network) if compiled else network

    def step() -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            predicted = run(noisy)
        optimiser.zero_grad()
        torch.autograd.backward(F.l1_loss(predicted.float(), noise))
        optimiser.step()

    return _median_seconds(step, device)


def fastest_form(
    network: DRAN, batch: int, crop: int, device: torch.device, dtype: torch.dtype
) -> ConvolutionForm:
    """Return the form of dynamic convolution that trains fastest here.

    Parameters
    ----------
    network, batch, crop, device, dtype
        See :func:`step_seconds`.

    Returns
    -------
    {"grouped", "dense"}
        A form that does not fit into memory loses.
    """
    seconds = {}
    for form in FORMS:
        candidate = deepcopy(network)
        candidate.set_convolution(form)
        try:
            seconds[form] = step_seconds(candidate, batch, crop, device, dtype)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    return min(seconds, key=lambda form: seconds[form]) if seconds else "grouped"


def gemm_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the operations a second of a large matrix product, the device's practical peak."""
    side = GEMM_SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / _median_seconds(lambda: left @ right, device)


def step_operations(network: nn.Module, batch: int, crop: int) -> float:
    """Count the operations of a training step's convolutions, two a multiply-add.

    Dynamic kernels count once, as they are after aggregation; the dense form does
    more than that, and its share of the peak is what remains of it.
    """
    counted = deepcopy(network).cpu().train()
    if isinstance(counted, DRAN):
        counted.set_convolution("grouped")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        counted(torch.zeros(2, int(network.channels), crop, crop))  # type: ignore[arg-type]
    return float(PASSES * counter.get_total_flops() * batch / 2)


def _median_seconds(run: Callable[[], object], device: torch.device) -> float:
    times = []
    for index in range(WARM_UP + TIMED):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        if index >= WARM_UP:
            times.append(time.perf_counter() - start)
    return statistics.median(times)
