"""The journal of one call: what an attempt may cost, what it holds back, what it is written as."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from nbroute.budgets import Guard, Limits
from nbroute.engine.attempts import AttemptLog
from nbroute.errors import BudgetExceeded, RecordError, Unavailable
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import (
    Attempt,
    Attempted,
    Cap,
    Message,
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
USD = Decimal("0.05")
TEMPLATE = Attempt("", NOON, "s1", "r1", "", "", "remote", "", feature="chat", thread="t1")


@pytest.fixture
def ledger(tmp_path):
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def journal(ledger):
    def make(guard=None, *, observe=lambda event: None, ledger=ledger):
        clock = lambda: NOON  # noqa: E731
        guard = guard or Guard()
        return AttemptLog(TEMPLATE, ledger=ledger, clock=clock, observe=observe, guard=guard)

    return make


def reply(text="hello", tokens=(1, 10), **parts):
    return Reply(text, "small", Usage(*tokens), "stop", 5.0, 1.0, **parts)


def open_one(journal, tier=TIER, kind="remote"):
    return journal.open(REQUEST, tier, kind, "answer")


def limited(usd, **changes):
    return Guard(Limits(budget_usd=Decimal(usd)), **changes)


def test_a_call_holds_its_worst_case_while_it_runs_and_then_its_cost_or_nothing(journal, ledger):
    written = journal(limited("0.2"))
    first = open_one(written)
    with pytest.raises(BudgetExceeded):
        open_one(journal(limited("0.2")))

    written.close(first, reply(), TIER)
    nothing = replace(reply("", (0, 0)), usage=Usage(estimated=True))
    for _ in range(2):
        failed = written.fail(open_one(written), nothing, TIER, Unavailable("down"))
        assert ("error", None) == (failed.status, failed.reserved_usd)
    assert WORST == open_one(written).reserved_usd

    row = ledger.rows()[0]
    assert (Decimal("0.001001"), None, "ok") == (
        row["cost_usd"],
        row["reserved_usd"],
        row["status"],
    )


def test_a_refused_call_is_nowhere_written_and_says_what_is_left_and_how_to_go_on(journal, ledger):
    written = journal(limited("0.05"))
    with pytest.raises(BudgetExceeded) as refused:
        open_one(written)

    assert ({}, []) == (written.attempts, ledger.rows())
    assert (
        "a call could cost up to $0.10 and $0.05 is left of the session budget of $0.05; it was "
        "not sent: raise the budget with %route budget USD, or ask with %%route --over-budget "
        "(Python: over_budget=True)"
    ) == str(refused.value)
    assert Cap(Decimal("0.05"), "session", "s1") == refused.value.refusal.cap
    assert Decimal("0.05") == refused.value.refusal.left_usd


@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        (
            "budget_usd_per_day",
            USD,
            r"the day 2026-11-21 \(UTC\) of \$0.05.*raise .*per_day",
        ),
        (
            "budget_usd_per_feature",
            USD,
            r"the feature 'chat' of \$0.05.*raise .*per_feature",
        ),
        ("budget_usd_per_feature", {"chat": USD, "search": Decimal(1)}, "the feature 'chat'"),
    ],
)
def test_the_refusal_names_the_budget_that_is_spent(journal, name, limit, said):
    with pytest.raises(BudgetExceeded, match=f"the budget for {said}") as refused:
        open_one(journal(Guard(Limits(**{name: limit}))))

    assert 1 == len(str(refused.value).splitlines())


def test_a_call_that_may_go_over_the_budget_is_counted_and_may_not_go_over_max_cost(journal):
    open_one(journal(limited("0.05", over_budget=True)))

    with pytest.raises(BudgetExceeded, match=r"and \$0.10 is left of the session budget of \$0.2"):
        open_one(journal(limited("0.2")))
    guard = Guard(Limits(Decimal(1)), max_cost=Decimal("0.01"), over_budget=True)
    with pytest.raises(BudgetExceeded, match=r"--max-cost \$0.01 is too little: LOW could"):
        open_one(journal(guard))


def test_max_cost_is_for_all_that_one_call_sends(journal):
    written = journal(Guard(max_cost=Decimal("0.101")))
    written.close(open_one(written), reply(), TIER)

    with pytest.raises(BudgetExceeded, match=r"LOW \$0.001 \+ LOW \$0.10 could come") as refused:
        open_one(written)
    assert refused.value.refusal is None


def test_two_threads_of_one_call_cannot_overspend_max_cost_together(journal):
    written = journal(Guard(max_cost=3 * WORST))
    start = threading.Barrier(8)

    def one(_):
        start.wait()
        try:
            return open_one(written)
        except BudgetExceeded:
            return None

    with ThreadPoolExecutor(8) as pool:
        opened = [attempt for attempt in pool.map(one, range(8)) if attempt]

    assert 3 == len(opened) == len(written.attempts)


def test_a_free_model_with_no_reference_price_passes_and_one_with_it_is_held_to_the_budget(journal):
    guard = Guard(Limits(Decimal("0.01")), max_cost=Decimal("0.01"))
    bare = Tier("LOW", "simulated", "nothing-listed", 1000)
    attempt = open_one(journal(guard), bare, "simulated")
    assert (None, "running") == (attempt.reserved_usd, attempt.status)

    simulated = replace(TIER, provider="simulated")
    written = journal(limited("0.15"))
    open_one(written, simulated, "simulated")
    with pytest.raises(BudgetExceeded, match=r"\$0.05"):
        open_one(written, simulated, "simulated")


def test_with_a_budget_nothing_is_sent_that_cannot_be_counted(journal, ledger):
    open_one(journal(limited("1")))
    ledger.close()
    ledger.path.write_bytes(b"overwritten by something else" * 1000)
    written = journal(limited("1"))

    with pytest.raises(RecordError, match="cannot read the ledger"):
        open_one(written)

    assert {} == written.attempts


def test_a_verdict_is_written_to_the_answer_that_it_is_of(journal, ledger):
    written = journal()
    low, high = open_one(written), open_one(written)
    for attempt in (low, high):
        written.close(attempt, reply(rating=7.0, logprob=-0.5, id="gen-1"), TIER)

    rejected = written.reject(low.id, Verdict(False, "length", "too short"))
    unused = written.mark(high.id, status="unused", error="they agree")

    assert ("rejected", "length: too short") == (rejected.status, rejected.error)
    assert ("unused", "they agree") == (unused.status, unused.error)
    assert [rejected, unused] == list(written.attempts.values())
    kept = {"rating": 7.0, "logprob": -0.5, "generation": "gen-1", "thread": "t1"}
    for row in ledger.rows():
        assert kept | {"cost_usd": Decimal("0.001001")} == {k: row[k] for k in (*kept, "cost_usd")}
    assert written.mark(high.id, escalated=True).escalated
    assert [False, True] == [bool(row["escalated"]) for row in ledger.rows()]


EMBED = replace(TIER, model="tiny-embed")


def open_embedding(journal, tier, *texts, kind="remote"):
    request = Request("box", "tiny-embed", tuple(Message("user", text) for text in texts), 0)
    return journal.open(request, tier, kind, "embed")


def embedded(usage):
    return Reply("", "tiny", usage, None, 3.0, None)


def test_vectors_from_an_endpoint_are_an_attempt_at_their_price(journal, ledger):
    told = []
    written = journal(observe=told.append)
    opened = open_embedding(written, EMBED, "word" * 10, "hi")

    attempt = written.close(opened, embedded(Usage(1000)), EMBED)

    assert ("embed", "tiny-embed", 1000) == (attempt.purpose, attempt.model, attempt.input_tokens)
    assert (Decimal("0.001"), "configured") == (attempt.cost_usd, attempt.cost_source)
    assert 3.0 == attempt.latency_ms
    assert [Attempted(attempt)] == told
    assert Decimal("0.001") == ledger.spend().usd
    # what an embedder does not count is estimated, from its texts
    assert (11, True) == (opened.usage.input_tokens, opened.usage.estimated)
    uncounted = written.close(open_embedding(written, EMBED, "hi"), embedded(opened.usage), EMBED)
    assert (11, "estimated") == (uncounted.input_tokens, uncounted.cost_source)


def test_vectors_over_the_budget_are_not_asked_for_and_failed_ones_are_paid_for(journal, ledger):
    with pytest.raises(BudgetExceeded):
        open_embedding(journal(limited("0.000001")), TIER, "a word " * 100)
    assert [] == ledger.rows()

    written = journal()
    failed = open_embedding(written, EMBED, "a")
    written.fail(failed, embedded(Usage(1000)), EMBED, Unavailable("down"))
    assert ("error", Decimal("0.001")) == (ledger.rows()[0]["status"], ledger.spend().usd)


def test_a_free_embedder_does_not_make_a_sum_unknown(journal):
    written, unpriced = journal(), replace(TIER, price=None)
    opened = open_embedding(written, unpriced, "a text", kind="local")
    free = written.close(opened, embedded(opened.usage), unpriced)
    written.close(open_one(written), reply(), TIER)

    assert (Decimal(0), "equivalent") == (free.cost_usd, free.cost_source)
    assert Decimal("0.001001") == total_cost(tuple(written.attempts.values())).usd
