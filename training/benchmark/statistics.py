"""How sure a mean is: bootstrap over images, or over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean and the interval it lies in.

    Parameters
    ----------
    mean, low, high : float
        The mean over the images, and the bounds of its interval.
    count : int
        Number of images.
    """

    mean: float
    low: float
    high: float
    count: int


def interval(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the mean and its 95 % interval, by the percentile bootstrap.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3:
    images are drawn with replacement, as many as there are, and the interval holds
    the middle 95 % of the means so found. The images stand for others like them, so
    this says how much the choice of images matters, and nothing of other choices.

    Parameters
    ----------
    values : sequence of float
        One an image; at least one.
    resamples : int
        How often images are drawn.
    seed : int
        Of the drawing: the same values give the same interval.
    """
    scores = np.asarray(values, np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(scores), (resamples, len(scores)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(scores[chosen].mean(axis=1), [tail, 1 - tail])
    return Interval(float(scores.mean()), float(low), float(high), len(scores))


def paired(values: Sequence[float], others: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean of ``values - others``, both of the same images, and its interval.

    Pairing takes out that some images are harder than others for every method.
    """
    return interval(np.subtract(values, others, dtype=np.float64).tolist(), seed=seed)


def drawn(groups: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draw whole groups with replacement, as many as there are.

    Images of one patient are alike, so that they cannot be drawn one by one
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).

    Parameters
    ----------
    groups : sequence of str
        Of each image: its patient.
    resamples : int
        How often groups are drawn.
    seed : int
        Of the drawing.

    Returns
    -------
    ndarray
        float64 (resamples, images): how many times each image counts.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    counts = np.random.default_rng(seed).multinomial(len(names), shares, resamples)
    return counts[:, index].astype(np.float64)


def grouped(
    statistic: Callable[[np.ndarray], np.ndarray],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a statistic of images and its 95 % interval, by bootstrap over groups.

    Parameters
    ----------
    statistic : callable
        Maps weights (n, images) to n values.
    groups : sequence of str
        Of each image: its patient.
    resamples, seed : int
        See :func:`drawn`; without ``resamples`` the interval is not known (NaN).
    """
    value = float(statistic(np.ones((1, len(groups))))[0])
    if not resamples:
        return Interval(value, np.nan, np.nan, len(groups))
    tail = (1 - CONFIDENCE) / 2
    values = statistic(drawn(groups, resamples=resamples, seed=seed))
    # A drawing may lack what a share is of; it then says nothing.
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high), len(groups))
