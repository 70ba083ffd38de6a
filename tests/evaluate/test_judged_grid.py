"""A judge as a column of a grid, and how strong tiers are by what was judged."""

from __future__ import annotations

import pandas as pd
import pytest
from cells import outputs
from loopback import Reply

from nbroute.errors import Interrupted, SettingsError
from nbroute.providers.simulated import known_prompts
from nbroute.workshop import truth


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr("nbroute.evaluate.strengths._SAMPLES", 100)


def by_tier(grid):
    return grid.frame().pivot_table(index="row", columns="contender", values="judged", dropna=False)


def answers(sent) -> Reply:
    """The model's own name as its answer; a judge prefers the large one's."""
    asked = sent["messages"][-1]["content"]
    if "<answer-a>" not in asked:
        return Reply(text=sent["model"])
    return Reply(text=f"Verdict: {'A' if asked.index('large') < asked.index('-b>') else 'B'}")


def test_each_answer_is_judged_against_the_most_expensive_contenders(simulated):
    prompts = [*known_prompts()[:30], "What do zebras dream?"]  # nobody knows an answer to that
    grid = simulated.compare(prompts, progress=False)
    assert grid.frame()["judged"].isna().all()
    assert simulated.judge(grid, progress=False) is grid

    known, said = truth(prompts[:30], simulated.ladder), by_tier(grid)
    for tier in ("SIMPLE", "MEDIUM", "COMPLEX"):
        worse = known[tier] < known["FRONTIER"]
        assert [0.0 if it else 0.5 for it in worse] == list(said[tier][:30])
    assert said.iloc[30].isna().all()
    rows = simulated.ledger.frame()
    spent = rows[rows["purpose"] == "judge"]["cost_usd"].sum()
    assert 0 < spent < float(grid.cost.equivalent_usd)
    assert "SIMPLE" == list(simulated.strengths(grid)["tier"])[-1]


def test_verdicts_stay_with_a_grid_in_a_folder(router, server):
    server.handler = answers
    grid = router.judge(router.compare(["one", "two"], to="grid"))
    assert {0.0, 0.5} == {*grid.frame()["judged"]}

    again = router.compare(["one", "two"], to="grid")
    server.requests.clear()
    router.judge(again)

    assert by_tier(grid).equals(by_tier(again))
    assert not server.requests


def test_another_judge_has_the_last_word_and_a_blind_one_is_named(router, server):
    server.handler = answers
    grid = router.compare([f"prompt {n}" for n in range(5)], ["LOW", "TOP"])
    unpaid = router.judge(grid, max_cost=0).frame()
    assert {"TOP"} == set(unpaid.dropna(subset="judged")["contender"])
    router.judge(grid)
    assert [0.0] * 5 == list(by_tier(grid)["LOW"])

    router.judge(grid, lambda prompt, a, b: "a")

    assert [0.5] * 5 == list(by_tier(grid)["LOW"])
    assert "shown first in 10 of 10 verdicts, so they mean nothing" in grid.notes[0]
    router.judge(grid, lambda prompt, a, b: "a" if a == "small" else "b")
    assert [1.0] * 5 == list(by_tier(grid)["LOW"])


def test_ctrl_c_leaves_a_grid_with_what_was_judged(router, server):
    server.handler = answers
    grid = router.compare(["one", "two", "three"], ["LOW", "TOP"])
    said = ["tie", "tie"]

    def judge(*_):
        if not said:
            raise KeyboardInterrupt
        return said.pop()

    with pytest.raises(Interrupted, match=r"LOW: .* the same call continues") as caught:
        router.judge(grid, judge, progress=False)

    assert caught.value.result is grid
    assert 1 == by_tier(grid)["LOW"].notna().sum()


def test_what_cannot_be_judged_is_refused_before_anything_is_sent(router, server):
    one = router.compare(["one"], ["LOW"])
    server.requests.clear()
    for asked, told in (
        (lambda: router.judge(one), "this grid has one"),
        (lambda: router.judge(None), r"is not a grid; give what router"),
    ):
        with pytest.raises(SettingsError, match=told):
            asked()
    assert not server.requests


def test_the_table_under_a_cell_says_what_the_judge_said(static, simulated):
    words = ["What is the capital of Australia?", "What is 7 times 8?"]
    grid = simulated.compare(words, ["SIMPLE", "FRONTIER"], progress=False)
    static.user_ns["grid"] = simulated.judge(grid, progress=False)

    data = outputs(static, "grid")[0][0]

    assert "as good as FRONTIER in 1 of 2" in data["text/plain"]
    page = data["text/html"]
    assert " · worse than FRONTIER</span>" in page


def judged(*met, count=40):
    """Pairs of tiers, each with the share of prompts for which the expensive one wins."""
    rows = [
        (f"p{n}", cheaper, expensive, "expensive" if n < share * count else "cheaper")
        for cheaper, expensive, share in met
        for n in range(count)
    ]
    return pd.DataFrame(rows, columns=["prompt", "cheaper", "expensive", "verdict"])


def test_strengths_are_those_that_the_pairs_were_drawn_from(router):
    odds = {"LOW": 1.0, "MID": 3.0, "TOP": 9.0}
    met = [
        (low, high, odds[high] / (odds[low] + odds[high]))
        for low, high in [("LOW", "MID"), ("MID", "TOP"), ("LOW", "TOP")]
    ]

    found, few = (
        router.strengths(judged(*met, count=count)).set_index("tier") for count in (1_000, 20)
    )

    assert ["TOP", "MID", "LOW"] == list(found.index)
    for tier, strength in found["strength"].items():
        assert odds[tier] / (odds[tier] + 3.0) == pytest.approx(strength, abs=0.01)
    assert (found["low"] < found["strength"]).all()
    assert (found["strength"] < found["high"]).all()
    assert ((found["high"] - found["low"]) < (few["high"] - few["low"])).all()


def test_a_tier_that_always_wins_is_strong_and_not_infinitely_and_ties_make_tiers_alike(router):
    always = judged(("LOW", "MID", 1.0), ("MID", "TOP", 1.0))
    found, ties = router.strengths(always), router.strengths(always.assign(verdict="tie"))

    assert ["TOP", "MID", "LOW"] == list(found["tier"])
    assert (found["low"] > 0).all()
    assert (found["high"] < 1).all()
    assert [0.5] * 3 == pytest.approx(list(ties["strength"]))


def test_what_strengths_cannot_be_found_in_is_refused(router):
    two = judged(("LOW", "TOP", 0.5))
    for frame, told in (
        (two, "three tiers or more .* there is LOW and TOP"),
        (two.assign(verdict=None), "here there is none"),
        (judged(("A", "B", 0.5), ("C", "D", 0.5)), "A and B; C and D: no tier of one was"),
    ):
        with pytest.raises(SettingsError, match=told):
            router.strengths(frame)
