from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from nbroute.budgets import Guard, Limits, caps, with_budget, worst_case
from nbroute.engine.attempts import AttemptLog, estimate
from nbroute.errors import (
    BudgetExceeded,
    RecordError,
    SettingsError,
    TimedOut,
    Unavailable,
)
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import (
    Attempt,
    Attempted,
    Cap,
    Embedded,
    Message,
    Notice,
    Price,
    Reply,
    Request,
    Tier,
    Usage,
    Verdict,
    total_cost,
)

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
CHEAP = Price(Decimal(1), Decimal(100), "configured")
TIER = Tier("LOW", "box", "small", 1000, price=CHEAP)
#: One token in and at most 1,000 out: $0.100001 at most.
REQUEST = Request("box", "small", (Message("user", "hi"),), 1000)
WORST = Decimal("0.100001")
TEMPLATE = Attempt("", NOON, "s1", "r1", "", "", "remote", "", feature="chat", thread="t1")


@pytest.fixture
def box():
    provider = OpenAICompatible("box", "http://127.0.0.1:9/v1", None)
    yield provider
    provider.close()


@pytest.fixture
def ledger(tmp_path):
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def journal(ledger):
    def make(guard=None, *, template=TEMPLATE, observe=lambda event: None, ledger=ledger):
        return AttemptLog(
            template,
            ledger=ledger,
            clock=lambda: NOON,
            observe=observe,
            guard=guard or Guard(),
        )

    return make


def reply(text="hello", tokens=(1, 10), **parts):
    return Reply(text, "small", Usage(*tokens), "stop", 5.0, 1.0, **parts)


def open_one(journal, provider, request=REQUEST, tier=TIER):
    return journal.open(request, tier, provider.kind, "answer")


def limited(usd, **changes):
    return Guard(Limits(budget_usd=Decimal(usd)), **changes)


def test_the_worst_case_is_the_whole_token_budget():
    assert WORST == worst_case(REQUEST, TIER, "remote")
    assert worst_case(REQUEST, replace(TIER, price=None), "remote") is None


def test_a_call_holds_its_worst_case_while_it_runs_and_its_cost_afterwards(journal, box, ledger):
    written = journal(limited("0.2"))
    first = open_one(written, box)
    with pytest.raises(BudgetExceeded):
        open_one(journal(limited("0.2")), box)

    written.close(first, reply(), TIER)
    open_one(journal(limited("0.2")), box)

    row = ledger.rows()[0]
    assert (Decimal("0.001001"), None, "ok") == (
        row["cost_usd"],
        row["reserved_usd"],
        row["status"],
    )


def test_a_call_that_failed_gives_back_what_it_held(journal, box):
    written = journal(limited("0.2"))
    for error in (Unavailable("down"), Unavailable("down again")):
        attempt = open_one(written, box)
        nothing = reply("", (0, 0))
        written.fail(attempt, replace(nothing, usage=Usage(estimated=True)), TIER, error)

    open_one(written, box)

    assert ["error", "error", "running"] == [one.status for one in written.attempts.values()]
    assert [None, None, WORST] == [one.reserved_usd for one in written.attempts.values()]


def test_a_refused_call_is_neither_in_the_journal_nor_in_the_ledger(journal, box, ledger):
    written = journal(limited("0.05"))

    with pytest.raises(BudgetExceeded):
        open_one(written, box)

    assert {} == written.attempts
    assert [] == ledger.rows()


def test_the_refusal_says_in_one_line_what_is_left_and_how_to_go_on(journal, box):
    with pytest.raises(BudgetExceeded) as refused:
        open_one(journal(limited("0.05")), box)

    assert (
        "a call could cost up to $0.10 and $0.05 is left of the session budget of $0.05; it was "
        "not sent: raise the budget with %route budget USD, or ask with %%route --over-budget "
        "(Python: over_budget=True)"
    ) == str(refused.value)
    assert Cap(Decimal("0.05"), "session", "s1") == refused.value.refusal.cap
    assert Decimal("0.05") == refused.value.refusal.left_usd


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            Limits(budget_usd_per_day=Decimal("0.05")),
            r"the budget for the day 2026-11-21 \(UTC\) of \$0.05.*raise budget_usd_per_day",
        ),
        (
            Limits(budget_usd_per_feature=Decimal("0.05")),
            r"the budget for the feature 'chat' of \$0.05.*raise budget_usd_per_feature",
        ),
        (
            Limits(budget_usd_per_feature={"chat": Decimal("0.05"), "search": Decimal(1)}),
            "the budget for the feature 'chat'",
        ),
    ],
)
def test_the_refusal_names_the_budget_that_is_spent(journal, box, limits, said):
    with pytest.raises(BudgetExceeded, match=said) as refused:
        open_one(journal(Guard(limits)), box)

    assert 1 == len(str(refused.value).splitlines())


def test_a_feature_that_has_no_budget_is_held_by_the_others_alone():
    limits = Limits(Decimal(3), None, {"chat": Decimal(1)})

    assert ["session"] == [cap.scope for cap in caps(limits, "s1", 0.0, "search")]
    assert ["session"] == [cap.scope for cap in caps(limits, "s1", 0.0, None)]
    assert ["session", "feature"] == [cap.scope for cap in caps(limits, "s1", 0.0, "chat")]


def test_a_call_that_may_go_over_the_budget_is_sent_and_counted(journal, box):
    open_one(journal(limited("0.05", over_budget=True)), box)

    with pytest.raises(BudgetExceeded, match=r"and \$0.10 is left of the session budget of \$0.2"):
        open_one(journal(limited("0.2")), box)


def test_going_over_the_budget_is_not_going_over_max_cost(journal, box):
    guard = Guard(Limits(Decimal(1)), max_cost=Decimal("0.01"), over_budget=True)

    with pytest.raises(BudgetExceeded, match=r"--max-cost \$0.01 is too little: LOW could"):
        open_one(journal(guard), box)


def test_max_cost_holds_for_all_that_one_call_sends(journal, box):
    written = journal(Guard(max_cost=Decimal("0.101")))
    written.close(open_one(written, box), reply(), TIER)

    with pytest.raises(BudgetExceeded, match=r"LOW \$0.001 \+ LOW \$0.10 could come") as refused:
        open_one(written, box)

    assert refused.value.refusal is None


def test_two_threads_of_one_call_cannot_overspend_max_cost_together(journal, box):
    written = journal(Guard(max_cost=3 * WORST))
    start = threading.Barrier(8)

    def one(_):
        start.wait()
        try:
            return open_one(written, box)
        except BudgetExceeded:
            return None

    with ThreadPoolExecutor(8) as pool:
        opened = [attempt for attempt in pool.map(one, range(8)) if attempt]

    assert 3 == len(opened) == len(written.attempts)


def test_threads_that_share_a_journal_lose_no_attempt(journal, box, ledger):
    written = journal()

    def one(number):
        attempt = open_one(written, box)
        written.close(attempt, reply(f"answer {number}"), TIER)
        return attempt.id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(one, range(40)))

    assert made == set(written.attempts)
    assert 40 == len(written.attempts) == ledger.spend().calls
    assert 40 * Decimal("0.001001") == written.spent() == ledger.spend().usd


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (limited("1"), "the session budget of .*cannot be kept.*--over-budget"),
        (Guard(max_cost=Decimal(1)), "--max-cost cannot be kept"),
    ],
)
def test_an_unknown_price_cannot_keep_a_limit(journal, box, guard, said):
    unpriced = replace(TIER, price=None)

    with pytest.raises(BudgetExceeded, match=f"price is not known \\('small'\\).*{said}"):
        open_one(journal(guard), box, tier=unpriced)
    open_one(journal(), box, tier=unpriced)


def test_a_free_model_with_no_reference_price_passes_every_limit(journal):
    bare = Tier("LOW", "simulated", "nothing-listed", 1000)
    guard = Guard(Limits(Decimal("0.01")), max_cost=Decimal("0.01"))

    attempt = journal(guard).open(REQUEST, bare, "simulated", "answer")

    assert (None, "running") == (attempt.reserved_usd, attempt.status)


def test_money_that_is_not_billed_is_held_to_the_same_budget(journal):
    simulated = replace(TIER, provider="simulated")
    written = journal(limited("0.15"))
    written.open(REQUEST, simulated, "simulated", "answer")

    with pytest.raises(BudgetExceeded, match=r"\$0.05"):
        written.open(REQUEST, simulated, "simulated", "answer")


def test_without_a_budget_an_unusable_ledger_is_a_notice_before_anything_is_sent(
    journal, box, tmp_path
):
    told = []
    (tmp_path / "file").write_text("no folder")
    with SqliteLedger(tmp_path / "file" / "ledger.sqlite") as broken:
        written = journal(observe=told.append, ledger=broken)
        attempt = open_one(written, box)

        assert ["kept in memory" in event.text for event in told] == [True]
        written.close(attempt, reply(), TIER)
    assert 1 == sum(isinstance(event, Notice) for event in told)


def test_with_a_budget_nothing_is_sent_that_cannot_be_counted(journal, box, ledger):
    open_one(journal(limited("1")), box)
    ledger.close()
    ledger.path.write_bytes(b"overwritten by something else" * 1000)
    written = journal(limited("1"))

    with pytest.raises(RecordError, match="cannot read the ledger"):
        open_one(written, box)

    assert {} == written.attempts


def test_a_verdict_is_written_to_the_answer_that_it_is_of(journal, box, ledger):
    written = journal()
    low, high = open_one(written, box), open_one(written, box)
    for attempt in (low, high):
        written.close(attempt, reply(rating=7.0, logprob=-0.5, id="gen-1"), TIER)

    rejected = written.reject(low.id, Verdict(False, "length", "too short"))
    unused = written.mark(high.id, status="unused", error="they agree")

    assert ("rejected", "length: too short") == (rejected.status, rejected.error)
    assert ("unused", "they agree") == (unused.status, unused.error)
    assert [rejected, unused] == list(written.attempts.values())
    for row in ledger.rows():
        assert (7.0, -0.5, "gen-1", "t1", Decimal("0.001001")) == (
            row["rating"],
            row["logprob"],
            row["generation"],
            row["thread"],
            row["cost_usd"],
        )


def test_an_answer_that_takes_the_place_of_a_lower_tiers_is_marked_as_escalated(
    journal, box, ledger
):
    written = journal()
    attempt = written.close(open_one(written, box), reply(), TIER)

    assert written.mark(attempt.id, escalated=True).escalated
    assert ledger.rows()[0]["escalated"]


def test_an_answer_out_of_the_cache_holds_nothing_and_has_no_bill_to_ask_for(journal, box):
    written = journal(limited("0.001"))

    attempt = written.reuse(REQUEST, TIER, box.kind, reply(id="gen-1"), "answer")

    assert (Decimal(0), None, None) == (
        attempt.cost_usd,
        attempt.reserved_usd,
        attempt.generation,
    )


def test_a_timed_out_call_is_counted_as_far_as_it_may_have_been_billed(journal, box):
    written = journal()
    attempt = open_one(written, box)

    usage = estimate(REQUEST)
    failed = written.fail(attempt, replace(reply(""), usage=usage), TIER, TimedOut("late"))

    assert (Decimal("0.000001"), None) == (failed.cost_usd, failed.reserved_usd)


class Words:
    """An embedder of this kind, without vectors of any use."""

    def __init__(self, kind):
        self.name, self.kind, self.provider, self.model = "words", kind, "box", "tiny-embed"

    def missing(self, texts):
        return list(texts)

    def embed(self, texts):
        return Embedded(np.zeros((len(texts), 2), "float32"), latency_ms=3.0)


def open_embedding(journal, embedder, tier, texts):
    messages = tuple(Message("user", text) for text in texts)
    request = Request(embedder.provider, embedder.model, messages, max_tokens=0)
    return journal.open(request, tier, embedder.kind, "embed")


def embedded(journal, embedder, tier, texts, made):
    attempt = open_embedding(journal, embedder, tier, texts)
    usage = made.usage or attempt.usage
    return journal.close(attempt, Reply("", "tiny", usage, None, made.latency_ms, None), tier)


def test_vectors_from_an_endpoint_are_an_attempt_at_their_price(journal, ledger):
    told = []
    tier = replace(TIER, model="tiny-embed")
    embedder = Words("remote")
    made = replace(embedder.embed(["a", "b"]), usage=Usage(1000))

    attempt = embedded(journal(observe=told.append), embedder, tier, ["a", "b"], made)

    assert ("embed", "tiny-embed", 1000, Decimal("0.001"), "configured", 3.0) == (
        attempt.purpose,
        attempt.model,
        attempt.input_tokens,
        attempt.cost_usd,
        attempt.cost_source,
        attempt.latency_ms,
    )
    assert [Attempted(attempt)] == told
    assert Decimal("0.001") == ledger.spend().usd


def test_tokens_that_an_embedder_did_not_count_are_estimated(journal):
    embedder = Words("remote")

    attempt = embedded(
        journal(),
        embedder,
        replace(TIER, model="tiny-embed"),
        ["word" * 10, "hi"],
        embedder.embed(["a"]),
    )

    assert (11, True, "estimated") == (
        attempt.input_tokens,
        attempt.tokens_estimated,
        attempt.cost_source,
    )


def test_vectors_over_the_budget_are_not_asked_for(journal, ledger):
    guard = Guard(Limits(budget_usd=Decimal("0.000001")))

    with pytest.raises(BudgetExceeded):
        open_embedding(journal(guard=guard), Words("remote"), TIER, ["a word " * 100])

    assert [] == ledger.rows()


def test_what_failing_vectors_had_cost_is_written_down(journal, ledger):
    error = Unavailable("down")
    error.usage = Usage(1000)
    tier = replace(TIER, model="tiny-embed")

    written = journal()

    attempt = open_embedding(written, Words("remote"), tier, ["a"])
    written.fail(attempt, replace(reply(""), usage=error.usage), tier, error)

    assert ("error", Decimal("0.001")) == (ledger.rows()[0]["status"], ledger.spend().usd)


def test_a_free_embedder_does_not_make_a_sum_unknown(journal, box):
    written = journal()
    embedder = Words("local")
    free = embedded(
        written, embedder, replace(TIER, price=None), ["a text"], embedder.embed(["a text"])
    )
    written.close(open_one(written, box), reply(), TIER)

    assert (Decimal(0), "equivalent") == (free.cost_usd, free.cost_source)
    assert Decimal("0.001001") == total_cost(tuple(written.attempts.values())).usd


@pytest.mark.parametrize("usd", [0, -1, "nan", "inf", "a dollar", "", True, float("nan")])
def test_a_budget_that_is_no_amount_is_refused(usd):
    with pytest.raises(SettingsError, match=f"a budget of {usd!r} cannot be kept"):
        with_budget(Limits(), usd)


def test_a_budget_can_be_set_in_dollars_and_lifted():
    limits = Limits(on_limit="cheaper")

    assert replace(limits, budget_usd=Decimal("0.50")) == with_budget(limits, "$0.50")
    assert Decimal("0.1") == with_budget(limits, 0.1).budget_usd
    assert limits == with_budget(with_budget(limits, 1), None)
