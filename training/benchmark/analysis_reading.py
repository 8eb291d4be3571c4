"""Sentences about what networks lose to noise and get back, made from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from . import methods as known
from .analysis_scores import CLEAN, DENOISERS, NOISY
from .analysis_tables import Column, Measured, percent, scores_table
from .markdown import paragraphs, table, with_interval

DRAN = "dran"
SHARE_BAR = 0.7
"""Of what noise takes away at :data:`BAR_SIGMA`, this much shall come back."""

BAR_SIGMA = 50.0

WITH_NOISE_TEXT = """\
What the paper does not ask: how far does a network come that saw noise when it was trained,
without any denoiser? It is one U-Net, the first member of the ensemble above trained up to 200
steps further with noise of sigma 0 to 50 on every crop, the best of two validations; a longer run,
or an ensemble of such, may do better. Denoising also serves networks that are there already and
cannot be trained again, and people who look at the images."""


def found_by(
    measured: Measured,
    network: str,
    columns: Sequence[Column],
    unit: str,
    least: float,
    *,
    compared: Column | None = None,
) -> str:
    """Tell of one network: a table a level of noise, what DRAN is better than, a reading.

    Parameters
    ----------
    measured : Measured
        The rows.
    network : str
        Which network.
    columns : sequence of Column
        The scores; the first is the one to speak of.
    unit : str
        What is counted: "slices".
    least : float
        What is expected of the first score on clean images.
    compared : Column, optional
        The score that denoisers are compared by; by default the first.
    """
    return paragraphs(
        *(scores_table(measured, network, s, columns, unit) for s in measured.sigmas()),
        against_others(measured, network, compared or columns[0]),
        reading(measured, network, columns[0], least),
    )


def reading(measured: Measured, network: str, column: Column, least: float) -> str:
    """Say what noise costs, what DRAN brings back, and whether the bars are reached.

    Parameters
    ----------
    measured, network, least
        As for :func:`found_by`.
    column : Column
        The score to speak of.
    """
    clean = measured.value(column, NOISY, network, CLEAN)
    if clean is None:
        return ""
    score = column.title
    sentences = [
        f"On clean images the {score} is {clean.mean:.{column.digits}f}; at least {least:.2f} is "
        f"expected, which is {_reached(clean.mean, least)}."
    ]
    for sigma in measured.sigmas():
        noisy = measured.value(column, NOISY, network, sigma)
        denoised = measured.value(column, DRAN, network, sigma)
        if noisy is None or denoised is None or denoised.count != clean.count:
            continue
        share = measured.recovered(column, DRAN, network, sigma)
        back = f", {percent(share, column)} of the loss" if share else ""
        sentences.append(
            f"Noise of sigma {sigma:g} leaves {noisy.mean:.{column.digits}f}, and DRAN brings it "
            f"to {denoised.mean:.{column.digits}f}{back}."
        )
        if sigma == BAR_SIGMA and share:
            sentences.append(
                f"Of the loss at sigma {sigma:g}, {100 * SHARE_BAR:.0f} % are expected back, which "
                f"is {_reached(share.mean, SHARE_BAR)}."
            )
    return " ".join(sentences)


def against_others(measured: Measured, network: str, column: Column) -> str:
    """Tabulate how much better DRAN is than other denoisers, and say where it is.

    Parameters
    ----------
    measured, network, column
        As for :func:`reading`.
    """
    others = [name for name in DENOISERS if name not in (NOISY, DRAN)]
    lines = []
    verdicts: dict[str, list[str]] = {"better than": [], "worse than": [], "level with": []}
    for other in others:
        cells = []
        levels_of: dict[str, list[str]] = {verdict: [] for verdict in verdicts}
        for sigma in measured.sigmas():
            found = measured.difference(column, DRAN, other, network, sigma)
            cells.append("" if found is None else with_interval(found, column.digits, signed=True))
            if found is not None:
                verdict = "better than" if found.low > 0 else "level with"
                verdict = "worse than" if found.high < 0 else verdict
                levels_of[verdict].append(f"{sigma:g}")
        for verdict, found_at in levels_of.items():
            if found_at:
                verdicts[verdict].append(f"{short_title(other)} at {_listed(found_at)}")
        if any(cells):
            lines.append([known.title(other), *cells])
    if not lines:
        return ""
    levels = [f"sigma {sigma:g}" for sigma in measured.sigmas()]
    parts = [f"{verdict} {', '.join(names)}" for verdict, names in verdicts.items() if names]
    return paragraphs(
        f"DRAN minus another denoiser, {column.title} on the same images; bold: the whole interval "
        "is above zero.",
        table([column.title, *levels], lines),
        f"By these intervals denoising with DRAN is {'; '.join(parts)}. Level means that the "
        "interval holds zero, not that both are the same.",
    )


def trained_with_noise(measured: Measured, column: Column, network: str, robust: str) -> str:
    """Compare denoising with training on noisy images; "" if that was not measured.

    Parameters
    ----------
    measured, column
        As for :func:`reading`.
    network, robust : str
        The network trained on clean images, and the one trained on noisy ones.
    """
    rows = [
        ("trained on clean images", NOISY, network),
        ("trained on clean images, denoised by DRAN", DRAN, network),
        ("trained with noise", NOISY, robust),
        ("trained with noise, denoised by DRAN", DRAN, robust),
    ]
    sigmas = [CLEAN, *measured.sigmas()]
    values = {
        (title, sigma): measured.value(column, method, net, sigma)
        for title, method, net in rows
        for sigma in sigmas
    }
    if not any(values[rows[2][0], sigma] for sigma in sigmas):
        return ""

    def cell(title: str, sigma: float) -> str:
        value = values[title, sigma]
        # Means of other images would not compare: what is half measured waits.
        most = max((v.count for (_, level), v in values.items() if v and level == sigma), default=0)
        return with_interval(value, column.digits) if value and value.count == most else ""

    lines = [[title, *(cell(title, sigma) for sigma in sigmas)] for title, _, _ in rows]
    header = [column.title, "clean", *(f"sigma {sigma:g}" for sigma in sigmas[1:])]
    return paragraphs(
        "#### Or train the network with noise",
        WITH_NOISE_TEXT,
        table(header, lines),
        _which_is_better(measured, column, network, robust),
    )


def _which_is_better(measured: Measured, column: Column, network: str, robust: str) -> str:
    """Say, sigma by sigma, whether denoising or training with noise did better."""
    clean = measured.across(column, (NOISY, robust, CLEAN), (NOISY, network, CLEAN))
    digits = column.digits
    sentences = []
    if clean is not None:
        sentences.append(
            f"On clean images training with noise changes the {column.title} by "
            f"{with_interval(clean, digits, signed=True)}."
        )
    for sigma in measured.sigmas():
        found = measured.across(column, (NOISY, robust, sigma), (DRAN, network, sigma))
        if found is not None:
            sure = "" if found.low > 0 or found.high < 0 else ", which may be chance"
            sentences.append(
                f"At sigma {sigma:g} it gives {with_interval(found, digits, signed=True)} over "
                f"denoising for the network trained on clean images{sure}."
            )
    return " ".join(sentences)


def short_title(name: str) -> str:
    """Return what a sentence calls a method: its title up to the comma; DRAN's whole."""
    title = known.title(name)
    if title.startswith("DRAN"):
        return title.replace(", ", " with the ")
    return title.partition(",")[0]


def _listed(words: Sequence[str]) -> str:
    """Join words: "10, 25 and 50"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _reached(value: float, least: float) -> str:
    return "reached" if value >= least else "not reached"
