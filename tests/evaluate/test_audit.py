"""A sample of answers next to the neighbouring tier's, judged: what is asked, said and spent."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from dataset import THINGS
from loopback import Reply

from nbroute.errors import BudgetExceeded, Interrupted, ProviderError, SettingsError
from nbroute.evaluate.audited import settled_by
from nbroute.report.metrics import wilson
from nbroute.storage.ledger import SqliteLedger


def longer(_prompt, a, b):
    """A judge that likes length."""
    return "tie" if len(a) == len(b) else "a" if len(a) > len(b) else "b"


def preferring(share, of):
    """A judge that prefers the longer answer to so many of the prompts."""
    chosen = {f"prompt {place}" for place in range(round(share * of))}
    return lambda prompt, a, b: longer(prompt, a, b) if prompt in chosen else "tie"


def framed(count, tier="LOW"):
    prompts = [f"prompt {place}" for place in range(count)]
    return pd.DataFrame({"prompt": prompts, "answer": "short", "tier": tier})


def audited(router, *given, **options):
    usual = {"progress": False, "judge": lambda *_: "tie", "again": 0}
    return router.audit(*given, **usual | options)


def words_of(found):
    return " ".join(str(found).split())


@pytest.fixture
def answering(server):
    """Models that say their names, what they were asked and if again; as a judge, B."""
    before = set()

    def echo(sent):
        said = f"{sent['model']} says {sent['messages'][-1]['content']}"
        if "Verdict:" in said:
            return Reply(text="The facts.\nVerdict: B")
        again = " again" * (said in before)
        before.add(said)
        return Reply(text=said + again)

    server.handler = echo
    return server


def asked(server):
    """How often each model was asked what."""
    return Counter(zip(server.asked, server.prompts, strict=True))


def test_the_sample_is_exactly_that_share_at_random_and_the_same_again(router, answering):
    one, again, other = (
        set(audited(router, 0.05, seed=seed, frame=framed(40)).frame()["prompt"])
        for seed in (3, 3, 4)
    )

    assert 2 == len(one)
    assert one == again != other
    assert 1 == len(audited(router, 0.001, frame=framed(40)).frame())


TOLD = """\
audit of 8 of 8 prompts of this session, judged by the function <lambda>
one tier up was preferred for 1 of 6 (17%; 95% interval 3% to 56%)
verdict: too few to tell: this needs at least 7 judged prompts, and usually many
  more; take a larger sample
one tier down would have done for 3 of 3 (100%; 95% interval 44% to 100%)
  that would have saved $0.00017 of the $0.00022 that these answers cost
noise: asked twice, the judge preferred one of the same model's two answers in 1
  of 5 (20%; 95% interval 4% to 62%)
position: swapping the answers changed the verdict on 0 of 12 pairs (counted as
  no difference); of the 4 verdicts for one answer, 2 went to the one shown
  first; 20 more were ties
your own votes: the judge agrees on 3 of 4 (kappa 0.50)

what for  tier  calls     spent
asking    LOW       1        $0
asking    MID       9  $0.00029
asking    TOP       2  $0.00023
together           12  $0.00052

2 prompts with TOP's answer: no tier is above it
5 prompts with LOW's answer: no tier is below it
2 answers came out of the cache: judged like any other, at the price of asking
left out: 1 prompt from a comparison
left out: 1 prompt in the middle of a conversation
left out: 1 prompt for a model that was chosen by name
near-duplicates: 4 prompts; each counts here, but calibrate counts them once"""


def test_a_session_is_audited_both_ways_by_what_it_answered_and_all_of_it_is_told(
    router, answering
):
    for place, word in enumerate(["too weak", "good", "bad", "overkill"]):
        given = {"system": "Rhyme.", "max_tokens": 50, "temperature": 0.5}
        router.label(router.route(f"prompt {place}", **given), word)
    for prompt in ("talk", "and then?"):
        router.route(prompt, thread="t")
    router.compare("compared", ["LOW", "TOP"])
    router.escalate(router.route("climbed"))
    router.route("by name", model="small-2")
    for _ in range(2):  # the second comes out of the cache, and is judged like any other
        router.route("top", tier="TOP")
    answering.requests.clear()

    found = audited(router, 1, "both", judge=preferring(0.25, 4), again=0.2)

    assert TOLD == str(found)
    assert {"medium": 9, "large": 2} == Counter(answering.asked)
    sent = next(one.json for one in answering.requests if "prompt 0" in str(one.json))
    messages = [{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "prompt 0"}]
    assert given | {"model": "medium", "messages": messages} == {"system": "Rhyme."} | {
        key: value for key, value in sent.items() if not key.startswith("stream")
    }
    ends = {"LOW, up": "20% of 5", "MID, up": "0% of 1", "MID, down": "0% of 1"}
    ends |= {"TOP, down": "0% of 2", "MID twice": "33% of 3", "TOP twice": "0% of 2"}
    assert ends == found.chart().panels[0].ends
    down = audited(router, 1, "down").verdict
    assert "one tier down would have done for 3 of 3 (100%; 95% interval 44% to 100%)" == down


def test_prompts_alone_are_answered_first_and_what_was_asked_twice_is_judged_once(
    router, answering
):
    heard = []
    frame = pd.DataFrame({"prompt": ["one", math.nan, "two", " ", "one"]})

    found = audited(router, 1, frame=frame, judge=lambda *said: heard.append(said[:2]) or "tie")

    assert {(m, p): 1 for m in ("small", "medium") for p in ("one", "two")} == asked(answering)
    assert "left out: 2 prompts without text" in str(found)
    assert 3 == found.tally("up").n
    assert 4 == len(heard) == len(set(heard))


def test_earlier_sessions_are_audited_where_the_ledger_keeps_their_texts(make_router, answering):
    kept = SqliteLedger(Path("kept.sqlite"), store_text=True)
    before = make_router(ledger=kept, session="before")
    before.route("one")
    before.route("talk", thread="t")
    router = make_router(ledger=kept)
    with pytest.raises(SettingsError, match=r"no prompt of this session to audit: .*everything"):
        audited(router, 1)

    found, again = (audited(router, 1, everything=True) for _ in range(2))

    assert ["one"] == list(found.frame()["prompt"]) == list(again.frame()["prompt"])
    assert "the ledger keeps no system prompts" in str(found)
    make_router(ledger="bare.sqlite", session="bare").route("one")
    with pytest.raises(SettingsError, match="1 whose text was not kept; store_text = true"):
        audited(make_router(ledger="bare.sqlite", session="bare"), 1)


def test_audits_are_in_the_ledger_with_their_purpose_and_are_not_results(router, answering):
    for _ in range(2):  # the second comes out of the cache, and is judged like any other
        router.route("prompt")

    found = router.audit(1, judge="MID", progress=False, again=0)

    purposes = Counter(row["purpose"] for row in router.ledger.rows(session=router.session))
    assert {"answer": 2, "audit": 1, "judge": 2} == purposes
    assert 2 == router.report().results == len(router.history.results())
    assert router.report().by_use["auditing"].usd == found.cost.usd > 0
    assert 2 == found.tally("up").n
    one, two = found.frame()["cheaper_usd"]
    assert one == two > 0


def test_the_verdict_goes_by_where_the_interval_lies(router, answering):
    for count, share, verdict in (
        (100, 0.02, "your routing is working well: under 10% need a more expensive tier"),
        (100, 0.5, "tighten your routing: over 20% need a more expensive tier"),
        (600, 0.15, "fair: between 10% and 20% need a more expensive tier"),
        (6, 1, "too few to tell: this needs at least 7 judged prompts"),
        (10, 0.1, "too few to tell: the share may be above or below 10% and 20%; a share of 10% "),
        (10, 0.3, "too few to tell: .*; if it stays at 30%, 62 judged prompts "),
    ):
        found = audited(router, 1, frame=framed(count), judge=preferring(share, count))

        assert share == found.share
        assert pytest.approx(wilson(share, count)) == found.interval
        assert re.match(verdict, found.verdict), found.verdict
        assert f"verdict: {found.verdict}" in words_of(found)


def test_so_many_prompts_settle_it_and_one_fewer_does_not():
    for share in (0.0, 0.05, 0.15, 0.3, 1.0):
        needed = settled_by(share)
        for n in (needed, needed - 1):
            low, high = wilson(share, n)
            across = n < 7 or low <= 0.1 <= high or low <= 0.2 <= high
            assert across == (n < needed)


def test_a_judge_that_goes_by_position_or_decides_nothing_gives_no_verdict(router, answering):
    found = audited(router, 1, frame=framed(20), judge=lambda *_: "a")
    some = framed(4)
    some.loc[0, "answer"] = "medium says prompt 0"  # as the other tier says
    bad = audited(router, 1, frame=some, judge=lambda *_: "who knows")

    assert 0 == found.share
    assert {"tie"} == set(found.frame()["verdict"])
    told = "position: swapping the answers changed the verdict on 20 of 20 pairs"
    assert told in words_of(found)
    assert found.verdict.startswith("no verdict: this judge goes by the position of an answer")
    assert "no verdict: the judge decided none of the 3 pairs whose answers differ" == bad.verdict


def test_two_settings_are_compared_on_the_prompts_that_both_have(router, answering):
    before = audited(router, 1, frame=framed(60), judge=preferring(0.5, 60))
    higher = framed(60)
    higher.loc[:19, "tier"] = "TOP"  # the first third goes to the top now
    after = audited(router, 1, frame=higher, judge=preferring(0.5, 60))

    found = after.against(before)

    assert (60, 10 / 60, 0.5) == (found.n, found.share, found.other)
    assert -1 <= found.interval[0] < found.difference < found.interval[1] < 0
    assert "surely fewer" in str(found)
    assert "an answer of the top tier counts as well served (20 prompts)" in str(found)
    assert "no difference (+0 points" in str(before.against(before))
    alone = audited(router, 1, frame=framed(1).assign(prompt="other"))
    with pytest.raises(SettingsError, match="no judged prompt in common"):
        alone.against(before)


def test_judged_pairs_are_labels_and_answers_that_can_be_learnt_from(router, answering):
    things = THINGS[:8]
    asked = [f"{verb} {a} {b}" for verb in ("prove", "name") for a in things for b in things]

    def judge(prompt, a, b):
        return longer(prompt, a, b) if prompt.startswith("prove") else "tie"

    frame = pd.DataFrame({"prompt": asked, "answer": "short", "tier": "LOW"})
    found = audited(router, 1, frame=frame, judge=judge)

    labels, pairs = found.labels(), found.pairs()
    assert all((labels["tier"] == "MID") == labels["prompt"].str.startswith("prove"))
    assert "128" in repr(router.fit(labels))
    assert (64, {"short"}) == (len(pairs), set(pairs["worse"]))
    assert "128 labels" in repr(router.fit_check(pairs))


def test_what_needs_more_counts_before_what_could_do_with_less(router, answering):
    for prompt in ("one", "two"):
        router.route(prompt, tier="MID")

    def judge(prompt, a, b):
        up = "large" in a + b
        return "tie" if prompt == "one" or not up else "a" if "large" in a else "b"

    labels = audited(router, 1, "both", judge=judge).labels()

    assert {"one": "LOW", "two": "TOP"} == dict(zip(labels["prompt"], labels["tier"], strict=True))


def test_bad_input_is_one_line_before_anything_is_sent(router, server):
    for options, told in (
        ({"sample": 5}, "sample=5 is not a share"),
        ({"direction": "upp"}, "direction='upp' is not a direction: did you mean 'up'"),
        ({}, "no prompt of this session to audit: route some first"),
        ({"frame": pd.DataFrame({"text": ["a"]})}, "no column 'prompt' among 'text'"),
        ({"frame": framed(1, "LOWW")}, "unknown tier 'LOWW' on ladder 'test': did you mean 'LOW'"),
        ({"frame": framed(3, "TOP")}, r"TOP .* \(3 prompts\), .* above it; direction='down'"),
        ({"frame": framed(2_001)}, "sample=1 of 2,001 prompts is 2,001, .*: give max_cost"),
        ({"frame": framed(60_000), "max_cost": 1}, "is 60,000, .* give a smaller sample, such as"),
    ):
        with pytest.raises(SettingsError, match=told) as raised:
            audited(router, **{"sample": 1} | options)
        assert "\n" not in str(raised.value)
    assert [] == server.requests


def test_a_classifier_that_would_have_to_ask_a_model_is_not_asked(make_router, answering):
    asking = make_router(classifier="model")
    with pytest.raises(SettingsError, match=r"no tier for 'one', and small would be asked"):
        audited(asking, 1, frame=pd.DataFrame({"prompt": ["one"]}))
    assert [] == answering.requests


def test_answers_and_verdicts_that_fail_are_rows_with_their_reasons(router, server):
    def handler(sent):
        text = str(sent["messages"])
        if "Verdict:" in text:
            return Reply(text="Who am I to say?" if "prompt 1" in text else "Verdict: B")
        return Reply(status=400, error="no such luck") if "prompt 3" in text else Reply(text="ok")

    server.handler = handler

    found = audited(router, 1, frame=framed(6), judge=None)

    failed = found.frame().query("error != ''").set_index("prompt")
    assert {"prompt 1", "prompt 3"} == set(failed.index)
    assert failed["verdict"].isna().all()
    assert "gave no verdict" in failed["error"]["prompt 1"]
    assert 4 == found.tally("up").n
    assert "no such luck" in words_of(found)


def test_a_judge_that_never_judges_ends_it_early_with_the_money_in_the_error(router, answering):
    with pytest.raises(ProviderError, match="ZeroDivisionError") as raised:
        audited(router, 1, frame=framed(60), judge=lambda *_: 1 / 0)

    so_far = raised.value.result
    assert so_far is router.audited
    assert len(answering.requests) < 30
    assert so_far.cost.usd > 0
    assert "nothing was judged" in so_far.verdict


def test_ctrl_c_stops_it_with_what_was_judged_and_the_same_call_continues(router, answering):
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
    assert 132 == len(heard) - heard.count("stopped")
    assert "stopped" not in str(found)


def test_what_was_stopped_does_not_continue_with_the_verdicts_of_another_judge(router, answering):
    said, cancel = ["a"] * 4, threading.Event()

    def judge(*_):
        if len(said) == 1:
            cancel.set()
        return said.pop()

    with pytest.raises(Interrupted, match=r"2 of 6 pairs are judged"):
        audited(router, 1, frame=framed(6), judge=judge, cancel=cancel)
    found = audited(router, 1, frame=framed(6))

    assert {"tie"} == {*found.frame()["forward"], *found.frame()["backward"]}
    assert 6 == len(answering.requests)


def test_max_cost_ends_it_in_the_middle_with_figures_and_more_money_continues(router, answering):
    given = {"frame": framed(40), "judge": "LOW"}

    found = audited(router, 1, max_cost=0.01, **given)

    assert 0 < found.tally("up").n < 40
    assert float(found.cost.usd) <= 0.01
    assert "of max_cost $0.01; it was not sent" in found.stopped
    rest = audited(router, 1, max_cost=5, **given)
    assert 40 == rest.tally("up").n
    assert rest.cost.usd == router.spend().usd > found.cost.usd
    assert {1} == set(asked(answering).values())
    answering.requests.clear()
    with pytest.raises(BudgetExceeded, match=r"nothing was judged: a call could cost up to"):
        audited(router, 1, frame=framed(3).assign(prompt="new"), max_cost=0)
    assert [] == answering.requests


@pytest.mark.parametrize(("way", "tier"), [("up", "LOW"), ("down", "TOP")])
def test_a_session_budget_holds_and_what_was_not_reached_is_not_a_failure(
    router, answering, way, tier
):
    # No cheaper tier answers instead of the one that is audited.
    router.limits = replace(router.limits, budget_usd=Decimal("0.03"), on_limit="cheaper")

    found = audited(router, 1, way, frame=framed(40, tier), judge="MID")

    assert 0 < found.tally(way).n < 40
    assert {""} == set(found.frame()["error"])
    assert "session budget" in found.stopped
    assert router.spend().usd <= router.limits.budget_usd
    assert {"medium"} == set(answering.asked)
