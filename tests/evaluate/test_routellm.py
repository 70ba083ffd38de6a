"""The figures by which routers are compared, and the files they are worked out on."""

from __future__ import annotations

import gzip

import pytest
from benchmarks.routellm import FILES, accuracy_by, load, tier_shares

from nbroute.errors import SettingsError
from nbroute.evaluate.training import apgr, bootstrap

WEAK = [0, 0, 1, 1]
STRONG = [1, 1, 1, 1]


def test_apgr_is_the_share_of_the_gap_that_an_order_recovers():
    for scores, share in (([7, 7, 7, 7], 0.5), ([2, 2, 1, 1], 0.75), ([1, 1, 2, 2], 0.25)):
        assert apgr(scores, WEAK, STRONG) == pytest.approx(share)

    # Ties count in expectation over their order.
    orders = [[4, 3, 2, 1], [3, 4, 2, 1], [4, 3, 1, 2], [3, 4, 1, 2]]
    mean = sum(apgr(order, [0, 1, 0, 1], STRONG) for order in orders) / 4
    assert mean == pytest.approx(apgr([2, 2, 1, 1], [0, 1, 0, 1], STRONG))
    with pytest.raises(ValueError, match="no gap"):
        apgr([1, 2], [1, 1], [1, 1])


def test_the_bootstrap_interval_contains_the_figure_and_is_the_same_every_time():
    scores = [index % 7 for index in range(200)]
    weak = [index % 3 == 0 for index in range(200)]
    strong = [index % 5 != 0 for index in range(200)]
    low, high = bootstrap(apgr, scores, weak, strong, samples=200)

    assert low < apgr(scores, weak, strong) < high
    assert (low, high) == bootstrap(apgr, scores, weak, strong, samples=200)


def test_tier_shares_begin_with_the_largest():
    assert [("B", 0.75), ("A", 0.25)] == list(tier_shares(["A", "B", "B", "B"]).items())
    assert {"x": (1, 2), "y": (1, 1)} == accuracy_by("xxy", "ABA", "AAA")


def test_a_file_is_read_with_its_numbers(tmp_path):
    with gzip.open(tmp_path / FILES["mt_bench"], "wt", encoding="utf-8", newline="") as file:
        file.write('prompt,group,weak,strong,extra\n"Hi,\nyou",writing,8.5,10,x\n')

    expected = {"prompt": "Hi,\nyou", "group": "writing", "weak": 8.5, "strong": 10.0}
    assert [expected] == load("mt_bench", tmp_path)
    with pytest.raises(SettingsError, match=r"routellm_mmlu\.csv\.gz.*NBROUTE_DATA"):
        load("mmlu", tmp_path)
