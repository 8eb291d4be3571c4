"""What happens in the worker's thread: no viewer, no layer, no Qt in here.

Three facts about napari's generator workers shape this file. An error that is
raised in them is shown once, twice, or, if it is a RuntimeError as nearly all of
torch's are, never, with a bar that stays for ever: so errors are returned, wrapped,
as one that is returned bare is raised after all.
Quitting does not close the generator: who started it calls :meth:`Work.close`
afterwards. And each yield is a place where a cancel can take effect: one a pass of
the network over a slice.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DranError
from ..slices import Index
from ..volume import Volume
from .recipe import Recipe
from .torch_loading import load_torch

if TYPE_CHECKING:
    from ..denoising import Denoiser, Plan, Provenance, Step


LONGEST_WAIT = 2.0
"""Seconds that a run waits for its layer to appear."""


class WorkerError(DranError):
    """Something unforeseen went wrong in a worker; its cause is chained to it."""


@dataclass
class Engine:
    """Keeps the last denoiser, so that its network is loaded only once."""

    denoiser: Denoiser | None = None
    key: tuple[str, str] = ("", "")

    def get(self, recipe: Recipe) -> Denoiser:
        """Return a denoiser for these weights on this device; torch is imported if need be."""
        load_torch()
        from ..denoising import Denoiser

        key = (recipe.weights, recipe.device)
        denoiser = self.denoiser
        if denoiser is None or key != self.key:
            self.release()
            denoiser = Denoiser(recipe.weights, device=recipe.device)
            self.denoiser, self.key = denoiser, key
        return denoiser

    def release(self) -> None:
        """Give back the memory of the network's device."""
        if self.denoiser is not None:
            self.denoiser.release()


@dataclass(frozen=True)
class Begun:
    """The first thing a run yields.

    Parameters
    ----------
    image, clean, noise : ndarray
        The noisy image; a copy of it, whose slices are replaced one by one; zeros
        of float32, for the noise of those slices.
    plan : Plan
        What will be done.
    """

    image: np.ndarray
    clean: np.ndarray
    noise: np.ndarray
    plan: Plan


@dataclass(frozen=True)
class Cleaned:
    """One slice of a run, after one pass.

    Parameters
    ----------
    step : Step
        Its place and its noise.
    pixels : ndarray
        The clean slice, or what it is after the passes so far.
    """

    step: Step
    pixels: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a run that reached its end did.

    Parameters
    ----------
    provenance : Provenance
        How it was done.
    notes : tuple of str
        Sentences the user should read.
    """

    provenance: Provenance
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """What came out of a run that did not reach its end.

    Parameters
    ----------
    error : DranError
        Why.
    """

    error: DranError


@dataclass
class Work:
    """One run over an image.

    Parameters
    ----------
    engine : Engine
        Gives the denoiser.
    volume : Volume
        The image.
    recipe : Recipe
        What to do with it.
    contrast_limits : tuple of float, optional
        Of the layer.
    part_of : (Volume, Index), optional
        The image that ``volume`` is a slice of, and where: the window is chosen for
        the image, or for the channel of it that the slice is in.

    Attributes
    ----------
    steps : iterator of Step or None
        The network at work.
    shown : Event
        To be set when :class:`Begun` was dealt with.
    """

    engine: Engine
    volume: Volume
    recipe: Recipe
    contrast_limits: tuple[float, float] | None = None
    part_of: tuple[Volume, Index] | None = None
    steps: Iterator[Step] | None = field(default=None, init=False)
    shown: Event = field(default_factory=Event, init=False)

    def denoise(self) -> Generator[Begun | Cleaned, None, Outcome | Failed]:
        """Denoise slice by slice.

        Yields
        ------
        Begun or Cleaned
            The arrays, then the slices in order; with an ensemble once for each pass.

        Returns
        -------
        Outcome or Failed
            What was done, or what went wrong.
        """
        try:
            plan = self.plan()
            image = np.asarray(self.volume.data)
            noise = np.zeros(image.shape, dtype=np.float32)
            yield Begun(image, image.copy(), noise, plan)
            # Adding a layer keeps the window busy as it is; do not compete for Python's lock.
            self.shown.wait(LONGEST_WAIT)
            self.steps = replace(plan, data=image).steps()
            yield from self._clean(image, self.steps)
            return Outcome(plan.provenance(self.recipe.strength), plan.notes)
        except DranError as error:
            return Failed(error)
        except Exception as error:
            return Failed(unforeseen(error))

    def denoise_at_once(self, stop: Event) -> np.ndarray | Failed | None:
        """Denoise everything.

        Parameters
        ----------
        stop : Event
            Once it is set, the running pass of the network is the last.

        Returns
        -------
        ndarray, Failed or None
            The clean image, or what went wrong; None if it was stopped.
        """
        clean = np.empty(0)
        self.shown.set()
        pieces = self.denoise()
        while True:
            if stop.is_set():
                self.close()
                return None
            try:
                piece = next(pieces)
            except StopIteration as end:
                return end.value if isinstance(end.value, Failed) else clean
            if isinstance(piece, Begun):
                clean = piece.clean
            else:
                clean[piece.step.index] = piece.pixels

    def close(self) -> None:
        """Stop the network and free its memory; call it when the worker has finished."""
        close = getattr(self.steps, "close", None)
        if close is not None:
            close()

    def plan(self) -> Plan:
        """Check and choose everything; see ``Denoiser.plan``."""
        denoiser = self.engine.get(self.recipe)
        arguments: dict[str, Any] = {
            "window": self.recipe.window,
            "contrast_limits": self.contrast_limits,
        }
        if self.part_of is not None:
            whole, index = self.part_of
            arguments["window"] = denoiser.plan(whole, **arguments).window_of(index)
        if arguments["window"] is None:
            arguments["window"] = self.recipe.window
        return denoiser.plan(
            self.volume, axis=self.recipe.axis, ensemble=self.recipe.ensemble, **arguments
        )

    def _clean(self, image: np.ndarray, steps: Iterator[Step]) -> Iterator[Cleaned]:
        from ..denoising import blend

        for step in steps:
            yield Cleaned(step, blend(image[step.index], step.noise, self.recipe.strength))


def look_at(
    engine: Engine,
    volume: Volume,
    recipe: Recipe,
    contrast_limits: tuple[float, float] | None,
) -> tuple[Plan | Failed, list[str]]:
    """Plan a run and measure the noise, without running the network.

    Parameters
    ----------
    engine, volume, recipe, contrast_limits
        As for :class:`Work`.

    Returns
    -------
    plan : Plan or Failed
        Or why the image cannot be denoised in this way.
    devices : list of str
        Those that can be chosen.
    """
    load_torch()
    from ..denoising.devices import available_devices

    devices = available_devices()
    try:
        plan = Work(engine, volume, recipe, contrast_limits).plan()
        # Cached by the plan: measured here and not where the text is made.
        _ = plan.sigma, plan.sigma_255
    except DranError as error:
        return Failed(error), devices
    except Exception as error:
        return Failed(unforeseen(error)), devices
    return plan, devices


def unforeseen(error: Exception, doing: str = "Denoising") -> WorkerError:
    """Wrap an error that is not one of ours; its traceback stays with it."""
    wrapped = WorkerError(f"{doing} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
