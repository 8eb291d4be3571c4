"""A network that looks at images slice by slice, whatever it looks for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack

from ..slices import Index
from ..weights import read_card, require_task
from .denoising_first import KeptDenoiser
from .layers import is_layer, layer_volume
from .preparation import Options, Prepared, prepare
from .runner import Runner

if TYPE_CHECKING:
    from torch import Tensor

    from .detections import Detections
    from .segmentations import Segmentation

InSlice = TypeVar("InSlice")
Found = TypeVar("Found", "Segmentation", "Detections")


class Analyser:
    """Looks at images with one network, which is loaded once.

    Parameters
    ----------
    weights : str or Path
        A shipped name, or a .safetensors file.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    WeightsError
        There are no such weights, or they are for another task.
    DeviceError
        There is no such device.
    """

    task: ClassVar[str]

    def __init__(self, weights: str | Path, device: str) -> None:
        self.card = require_task(read_card(weights), self.task)
        self._runner = Runner(weights, device)
        self._denoiser = KeptDenoiser(device)

    def load(self) -> None:
        """Load the network now, so that what is wrong with it is known before any work.

        Raises
        ------
        WeightsError
            The file is damaged.
        MissingPackageError
            What the network is made of is not installed.
        """
        self._runner.load()

    def release(self) -> None:
        """Give back all device memory."""
        self._runner.release()
        self._denoiser.release()

    def _prepare(self, image: Any, **options: Unpack[Options]) -> Prepared:
        """Check the image, and denoise it if asked for."""
        return prepare(image, self.card, self._denoiser, **options)

    def _look(
        self, ready: Prepared, work: Callable[[Any, Tensor], InSlice]
    ) -> Iterator[tuple[Index, InSlice]]:
        """Yield each slice that is not constant, and what ``work`` finds in it.

        See :meth:`Runner.run` for ``work``.
        """
        indices = ready.seen.indices
        try:
            for number, index in enumerate(indices, start=1):
                pixels = ready.seen.pixels(index)
                if pixels is not None:
                    yield index, self._runner.run(pixels, work)
                ready.tell(number, len(indices))
        finally:
            self._runner.free_cache()

    def _notes(self, ready: Prepared, missing: str = "", size: float = 0.0) -> tuple[str, ...]:
        """Say what to know of a result.

        ``missing`` is what was not found if nothing was, ``size`` the smallest asked for.
        """
        large = " and of the minimum size" if size else ""
        nothing = (f"Nothing was found: no {missing}{large}.",) if missing else ()
        return (*ready.notes, *self._runner.notes, *nothing)


def look_at(
    run: Callable[..., Found], image: Any, axes: str | None, options: Mapping[str, Any]
) -> Found:
    """Run on an array, a Volume or a layer, and warn of what there is to know.

    Parameters
    ----------
    run : callable
        Of a Segmenter or a Detector.
    image, axes
        What the public function was given; the warnings are for its caller.
    options : mapping
        Further arguments of ``run``.
    """
    if is_layer(image):
        volume, limits = layer_volume(image, axes)
        found = run(volume, contrast_limits=limits, **options)
    else:
        found = run(image, axes=axes, **options)
    for note in found.notes:
        warnings.warn(note, stacklevel=3)
    return found
