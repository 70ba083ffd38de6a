"""The figures that several reports share."""

from __future__ import annotations

import math

import pytest

from nbroute.report import metrics


def test_intervals_and_agreement_are_the_published_ones():
    whom = ((True, True), (True, False), (False, True), (False, False))
    # Table III of "Improved confidence intervals for the difference between binomial proportions
    # based on paired data" (Newcombe 1998), method 10.
    for cases, limits in (
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((1, 97, 1, 1), (0.8736, 0.9850)),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
        ((36, 2, 12, 0), (-0.3404, -0.0569)),
    ):
        shown = metrics.newcombe(dict(zip(whom, cases, strict=True)))
        assert pytest.approx(limits, abs=1e-4) == shown

    # Cohen's own definition by hand: 35 of 50 alike, 0.5 by chance.
    pairs = [pair for pair, count in zip(whom, (20, 5, 10, 15), strict=True) for _ in range(count)]
    assert pytest.approx(0.4) == metrics.kappa(pairs)
    assert all(math.isnan(metrics.kappa([(True, True)] * n)) for n in (0, 3))
    assert (0.490, 0.943) == pytest.approx(metrics.wilson(0.8, 10), abs=5e-4)
    assert (0.0, 1.0) == metrics.wilson(0, 0)
    assert 100 == pytest.approx(metrics.enough(0.1, 0.0, 0.2, 50))
    assert math.inf == metrics.enough(0, 0, 1, 5)
    assert [7, 99, 110, 1300] == [metrics.rounded_up(n) for n in (7, 99, 101, 1234.5)]
