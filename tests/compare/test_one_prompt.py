"""One prompt on several tiers at once: columns, picks, failures, stops and votes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from loopback import Loopback, Reply

from nbroute.compare import Contender
from nbroute.errors import BudgetExceeded, Interrupted, PromptError, SettingsError, Unavailable
from nbroute.router import Router
from nbroute.types import Decision, Done, Label, Text

PROMPT = "What is the capital of France?"


def test_every_tier_is_asked_with_its_own_prompt_and_budget_or_with_the_options_given(
    router, server
):
    comparison = router.compare(PROMPT)

    assert ["LOW", "MID", "TOP"] == [one.contender.name for one in comparison.columns]
    budgets = [(one.json["model"], one.json["max_tokens"]) for one in server.requests]
    assert [("large", 1024), ("medium", 256), ("small", 64)] == sorted(budgets)
    systems = [one.json["messages"][0]["content"] for one in server.requests]
    assert 1 == systems.count("Be brief.")
    server.forget()
    router.compare(PROMPT, max_tokens=7, temperature=0.5, feature="trial")
    assert {(7, 0.5)} == {(o.json["max_tokens"], o.json["temperature"]) for o in server.requests}
    assert [None] * 3 + ["trial"] * 3 == [row["feature"] for row in router.ledger.rows()]


def test_a_word_names_a_tier_or_a_model(router, server):
    for word, contender in (
        ("mid", Contender("MID", "MID", "medium")),
        ("LOW:medium", Contender("LOW:medium", "LOW", "medium")),
        ("low=acme/new:free", Contender("LOW:acme/new:free", "LOW", "acme/new:free")),
        ("low:x3", Contender("LOW:x3", "LOW", "small", repeat=3)),
    ):
        (column,) = router.compare(PROMPT, [word]).columns
        assert contender == column.contender
        assert [contender.model] * (contender.repeat or 1) == server.asked
        assert (contender.repeat or 0) == len(getattr(column.result.repeats, "answered", ()))
        server.forget()


def test_what_cannot_be_compared_is_refused_and_nothing_is_sent(router, server):
    many, table = {"prompt": ["one"]}, {"word": ["cat", "dog"]}
    for options, said in (
        ({"tiers": []}, "tiers is empty"),
        ({"tiers": "LOW"}, "tiers is 'LOW'; give a list"),
        ({"tiers": ["LOW", "low"]}, "twice, as 'LOW' and 'low'"),
        ({"tiers": ["LOW", "small"]}, "asks 'small' on LOW twice"),
        ({"tiers": ["acme/new"]}, "asked with a tier's prompt and budget, as 'TIER:model'"),
        ({"prompt": "  \n"}, "empty"),
        ({"strategy": "cascade"}, "every contender answers by itself"),
        ({"tier": "LOW"}, "name those to compare in tiers"),
        ({"to": "folder"}, "to is for many prompts"),
        (many | {"observe": print}, "observe is for one prompt"),
        (many | {"to": "grid.sqlite"}, "a grid goes into a folder"),
        (many | {"resume": object(), "to": "grid"}, "leave to and fresh out"),
        ({"prompt": pd.DataFrame({"prompt": ["one"]})}, r"router\.compare\(frame\['prompt'\]\)"),
        (many | {"over": table}, "the prompt is one text"),
        ({"prompt": "{{wrod}}", "over": table}, "no such column; did you mean 'word'"),
        ({"over": table}, "each of 2 rows would ask the same"),
        ({"over": {"a": ["a"], "b": []}}, "not equally long: a has 1, b has 0"),
        ({"over": ["cat", "dog"]}, "give each list a name"),
        ({"over": {"word": "cat"}}, "give a list"),
        ({"systems": {"a": "x"}, "system": "y"}, "both given"),
    ):
        with pytest.raises((SettingsError, PromptError), match=said):
            router.compare(**{"prompt": PROMPT} | options)
    assert [] == server.requests


ELSEWHERE = """
[nbroute]
classifier = "ngrams"
[providers]
here = {{ base_url = "{here}", api_key_env = "LOOP_API_KEY" }}
there = {{ base_url = "{there}", api_key_env = "LOOP_API_KEY" }}
simulated = {{ kind = "simulated" }}
[tiers.ONLY]
provider = "here"
model = "first"
max_tokens = 100
fallbacks = [{{ provider = "there", model = "second", price = {{ input = 3, output = 6 }} }}]
[tiers.FREE]
provider = "simulated"
model = "simulated/gpt-4o"
price = {{ input = 1, output = 2 }}
"""


def test_each_is_asked_at_its_own_provider_and_unbilled_money_is_never_added_to_billed(
    server, monkeypatch
):
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    with Loopback() as elsewhere:
        Path("nbroute.toml").write_text(ELSEWHERE.format(here=server.url, there=elsewhere.url))
        with closing(Router("nbroute.toml")) as router:
            comparison = router.compare(PROMPT, ["ONLY", "second"])
            paid = router.compare(PROMPT, ["second", "FREE"])

        assert (["first"], ["second"] * 2) == (server.asked, elsewhere.asked)
    second = comparison.column("second").result
    price = (3 * second.usage.input_tokens + 6 * second.usage.output_tokens) / Decimal(1_000_000)
    assert price == second.cost_usd
    assert ["unknown", "configured"] == list(comparison.frame()["cost_source"])
    assert [True, False] == list(comparison.frame()["cost_usd"].isna())
    assert (price, "configured") == (paid.cost.usd, paid.cost.source)
    assert (True, "equivalent") == (paid.equivalent.usd > 0, paid.equivalent.source)


def test_all_contenders_are_asked_at_the_same_time(router, server):
    meeting = threading.Barrier(3, timeout=30)
    server.handler = lambda _: Reply(text=str(meeting.wait()))

    comparison = router.compare(PROMPT)

    assert ["0", "1", "2"] == sorted(column.text for column in comparison.columns)


def test_what_fails_is_a_column_and_leaves_the_others(make_router, server):
    server.answer(
        "small",
        medium=Reply(status=500, error="the disk is full"),
        large=Reply(text="one two three", cut_after=2),
    )
    router = make_router()

    comparison = router.compare(PROMPT)

    frame = comparison.frame().set_index("contender")
    assert ["ok", "error", "error"] == list(frame["status"])
    assert isinstance(comparison.column("MID").error, Unavailable)
    assert "the disk is full" in frame.loc["MID", "error"]
    assert 0 == frame.loc["MID", "cost_usd"]
    broken = comparison.column("TOP").result
    assert broken.text.startswith("one")
    assert ("estimated", True) == (broken.cost_source, broken.cost_usd > 0)
    assert 3 == len(router.ledger.rows())
    assert router.spend().usd == comparison.cost.usd
    with pytest.raises(SettingsError, match=r"'MID' has no answer to vote for: .*disk is full"):
        comparison.vote("MID")
    _head, low, mid, *_ = str(comparison).splitlines()
    assert ("(your price)" in low, "picks this" in low, "error" in mid) == (True,) * 3
    assert f"<Comparison {comparison.id} of LOW ok, MID error, TOP error>" == repr(comparison)


def test_a_tier_falls_back_and_a_named_model_does_not(router, server):
    server.answer(small=Reply(status=500, error="down"))

    tier = router.compare(PROMPT, ["LOW"]).columns[0]
    named = router.compare(PROMPT, ["small"]).columns[0]

    assert ("ok", "small-2") == (tier.status, tier.model)
    assert ("error", "small") == (named.status, named.model)


def test_a_budget_may_allow_only_some_and_one_that_refuses_all_is_raised(router, server):
    router.set_budget("0.01")

    comparison = router.compare(PROMPT)

    assert ["ok", "ok", "not sent"] == list(comparison.frame()["status"])
    assert isinstance(comparison.column("TOP").error, BudgetExceeded)
    assert ["TOP", "large", "not", "sent"] == str(comparison).splitlines()[3].split()
    router.set_budget("0.000001")
    with pytest.raises(BudgetExceeded):
        router.compare(PROMPT)
    assert 2 == len(server.requests)


def test_a_column_says_what_routing_picks_and_how_far_from_it_this_is(make_router):
    sure = Decision("MID", "mine", "it has a formula", confidence=0.934)
    router = make_router(classifier=lambda _: sure)

    columns = router.compare(PROMPT, ["LOW", "MID", "TOP", "MID:small"]).columns

    assert [False, True, False, False] == [column.picked for column in columns]
    low, mid, top, small = (column.note for column in columns)
    assert "routing picks this: it has a formula, 93% confident" == mid
    assert low.startswith("routing would not: it picks MID (")
    assert low.endswith("this is one tier cheaper")
    assert top.endswith("this is one tier more expensive")
    assert small.endswith("this is not the tier's first model")


def test_a_classifier_that_is_down_stops_no_comparison(make_router):
    def down(prompt):
        raise Unavailable("no connection to the classifier")

    (column,) = make_router(classifier=down).compare(PROMPT, ["LOW"]).columns

    assert ("ok", False) == (column.status, column.picked)
    assert "not known: Unavailable: no connection to the classifier" in column.note


def test_answers_are_fresh_unless_the_cache_is_asked_for(router, server):
    router.route(PROMPT, tier="LOW")

    fresh = router.compare(PROMPT, ["LOW", "MID"]).frame()
    grid = router.compare([PROMPT], ["LOW", "MID"], progress=False).frame()
    mixed = router.compare(PROMPT, ["LOW", "MID:other"], cache="use").frame()

    assert [False, False] == list(fresh["cached"]) == list(grid["cached"])
    assert fresh["cost_usd"].gt(0).all()
    assert [True, False] == list(mixed["cached"])
    assert 0 == mixed["cost_usd"][0]


@pytest.mark.parametrize("by", ["event", "Ctrl-C"])
def test_a_stop_keeps_what_came(make_router, server, by):
    server.answer(large=Reply(text="one two three", stall_after=2))
    router, cancel = make_router(timeout_s=60), threading.Event()
    act = cancel.set if by == "event" else lambda: os.kill(os.getpid(), signal.SIGINT)
    begun, ended = set(), set()

    def look(place, event):
        if isinstance(event, Done | Text):
            (begun if isinstance(event, Text) else ended).add(place)
        if (len(begun), len(ended)) == (3, 2):
            act()

    with pytest.raises(Interrupted, match="2 of 3 answers are there") as caught:
        router.compare(PROMPT, cancel=cancel, observe=look)

    comparison = caught.value.result
    assert ["ok", "ok", "interrupted"] == list(comparison.frame()["status"])
    assert comparison.column("TOP").text.startswith("one")
    assert {"ok", "interrupted"} == {row["status"] for row in router.ledger.rows()}
    assert "LOW" == comparison.vote("LOW").needed


def test_a_vote_is_a_label_and_every_call_of_a_comparison_has_its_id_and_counts_in_its_cost(
    make_router,
):
    router = make_router(classifier="model")
    comparison = router.compare(PROMPT)
    rows = router.ledger.rows()
    assert {comparison.id} == {row["comparison"] for row in rows}
    assert ["answer", "answer", "answer", "classify"] == sorted(row["purpose"] for row in rows)
    assert router.spend().usd == comparison.cost.usd
    assert (4, None) == (len(comparison.attempts), comparison.voted)

    label = comparison.vote("mid")

    assert label == Label(
        *(label.id, label.ts, router.session, "cheapest acceptable", "LOW", "MID", "test", PROMPT),
        comparison=comparison.id,
        msg_hash=label.msg_hash,
        result=comparison.column("MID").result.id,
    )
    assert [label] == router.ledger.labels()
    comparison.vote("LOW")
    assert "LOW" == comparison.voted
    assert ["LOW"] == list(router.labels()["tier"])
    with pytest.raises(SettingsError, match="did you mean 'LOW'"):
        comparison.vote("LWO")
