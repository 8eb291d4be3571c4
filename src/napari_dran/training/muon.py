"""Muon: an optimiser that turns each step into one of equal strength in all directions.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The
momentum of a kernel, seen as a matrix, is replaced by the nearest matrix whose rows are
orthonormal, so directions that are rare in the gradient are learnt as fast as the
common ones. The step is scaled to the size of Adam's (Liu et al., "Muon is Scalable for
LLM Training", 2025), so that one learning rate serves both.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, chosen by Jordan et al. to be fast: singular values end between 0.7
and 1.2, which is near enough."""

ITERATIONS = 5
MOMENTUM = 0.95
ADAMS_STEP = 0.2
"""Root mean square of a step, in learning rates, as Adam's is."""

FEWEST_CHANNELS = 16
"""Kernels with fewer inputs or outputs are a first or last layer, which Muon is not for."""


def takes(parameter: Tensor) -> bool:
    """Whether a parameter is a convolution's kernel (or several) between hidden features."""
    return parameter.ndim in (4, 5) and min(parameter.shape[-4:-2]) >= FEWEST_CHANNELS


class Muon(torch.optim.Adam):
    """Muon for the kernels of hidden convolutions, Adam for all other parameters.

    Parameters
    ----------
    parameters : iterable of Parameter
        To learn. Kernels are (O, I, h, w), or (K, O, I, h, w) of K kernels, each
        a matrix (O, I h w).
    lr : float
        Learning rate.
    betas : tuple of float
        Adam's.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move all parameters; ``closure``, if given, computes loss and gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            # Those of one shape together: a GPU would spend longer on starting each product.
            alike: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None and takes(parameter):
                    alike[_matrix_shape(parameter)].append(parameter)
            for shape, kernels in alike.items():
                self._move(kernels, shape, group["lr"])
        super().step()
        return loss

    def _move(self, kernels: list[Tensor], shape: tuple[int, int], rate: float) -> None:
        """Move kernels that are matrices of one shape, and take their gradients from Adam."""
        ahead = [self._ahead(kernel).reshape(-1, *shape) for kernel in kernels]
        directions = torch.split(orthogonalised(torch.cat(ahead)), [len(part) for part in ahead])
        size = rate * ADAMS_STEP * max(shape) ** 0.5
        for kernel, direction in zip(kernels, directions, strict=True):
            kernel.sub_(direction.reshape(kernel.shape), alpha=size)
            kernel.grad = None

    def _ahead(self, kernel: Tensor) -> Tensor:
        """Return the momentum with this step's gradient, as Nesterov's looks ahead."""
        state, gradient = self.state[kernel], kernel.grad
        assert gradient is not None
        if not state:
            state["step"] = torch.tensor(0.0)  # Adam looks for it when it is loaded
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM)


def _matrix_shape(kernel: Tensor) -> tuple[int, int]:
    *_, rows, inputs, height, width = kernel.shape
    return rows, inputs * height * width


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring the singular values of matrices (N, rows, columns) near to 1, float32.

    A Newton-Schulz iteration: products of matrices only, which need no decomposition.
    """
    a, b, c = COEFFICIENTS
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = wide.float()
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    result: Tensor = x if wide is matrices else x.mT
    return result
