"""One training run: what happens in its thread, and what the window hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from ..errors import Cancelled, DranError, FileWriteError, OutOfMemoryError
from ..training.recipe import Recipe
from ..volume import Volume
from .thread_run import ThreadRun, ThreadWork
from .torch_loading import importing, load_torch
from .worker import Failed, WorkerError

if TYPE_CHECKING:
    from ..training.fit import Outcome
    from ..weights import Card


@dataclass
class TrainWork(ThreadWork):
    """What the thread does: no viewer, no layer, no Qt in here.

    Parameters
    ----------
    data : str or sequence of Volume
        Folder, or images.
    recipe : Recipe
        How to train.
    path : Path
        Folder of the run.
    device : str
        Where.
    """

    data: str | Sequence[Volume]
    recipe: Recipe
    path: Path
    device: str

    def work(self) -> Outcome:
        """Train."""
        load_torch()
        with importing():
            from ..training.run import train
        return train(
            self.data,
            self.recipe,
            run=self.path,
            device=self.device,
            reading=self._reading,
            stop=self.stop,
            progress=lambda done, total: self.tell("progressed", done, total),
            losses=lambda step, loss: self.tell("lost", step, loss),
            report=lambda report: self.tell("reported", report),
            notice=lambda sentence: self.tell("noticed", sentence),
        )

    def explain(self, error: Exception) -> DranError:
        """Say what to do where there was not enough memory."""
        return _explain(error)

    def _reading(self, name: str) -> None:
        if self.stop():
            raise Cancelled("Stopped while the images were read: nothing was trained.")
        if name != "./":  # the chosen folder itself, whose name says nothing
            self.tell("reading", name)


class TrainRun(ThreadRun):
    """Trains in a thread, and tells of it in the window's thread.

    Parameters
    ----------
    work : TrainWork
        What to do.
    """

    lost = Signal(int, float)
    """(step, mean loss of the last few)."""

    reported = Signal(object)
    """A ``Report`` of a validation."""

    noticed = Signal(str)
    """A sentence for people."""

    def __init__(self, work: TrainWork) -> None:
        super().__init__(work, "Training")

    def end_of(self, outcome: Outcome) -> str:
        """Tell a run that was stopped from one that reached its end."""
        return "stopped" if outcome.stopped else "finished"


def save_best(best: Path, target: Path, overwrite: bool) -> Card | Failed:
    """Write a run's best weights under another name; call it in a worker.

    Parameters
    ----------
    best : Path
        Weights with their card.
    target : Path
        The file to write; its name becomes that of the weights. Its folder is made.
    overwrite : bool
        Whether it may be replaced.

    Returns
    -------
    Card or Failed
        The card as it was written, or what went wrong.
    """
    try:
        load_torch()
        from ..weights import load_weights, save_weights

        network, card = load_weights(best)
        target.parent.mkdir(parents=True, exist_ok=True)
        return save_weights(target, network, replace(card, name=target.stem), overwrite=overwrite)
    except DranError as error:
        return Failed(error)
    except OSError as error:
        return Failed(FileWriteError(f"Could not write {target}: {error.strerror}."))


def _explain(error: Exception) -> DranError:
    """Turn an error that is not one of ours into a sentence; its traceback stays with it."""
    explained: DranError
    if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
        explained = OutOfMemoryError(
            "There is not enough memory to train like this. Lower Batch or Crop under More "
            "settings, choose fewer images, or another device."
        )
    else:
        explained = WorkerError(f"Training failed: {type(error).__name__}: {error}")
    explained.__cause__ = error
    return explained
