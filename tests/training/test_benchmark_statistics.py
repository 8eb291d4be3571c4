"""Intervals against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from training.benchmark.statistics import interval, paired


def test_interval_is_that_of_the_normal_approximation_for_many_images() -> None:
    values = np.random.default_rng(1).normal(30, 2, 400)
    found = interval(values.tolist())
    error = 1.96 * values.std() / math.sqrt(len(values))
    assert found.count == 400
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_interval_of_two_values_holds_the_exact_bootstrap_distribution() -> None:
    # The mean of two draws of {0, 1} is 0, 1/2, 1 with 1/4, 1/2, 1/4.
    found = interval([0.0, 1.0])
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_interval_of_equal_values_has_no_width() -> None:
    found = interval([3.5] * 7)
    assert (found.mean, found.low, found.high, found.count) == (3.5, 3.5, 3.5, 7)


def test_interval_is_the_same_each_time_and_hangs_on_the_seed() -> None:
    values = np.random.default_rng(2).normal(size=20).tolist()
    assert interval(values) == interval(values)
    assert interval(values) != interval(values, seed=1)


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    samples = (random.normal(size=40).tolist() for _ in range(300))
    inside = sum(found.low <= 0 <= found.high for found in (interval(s) for s in samples))
    assert 0.90 <= inside / 300 <= 0.98


def test_pairing_takes_out_that_images_differ() -> None:
    hard = np.random.default_rng(4).normal(30, 5, 50)
    found = paired((hard + 0.25).tolist(), hard.tolist())
    assert found.mean == pytest.approx(0.25)
    assert found.low == pytest.approx(0.25)
    assert found.high == pytest.approx(0.25)


def test_paired_values_must_be_of_the_same_images() -> None:
    with pytest.raises(ValueError, match="shape"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])
