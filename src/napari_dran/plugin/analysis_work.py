"""What the thread does for the Segment and Detect widgets: no viewer, no Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, DranError
from ..slices import Index
from ..volume import Volume
from ..weights import read_card
from .analysis_recipe import AnalysisRecipe
from .analysis_task import Task
from .thread_run import ThreadWork
from .torch_loading import importing, load_torch
from .worker import unforeseen

if TYPE_CHECKING:
    from ..analysis import Detector, Measurement, Segmenter
    from ..analysis.agreement import Agreement
    from .analysis_task import Found


@dataclass
class AnalysisEngine:
    """Keeps the last network, so that it is loaded only once."""

    network: Segmenter | Detector | None = None
    key: tuple[str, str] = ("", "")

    def get(self, recipe: AnalysisRecipe) -> Segmenter | Detector:
        """Return the network of a recipe; torch is imported if need be."""
        load_torch()
        with importing():
            network = self.network
            key = (recipe.weights, recipe.device)
            # The file may have been replaced since, as by longer training.
            if network is None or key != self.key or network.card != read_card(recipe.weights):
                self.release()
                network = recipe.task.network(*key)
                # What is wrong with it is to be known before a long denoising.
                network.load()
                self.network, self.key = network, key
        return network

    def release(self) -> None:
        """Give back the memory of the network's device."""
        if self.network is not None:
            self.network.release()


@dataclass(frozen=True, eq=False)
class Analysed:
    """What came out of a run.

    Parameters
    ----------
    found : Segmentation or Detections
        On the image as it was told to be looked at.
    measurements : sequence of Measurement
        Of its objects.
    noisy : Segmentation, Detections or None
        On the image as it is, if both were to be compared.
    agreement : Agreement or None
        Of ``noisy`` and ``found``.
    """

    found: Found
    measurements: Sequence[Measurement]
    noisy: Found | None = None
    agreement: Agreement | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences to read; those on one of two images say which."""
        found = self.found.notes
        if self.noisy is None:
            return found
        noisy = self.noisy.notes
        return (
            *(note for note in noisy if note in found),
            *(f"Noisy image: {note}" for note in noisy if note not in found),
            *(f"Denoised image: {note}" for note in found if note not in noisy),
        )


@dataclass
class AnalysisWork(ThreadWork):
    """One run over an image, or over a slice of it.

    Parameters
    ----------
    engine : AnalysisEngine
        Gives the network.
    volume : Volume
        The image.
    recipe : AnalysisRecipe
        What to do with it.
    contrast_limits : tuple of float
        Of the layer.
    compares : bool
        Whether to look at the image as it is as well.
    part_of : (Volume, Index), optional
        The image that ``volume`` is a slice of, and where: windows are chosen for the
        whole.
    """

    engine: AnalysisEngine
    volume: Volume
    recipe: AnalysisRecipe
    contrast_limits: tuple[float, float]
    compares: bool = False
    part_of: tuple[Volume, Index] | None = None

    @property
    def task(self) -> Task:
        """Which task it is."""
        return self.recipe.task

    def work(self) -> Analysed:
        """Run the network, and measure."""
        self.tell("reading", "Loading the network…")
        network = self.engine.get(self.recipe)
        try:
            return self._analyse(network)
        finally:
            network.release()

    def explain(self, error: Exception) -> DranError:
        """Say what failed."""
        return unforeseen(error, self.task.doing)

    def _analyse(self, network: Segmenter | Detector) -> Analysed:
        from ..analysis import measure
        from ..analysis.agreement import compare
        from ..analysis.denoising_first import steps
        from ..denoising.ensemble import units
        from ..slices import slice_indices

        arguments = self.recipe.arguments()
        options = self._options(arguments["denoise"])
        arguments |= {"denoise": options, "contrast_limits": self.contrast_limits}
        arguments["window"] = self._window(network)
        letters = self.volume.axes.removeprefix("c")
        shape = self.volume.shape[-len(letters) :]
        count = len(slice_indices(shape, letters, self.recipe.axis))
        chosen = None if options is False else {} if options is True else options
        first = 0 if chosen is None else steps(self.volume, network.card, chosen)
        total = first + count * (1 + self.compares)
        noisy = None
        if self.compares:
            told = self._progress(0, total, [(count, f"{self.task.doing} the noisy image, slice")])
            noisy = network.run(self.volume, **{**arguments, "denoise": False}, progress=told)
        one, _ = units((chosen or {}).get("ensemble", 1))
        phases = [(first, f"Denoising, {one}"), (count, f"{self.task.doing}, slice")]
        told = self._progress(total - first - count, total, phases)
        found = network.run(self.volume, **arguments, progress=told)
        self.tell("reading", "Measuring…")
        rows = measure(found.labels, found.image, found.scores, found.names, found.axis)
        return Analysed(
            found, rows, noisy, None if noisy is None else compare(noisy.labels, found.labels)
        )

    def _progress(
        self, before: int, total: int, phases: Sequence[tuple[int, str]]
    ) -> Callable[[int, int], bool]:
        """Make what the library calls with (steps done, steps in all) of one pass."""

        def told(done: int, _: int) -> bool:
            rest = done
            for length, doing in phases:
                if 0 < rest <= length:
                    self.tell("reading", f"{doing} {rest} of {length}")
                rest -= length
            self.tell("progressed", before + done, total)
            return not self.stop()

        if self.stop():
            raise Cancelled("Cancelled before it began.")
        return told

    def _window(self, network: Segmenter | Detector) -> Any:
        """Choose for a slice what the network would be shown of it in the whole image."""
        from ..analysis.inputs import AUTO, network_input

        if self.part_of is None:
            return AUTO
        # Inputs of their own have windows of their own, which one argument cannot say.
        windows = set(network_input(self.part_of[0], network.card).windows)
        return (windows.pop() or AUTO) if len(windows) == 1 else AUTO

    def _options(self, options: bool | dict[str, Any]) -> bool | dict[str, Any]:
        """Fit the options of denoising to this image, or to this slice."""
        if options is False:
            return False
        options = {} if options is True else dict(options)
        if "z" not in self.volume.axes:
            options.pop("axis", None)
        if self.part_of is not None and not self.volume.axes.startswith("c"):
            options["window"] = self._denoising_window(options) or options.get("window")
        return {key: value for key, value in options.items() if value is not None} or True

    def _denoising_window(self, options: dict[str, Any]) -> Any:
        """Choose for a slice the window that the whole image would be denoised with."""
        from ..denoising.windows import choose_windows
        from ..intensity import DEFAULT_WINDOW
        from ..slices import slice_indices

        assert self.part_of is not None
        whole = self.part_of[0]
        window = options.get("window", DEFAULT_WINDOW)
        indices = slice_indices(whole.shape, whole.axes)
        if whole.rgb and not isinstance(window, tuple):
            # The samples may be images of their own, denoised one by one.
            return None
        return choose_windows(whole, window, self.contrast_limits, indices)[0]


def recipe_for(recipe: AnalysisRecipe, volume: Volume) -> AnalysisRecipe:
    """Return a recipe whose axis the image has."""
    return recipe if "z" in volume.axes else replace(recipe, axis=0)
