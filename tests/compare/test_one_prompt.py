"""One prompt on several tiers at once: columns, picks, failures, stops, votes, differences."""

from __future__ import annotations

import os
import signal
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import LADDER
from loopback import Loopback, Reply

from nbroute.compare import Column, Comparison, Contender
from nbroute.compare.differences import difference, each_against_others
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    PromptError,
    SettingsError,
    Unavailable,
)
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.router import Router
from nbroute.types import (
    Attempt,
    Classified,
    Decision,
    Done,
    Ladder,
    Options,
    Plan,
    RouteResult,
    Text,
    Tier,
)

PROMPT = "What is the capital of France?"


def models(server) -> list[str]:
    """The models that were asked, sorted, as they are asked at once."""
    return sorted(seen.json["model"] for seen in server.requests)


def by_model(**replies):
    """A handler that answers each model in its own way."""
    return lambda sent: replies.get(sent["model"].replace("-", "_"), Reply(text=sent["model"]))


def names(comparison) -> list[str]:
    return [column.contender.name for column in comparison.columns]


def test_every_tier_of_the_ladder_is_asked_with_its_own_prompt_and_budget(router, server):
    comparison = router.compare(PROMPT)

    sent = {seen.json["model"]: seen.json for seen in server.requests}
    assert ["LOW", "MID", "TOP"] == names(comparison)
    assert ["large", "medium", "small"] == sorted(sent)
    assert "Be brief." == sent["small"]["messages"][0]["content"]
    assert [64, 256, 1024] == [
        sent[one].get("max_tokens") or sent[one]["max_completion_tokens"]
        for one in ("small", "medium", "large")
    ]


@pytest.mark.parametrize(
    ("word", "contender"),
    [
        ("mid", Contender("MID", "MID", "medium")),
        ("large", Contender("large", "TOP", "large")),
        ("Large", Contender("large", "TOP", "large")),
        ("small-2", Contender("small-2", "LOW", "small-2")),
        ("LOW:medium", Contender("LOW:medium", "LOW", "medium")),
        ("low=acme/new:free", Contender("LOW:acme/new:free", "LOW", "acme/new:free")),
        ("TOP: large", Contender("TOP:large", "TOP", "large")),
    ],
)
def test_a_word_names_a_tier_or_a_model(router, server, word, contender):
    (column,) = router.compare(PROMPT, [word]).columns

    assert contender == column.contender
    assert [contender.model] == models(server)


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([], "tiers is empty"),
        ("LOW", "tiers is 'LOW'; give a list"),
        ({"LOW", "TOP"}, "give a list of names"),
        (["LOW", 3], "tiers has 3 in it"),
        (["LOW", "low"], "twice, as 'LOW' and 'low'"),
        (["LOW", "small"], "asks 'small' on LOW twice"),
        (["TOP:large", "large"], "asks 'large' on TOP twice"),
        (["MIDDLE"], "did you mean 'MID'"),
        (["lrage"], "did you mean 'large'"),
        (["LOW:"], "names no model"),
        (["acme/new"], "asked with a tier's prompt and budget, as 'TIER:model'"),
    ],
)
def test_wrong_tiers_are_an_error_with_its_cure_and_nothing_is_sent(router, server, tiers, said):
    with pytest.raises(SettingsError, match=said):
        router.compare(PROMPT, tiers)

    assert [] == server.requests


def test_a_model_that_stands_on_two_tiers_must_be_named_with_one(make_router, server):
    tiers = (Tier("LOW", "loop", "same", 64), Tier("TOP", "loop", "same", 256))
    router = make_router(ladder=Ladder("twins", tiers, default="LOW"))

    with pytest.raises(SettingsError, match="'LOW:same' or 'TOP:same'"):
        router.compare(PROMPT, ["same"])

    assert ["LOW", "TOP"] == names(router.compare(PROMPT))


def test_a_fallback_at_another_provider_is_asked_there_at_its_own_price(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    with Loopback() as elsewhere:
        (tmp_path / "nbroute.toml").write_text(f"""
[nbroute]
classifier = "ngrams"
[providers.here]
base_url = "{server.url}"
api_key_env = "LOOP_API_KEY"
[providers.there]
base_url = "{elsewhere.url}"
api_key_env = "LOOP_API_KEY"
[tiers.ONLY]
provider = "here"
model = "first"
max_tokens = 100
fallbacks = [{{ provider = "there", model = "second", price = {{ input = 3, output = 6 }} }}]
""")
        router = Router(tmp_path / "nbroute.toml")
        comparison = router.compare(PROMPT, ["ONLY", "second"])
        router.close()

        assert ["second"] == models(elsewhere)
    assert ["first"] == models(server)
    usage = comparison.column("second").result.usage
    price = (3 * usage.input_tokens + 6 * usage.output_tokens) / Decimal(1_000_000)
    assert price == comparison.column("second").result.cost_usd
    assert "unknown" == comparison.column("ONLY").result.cost_source


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("strategy", "cascade", "every contender answers by itself"),
        ("tier", "LOW", "name those to compare in tiers"),
        ("model", "small", "name it in tiers"),
        ("start", "LOW", "name the tiers"),
        ("thread", "trip", "a turn of that one conversation"),
        ("agreement", 0.9, "differences"),
        ("comparison", "abc", "an id of its own"),
        ("to", "folder", "to is for many prompts"),
        ("workers", 0, "a whole number from 1 up"),
        ("max_token", 5, "did you mean 'max_tokens'"),
        ("max_tokens", 0, "a whole number from 1 up"),
        ("classifier", "ngarms", "did you mean 'ngrams'"),
        ("checks", ["lenght"], "did you mean 'length'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_and_nothing_is_sent(
    router, server, option, value, said
):
    with pytest.raises(SettingsError, match=said):
        router.compare(PROMPT, **{option: value})

    assert [] == server.requests


def test_an_option_that_is_not_set_is_no_wrong_option(router):
    comparison = router.compare(PROMPT, ["LOW"], strategy="direct", thread=None, system=None)

    assert "ok" == comparison.columns[0].status


def test_the_same_options_hold_for_each(router, server):
    router.compare(PROMPT, max_tokens=7, temperature=0.5, feature="trial")

    budgets = {
        one.json.get("max_tokens", one.json.get("max_completion_tokens")) for one in server.requests
    }
    assert {7} == budgets
    assert {0.5} == {one.json["temperature"] for one in server.requests}
    assert {"trial"} == {row["feature"] for row in router.ledger.rows()}


def four_tiers() -> Ladder:
    tiers = (Tier(f"T{n}", "loop", f"m{n}", 64) for n in range(4))
    return Ladder("four", tuple(tiers), default="T0")


class Meeting:
    """A handler that answers only once so many requests are there together."""

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties)

    def __call__(self, sent) -> Reply:
        self.barrier.wait(30)
        return Reply(text="all here")


def test_four_contenders_are_asked_at_the_same_time(make_router, server):
    server.handler = Meeting(4)

    comparison = make_router(ladder=four_tiers(), classifier="ngrams", timeout_s=60).compare(PROMPT)

    assert ["all here"] * 4 == [column.text for column in comparison.columns]


class Busy:
    """A handler that knows how many requests were there at most at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, sent) -> Reply:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        threading.Event().wait(0.05)
        with self.lock:
            self.now -= 1
        return Reply()


def test_no_more_than_workers_are_asked_at_once(make_router, server):
    server.handler = busy = Busy()

    comparison = make_router(ladder=four_tiers(), classifier="ngrams").compare(PROMPT, workers=2)

    assert busy.most <= 2
    assert ["ok"] * 4 == [column.status for column in comparison.columns]


def test_one_that_fails_leaves_the_others(router, server):
    server.handler = by_model(medium=Reply(status=500, error="the disk is full"))

    comparison = router.compare(PROMPT)
    frame = comparison.frame().set_index("contender")

    assert ["ok", "error", "ok"] == list(frame["status"])
    assert isinstance(comparison.column("MID").error, Unavailable)
    assert "the disk is full" in frame.loc["MID", "error"]
    assert ["small", "", "large"] == list(frame["text"])
    assert 0 == frame.loc["MID", "cost_usd"]


def test_what_was_paid_for_a_broken_answer_is_in_its_column(router, server):
    server.handler = by_model(large=Reply(text="one two three four", cut_after=2))

    column = router.compare(PROMPT).column("TOP")

    assert isinstance(column.error, NbrouteError)
    assert column.result.text.startswith("one")
    assert column.result.cost_usd > 0
    assert "estimated" == column.result.cost_source


def test_a_tier_falls_back_and_a_named_model_does_not(router, server):
    server.handler = by_model(small=Reply(status=500, error="down"))

    tier = router.compare(PROMPT, ["LOW"]).columns[0]
    named = router.compare(PROMPT, ["small"]).columns[0]

    assert ("ok", "small-2") == (tier.status, tier.model)
    assert ("error", "small") == (named.status, named.model)


def test_a_check_that_breaks_is_a_column_too(router):
    def broken(reply):
        raise KeyError(reply.model)

    comparison = router.compare(PROMPT, ["LOW"], checks=[broken])

    assert isinstance(comparison.columns[0].error, NbrouteError) or (
        not comparison.columns[0].result.passed
    )


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_raised_and_no_column(router, server, prompt):
    with pytest.raises(PromptError):
        router.compare(prompt)

    assert [] == server.requests


def test_a_budget_that_refuses_all_is_raised(router, server):
    router.set_budget("0.000001")

    with pytest.raises(BudgetExceeded):
        router.compare(PROMPT)

    assert [] == server.requests


def test_a_budget_may_allow_only_some(router, server):
    router.set_budget("0.01")

    comparison = router.compare(PROMPT)

    assert ["ok", "ok", "not sent"] == [column.status for column in comparison.columns]
    assert isinstance(comparison.column("TOP").error, BudgetExceeded)
    assert ["medium", "small"] == models(server)


def test_a_column_says_what_routing_picks_and_how_far_from_it_this_is(make_router):
    router = make_router(classifier=lambda _: ("MID", "it has a formula"))

    notes = {
        column.contender.name: (column.picked, column.note)
        for column in router.compare(PROMPT, ["LOW", "MID", "TOP", "MID:small"]).columns
    }

    assert notes["MID"][0]
    assert notes["MID"][1].startswith("routing picks this: ")
    assert "it has a formula" in notes["MID"][1]
    assert notes["LOW"] == (False, notes["LOW"][1])
    assert notes["LOW"][1].startswith("routing would not: it picks MID (")
    assert notes["LOW"][1].endswith("this is one tier cheaper")
    assert notes["TOP"][1].endswith("this is one tier more expensive")
    assert not notes["MID:small"][0]
    assert notes["MID:small"][1].endswith("this is not the tier's first model")


def test_the_pick_is_told_also_where_it_is_not_compared(router):
    comparison = router.compare(PROMPT, ["TOP"])

    assert "LOW" == comparison.picked
    assert comparison.columns[0].note.endswith("this is two tiers more expensive")


def test_how_sure_the_classifier_is_stands_in_the_note(make_router):
    sure = Decision("LOW", "mine", "mine: short", confidence=0.934)

    comparison = make_router(classifier=lambda _: sure).compare(PROMPT, ["LOW"])

    assert "routing picks this: mine: short, 93% confident" == comparison.columns[0].note


def test_a_classifier_that_is_down_stops_no_comparison(make_router, server):
    server.reply(status=500, error="classifier down")

    comparison = make_router(classifier="model").compare(PROMPT)

    assert ["ok"] * 3 == [column.status for column in comparison.columns]
    if comparison.picked is None:
        assert {False} == {column.picked for column in comparison.columns}
        assert all("classifier down" in column.note for column in comparison.columns)


def test_where_the_pick_is_not_known_the_note_says_why(make_router):
    def down(prompt):
        raise Unavailable("no connection to the classifier")

    comparison = make_router(classifier=down).compare(PROMPT, ["LOW"])

    (column,) = comparison.columns
    assert comparison.picked is None
    assert "ok" == column.status
    assert "not known: Unavailable: no connection to the classifier" in column.note
    assert "LOW" == comparison.vote("LOW").needed


def test_every_call_of_a_comparison_carries_its_id_in_the_ledger(make_router):
    router = make_router(classifier="model")
    router.route("Something else", tier="LOW")

    comparison = router.compare(PROMPT, ["LOW", "TOP"])

    rows = router.ledger.rows()
    of_it = [row for row in rows if row["comparison"] == comparison.id]
    assert ["answer", "answer", "classify"] == sorted(row["purpose"] for row in of_it)
    assert 4 == len(rows)


def test_the_cost_is_that_of_all_calls_classifying_included(make_router):
    router = make_router(classifier="model")

    comparison = router.compare(PROMPT, ["LOW", "TOP"])

    spent = router.spend()
    assert spent.usd == comparison.cost.usd
    assert 3 == len(comparison.attempts) == spent.calls


def column_of(source: str, usd: str, tier: str) -> Column:
    attempt = Attempt(
        id=tier,
        ts=0.0,
        session="s",
        result=tier,
        tier=tier,
        provider="p",
        provider_kind="remote",
        model=tier.lower(),
        cost_usd=Decimal(usd),
        cost_source=source,
        text="ok",
    )
    decision = Decision(tier, "forced", "")
    result = RouteResult(tier, PROMPT, "ok", decision, Plan("direct", ()), Options(), (attempt,))
    return Column(Contender(tier, tier, tier.lower()), picked=False, note="", result=result)


def test_money_that_was_not_billed_is_never_added_to_money_that_was():
    columns = (column_of("billed", "0.25", "A"), column_of("equivalent", "4", "B"))

    comparison = Comparison("id", PROMPT, Decision("A", "rules", "short"), columns)

    assert (Decimal("0.25"), "billed") == (comparison.cost.usd, comparison.cost.source)
    assert (Decimal(4), "equivalent") == (comparison.equivalent.usd, comparison.equivalent.source)


def test_a_price_that_is_not_known_is_nan_in_the_frame(make_router):
    tiers = (Tier("LOW", "loop", "nobody-knows-this-model", 64),)
    router = make_router(ladder=Ladder("one", tiers, default="LOW"))

    frame = router.compare(PROMPT).frame()

    assert frame["cost_usd"].isna().all()
    assert ["unknown"] == list(frame["cost_source"])


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
    Path("nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\ncache_file = "cache.sqlite"\n'
    )
    first = Router()
    first.compare(PROMPT, ["SIMPLE"])
    first.close()
    Path("nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\ncache_file = "cache.sqlite"\ncache = "only"\n'
    )
    router = Router()

    assert [True] == list(router.compare(PROMPT, ["SIMPLE"]).frame()["cached"])
    router.close()


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


def test_an_observer_learns_who_is_asked_and_then_each_event(router, server):
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

    comparison = router.compare(PROMPT, observe=broken)

    assert ["ok"] * 3 == [column.status for column in comparison.columns]
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


def test_cancelling_keeps_what_came(make_router, server):
    server.handler = by_model(large=Reply(text="one two three", stall_after=2))
    router, cancel = make_router(timeout_s=60), threading.Event()

    with pytest.raises(Interrupted, match="2 of 3 answers are there") as caught:
        router.compare(
            PROMPT, cancel=cancel, observe=stop_when_the_rest_is_there(cancel.set, ended=2)
        )

    comparison = caught.value.result
    top = comparison.column("TOP")
    assert ["ok", "ok", "interrupted"] == [column.status for column in comparison.columns]
    assert top.text.startswith("one")
    assert "interrupted" == comparison.frame()["status"][2]
    assert {"ok", "interrupted"} == {row["status"] for row in router.ledger.rows()}
    assert "LOW" == comparison.vote("LOW").needed


def test_ctrl_c_stops_all_and_keeps_what_came(make_router, server):
    server.handler = by_model(large=Reply(text="one two three", stall_after=2))
    router = make_router(timeout_s=60)

    def press():
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        router.compare(PROMPT, observe=stop_when_the_rest_is_there(press, ended=2))

    statuses = [column.status for column in caught.value.result.columns]
    assert ["ok", "ok", "interrupted"] == statuses
    assert "interrupted" in {row["status"] for row in router.ledger.rows()}


def test_who_was_not_asked_yet_was_not_sent(make_router, server):
    server.handler = by_model(small=Reply(text="one two three", stall_after=2))
    router, cancel = make_router(timeout_s=60), threading.Event()

    with pytest.raises(Interrupted) as caught:
        router.compare(
            PROMPT,
            workers=1,
            cancel=cancel,
            observe=stop_when_the_rest_is_there(cancel.set, ended=0),
        )

    frame = caught.value.result.frame()
    assert ["interrupted", "not sent", "not sent"] == list(frame["status"])
    assert [0.0, 0.0] == list(frame["cost_usd"][1:])
    assert ["small"] == models(server)


def test_ctrl_c_while_classifying_asks_nobody(make_router, server):
    def press(prompt):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="before any contender was asked") as caught:
        make_router(classifier=press).compare(PROMPT)

    assert [] == server.requests
    assert {"not sent"} == {column.status for column in caught.value.result.columns}


def test_a_vote_is_a_label_with_what_was_picked_and_what_was_needed(router):
    comparison = router.compare(PROMPT)

    label = comparison.vote("mid")

    assert ("LOW", "MID", "cheapest acceptable") == (label.picked, label.needed, label.feedback)
    assert comparison.id == label.comparison
    assert comparison.column("MID").result.id == label.result
    assert [label] == router.ledger.labels()


def test_the_last_vote_counts(router):
    comparison = router.compare(PROMPT)
    assert comparison.voted is None

    comparison.vote("TOP")
    comparison.vote("LOW")

    assert "LOW" == comparison.voted
    assert ["LOW"] == list(router.labels()["tier"])


def test_there_is_no_vote_for_an_answer_that_did_not_come(router, server):
    server.handler = by_model(medium=Reply(status=500, error="the disk is full"))
    comparison = router.compare(PROMPT)

    with pytest.raises(SettingsError, match=r"'MID' has no answer to vote for: .*disk is full"):
        comparison.vote("MID")
    with pytest.raises(SettingsError, match="did you mean 'LOW'"):
        comparison.vote("LWO")

    assert [] == router.ledger.labels()


def test_the_text_form_has_a_table_first_and_the_short_form_no_prompt(router, server):
    server.handler = by_model(medium=Reply(status=500, error="the disk is full"))
    comparison = router.compare(PROMPT)

    text = str(comparison)

    head, low, mid, top = text.split("\n\n", 1)[0].splitlines()
    assert head.split()[:4] == ["contender", "model", "status", "tokens"]
    assert low.startswith("LOW")
    assert "(your price)" in low
    assert "picks this" in low
    assert "error" in mid
    assert top.startswith("TOP")
    assert text.index("== LOW · small ==") < text.index("== MID · medium ==")
    assert "the disk is full" in text
    assert f"<Comparison {comparison.id} of LOW ok, MID error, TOP ok>" == repr(comparison)
    assert PROMPT not in repr(comparison)


def test_a_comparison_in_the_simulated_profile_says_what_is_not_billed():
    router = Router(profile="simulated")

    comparison = router.compare(PROMPT)
    router.close()

    assert "equivalent" == comparison.cost.source
    assert all("simulated" in model for model in comparison.frame()["model"])


def test_each_text_is_marked_where_no_other_has_the_words(router, server):
    server.handler = by_model(
        small=Reply(text="Paris is the capital."),
        medium=Reply(text="Paris is the big capital."),
        large=Reply(text="Rome is the capital."),
    )

    comparison = router.compare(PROMPT)

    low, mid, top = comparison.differences
    assert [("Paris is the capital.", False)] == list(low)
    assert ["big"] == [piece.text for piece in mid if piece.only_here]
    assert ["Rome"] == [piece.text for piece in top if piece.only_here]
    pair = comparison.difference("LOW", "TOP")
    assert [("Paris", True), (" is the capital.", False)] == list(pair)


@pytest.mark.parametrize(
    ("text", "reference", "only_here"),
    [
        ("one two three", "one two three", []),
        ("one two three", "one 2 three", ["two"]),
        ("  one two  ", "two", ["one"]),
        ("all new", "", ["all new"]),
        ("", "gone", []),
        ("Das ist 3 gut.", "Das ist 4 gut!", ["3", "."]),
        ("法国的首都是巴黎。", "法国的首都是罗马。", ["巴黎"]),
        ("x\ny\nz", "x\nz", ["y"]),
    ],
)
def test_words_are_marked_that_the_reference_has_not(text, reference, only_here):
    pieces = difference(text, reference)

    assert text == "".join(piece.text for piece in pieces)
    assert only_here == [piece.text for piece in pieces if piece.only_here]


def test_long_texts_are_compared_by_their_sentences():
    sentences = [f"Here the number {n} is given, and this is all." for n in range(4_000)]
    changed = [*sentences[:2_000], "Here is something else.", *sentences[2_001:]]
    shuffled = [*changed[3_000:], *changed[:3_000]]

    pieces = difference(" ".join(shuffled), " ".join(sentences))

    marked = "".join(piece.text for piece in pieces if piece.only_here)
    assert " ".join(shuffled) == "".join(piece.text for piece in pieces)
    assert "Here is something else." in marked
    assert marked.count("number") <= 1_001


def test_texts_too_much_alike_to_be_told_apart_are_marked_whole():
    pieces = difference("x\n" * 100_000 + "end", "begin\n" + "x\n" * 90_000)

    assert 2 >= len(pieces)
    assert 200_003 == sum(len(piece.text) for piece in pieces)


def test_a_text_with_no_other_beside_it_has_nothing_marked():
    assert ((("alone", False),),) == each_against_others(["alone"])


def test_two_comparisons_at_once_do_not_mix(router, server):
    server.handler = lambda sent: Reply(text=f"{sent['model']}: {sent['messages'][-1]['content']}")
    found = {}

    def run(prompt):
        found[prompt] = router.compare(prompt)

    threads = [threading.Thread(target=run, args=(f"Prompt {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for prompt, comparison in found.items():
        expected = [f"{model}: {prompt}" for model in ("small", "medium", "large")]
        assert expected == [column.text for column in comparison.columns]
    assert 4 == len({comparison.id for comparison in found.values()}) == len(found)


def test_a_provider_made_by_hand_can_be_compared(server):
    provider = OpenAICompatible("loop", server.url, "sk-test-0123456789", max_retries=0)
    router = Router(profile="simulated", provider=provider, ladder=LADDER, classifier="ngrams")

    assert ["ok"] * 3 == [column.status for column in router.compare(PROMPT).columns]
    router.close()
