"""The command: ``python -m training.benchmark``, one subcommand an experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_dran.errors import DranError

from .experiments import EXPERIMENTS, experiment
from .networks import NETWORKS, RUNS, TRAINING, train_networks

if TYPE_CHECKING:
    from napari_dran.training.validation import Report

CORPUS = TRAINING.parent.parent / "shared/corpus"
RESULTS = TRAINING / "results"
DOCS = TRAINING.parent / "docs"
IMAGES = DOCS / "images/evidence"
README = TRAINING.parent / "README.md"

TENTHS = 10

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Corpus = Annotated[Path, typer.Option(help="Folder of images with train, val, test.")]
Results = Annotated[Path, typer.Option(help="Folder of the CSV files.")]


@app.callback()
def benchmark() -> None:
    """Measure denoisers and write docs/evidence.md.

    Each experiment goes on where it stopped and keeps its scores as CSV files; then
    "draw" makes the pictures and "page" the text, from what is there.
    """


@app.command("train-networks")
def train_networks_command(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Repeat for more: {', '.join(NETWORKS)}."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of each.", show_default="YAML")] = None,
    batch: Annotated[int | None, typer.Option(help="Crops a step.", show_default="YAML")] = None,
    crop: Annotated[int | None, typer.Option(help="Their side.", show_default="YAML")] = None,
    minutes: Annotated[float, typer.Option(help="Stop after this time in all; 0: never.")] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    output: Annotated[Path, typer.Option(help="Folder of the runs.")] = RUNS,
    corpus: Corpus = CORPUS,
    results: Results = RESULTS,
) -> None:
    """Train DRAN, its variants and the baselines with the same steps, recipe and seed.

    The recipe is training/comparison.yaml; on a CPU add --steps 600 --batch 8 --crop 64.
    The same command goes on where an earlier one was stopped.
    """
    finished = train_networks(
        corpus,
        output,
        results,
        only or list(NETWORKS),
        minutes=minutes,
        device=device,
        progress=counter,
        report=_tell_report,
        notice=tell,
        steps=steps,
        batch=batch,
        crop=crop,
    )
    tell("All are trained." if finished else "Not all are trained yet: run the command again.")


def _command(name: str) -> Callable[..., None]:
    """Make the command of an experiment."""

    def measure(
        methods: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME", help="Method or .safetensors file. Repeat for more."),
        ] = None,
        again: Annotated[
            bool, typer.Option("--again", help="Measure anew what is there already.")
        ] = False,
        corpus: Corpus = CORPUS,
        results: Results = RESULTS,
    ) -> None:
        module = experiment(name)
        names = methods or [name for name in module.METHODS if _there(name)]
        module.measure(corpus, results, names, again=again, progress=counter)
        tell("")

    return measure


def _there(name: str) -> bool:
    """Say why a method is left out, if it has to be."""
    from .methods import missing

    if reason := missing(name):
        tell(f"Left out {name}: {reason}")
    return not reason


for _name, _help in EXPERIMENTS.items():
    app.command(_name, help=_help)(_command(_name))


@app.command()
def draw(
    only: Annotated[
        list[str] | None, typer.Option(metavar="EXPERIMENT", help="Repeat for more.")
    ] = None,
    corpus: Corpus = CORPUS,
    results: Results = RESULTS,
    images: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES,
) -> None:
    """Draw the pictures of the page."""
    images.mkdir(parents=True, exist_ok=True)
    for name in only or EXPERIMENTS:
        if found := getattr(experiment(name), "draw", None):
            tell(f"Drawing {name}")
            found(corpus, results, images)


@app.command()
def page(results: Results = RESULTS) -> None:
    """Write docs/evidence.md and the table in README.md."""
    from .page import write_pages

    write_pages(results, DOCS / "evidence.md", README)


def counter(name: str, done: int, total: int) -> None:
    """Show how far it is: in place on a terminal, else in lines, at each tenth."""
    if sys.stderr.isatty():
        print(f"\r{name} {done}/{total} ", end="", file=sys.stderr, flush=True)
    elif TENTHS * done // total > TENTHS * (done - 1) // total:
        tell(f"{name} {done}/{total}")


def tell(sentence: str) -> None:
    """Print a sentence about the run."""
    print(sentence, file=sys.stderr, flush=True)


def _tell_report(name: str, found: Report) -> None:
    scores = ", ".join(f"{value:.2f} at {sigma:g}" for sigma, value in found.psnr.items())
    tell(f"{name}, step {found.step}, {found.minutes:.1f} min: PSNR {scores} dB")


def main() -> None:
    """Run the command; a mistake of the user's is one line."""
    try:
        app(prog_name="python -m training.benchmark")
    except DranError as error:
        tell(f"Error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
