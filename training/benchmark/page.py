"""docs/evidence.md and the README's table: text made of the CSV files alone."""

from __future__ import annotations

from pathlib import Path

from napari_dran.errors import InputError
from napari_dran.weights import Card, list_weights

from . import ablations, gaussian, markdown, methods, segmentation
from .comparison import COLUMNS, Scores, means_table
from .experiments import EXPERIMENTS, experiment
from .rows import read

README_METHODS = ("noisy", "nlm", "bm3d", "dran")
README_SIGMA = 25.0
BEGIN = "<!-- Written by python -m training.benchmark page; do not edit. -->"
END = "<!-- End of what it writes. -->"

INTRODUCTION = """\
How well the shipped weights do, measured against what else could be used. Every number here is
written by `python -m training.benchmark page` from the CSV files that the benchmark keeps in
`training/results/`; `training/README.md` says how to measure it all again. The test images are of
other patients, or other source images, than those trained on. None of this says that a denoised
scan is fit for a diagnosis."""


def evidence(results: Path) -> str:
    """Return the page: how the weights were made, then a section an experiment.

    Parameters
    ----------
    results : Path
        Folder of the CSV files.
    """
    sections = [experiment(name).tables(results) for name in EXPERIMENTS]
    return markdown.paragraphs("# Evidence", INTRODUCTION, weights_section(results), *sections)


def weights_section(results: Path) -> str:
    """Say which weights are measured, and whether some scores are of earlier ones."""
    cards = list_weights(None)
    rows = [
        [card.name, card.kind, f"{card.steps:,}", *_training(card), card.sha256[:12]]
        for card in cards
    ]
    header = ["weights", "images", "steps", "minutes", "hardware", "SHA-256"]
    starts = [f"{card.name}: {card.training.get('started from', 'not stated')}." for card in cards]
    hashes = {card.sha256[:12] for card in cards}
    old = []
    for path in sorted(results.glob("*/*.csv")):
        measured = shipped_weights(path)
        if earlier := sum(1 for used in measured if used - hashes):
            part = f" ({earlier} of {len(measured)} rows)" if earlier < len(measured) else ""
            old.append(f"`{path.relative_to(results).as_posix()}`{part}")
    warning = f"**Measured with earlier weights:** {', '.join(old)}." if old else ""
    return markdown.paragraphs(
        "## The weights",
        markdown.table(header, rows),
        f"What training started from: {' '.join(starts)}",
        warning,
    )


def shipped_weights(path: Path) -> list[set[str]]:
    """Return, for each row of a CSV file, the hashes of the weights of the package it is of.

    Networks that were trained for comparison are not shipped, neither denoisers nor
    :data:`~training.benchmark.segmentation.WITH_NOISE`.
    """
    denoiser = path.stem in methods.SHIPPED and path.parent.name != ablations.NAME
    found = []
    for row in read(path):
        used = row.get("weights", "").split("+")
        # The last hash is that of the network which looks at the image.
        network = used.pop() if "network" in row else ""
        shipped = set(used) if denoiser else set()
        if row.get("network") != segmentation.WITH_NOISE:
            shipped.add(network)
        found.append(shipped - {""})
    return found


def _training(card: Card) -> list[str]:
    facts = card.training
    return [str(facts.get("minutes", "")), str(facts.get("hardware", facts.get("device", "")))]


def readme_table(results: Path) -> str:
    """Return the README's table: a few methods at one sigma, and what it was measured on."""
    folder = results / gaussian.NAME
    scores = Scores.read(folder, README_METHODS)
    titles = {name: methods.title(name) for name in scores.by_method}
    table = means_table(scores, README_SIGMA, titles)
    members = [member for group in COLUMNS.values() for member in group]
    images = len(scores.images(members, README_SIGMA))
    caption = (
        f"{images} test images of {len(scores.modalities)} kinds; number of images in brackets, "
        "best in bold. DRAN is not told sigma."
    )
    return markdown.paragraphs(table, caption)


def fill(text: str, table: str) -> str:
    """Put a table between the marks of a text.

    Raises
    ------
    InputError
        The marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"Expected the lines {BEGIN!r} and {END!r} where the table shall stand.")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def write_pages(results: Path, page: Path, readme: Path) -> None:
    """Write the page, and the table into the README."""
    page.write_text(evidence(results), encoding="utf-8")
    filled = fill(readme.read_text(encoding="utf-8"), readme_table(results))
    readme.write_text(filled, encoding="utf-8")
