"""Networks to compare, all trained with the same images, steps, recipe and seed."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_dran.errors import InputError
from napari_dran.files.atomic import writing
from napari_dran.training.recipe import Recipe
from napari_dran.training.recipe_file import make_recipe, read_recipe
from napari_dran.training.run_folder import BEST, LOG

if TYPE_CHECKING:
    from napari_dran.training.fit import Outcome
    from napari_dran.training.validation import Report

TRAINING = Path(__file__).resolve().parents[1]
RUNS = TRAINING.parent / "runs/networks"
"""Where the networks are trained; git ignores it."""

RECIPE = "comparison.yaml"
TABLE = "networks.csv"
LOGS = "ablations"
POINTS = 12
"""Validations a run, for its curve."""

# One centre crop a modality: on a CPU validation must not cost more than training.
VALIDATION = {"validation_images": 1, "validation_side": 128}


@dataclass(frozen=True)
class Network:
    """One network to train.

    Parameters
    ----------
    title : str
        What tables and figures call it.
    channels : int
        1 for grey, 3 for colour.
    changes : mapping
        Keys of the recipe that make it differ from DRAN of as many channels.
    """

    title: str
    channels: int = 1
    changes: Mapping[str, Any] = field(default_factory=dict)


# In the order of training: what matters most comes first, should the time run out.
NETWORKS: dict[str, Network] = {
    "dran": Network("DRAN"),
    "no-gates": Network("DRAN without noise gates", changes={"network": {"gates": False}}),
    "dncnn": Network("DnCNN", changes={"architecture": "dncnn"}),
    "residual-mid": Network("residual MID", changes={"architecture": "residual-mid"}),
    "static": Network("static convolution, K = 1", changes={"network": {"kernels": 1}}),
    "one-block": Network("one block", changes={"network": {"blocks": 1}}),
    "shared-blocks": Network("shared blocks", changes={"network": {"share_blocks": True}}),
    "l2": Network("loss L2", changes={"loss": "l2"}),
    "charbonnier": Network("loss Charbonnier", changes={"loss": "charbonnier"}),
    "dran-colour": Network("DRAN, colour", 3),
    "dncnn-colour": Network("DnCNN, colour", 3, {"architecture": "dncnn"}),
    "residual-mid-colour": Network("residual MID, colour", 3, {"architecture": "residual-mid"}),
}


def recipe_of(name: str, **shared: int | None) -> Recipe:
    """Return the recipe of a network.

    Parameters
    ----------
    name : str
        A key of :data:`NETWORKS`.
    **shared
        ``steps``, ``batch``, ``crop``, ``seed`` in place of the YAML file's; None
        leaves it. They must be the same for all networks to be compared.
    """
    network = NETWORKS[name]
    values = read_recipe(TRAINING / RECIPE)
    for place in ("data", "validation"):
        values.pop(place, None)
    values |= {key: value for key, value in shared.items() if value is not None}
    recipe = make_recipe({**values, **VALIDATION, "channels": network.channels, **network.changes})
    return replace(recipe, validate_every=max(1, recipe.steps // POINTS))


def train_networks(
    corpus: Path,
    runs: Path,
    results: Path,
    names: Sequence[str] = tuple(NETWORKS),
    *,
    minutes: float = 0.0,
    device: str = "auto",
    progress: Callable[[str, int, int], object] = lambda name, done, total: None,
    report: Callable[[str, Report], object] = lambda name, found: None,
    notice: Callable[[str], object] = lambda sentence: None,
    **shared: int | None,
) -> bool:
    """Train networks one after the other; go on where an earlier call was stopped.

    Parameters
    ----------
    corpus : Path
        Holds ``train`` and ``val``.
    runs : Path
        Gets a folder a network, with its checkpoint, log and best weights.
    results : Path
        ``networks.csv`` there gets a row a network, ``ablations`` its log.
    names : sequence of str
        Keys of :data:`NETWORKS`.
    minutes : float
        Stop after this time in all, saved, to go on later; 0 for no limit.
    device : str
        "auto" or a torch device.
    progress, report, notice : callable
        Get the name of the network, and what :func:`napari_dran.training.run.train` says.
    **shared
        See :func:`recipe_of`.

    Returns
    -------
    bool
        Whether all of them are finished.

    Raises
    ------
    InputError
        A name that is none of :data:`NETWORKS`.
    """
    check_names(names)
    from napari_dran.training.run import train

    end = time.monotonic() + 60 * minutes if minutes else None
    for name in names:
        recipe = recipe_of(name, **shared)
        notice(f"{name}: {NETWORKS[name].title}, {recipe.steps} steps")
        outcome = train(
            corpus / "train",
            recipe,
            run=runs / name,
            validation=corpus / "val",
            device=device,
            stop=lambda: end is not None and time.monotonic() > end,
            progress=lambda done, total, name=name: progress(name, done, total),  # type: ignore[misc]
            report=lambda found, name=name: report(name, found),  # type: ignore[misc]
            notice=notice,
        )
        _keep(name, runs / name, outcome, results)
        if outcome.stopped:
            notice(f"{name} stopped at step {outcome.step}; the same command goes on from there.")
            return False
    return True


def check_names(names: Sequence[str]) -> None:
    """Raise InputError if one of the names is no network's."""
    if wrong := [name for name in names if name not in NETWORKS]:
        raise InputError(
            f"There is no network {wrong[0]!r}. Expected some of {', '.join(NETWORKS)}."
        )


def weights_of(name: str, runs: Path = RUNS) -> Path:
    """Return the best weights of a trained network.

    Raises
    ------
    InputError
        It is not trained yet.
    """
    path = runs / name / BEST
    if not path.is_file():
        raise InputError(
            f"The network {name!r} is not trained: there is no {path}. Train it with "
            f"'python -m training.benchmark train-networks --only {name}'."
        )
    return path


def read_facts(results: Path) -> dict[str, dict[str, str]]:
    """Return what ``networks.csv`` says of each network: steps, batch, device, ..."""
    path = results / TABLE
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["network"]: row for row in csv.DictReader(file)}


def _keep(name: str, run: Path, outcome: Outcome, results: Path) -> None:
    """Copy the log and note how the network was trained, as its checkpoint has it."""
    from napari_dran.training.checkpoints import find_checkpoint, read_checkpoint

    (results / LOGS).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / LOG, results / LOGS / f"{name}-log.csv")
    checkpoint = read_checkpoint(find_checkpoint(run))
    facts = {
        "network": name,
        "parameters": sum(p.numel() for p in checkpoint.network().parameters()),
        "steps": checkpoint.step,
        "finished": "no" if outcome.stopped else "yes",
        "minutes": round(checkpoint.elapsed / 60, 1),
        **{key: checkpoint.recipe[key] for key in ("batch", "crop", "loss", "seed", "precision")},
        "device": checkpoint.facts["device"],
        "images": checkpoint.facts["images"],
    }
    rows = {**read_facts(results), name: facts}
    with (
        writing(results / TABLE, overwrite=True) as temporary,
        temporary.open("w", newline="") as f,
    ):
        table = csv.DictWriter(f, list(facts), lineterminator="\n")
        table.writeheader()
        table.writerows(rows[key] for key in NETWORKS if key in rows)
