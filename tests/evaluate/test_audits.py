"""A sample of answers beside the next tier's, judged: what is asked, said and spent."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import pickle
import random
import signal
import sys
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from conftest import LADDER
from loopback import Reply

from nbroute import workshop
from nbroute.errors import BudgetExceeded, Interrupted, ProviderError, SettingsError
from nbroute.evaluate.audited import settled_by
from nbroute.providers.simulated import known_prompts
from nbroute.report.metrics import kappa, newcombe
from nbroute.router import Router
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Chunk, Usage


def longer(_prompt, a, b):
    """A judge that likes length."""
    return "tie" if len(a) == len(b) else "a" if len(a) > len(b) else "b"


def tie(_prompt, _a, _b):
    return "tie"


def first(_prompt, _a, _b):
    return "a"


def prompts_of(count):
    return [f"prompt {place}" for place in range(count)]


def framed(count, tier="LOW"):
    return pd.DataFrame({"prompt": prompts_of(count), "answer": "short", "tier": tier})


def echo(sent):
    """The model and what it was asked; as a judge, that the second answer is better."""
    asked = sent["messages"][-1]["content"]
    judges = "Verdict:" in asked
    return Reply(text="The facts.\nVerdict: B" if judges else f"{sent['model']} says {asked}")


@pytest.fixture
def answering(server):
    server.handler = echo
    return server


def audited(router, *given, **options):
    return router.audit(*given, **{"progress": False, "judge": tie, "again": 0} | options)


def asked(server):
    """How often each model was asked what; a judge by its verdict alone."""
    return Counter(
        (seen.json["model"], seen.json["messages"][-1]["content"]) for seen in server.requests
    )


class Instant:
    """A provider that answers at once, with no network: by tier, more words on a higher one."""

    name, kind = "instant", "local"

    def send(self, request):
        words = {"small": 1, "medium": 2, "large": 3}[request.model]
        yield Chunk("word " * words, Usage(1, words), "stop", request.model)

    def models(self):
        return []

    def secrets(self):
        return ()

    def close(self):
        pass


@pytest.fixture
def instant():
    router = Router(
        profile="simulated",
        provider=Instant(),
        ladder=LADDER,
        classifier=lambda _: "LOW",
        ledger=SqliteLedger(None),
    )
    yield router
    router.close()


def preferring(share, of):
    """A judge that prefers the longer answer to so many of the prompts."""
    chosen = {f"prompt {place}" for place in range(round(share * of))}

    def judge(prompt, a, b):
        return longer(prompt, a, b) if prompt in chosen else "tie"

    return judge


# What is drawn and asked


@pytest.mark.parametrize(("share", "drawn"), [(0.05, 2), (0.001, 1), (0.5, 20), (1, 40)])
def test_the_sample_is_exactly_that_share_and_one_at_least(instant, share, drawn):
    found = audited(instant, share, frame=framed(40))

    assert drawn == len(found.rows) == found.frame()["prompt"].nunique()


def test_the_same_seed_draws_the_same_prompts_and_another_one_others(instant):
    one, again, other = (
        set(audited(instant, 0.2, seed=seed, frame=framed(40)).frame()["prompt"])
        for seed in (3, 3, 4)
    )

    assert one == again != other


def test_a_session_is_audited_by_what_it_answered(router, answering):
    for prompt in prompts_of(3):
        router.route(prompt, system="Rhyme.", max_tokens=50, temperature=0.5)
    router.route("talk", thread="t")
    router.route("and then?", thread="t")
    router.compare("compared", ["LOW", "TOP"])
    router.escalate(router.route("climbed"))
    router.route("by name", model="small-2")
    answering.requests.clear()

    found = audited(router, 1)

    sent = [one.json for one in answering.requests]
    rows = found.frame().set_index("prompt")
    assert {"prompt 0", "prompt 1", "prompt 2", "talk", "climbed"} == set(rows.index)
    assert ("MID", "TOP") == (rows["picked"]["climbed"], rows["expensive"]["climbed"])
    assert {"medium": 4, "large": 1} == Counter(one["model"] for one in sent)
    shaped = next(one for one in sent if one["messages"][-1]["content"] == "prompt 0")
    assert ("Rhyme.", 0.5) == (shaped["messages"][0]["content"], shaped["temperature"])
    assert 50 in shaped.values()
    told = " ".join(str(found).split())
    for why in ("compared", "in the middle of a conversation", "for a model that was chosen by"):
        assert "left out: 1 prompt" in told
        assert why in told


def test_down_asks_the_tier_below_and_says_what_the_dearer_one_wasted(router, answering):
    router.route("one", tier="TOP")
    router.route("two", tier="TOP")

    found = audited(router, 1, "down", judge=preferring(0, 1))

    rows = found.frame()
    assert {"MID"} == set(rows["cheaper"])
    assert {"TOP"} == set(rows["expensive"]) == set(rows["picked"])
    assert (1.0, 2) == (found.down.share, found.down.n)
    wasted = (rows["expensive_usd"] - rows["cheaper_usd"]).sum()
    assert pytest.approx(wasted) == found.down.wasted > 0
    assert math.isnan(found.share)
    assert (0.0, 1.0) == found.interval
    assert "one tier down would have done for 2 of 2 (100%" in str(found)


def test_both_ways_at_once_and_the_ends_of_the_ladder_are_told(router, answering):
    for tier in LADDER.names:
        router.route(f"on {tier}", tier=tier)

    found = audited(router, 1, "both")

    pairs = set(zip(found.frame()["direction"], found.frame()["picked"], strict=True))
    assert {("up", "LOW"), ("up", "MID"), ("down", "MID"), ("down", "TOP")} == pairs
    assert ("on TOP",) == found.topmost
    assert "1 prompt with TOP's answer: no tier is above it" in str(found)
    assert "1 prompt with LOW's answer: no tier is below it" in str(found)


def test_a_frame_of_prompts_alone_is_classified_and_answered_first(router, answering):
    found = audited(router, 1, frame=pd.DataFrame({"prompt": ["one", math.nan, "two", " "]}))

    assert {("small", "one"), ("medium", "one"), ("small", "two"), ("medium", "two")} == set(
        asked(answering)
    )
    assert {"LOW"} == set(found.frame()["picked"])
    assert "left out: 2 prompts that are empty" in str(found)
    assert {"audit": 4} == Counter(row["purpose"] for row in router.ledger.rows())


def test_a_prompt_that_was_asked_twice_counts_twice_and_is_asked_once(router, answering):
    frame = pd.concat([framed(2)] * 3)
    heard = []

    def judge(prompt, a, b):
        heard.append((prompt, a))
        return "tie"

    found = audited(router, 1, frame=frame, judge=judge)

    assert 6 == found.tally("up").n
    assert {1} == set(asked(answering).values())
    assert 4 == len(heard) == len(set(heard))


def test_the_ledger_of_earlier_sessions_is_audited_where_it_keeps_texts(make_router, answering):
    def ledger():
        return SqliteLedger(Path("kept.sqlite"), store_text=True)

    before = make_router(ledger=ledger())
    before.route("one")
    before.route("talk", thread="t")
    before.close()
    router = make_router(ledger=ledger())

    with pytest.raises(
        SettingsError, match=r"no prompt of this session to audit: .*everything=True"
    ):
        audited(router, 1)
    found = audited(router, 1, everything=True)
    again = audited(router, 1, everything=True)

    assert ["one"] == list(found.frame()["prompt"]) == list(again.frame()["prompt"])
    assert "the ledger keeps no system prompts" in str(found)
    assert "in the middle of a conversation" in str(found)


def test_a_session_without_texts_says_how_to_keep_them(make_router, answering):
    before = make_router(ledger="ledger.sqlite")
    before.route("one")
    router = make_router(ledger="ledger.sqlite", session=before.session)

    with pytest.raises(SettingsError, match=r"1 whose text was not kept; store_text = true"):
        audited(router, 1)


def test_audits_are_in_the_ledger_with_their_purpose_and_are_no_results(router, answering):
    router.route("prompt")

    found = router.audit(1, judge="MID", progress=False, again=0)

    purposes = Counter(row["purpose"] for row in router.ledger.rows(session=router.session))
    assert {"answer": 1, "audit": 1, "judge": 2} == purposes
    assert 1 == router.report().results == len(router.history.results())
    spent = router.report().by_use["auditing"]
    assert spent.usd == found.cost.usd > 0
    assert {("MID", "asking"): 1, ("MID", "judging"): 2} == {
        key: spend.calls for key, spend in found.spends.items()
    }
    assert router.audited is found


def test_a_cached_answer_is_judged_like_any_other_and_said_to_be_one(router, answering):
    router.route("one")
    router.route("one")

    found = audited(router, 1)

    assert 2 == found.tally("up").n
    assert "1 answer came out of the cache" in str(found)
    one, two = found.frame()["cheaper_usd"]
    assert one == two > 0


def test_the_noise_is_the_same_model_asked_twice(router, server):
    server.handler = lambda sent: Reply(text="x" * len(server.requests))

    found = audited(router, 1, frame=framed(30), judge=longer, again=0.2)

    again = found.frame().query("direction == 'again'")
    assert 6 == len(again) == found.tally("again").n
    assert {"MID"} == set(again["cheaper"]) == set(again["expensive"])
    assert 36 == len(server.requests)
    assert "noise: asked twice, the judge preferred one" in str(found)
    assert "in 6 of 6 (100%" in " ".join(str(found).split())
    few = audited(router, 1, frame=framed(8), again=0.1)
    assert 5 == few.tally("again").n


# What it says


def test_a_share_has_its_interval_and_the_words_of_the_article(instant):
    well = audited(instant, 1, frame=framed(100), judge=preferring(0.02, 100))
    bad = audited(instant, 1, frame=framed(100), judge=preferring(0.5, 100))
    unsure = audited(instant, 0.1, frame=framed(100), judge=preferring(0.5, 100))
    fair = audited(instant, 1, frame=framed(600), judge=preferring(0.15, 600))

    assert 0.02 == well.share
    assert pytest.approx((0.0055, 0.0700), abs=1e-4) == well.interval
    assert well.verdict.startswith("your routing is working well: under 10%")
    assert bad.verdict.startswith("tighten your routing: over 20%")
    assert fair.verdict.startswith("fair: between 10% and 20%")
    assert "too few to tell" in unsure.verdict or unsure.share > 0.5
    assert "verdict: tighten your routing" in str(bad)


def test_too_few_prompts_name_the_number_that_would_settle_it(instant):
    found = audited(instant, 1, frame=framed(10), judge=preferring(0.1, 10))
    more = audited(instant, 1, frame=framed(10), judge=preferring(0.3, 10))

    assert "too few to tell: the share may be above or below 10% and 20%" in found.verdict
    assert "is so close that no reasonable number settles it" in found.verdict
    assert f"if it stays at 30%, {settled_by(0.3)} judged prompts would settle it" in more.verdict


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_handful_of_prompts_is_no_verdict_whatever_the_judge_says(instant, count):
    found = audited(instant, 1, frame=framed(count), judge=preferring(1.0, count))

    assert 1.0 == found.share
    assert found.verdict.startswith("too few to tell: it takes 7 judged prompts at least")
    assert "take a larger sample" in " ".join(str(found).split())


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15, 0.3, 1.0])
def test_so_many_prompts_settle_it_and_one_fewer_does_not(share):
    from nbroute.report.metrics import wilson

    def unsettled(n):
        low, high = wilson(share, n)
        return n < 7 or low <= 0.1 <= high or low <= 0.2 <= high

    n = settled_by(share)

    assert not unsettled(n)
    assert unsettled(n - 1)


def test_over_300_audits_the_interval_has_the_true_share_as_often_as_it_says(instant):
    draw = random.Random(0)  # noqa: S311 - a simulation
    truth = {f"prompt {place}": draw.random() < 0.2 for place in range(4_000)}
    frame = framed(len(truth))
    true = sum(truth.values()) / len(truth)

    def judge(prompt, a, b):
        return longer(prompt, a, b) if truth[prompt] else "tie"

    audits = (
        audited(instant, 32 / len(truth), frame=frame, judge=judge, seed=seed, workers=4)
        for seed in range(300)
    )
    held = sum(low <= true <= high for low, high in (one.interval for one in audits))

    assert 0.92 <= held / 300 <= 0.98


def test_a_judge_that_goes_by_place_is_told_and_prefers_nothing(instant):
    found = audited(instant, 1, frame=framed(20), judge=first)

    told = " ".join(str(found).split())
    assert 0 == found.share
    assert {"tie"} == set(found.frame()["verdict"])
    assert "the function first changed its mind with the order in 20 of 20 pairs" in told
    assert "its verdicts say nothing" in told
    assert "nobody can tell: this judge goes by the place" in found.verdict
    lower = audited(instant, 1, "down", frame=framed(20, "TOP"), judge=first)
    assert lower.verdict == found.verdict


def test_the_judge_is_measured_by_your_own_votes(router, answering):
    results = [router.route(prompt) for prompt in prompts_of(4)]
    for result, word in zip(results, ["too weak", "good", "bad", "overkill"], strict=True):
        router.label(result, word)

    found = audited(router, 1, judge=preferring(0.25, 4))

    assert (4, 3) == found.agreement()[1:]
    assert pytest.approx(0.5) == found.agreement().kappa
    assert "your own votes: the judge agrees on 3 of 4 (kappa 0.50)" in str(found)


def test_two_settings_are_compared_on_the_prompts_that_both_have(instant):
    before = audited(instant, 1, frame=framed(60), judge=preferring(0.5, 60))
    higher = framed(60)
    higher.loc[:19, "tier"] = "TOP"  # the first third goes to the top now
    after = audited(instant, 1, frame=higher, judge=preferring(0.5, 60))

    found = after.against(before)

    assert (60, 10 / 60, 0.5) == (found.n, found.share, found.other)
    assert -1 <= found.interval[0] < found.difference < found.interval[1] < 0
    assert "surely fewer" in str(found)
    assert "an answer of the top tier counts as well served (20 prompts)" in str(found)
    assert "top tier" not in str(before.against(before))
    assert 0 == before.against(before).difference
    with pytest.raises(SettingsError, match="is not an audit"):
        before.against("before")
    alone = audited(instant, 1, frame=pd.DataFrame({"prompt": ["other"], "tier": "LOW"}))
    with pytest.raises(SettingsError, match="no judged prompt in common"):
        alone.against(before)


#: Table III of "Improved confidence intervals for the difference between binomial proportions
#: based on paired data" (Newcombe 1998), method 10: cases of both, the first, the second, neither.
NEWCOMBE = {
    (36, 12, 2, 0): (0.0569, 0.3404),
    (20, 12, 2, 16): (0.0562, 0.3292),
    (35, 14, 0, 1): (0.1461, 0.4175),
    (1, 97, 1, 1): (0.8736, 0.9850),
    (54, 0, 0, 0): (-0.0664, 0.0664),
}


@pytest.mark.parametrize(("cases", "limits"), NEWCOMBE.items())
def test_a_difference_of_paired_shares_is_newcombes(cases, limits):
    whom = ((True, True), (True, False), (False, True), (False, False))

    assert pytest.approx(limits, abs=1e-4) == newcombe(dict(zip(whom, cases, strict=True)))


def test_kappa_is_what_is_above_chance():
    # Cohen's own definition by hand: 35 of 50 alike, 0.5 by chance.
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10
    pairs += [(False, False)] * 15

    assert pytest.approx(0.4) == kappa(pairs)
    assert math.isnan(kappa([(True, True)] * 3))


def test_judged_pairs_are_labels_that_fit_takes(instant):
    pytest.importorskip("sklearn")
    words = ["harbour", "bakery", "violin", "glacier", "printer", "orchard", "compass", "lantern"]
    draw = random.Random(0)  # noqa: S311 - a simulation
    hard = [draw.random() < 0.5 for _ in range(120)]
    rows = [
        " ".join([("prove that" if it else "what is"), *draw.sample(words, 5), str(place)])
        for place, it in enumerate(hard)
    ]
    frame = pd.DataFrame({"prompt": rows, "answer": "short", "tier": "LOW"})

    def judge(prompt, a, b):
        return longer(prompt, a, b) if prompt.startswith("prove") else "tie"

    found = audited(instant, 1, frame=frame, judge=judge)

    labels = found.labels()
    assert {"LOW", "MID"} == set(labels["tier"])
    assert all((labels["tier"] == "MID") == labels["prompt"].str.startswith("prove"))
    assert "120" in repr(instant.fit(labels))
    pairs = found.pairs()
    assert sum(hard) == len(pairs)
    assert {"word word "} == set(pairs["better"])
    assert f"{2 * len(pairs)} labels" in repr(instant.fit_check(pairs))


def test_what_wants_more_counts_before_what_could_do_with_less(router, answering):
    router.route("one", tier="MID")
    router.route("two", tier="MID")

    def judge(prompt, a, b):
        up = "large" in a + b
        return "tie" if prompt == "one" or not up else "a" if "large" in a else "b"

    labels = audited(router, 1, "both", judge=judge).labels()

    assert {"one": "LOW", "two": "TOP"} == dict(zip(labels["prompt"], labels["tier"], strict=True))


def test_the_chart_has_a_bar_for_each_tier_and_way(router, answering):
    for tier in LADDER.names:
        router.route(f"on {tier}", tier=tier)

    chart = audited(router, 1, "both", judge=longer, again=1).chart()

    assert {"LOW, up", "MID, up", "MID, down", "TOP, down"} < set(chart.frame()["pair"])
    assert chart.frame().groupby("pair")["share"].sum().round(6).eq(1).all()
    assert "prefers the more expensive" in chart._repr_html_()


def test_it_prints_in_80_columns_and_survives_a_copy(router, answering):
    for prompt in ("日本語のプロンプト", "prompt " * 40):
        router.route(prompt)

    found = audited(router, 1, judge=longer, again=1)

    assert max(map(len, str(found).splitlines())) <= 80
    for one in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):  # noqa: S301
        assert str(found) == str(one)
        assert found.frame().equals(one.frame())
        assert found.labels().equals(one.labels())


# What goes wrong


BAD = {
    "sample=0": ({"sample": 0}, "sample=0 is not a share"),
    "below 0": ({"sample": -0.1}, "sample=-0.1 is not a share"),
    "over 1": ({"sample": 5}, "sample=5 is not a share"),
    "NaN": ({"sample": math.nan}, "sample=nan is not a share"),
    "True": ({"sample": True}, "sample=True is not a share"),
    "a text": ({"sample": "5"}, "sample='5' is not a share"),
    "again": ({"again": 2}, "again=2 is not a share"),
    "a seed": ({"seed": 1.5}, "seed=1.5 is not a whole number"),
    "a way": ({"direction": "upp"}, "direction='upp' is not a direction: did you mean 'up'"),
    "a judge": ({"judge": "MIDD"}, "'MIDD' is neither a tier"),
    "no judge": ({"judge": 3}, "judge is 3; give a tier, a model, or a function"),
    "a bound": ({"max_cost": "cheap"}, "max_cost is 'cheap'"),
    "no column": ({"frame": pd.DataFrame({"text": ["a"]})}, "no column 'prompt' among 'text'"),
    "no frame": ({"frame": ["a"]}, "list is not a table"),
    "no rows": ({"frame": pd.DataFrame({"prompt": []})}, "the frame has no prompts: 0 rows"),
    "no texts": ({"frame": pd.DataFrame({"prompt": [1, None]})}, "no prompts: 2 rows, none a text"),
    "a tier": (
        {"frame": pd.DataFrame({"prompt": ["a"], "tier": ["LOWW"]})},
        "unknown tier 'LOWW' on ladder 'test': did you mean 'LOW'",
    ),
    "the top": (
        {"frame": framed(3, "TOP")},
        r"TOP answered all of the sample \(3 prompts\), and no tier is above it; direction='down'",
    ),
    "the lowest": (
        {"frame": framed(3), "direction": "down"},
        r"LOW answered all of the sample \(3 prompts\), and no tier is below it; direction='up'",
    ),
    "too many": (
        {"frame": framed(2_001)},
        "sample=1 of 2,001 prompts is 2,001, each for several calls: give max_cost",
    ),
}


@pytest.mark.parametrize(("options", "told"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_before_anything_is_sent(router, server, options, told):
    with pytest.raises(SettingsError, match=told) as raised:
        audited(router, **{"sample": 1} | options)

    assert "\n" not in str(raised.value)
    assert [] == server.requests


def test_a_ladder_of_one_tier_has_nothing_to_compare(make_router, server):
    ladder = replace(LADDER, tiers=LADDER.tiers[:1])
    router = make_router(ladder=ladder)

    with pytest.raises(SettingsError, match="the ladder has one tier, LOW"):
        audited(router, 1, "both", frame=framed(2))


def test_a_session_with_nothing_in_it_says_where_prompts_come_from(router):
    with pytest.raises(
        SettingsError, match=r"no prompt of this session to audit: route some first"
    ):
        audited(router)


def test_a_million_prompts_are_counted_and_refused_with_the_size(instant):
    frame = pd.DataFrame({"prompt": "the same"}, index=range(1_000_000))

    with pytest.raises(SettingsError, match="of 1,000,000 prompts is 50,000"):
        audited(instant, 0.05, frame=frame)


def test_a_ledger_of_a_great_many_calls_is_refused_with_the_size(router, answering, monkeypatch):
    monkeypatch.setattr("nbroute.evaluate.sampling._MOST_CALLS", 2)
    for prompt in prompts_of(3):
        router.route(prompt)

    with pytest.raises(SettingsError, match="the ledger has 3 calls, more than the 2"):
        audited(router, 1, everything=True)


def test_no_tier_where_a_model_would_be_asked_for_it_is_refused(make_router, server):
    router = make_router(classifier="model")

    with pytest.raises(SettingsError, match=r"no tier for 'one', and small would be asked"):
        audited(router, 1, frame=pd.DataFrame({"prompt": ["one"]}))
    assert [] == server.requests


def test_answers_that_fail_are_rows_with_the_providers_own_words(router, server):
    def handler(sent):
        bad = sent["messages"][-1]["content"] == "prompt 3"
        return Reply(status=400, error="no such luck") if bad else Reply(text="ok")

    server.handler = handler

    found = audited(router, 1, frame=framed(6))

    failed = found.frame().query("error != ''")
    assert ["prompt 3"] == list(failed["prompt"])
    assert failed["verdict"].isna().all()
    assert 5 == found.tally("up").n
    assert "no such luck" in " ".join(str(found).split())


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        (lambda *_: "nobody", "the judge returned 'nobody'"),
        (lambda *_: 1 / 0, "ZeroDivisionError"),
        (lambda *_: sys.exit("enough"), "SystemExit: enough"),
    ],
)
def test_a_judge_that_never_judges_ends_it_early_with_the_money_in_the_error(
    router, answering, judge, told
):
    with pytest.raises(ProviderError, match=told) as raised:
        audited(router, 1, frame=framed(60), judge=judge, again=0.2)

    so_far = raised.value.result
    assert so_far is router.audited
    assert len(answering.requests) < 30
    assert so_far.cost.usd > 0
    assert "nothing was judged" in so_far.verdict
    assert "failed" in str(so_far)


def test_prose_in_place_of_a_verdict_is_a_row(router, server):
    server.handler = lambda sent: (
        Reply(text="Well, both have merit, and who am I to say?")
        if "Verdict:" in sent["messages"][-1]["content"] and "prompt 1" in str(sent["messages"])
        else echo(sent)
    )

    found = audited(router, 1, frame=framed(4), judge=None)

    rows = found.frame().set_index("prompt")
    assert rows["verdict"]["prompt 1"] is None
    assert "gave no verdict" in rows["error"]["prompt 1"]
    assert 3 == found.tally("up").n


def test_ctrl_c_keeps_what_was_judged_and_the_same_call_goes_on(router, answering):
    heard = []

    def judge(prompt, a, b):
        if len(heard) == 41:
            heard.append("stopped")
            os.kill(os.getpid(), signal.SIGINT)
        heard.append((prompt, a))
        return longer(prompt, a, b)

    given = {"frame": framed(60), "judge": judge, "again": 0.1}
    with pytest.raises(Interrupted, match="the same call continues") as raised:
        audited(router, 1, **given)
    so_far = raised.value.result
    sent = len(answering.requests)
    found = audited(router, 1, **given)

    assert 0 < len(so_far.judged) < 60
    assert "stopped: interrupted; the same call continues it" in str(so_far)
    assert 60 == found.tally("up").n
    assert 66 == len(answering.requests) > sent
    assert 120 == len(heard) - heard.count("stopped")  # two answers alike are not judged
    assert set(so_far.frame()["prompt"]) <= set(found.frame()["prompt"])
    assert "stopped" not in str(found)


def test_what_was_stopped_does_not_go_on_with_the_verdicts_of_another_judge(router, answering):
    def stopping(verdict):
        heard = []

        def judge(*_):
            heard.append(verdict)
            if len(heard) == 5:
                raise KeyboardInterrupt
            return verdict

        return judge

    with pytest.raises(Interrupted, match=r"2 of 6 pairs are judged"):
        audited(router, 1, frame=framed(6), judge=stopping("a"))
    with pytest.raises(Interrupted) as raised:
        audited(router, 1, frame=framed(6), judge=stopping("tie"))

    rows = raised.value.result.frame()
    assert ["tie", "tie"] == list(rows["forward"]) == list(rows["backward"])
    assert 6 == len(answering.requests)


def test_an_audit_can_be_cancelled_from_another_thread(router, answering):
    cancel = threading.Event()

    def judge(*_):
        cancel.set()
        return "tie"

    with pytest.raises(Interrupted):
        audited(router, 1, frame=framed(40), judge=judge, cancel=cancel)


def test_max_cost_ends_it_in_the_middle_with_figures_and_more_money_goes_on(router, answering):
    given = {"frame": framed(40), "judge": "LOW"}

    found = audited(router, 1, max_cost=0.01, **given)

    assert 0 < found.tally("up").n < 40
    assert float(found.cost.usd) <= 0.01
    assert "of max_cost $0.01; it was not sent" in found.stopped
    assert "stopped: " in str(found)
    sent = asked(answering)
    rest = audited(router, 1, max_cost=5, **given)
    assert 40 == rest.tally("up").n
    assert rest.cost.usd == router.spend().usd > found.cost.usd
    assert {1} == set(asked(answering).values())
    assert sent == {key: n for key, n in asked(answering).items() if key in sent}


def test_a_session_budget_holds(router, answering):
    router.set_budget(0.01)

    found = audited(router, 1, frame=framed(40), judge="LOW")

    assert 0 < found.tally("up").n < 40
    assert {""} == set(found.frame()["error"])  # what was not come to is no failure
    assert found.stopped.startswith("BudgetExceeded: a call could cost up to")
    assert "session budget" in found.stopped
    assert router.spend().usd <= router.limits.budget_usd


def test_over_the_budget_no_cheaper_tier_answers_in_place_of_the_one_that_is_audited(
    router, answering
):
    router.limits = replace(router.limits, budget_usd=Decimal("0.04"), on_limit="cheaper")

    found = audited(router, 1, "down", frame=framed(40, "TOP"), judge="MID")

    assert 0 < found.down.n < 40
    assert {""} == set(found.frame()["error"])
    assert {"MID"} == set(found.frame()["cheaper"])
    assert {"medium"} == {seen.json["model"] for seen in answering.requests}


def test_no_money_at_all_is_an_error_and_not_a_share(router, answering):
    with pytest.raises(BudgetExceeded, match=r"nothing was judged: a call could cost up to"):
        audited(router, 1, frame=framed(3), max_cost=0)

    assert [] == answering.requests


def test_two_threads_may_audit_at_once(router, answering):
    found = {}

    def work(seed):
        found[seed] = audited(router, 0.5, seed=seed, frame=framed(40), judge=longer)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert [20, 20] == [found[seed].tally("up").n for seed in range(2)]
    assert set(found[0].frame()["prompt"]) != set(found[1].frame()["prompt"])
    assert router.audited in found.values()


def test_the_last_audit_is_still_there_on_a_router_that_goes_on(router, make_router, answering):
    found = audited(router, 1, frame=framed(2))
    other = make_router()
    other.go_on(router)

    assert other.audited is found


def test_on_the_simulated_ladder_the_audit_finds_what_is_true():
    with contextlib.closing(Router(profile="simulated")) as router:
        for prompt in known_prompts():
            router.route(prompt)
        truth = workshop.truth(known_prompts(), router.ladder).set_index("prompt")

        found = audited(router, 1, "both", judge="FRONTIER")

    worth = [
        (truth.loc[row.pair.prompt, row.pair.cheaper_tier] or 0)
        - (truth.loc[row.pair.prompt, row.pair.expensive_tier] or 0)
        for row in found.rows
    ]
    said = ["tie" if not ahead else "cheaper" if ahead > 0 else "expensive" for ahead in worth]
    assert said == [row.verdict for row in found.rows]
    assert 0.1 < found.share < 0.4


def test_more_than_can_be_looked_at_is_refused_with_a_bound_too(instant):
    frame = pd.DataFrame({"prompt": [f"Question {n}?" for n in range(60_000)]})

    with pytest.raises(SettingsError, match=r"is 60,000, .* give a smaller sample, such as"):
        instant.audit(1.0, frame=frame, max_cost=1)


def test_a_column_that_is_there_twice_is_refused(instant):
    frame = pd.DataFrame([["a", "x", "y"]], columns=["prompt", "answer", "answer"])

    with pytest.raises(SettingsError, match="several columns 'answer'; leave one"):
        instant.audit(1.0, frame=frame)


def test_again_may_be_nothing_and_its_refusal_says_so(instant):
    with pytest.raises(SettingsError, match="give a number from 0 to 1"):
        instant.audit(1.0, again=-1)


def test_a_judge_that_failed_wherever_answers_differ_tells_nothing(router, server):
    server.handler = lambda sent: Reply(text="short" if "1" in str(sent["messages"]) else "long")
    good = audited(router, 1, frame=framed(4))
    assert good is router.audited

    bad = audited(router, 1, frame=framed(4), judge=lambda *_: "who knows")

    assert 1 == len(bad.judged)  # the two answers to "prompt 1" are the same
    assert bad.verdict == (
        "nobody can tell: the judge gave no verdict on the 3 pairs whose answers differ"
    )
    assert good is router.audited
