"""The figures by which routers are compared, and the files they are worked out on."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from benchmarks.routellm import FILES, accuracy_by, cpt, load, tier_shares

from nbroute.errors import SettingsError
from nbroute.evaluate.training import apgr, bootstrap

WEAK = [0, 0, 1, 1]
STRONG = [1, 1, 1, 1]


def written(folder: Path, text: str) -> Path:
    with gzip.open(folder / FILES["mt_bench"], "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    return folder


def test_equal_scores_recover_half_of_the_gap():
    assert apgr([7, 7, 7, 7], WEAK, STRONG) == pytest.approx(0.5)


def test_the_best_order_recovers_all_it_can_and_the_worst_the_rest():
    assert apgr([2, 2, 1, 1], WEAK, STRONG) == pytest.approx(0.75)
    assert apgr([1, 1, 2, 2], WEAK, STRONG) == pytest.approx(0.25)


def test_ties_count_in_expectation_over_their_order():
    orders = [[4, 3, 2, 1], [3, 4, 2, 1], [4, 3, 1, 2], [3, 4, 1, 2]]
    weak, strong = [0, 1, 0, 1], [1, 1, 1, 1]
    mean = sum(apgr(order, weak, strong) for order in orders) / 4

    assert mean == pytest.approx(apgr([2, 2, 1, 1], weak, strong))


def test_cpt_is_the_least_share_that_recovers_so_much():
    assert cpt([2, 2, 1, 1], WEAK, STRONG, 0.5) == pytest.approx(0.25)
    assert cpt([2, 2, 1, 1], WEAK, STRONG, 1.0) == pytest.approx(0.5)
    assert cpt([1, 1, 2, 2], WEAK, STRONG, 0.5) == pytest.approx(0.75)
    assert cpt([1, 1, 1, 1], WEAK, STRONG, 0.8) == pytest.approx(0.8)
    assert cpt([1, 2, 3, 4], WEAK, STRONG, 0.0) == 0.0


def test_without_a_gap_there_is_nothing_to_recover():
    with pytest.raises(ValueError, match="no gap"):
        apgr([1, 2], [1, 1], [1, 1])


def test_the_bootstrap_interval_holds_the_figure_and_is_the_same_every_time():
    scores = [index % 7 for index in range(200)]
    weak = [index % 3 == 0 for index in range(200)]
    strong = [index % 5 != 0 for index in range(200)]
    low, high = bootstrap(apgr, scores, weak, strong, samples=200)

    assert low < apgr(scores, weak, strong) < high
    assert (low, high) == bootstrap(apgr, scores, weak, strong, samples=200)
    low, high = bootstrap(apgr, [1, 2, 3], [0, 1, 1], [1, 1, 1], samples=50)  # some have no gap
    assert 0 <= low <= high <= 1


def test_tier_shares_add_up_and_begin_with_the_largest():
    assert {"B": 0.75, "A": 0.25} == tier_shares(["A", "B", "B", "B"])
    assert next(iter(tier_shares(["A", "B", "B"]))) == "B"
    assert tier_shares([]) == {}
    found = accuracy_by(["x", "x", "y"], ["A", "B", "A"], ["A", "A", "A"])
    assert {"x": (1, 2), "y": (1, 1)} == found


def test_a_file_is_read_with_its_numbers(tmp_path):
    folder = written(tmp_path, 'prompt,group,weak,strong,extra\n"Hi,\nyou",writing,8.5,10,x\n')
    expected = {"prompt": "Hi,\nyou", "group": "writing", "weak": 8.5, "strong": 10.0}

    assert [expected] == load("mt_bench", folder)
    written(tmp_path, "prompt,group,weak,strong\na,b,one,2\n")
    for name, told in (
        ("mt_bench", "prompt, group, weak and strong"),
        ("mmlu", r"routellm_mmlu\.csv\.gz.*NBROUTE_DATA"),
        ("mtbench", r"'mtbench'.*did you mean 'mt_bench'"),
    ):
        with pytest.raises(SettingsError, match=told):
            load(name, tmp_path)
