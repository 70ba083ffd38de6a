"""One prompt on several tiers at once: columns, picks, failures, stops and votes."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from loopback import Loopback, Reply, prompt_of

from nbroute.compare import Contender
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    PromptError,
    RecordError,
    SettingsError,
    Unavailable,
)
from nbroute.router import Router
from nbroute.types import (
    Classified,
    Decision,
    Done,
    Ladder,
    Text,
    Tier,
)

PROMPT = "What is the capital of France?"
FULL = Reply(status=500, error="the disk is full")
STALLS = Reply(text="one two three", stall_after=2)


def statuses(comparison):
    return [column.status for column in comparison.columns]


def budgets(server):
    return {
        one.json["model"]: one.json.get("max_tokens") or one.json["max_completion_tokens"]
        for one in server.requests
    }


def test_every_tier_is_asked_with_its_own_prompt_and_budget_or_with_the_options_given(
    router, server
):
    comparison = router.compare(PROMPT)

    assert ["LOW", "MID", "TOP"] == [one.contender.name for one in comparison.columns]
    assert {"small": 64, "medium": 256, "large": 1024} == budgets(server)
    systems = [one.json["messages"][0]["content"] for one in server.requests]
    assert 1 == systems.count("Be brief.")
    server.forget()
    router.compare(PROMPT, max_tokens=7, temperature=0.5, feature="trial", strategy="direct")
    assert dict.fromkeys(("small", "medium", "large"), 7) == budgets(server)
    assert {0.5} == {one.json["temperature"] for one in server.requests}
    assert [None] * 3 + ["trial"] * 3 == [row["feature"] for row in router.ledger.rows()]


@pytest.mark.parametrize(
    ("word", "contender"),
    [
        ("mid", Contender("MID", "MID", "medium")),
        ("Large", Contender("large", "TOP", "large")),
        ("small-2", Contender("small-2", "LOW", "small-2")),
        ("LOW:medium", Contender("LOW:medium", "LOW", "medium")),
        ("low=acme/new:free", Contender("LOW:acme/new:free", "LOW", "acme/new:free")),
        ("TOP: large", Contender("TOP:large", "TOP", "large")),
        ("low:x3", Contender("LOW:x3", "LOW", "small", repeat=3)),
    ],
)
def test_a_word_names_a_tier_or_a_model(router, server, word, contender):
    (column,) = router.compare(PROMPT, [word]).columns

    assert contender == column.contender
    assert [contender.model] * (contender.repeat or 1) == server.asked
    assert (contender.repeat or 0) == len(getattr(column.result.repeats, "answered", ()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(
            ({"tiers": tiers}, said)
            for tiers, said in (
                ([], "tiers is empty"),
                ("LOW", "tiers is 'LOW'; give a list"),
                ({"LOW", "TOP"}, "give a list of names"),
                (["LOW", 3], "tiers has 3 in it"),
                (["LOW", "low"], "twice, as 'LOW' and 'low'"),
                (("LOW", "TOP", "LOW"), "twice"),
                (["LOW:m", "LOW:m"], "twice"),
                (["LOW", "small"], "asks 'small' on LOW twice"),
                (["TOP:large", "large"], "asks 'large' on TOP twice"),
                (["MIDDLE"], "did you mean 'MID'"),
                (["lrage"], "did you mean 'large'"),
                (["LOW:"], "names no model"),
                (["LOW:x1"], "repeat is 1;"),
                (["acme/new"], "asked with a tier's prompt and budget, as 'TIER:model'"),
            )
        ),
        ({"prompt": ""}, "empty"),
        ({"prompt": "  \n"}, "empty"),
        ({"strategy": "cascade"}, "every contender answers by itself"),
        ({"tier": "LOW"}, "name those to compare in tiers"),
        ({"model": "small"}, "name it in tiers"),
        ({"start": "LOW"}, "name the tiers"),
        ({"thread": "trip"}, "a turn of that one conversation"),
        ({"agreement": 0.9}, "differences"),
        ({"comparison": "abc"}, "an id of its own"),
        ({"to": "folder"}, "to is for many prompts"),
        ({"workers": 0}, "a whole number from 1 up"),
        ({"max_token": 5}, "did you mean 'max_tokens'"),
        ({"max_tokens": 0}, "a whole number from 1 up"),
        ({"classifier": "ngarms"}, "did you mean 'ngrams'"),
        ({"checks": ["lenght"]}, "did you mean 'length'"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_nothing_is_sent(router, server, options, said):
    for prompt in (PROMPT, [PROMPT]) if "tiers" in options else (PROMPT,):
        with pytest.raises((SettingsError, PromptError), match=said):
            router.compare(**{"prompt": prompt} | options)

    assert [] == server.requests


def test_a_model_that_stands_on_two_tiers_must_be_named_with_one(make_router):
    tiers = (Tier("LOW", "loop", "same", 64), Tier("TOP", "loop", "same", 256))
    router = make_router(ladder=Ladder("twins", tiers, default="LOW"))

    with pytest.raises(SettingsError, match="'LOW:same' or 'TOP:same'"):
        router.compare(PROMPT, ["same"])

    assert ["ok", "ok"] == statuses(router.compare(PROMPT))


ELSEWHERE = """
[nbroute]
classifier = "ngrams"
[providers.here]
base_url = "{here}"
api_key_env = "LOOP_API_KEY"
[providers.there]
base_url = "{there}"
api_key_env = "LOOP_API_KEY"
[providers.simulated]
kind = "simulated"
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
    frame = comparison.frame()
    assert ["unknown", "configured"] == list(frame["cost_source"])
    assert [True, False] == list(frame["cost_usd"].isna())
    assert (price, "configured") == (paid.cost.usd, paid.cost.source)
    assert (True, "equivalent") == (paid.equivalent.usd > 0, paid.equivalent.source)


# At once


def test_all_contenders_are_asked_at_the_same_time(router, server):
    meeting = threading.Barrier(3, timeout=30)
    server.handler = lambda _: Reply(text=str(meeting.wait()))

    comparison = router.compare(PROMPT)

    assert ["0", "1", "2"] == sorted(column.text for column in comparison.columns)


def test_many_threads_compare_on_one_router_and_mix_nothing_up(router, server):
    server.handler = lambda sent: Reply(text=f"{prompt_of(sent)} as asked")

    def compare(number):
        comparison = router.compare(f"prompt {number}", ["LOW", "TOP"])
        comparison.vote("LOW")
        return comparison

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(compare, range(8)))

    for number, comparison in enumerate(found):
        assert [f"prompt {number} as asked"] * 2 == [one.text for one in comparison.columns]
        assert {comparison.id} == {attempt.comparison for attempt in comparison.attempts}
    assert (8, 16) == (len({one.id for one in found}), len(router.ledger.rows()))
    assert 8 == len(router.ledger.labels())
    assert router.spend().usd == sum(comparison.cost.usd for comparison in found)


# What fails while it runs


def test_what_fails_is_a_column_and_leaves_the_others(make_router, server):
    server.answer("small", medium=FULL, large=Reply(text="one two three", cut_after=2))
    router = make_router()

    comparison = router.compare(PROMPT)

    frame = comparison.frame().set_index("contender")
    assert ["ok", "error", "error"] == list(frame["status"]) == statuses(comparison)
    assert isinstance(comparison.column("MID").error, Unavailable)
    assert "the disk is full" in frame.loc["MID", "error"]
    assert 0 == frame.loc["MID", "cost_usd"]
    broken = comparison.column("TOP").result
    assert broken.text.startswith("one")
    assert ("estimated", True) == (broken.cost_source, broken.cost_usd > 0)
    assert 3 == len(router.ledger.rows())
    assert router.spend().usd == comparison.cost.usd
    text = str(comparison)
    head, low, mid, top = text.split("\n\n", 1)[0].splitlines()
    assert head.split()[:4] == ["contender", "model", "status", "tokens"]
    assert low.startswith("LOW")
    assert "(your price)" in low
    assert "picks this" in low
    assert "error" in mid
    assert top.startswith("TOP")
    assert text.index("== LOW · small ==") < text.index("== MID · medium ==")
    assert f"<Comparison {comparison.id} of LOW ok, MID error, TOP error>" == repr(comparison)
    assert PROMPT not in repr(comparison)


def test_where_all_fail_each_column_says_why_and_no_vote_is_taken(router, server):
    server.answer(FULL)

    comparison = router.compare(PROMPT)

    assert ["error"] * 3 == statuses(comparison)
    with pytest.raises(SettingsError, match=r"'TOP' has no answer to vote for: .*disk is full"):
        comparison.vote("TOP")
    with pytest.raises(SettingsError, match="did you mean 'LOW'"):
        comparison.vote("LWO")
    assert [] == router.ledger.labels()


def test_a_tier_falls_back_and_a_named_model_does_not(router, server):
    server.answer(small=Reply(status=500, error="down"))

    tier = router.compare(PROMPT, ["LOW"]).columns[0]
    named = router.compare(PROMPT, ["small"]).columns[0]

    assert ("ok", "small-2") == (tier.status, tier.model)
    assert ("error", "small") == (named.status, named.model)


def test_a_budget_may_allow_only_some_and_one_that_refuses_all_is_raised(router, server):
    router.set_budget("0.01")

    comparison = router.compare(PROMPT)

    assert ["ok", "ok", "not sent"] == statuses(comparison)
    assert isinstance(comparison.column("TOP").error, BudgetExceeded)
    assert ["TOP", "large", "not", "sent"] == str(comparison).splitlines()[3].split()
    assert ["medium", "small"] == sorted(server.asked)
    router.set_budget("0.000001")
    with pytest.raises(BudgetExceeded):
        router.compare(PROMPT)
    assert 2 == len(server.requests)


# What routing picks


def test_a_column_says_what_routing_picks_and_how_far_from_it_this_is(make_router):
    router = make_router(classifier=lambda _: ("MID", "it has a formula"))

    columns = router.compare(PROMPT, ["LOW", "MID", "TOP", "MID:small"]).columns

    assert [False, True, False, False] == [column.picked for column in columns]
    low, mid, top, small = (column.note for column in columns)
    assert mid.startswith("routing picks this: ")
    assert "it has a formula" in mid
    assert low.startswith("routing would not: it picks MID (")
    assert low.endswith("this is one tier cheaper")
    assert top.endswith("this is one tier more expensive")
    assert small.endswith("this is not the tier's first model")


def test_a_pick_that_is_not_compared_is_told_with_its_confidence(make_router):
    sure = Decision("LOW", "mine", "mine: short", confidence=0.934)
    router = make_router(classifier=lambda _: sure)

    (low,) = router.compare(PROMPT, ["LOW"]).columns
    comparison = router.compare(PROMPT, ["TOP"])

    assert "routing picks this: mine: short, 93% confident" == low.note
    assert "LOW" == comparison.picked
    assert comparison.columns[0].note.endswith("this is two tiers more expensive")


def test_a_classifier_that_is_down_stops_no_comparison(make_router):
    def down(prompt):
        raise Unavailable("no connection to the classifier")

    comparison = make_router(classifier=down).compare(PROMPT, ["LOW"])

    (column,) = comparison.columns
    assert (None, "ok", False) == (comparison.picked, column.status, column.picked)
    assert "not known: Unavailable: no connection to the classifier" in column.note
    assert "LOW" == comparison.vote("LOW").needed


# Money


def test_every_call_of_a_comparison_has_its_id_and_counts_in_its_cost(make_router):
    router = make_router(classifier="model")

    comparison = router.compare(PROMPT, ["LOW", "TOP"])

    rows = router.ledger.rows()
    assert {comparison.id} == {row["comparison"] for row in rows}
    assert ["answer", "answer", "classify"] == sorted(row["purpose"] for row in rows)
    assert router.spend().usd == comparison.cost.usd
    assert 3 == len(comparison.attempts) == router.spend().calls


def test_answers_are_fresh_unless_the_cache_is_asked_for(router, server):
    router.route(PROMPT, tier="LOW")

    fresh = router.compare(PROMPT, ["LOW", "MID"]).frame()
    grid = router.compare([PROMPT], ["LOW", "MID"], progress=False).frame()
    assert 5 == len(server.requests)
    mixed = router.compare(PROMPT, ["LOW", "MID:other"], cache="use").frame()

    assert [False, False] == list(fresh["cached"]) == list(grid["cached"])
    assert fresh["cost_usd"].gt(0).all()
    assert [True, False] == list(mixed["cached"])
    assert 0 == mixed["cost_usd"][0]


def test_a_session_that_sends_nothing_compares_out_of_the_cache():
    settings = '[nbroute]\nprofile = "simulated"\ncache_file = "cache.sqlite"\n'
    for more in ("", 'cache = "only"\n'):
        Path("nbroute.toml").write_text(settings + more)
        with closing(Router()) as router:
            frame = router.compare(PROMPT, ["SIMPLE"]).frame()

    assert [True] == list(frame["cached"])


# Who looks on, and who stops it


class Watcher:
    """Notes down what it is told, and on which thread."""

    def __init__(self) -> None:
        self.started = None
        self.told = []
        self.threads = set()

    def start(self, contenders, decision) -> None:
        assert [] == self.told
        self.started = ([one.name for one in contenders], decision.tier)

    def __call__(self, place, event) -> None:
        self.told.append((place, event))
        self.threads.add(threading.get_ident())


def test_an_observer_learns_who_is_asked_and_then_each_event(router):
    watcher = Watcher()

    comparison = router.compare(PROMPT, ["LOW", "TOP"], observe=watcher)

    assert (["LOW", "TOP"], "LOW") == watcher.started
    assert {threading.get_ident()} == watcher.threads
    for place, column in enumerate(comparison.columns):
        events = [event for at, event in watcher.told if at == place]
        assert isinstance(events[0], Classified)
        assert Done(column.result) == events[-1]
        assert column.text == "".join(one.text for one in events if isinstance(one, Text))


def test_an_observer_that_breaks_is_logged_and_breaks_nothing(router, caplog):
    def broken(place, event):
        raise ValueError(place)

    assert ["ok"] * 3 == statuses(router.compare(PROMPT, observe=broken))
    assert "an observer of a comparison failed" in caplog.text


def stop_when_the_rest_is_there(act, *, ended: int):
    """An observer that acts once so many answers ended and another has begun to arrive."""
    seen = {"done": 0, "text": set()}

    def look(place, event):
        seen["done"] += isinstance(event, Done)
        if isinstance(event, Text):
            seen["text"].add(place)
        if seen["done"] == ended and len(seen["text"]) == ended + 1:
            act()

    return look


@pytest.mark.parametrize("by", ["event", "Ctrl-C"])
def test_a_stop_keeps_what_came(make_router, server, by):
    server.answer(large=STALLS)
    router, cancel = make_router(timeout_s=60), threading.Event()
    act = cancel.set if by == "event" else lambda: os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="2 of 3 answers are there") as caught:
        router.compare(PROMPT, cancel=cancel, observe=stop_when_the_rest_is_there(act, ended=2))

    comparison = caught.value.result
    assert ["ok", "ok", "interrupted"] == list(comparison.frame()["status"])
    assert comparison.column("TOP").text.startswith("one")
    assert {"ok", "interrupted"} == {row["status"] for row in router.ledger.rows()}
    assert "LOW" == comparison.vote("LOW").needed


def test_who_was_not_asked_yet_was_not_sent(make_router, server):
    server.answer(small=STALLS)
    router, cancel = make_router(timeout_s=60), threading.Event()
    look = stop_when_the_rest_is_there(cancel.set, ended=0)

    with pytest.raises(Interrupted) as caught:
        router.compare(PROMPT, workers=1, cancel=cancel, observe=look)

    frame = caught.value.result.frame()
    assert ["interrupted", "not sent", "not sent"] == list(frame["status"])
    assert [0.0, 0.0] == list(frame["cost_usd"][1:])
    assert ["small"] == server.asked


def test_ctrl_c_while_classifying_asks_nobody(make_router, server):
    def press(prompt):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="before any contender was asked") as caught:
        make_router(classifier=press).compare(PROMPT)

    assert [] == server.requests
    assert ["not sent"] * 3 == statuses(caught.value.result)


# Votes


def test_a_vote_is_a_label_with_what_was_picked_and_what_was_needed(router):
    comparison = router.compare(PROMPT)
    assert comparison.voted is None

    label = comparison.vote("mid")

    assert ("LOW", "MID", "cheapest acceptable") == (label.picked, label.needed, label.feedback)
    assert comparison.id == label.comparison
    assert comparison.column("MID").result.id == label.result
    assert [label] == router.ledger.labels()
    comparison.vote("LOW")
    assert "LOW" == comparison.voted
    assert ["LOW"] == list(router.labels()["tier"])


def test_a_vote_that_cannot_be_written_counts_until_the_ledger_is_free_again(router):
    comparison = router.compare("Hello", ["LOW", "TOP"])
    with closing(sqlite3.connect("ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="kept in memory"):
            comparison.vote("TOP")
        assert "TOP" == comparison.voted
        other.execute("ROLLBACK")

    comparison.vote("LOW")

    assert ["TOP", "LOW"] == [label.needed for label in router.ledger.labels()]
    with closing(sqlite3.connect("ledger.sqlite")) as other:
        assert [(2,)] == other.execute("SELECT count(*) FROM labels").fetchall()
