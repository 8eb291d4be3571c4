"""Turn a training run into shipped weights: ``python training/export.py dran-grey --run RUN``.

Takes the checkpoint of a run, of ``napari-dran train`` or of the first trainer,
and writes the averaged weights with their card into the package. ``--scores``
and ``--real-scores`` take the benchmark's CSV files; ``--log`` the logs of the runs since
the shipped weights, in order, which are appended to the table in
``training/results/curves`` and drawn into ``docs/images/training``. ``--blend OTHER
--share 0.4`` takes 0.4 of the weights of another run that led to this one, or began where
it did: on the way between two such ends the error is mostly lower than at either.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from napari_dran.training.cards import export_weights
from napari_dran.training.checkpoints import find_checkpoint, read_checkpoint
from napari_dran.training.manifest import corpus_sources

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src/napari_dran/weights"
CURVES = ROOT / "training/results/curves"
PICTURES = ROOT / "docs/images/training"

DESCRIPTIONS = {
    "dran-grey": (
        "Blind Gaussian denoiser for grey images: X-ray, MR, CT, ultrasound, fluorescence and "
        "others. Take it where noise is white and Gaussian, as in the papers' protocol."
    ),
    "dran-colour": (
        "Blind Gaussian denoiser for colour images: histopathology, dermatology and others."
    ),
    "dran-grey-real": (
        "Blind denoiser for grey scans as machines make them: Gaussian, Rician, photon, "
        "photomultiplier, speckle and correlated noise. Take it where noise grows with the "
        "signal, is shared by neighbouring pixels or is not symmetric (`napari-dran info` and "
        "the widget tell); for white Gaussian noise dran-grey is better."
    ),
}
SIGMAS = ("10", "25", "50")
COLOURED = ("histopathology", "dermatology")


def curve(name: str, logs: list[str]) -> list[dict[str, str]]:
    """Append the logs of runs, in order, to the table of those that led to them."""
    table = CURVES / f"{name}.csv"
    rows: list[dict[str, str]] = []
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    for log in logs:
        run, steps, minutes = (rows[-1][k] if rows else "0" for k in ("run", "step", "minutes"))
        with Path(log).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows.append(
                    {
                        "run": f"{int(run) + 1}",
                        "step": f"{int(steps) + int(row['step'])}",
                        "minutes": f"{float(minutes) + float(row['minutes']):.1f}",
                        "loss": f"{float(row['loss']):.5f}",
                        **{
                            f"psnr_{s}": f"{float(row[f'psnr_{s}']):.3f}"
                            if f"psnr_{s}" in row
                            else ""
                            for s in SIGMAS
                        },
                    }
                )
    return rows


def draw_curve(name: str, rows: list[dict[str, str]]) -> None:
    """Write the curve as CSV and PNG."""
    from matplotlib.figure import Figure

    for folder in (CURVES, PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    with (CURVES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    quality, loss = figure.subplots(1, 2)
    colours = dict(zip(SIGMAS, ("tab:green", "tab:blue", "tab:red"), strict=True))
    for run in dict.fromkeys(row["run"] for row in rows):
        mine = [row for row in rows if row["run"] == run]
        for sigma in SIGMAS:
            points = [
                (int(r["step"]), float(r[f"psnr_{sigma}"])) for r in mine if r[f"psnr_{sigma}"]
            ]
            if points:
                quality.plot(*zip(*points, strict=True), ".-", color=colours[sigma], lw=1.2, ms=4)
        loss.plot(
            [int(r["step"]) for r in mine],
            [float(r["loss"]) for r in mine],
            ".-",
            color="0.3",
            ms=4,
        )
        for place in (quality, loss) if run != "1" else ():
            place.axvline(int(mine[0]["step"]), color="0.85", lw=0.8, zorder=0)
    for sigma, colour in colours.items():
        quality.plot([], [], color=colour, label=f"sigma {sigma}")
    quality.set_ylabel("PSNR on val in dB")
    # Above the axes, as lines of all three may be anywhere in them.
    quality.legend(
        frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, ncols=3
    )
    loss.set_ylabel("training loss (L1, or far lower L2)")
    loss.set_yscale("log")
    for place in (quality, loss):
        place.set_xlabel("steps")
        place.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        place.locator_params(axis="x", nbins=5)
        place.grid(alpha=0.2)
        place.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{name}: one line a run; runs differ in the val images and noise of their scores",
        fontsize=9,
    )
    figure.savefig(PICTURES / f"{name}.png", dpi=110)


def read_real_scores(path: str) -> dict[str, object]:
    """Average the rows of the benchmark's real noise: data set -> PSNR, SSIM."""
    sums: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with Path(path).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sums[row["modality"]].append((float(row["psnr"]), float(row["ssim"])))
    return {name: _means(values) for name, values in sums.items()}


def read_scores(path: str, channels: int) -> dict[str, object]:
    """Average the rows of an evaluation: modality -> sigma -> PSNR, SSIM.

    Rows of images of the other kind, which other weights have denoised, are passed over.
    """
    sums: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with Path(path).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["modality"] in COLOURED) == (channels == 3) and row["modality"] != "nuclei":
                scores = float(row["psnr"]), float(row["ssim"])
                sums[row["modality"]][row["sigma"]].append(scores)
    return {
        modality: {sigma: _means(values) for sigma, values in by_sigma.items()}
        for modality, by_sigma in sums.items()
    }


def _means(values: list[tuple[float, float]]) -> dict[str, object]:
    psnr, ssim = (sum(part) / len(values) for part in zip(*values, strict=True))
    return {"psnr": round(psnr, 3), "ssim": round(ssim, 4), "images": len(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(DESCRIPTIONS))
    parser.add_argument("--run", required=True, help="run folder or checkpoint")
    parser.add_argument("--blend", default=None, help="another run whose weights are mixed in")
    parser.add_argument("--share", type=float, default=0.5, help="of the other's weights")
    parser.add_argument("--corpus", default="../shared/corpus")
    parser.add_argument("--hardware", default="2 CPU cores")
    parser.add_argument("--scores", default=None, help="CSV of the benchmark's gaussian")
    parser.add_argument("--real-scores", default=None, help="CSV of the benchmark's real-noise")
    parser.add_argument("--log", nargs="+", default=[], help="logs of new runs, in order")
    parser.add_argument("--started-from", default=None, help="what the run was started from")
    options = parser.parse_args()
    checkpoint = read_checkpoint(find_checkpoint(options.run))
    facts = {"hardware": options.hardware, "data": corpus_sources(f"{options.corpus}/train")}
    facts = {"started from": "random weights", **checkpoint.facts, **facts}
    if options.started_from:
        facts["started from"] = options.started_from
    scores: dict[str, object] = {}
    if options.blend:
        # What was measured on val are the ends, not what lies between.
        other = read_checkpoint(find_checkpoint(options.blend))
        checkpoint = checkpoint.blended(other, options.share)
    else:
        scores["val"] = dict(checkpoint.scores)
    if options.scores:
        scores["test, protocol gaussian"] = read_scores(
            options.scores, int(checkpoint.arguments["channels"])
        )
    if options.real_scores:
        scores["test, real noise"] = read_real_scores(options.real_scores)
    if options.log:
        draw_curve(options.name, curve(options.name, options.log))
    written = export_weights(
        replace(checkpoint, facts=facts),
        PACKAGE / f"{options.name}.safetensors",
        overwrite=True,
        scores=scores,
        description=DESCRIPTIONS[options.name],
        licence=(
            "Research use: some of the training images are licensed for non-commercial use or "
            "state no licence, see data."
        ),
    )
    print(f"{written.name}: {written.steps} steps, sha256 {written.sha256}")


if __name__ == "__main__":
    main()
