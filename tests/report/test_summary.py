from __future__ import annotations

import json
import math
from dataclasses import asdict
from decimal import Decimal

import pytest
from reports import DAY, NOON, TIERS, report, row

from nbroute.errors import SettingsError
from nbroute.report import Spend, record
from nbroute.types import Attempt, Decision, Options, Plan, Repeats, RouteResult, Rung, Verdict


def escalated(parent="r1", result="r2", **changes):
    usual = {"parent": parent, "tier": "MEDIUM", "escalated": True, "cost_usd": 0.05}
    return row(result, **(usual | changes))


UNKNOWN = {"cost_usd": None, "cost_source": "unknown"}
UNBILLED = {"cost_usd": 0.04, "cost_source": "equivalent"}
NO_REFERENCE = {"cost_usd": None, "cost_source": "equivalent"}
CACHED = {"cached": True, "cost_usd": 0.0}


MIXED = [row("r1"), row("r2", status="rejected"), row("r2", tier="MEDIUM", escalated=True)]
MIXED += [row("r3"), escalated("r3", "r4"), row("r5", status="error"), row("r6", tier="MEDIUM")]
MIXED += [escalated("r6", "r7", ts=NOON + 1), row("r8")]
UP = {"escalated": True, "ts": NOON + 1}
LOW, MID, MID_UP = row("a"), row("a", tier="MEDIUM"), row("b", parent="a", tier="MEDIUM", **UP)


def test_the_escalation_rate_is_of_what_the_lowest_tier_answered():
    for rows, rate in (
        (MIXED, 0.5),
        ([LOW, MID_UP, row("c", parent="b", ts=NOON + 2)], 1.0),
        ([MID, row("b", parent="a", tier="FRONTIER", **UP)], None),
        ([row("a", tier="MEDIUM", escalated=True), row("a", status="rejected")], 1.0),  # at once
        ([row("c1", comparison="x1"), escalated("c1")], None),
        ([row("r1"), row("r1", tier="FRONTIER", status="unused")], 0.0),
        ([row("r1", status="unused"), row("r1", tier="FRONTIER")], None),
    ):
        assert rate == report(*rows).escalation_rate


def test_the_escalation_rate_is_judged_by_the_articles_thresholds():
    rows = [row(f"r{n}") for n in range(10)]
    climbed = [escalated(f"r{n}", f"e{n}") for n in range(2)]

    assert "fair, 10% to 20%" == report(*rows, *climbed).escalation_verdict


def test_latency_percentiles_are_by_nearest_rank_over_what_was_sent():
    sent = [row(f"r{n}", latency_ms=float(n)) for n in range(1, 21)]
    not_timed = [row("r30", **CACHED), row("r31", status="error"), row("r32", status="running")]
    not_timed += [row("r1", purpose="classify"), row("c9", comparison="x1", status="error")]
    told = report(*sent, *not_timed, row("r11", tier="FRONTIER", latency_ms=1_000.0))

    assert {"SIMPLE": (20, 10.0, 19.0), "FRONTIER": (1, 1_000.0, 1_000.0)} == told.latency
    assert (21, 11.0, 20.0) == told.overall_latency
    assert report(*not_timed).overall_latency is None


SPENDS_TOO = [row(purpose="classify", cost_usd=0.001), row(purpose="embed", cost_usd=0.002)]


def test_the_saving_is_the_baseline_less_all_that_was_spent():
    for rows, baseline, saved in (
        ([*SPENDS_TOO, row(status="error", cost_usd=0.002), row()], "0.2", "0.185"),
        # a chain of escalations is one answer
        ([row(output_tokens=1), escalated(ts=NOON + 1)], "0.2", "0.14"),
        # a rejected answer costs money and is not the answer, unless all were rejected
        ([row(status="rejected", output_tokens=900_000), row(tier="MEDIUM")], "0.2", "0.18"),
        ([row(status="rejected", output_tokens=0), row(status="rejected")], "0.2", "0.18"),
        # an attempt that fails later or is stopped undoes nothing
        ([row(), escalated(ts=NOON + 1, status="error")], "0.2", "0.14"),
        ([row(**CACHED)], "0", "0"),
        # the last answer of a chain counts
        ([row(), escalated(), row("r1", ts=NOON + 1, input_tokens=20_000)], "0.3", "0.23"),
        # answers that are unused or compared are paid for
        ([row(), row(tier="FRONTIER", status="unused", cost_usd=0.05)], "0.2", "0.14"),
        ([row(), row("c1", comparison="x1", cost_usd=0.5)], "0.2", "-0.31"),
    ):
        saving = report(*rows).saving

        assert (Decimal(baseline), Decimal(saved)) == (saving.baseline_usd, saving.usd)
        assert saving.usd == saving.baseline_usd - saving.spent_usd


def test_a_saving_is_unknown_without_a_price_and_where_a_cost_is():
    no_price, no_cost = report(row(), price=None), report(row("r1"), row("r2", **UNKNOWN))

    assert no_price.saving.usd is no_cost.saving.usd is None
    assert "saving: unknown, FRONTIER has no known price" in str(no_price)
    assert "saving: unknown, 1 call of unknown cost" in str(no_cost)
    assert "$0.01 + 1 unknown" in str(no_cost)


def test_real_money_and_equivalents_are_two_savings():
    told = report(row("r1", **UNBILLED), row("r1", purpose="classify", cost_usd=0.001), row("r2"))

    assert (Decimal("0.189"), Decimal("0.16")) == (told.saving.usd, told.equivalent_saving.usd)
    assert (Decimal("0.011"), Decimal("0.04")) == (told.spend.usd, told.spend.equivalent_usd)
    assert "\nspent: $0.011, 3 calls, $0.04 not billed\n" in str(told)
    alone = str(report(row(**UNBILLED), row("r2", **NO_REFERENCE)))
    assert "\nspent: $0, 2 calls, would have cost $0.04, 1 of unknown cost\n" in alone

    told = report(row("r1", tier="MEDIUM", **NO_REFERENCE), row("r2"))

    assert (Decimal("0.19"), None) == (told.saving.usd, told.equivalent_saving.usd)
    assert 1 == told.spend.unknown_calls


def made(name, result, **changes):
    usual = {"tier": "SIMPLE", "provider": "openrouter", "provider_kind": "remote"}
    usual |= {"model": "mini", "cost_usd": Decimal("0.25"), "cost_source": "list"}
    usual |= {"latency_ms": 100.0, "msg_hash": "abc", "ts": NOON, "session": "s1"}
    return Attempt(id=name, result=result, **(usual | changes))


def test_a_report_reads_the_same_from_rows_attempts_and_mappings_and_spends_add_up():
    attempts = [made("a1", "r1"), made("a2", "r2", **UNKNOWN)]

    told = report(*attempts)

    assert told == report(*map(asdict, attempts))
    quarter = Decimal("0.25")
    assert Spend(quarter, unknown_calls=1, calls=2, by_source={"list": quarter}) == told.spend
    one = Spend(Decimal(1), Decimal(2), 3, 4, 5, {"list": Decimal(1)}, 2)
    assert Spend(Decimal(2), Decimal(4), 6, 8, 10, {"list": Decimal(2)}, 4) == one + one


TEXT = """\
6 results from 15 calls, 1 cached, 1 failed, 1 rejected, 1 interrupted, 1 unused, 1 never ended
spent: $1.06, 15 calls, 1 cached
  of which classifying: $0.001, 1 call
  of which embedding: $0.002, 1 call
  of which beside the answer that was used: $0.05, 1 call
  of which comparing: $0.52, 2 calls
  of which auditing and judging: $0.40, 2 calls
no saving: $0.26 more than all on FRONTIER (estimate, net, auditing included)
  FRONTIER is priced on the recorded tokens, with no prompt cache: $10 in, $20 out per million

tier      results  share  calls   spent  half within  95% within
SIMPLE          3    60%     10  $0.453       0.10 s      0.10 s
MEDIUM          1    20%      1  $0.050       0.10 s      0.10 s
FRONTIER        0     0%      3  $0.550       0.10 s      0.10 s
OLD TIER        1    20%      1  $0.003       0.10 s      0.10 s
together        5            15  $1.056       0.10 s      0.10 s
SIMPLE answers 60% of the results (over 50% is usual for support and Q&A)
SIMPLE escalates 25% of what it answers: over 20%, look at the classifier or the checks

model  calls  spent
mini      15  $1.06

feature  calls  spent
(none)      12  $0.99
bot          3  $0.07

feature and day (UTC)  calls  spent
(none) 2026-11-21         12  $0.99
bot 2026-11-21             3  $0.07"""


def test_the_text_of_a_report_says_what_happened():
    told = report(
        row("r1", feature="bot"),
        row("r2", feature="bot", status="rejected"),
        row("r2", feature="bot", tier="MEDIUM", escalated=True, cost_usd=0.05),
        row("r3", **CACHED),
        row("r4", status="error", tier="FRONTIER", cost_usd=0.0),
        row("r4", tier="OLD TIER", cost_usd=0.003),
        row("r5", status="interrupted"),
        row("r6", status="running", cost_usd=0.0),
        *SPENDS_TOO,
        row("r1", tier="FRONTIER", status="unused", cost_usd=0.05),
        row("c1", comparison="x1", cost_usd=0.02),
        row("c2", comparison="x1", tier="FRONTIER", cost_usd=0.5),
        row("a1", purpose="audit", cost_usd=0.3),
        row("a2", purpose="judge", cost_usd=0.1),
    )

    assert TEXT == str(told)


def test_a_frame_has_a_row_for_every_tier_and_what_is_not_known_is_not_zero():
    frame = report(row(), row("r2", tier="FRONTIER", cost_usd=0.5)).frame()

    assert list(TIERS) == list(frame["tier"])
    assert [[0.01, 0.0, 0.5], [0.5, 0.0, 0.5]] == [list(frame[c]) for c in ("usd", "share")]
    assert math.isnan(frame["p95_ms"][1])

    frame = report(row("r1", **UNKNOWN), row("r2", tier="MEDIUM", **NO_REFERENCE)).frame()

    assert [True, False, False] == [math.isnan(usd) for usd in frame["usd"]]
    assert [False, True, False] == [math.isnan(usd) for usd in frame["equivalent_usd"]]
    assert [1, 1, 0] == list(frame["unknown_calls"])


BY = {
    "model model usd calls": [("mini", 0.011, 3), ("opus", 0.5, 1)],
    "feature feature usd": [("", 0.5), ("bot", 0.011)],
    "feature_day feature day usd": [("", "2026-11-22", 0.5), ("bot", "2026-11-21", 0.011)],
    "day day calls cached_calls": [("2026-11-21", 2, 0), ("2026-11-22", 2, 1)],
    "daily day tier usd": [("2026-11-21", "SIMPLE", 0.011), ("2026-11-22", "FRONTIER", 0.5)],
    "use use usd": [("answering", 0.51), ("classifying", 0.001)],
    "status status calls": [("ok", 4)],
}


def test_frames_tell_spend_by_model_feature_day_use_and_status_with_no_calls_too():
    told = report(
        row("r1", feature="bot"),
        row("r1", feature="bot", purpose="classify", cost_usd=0.001),
        row("r2", tier="FRONTIER", model="opus", cost_usd=0.5, ts=NOON + DAY),
        row("r3", tier="FRONTIER", ts=NOON + DAY, **CACHED),
    )

    for asked, rows in BY.items():
        name, *columns = asked.split()
        assert rows == list(told.frame(name)[columns].itertuples(index=False, name=None)), name
    assert "2026-11-22      2       1  $0.500      $0      $0     $0.50" in str(told)
    empty, full = report().frames(), told.frames()
    assert ["tier", *(asked.split()[0] for asked in BY)] == list(empty) == list(full)
    for name, frame in full.items():
        assert frame.dtypes.to_dict() == empty[name].dtypes.to_dict()


RECORD = {
    "schema": 1, "id": "r1", "parent": "r0", "session": "s1", "ts": NOON - 1, "msg_hash": "abc",
    "feature": None, "tier": "MEDIUM", "model": "mini", "provider": "openrouter",
    "provider_kind": "remote", "strategy": "direct", "classifier": "rules", "confidence": 0.93,
    "reason": "7 words", "status": "ok", "cost_usd": 0.51, "cost_source": "list",
    "input_tokens": 21, "output_tokens": 0, "latency_ms": 300.0, "ttft_ms": 7.0,
    "escalated": True, "cached": False, "passed": True, "thread": None, "effort": None,
    "reasoning_tokens": 0, "repeats": {"asked": 3, "answered": 2, "agree": 1},
    "rungs": [
        {"tier": "SIMPLE", "passed": False, "check": "length"},
        {"tier": "MEDIUM", "passed": True, "check": None},
    ],
}  # fmt: skip


def test_a_record_has_the_result_in_json_without_prompt_and_answer_and_null_for_what_is_unknown():
    def routed(*attempts, **changes):
        decision, plan = Decision("SIMPLE", "rules", "7 words", 0.93), Plan("cascade", ())
        made = {"decision": decision, "plan": plan, "options": Options(strategy="cascade")}
        return RouteResult("r1", "the prompt", "the answer", attempts=attempts, **made, **changes)

    result = routed(
        made("a0", "r1", ts=NOON - 1, purpose="classify", cost_usd=Decimal("0.01")),
        made("a1", "r1", status="rejected", error="length: too short", ttft_ms=5.0),
        made("a2", "r1", tier="MEDIUM", escalated=True, parent="r0", ttft_ms=7.0, input_tokens=21),
        rungs=(
            Rung("SIMPLE", "a1", (Verdict(False, "length", "it says 'secret'"),)),
            Rung("MEDIUM", "a2", (Verdict(True, "length"),)),
        ),
        repeats=Repeats(3, ("a1", "a2"), ("a2",), "value", "the answer itself"),
    )

    told = json.loads(json.dumps(record(result), allow_nan=False))

    attempts = told.pop("attempts")
    assert RECORD == told
    assert ["classify", "answer", "answer"] == [attempt["purpose"] for attempt in attempts]
    assert ("rejected", "length: too short") == (attempts[1]["status"], attempts[1]["error"])
    told = record(routed(made("a1", "r1", **UNKNOWN)))
    assert [None, None] == [told["cost_usd"], told["attempts"][0]["cost_usd"]]


def test_the_router_reports_over_no_calls_and_with_the_models_name(router):
    empty = router.report()
    assert (0, {}, None) == (empty.calls, empty.tier_share, empty.escalation_rate)
    assert "no calls recorded yet" == str(empty)

    router.route("hello")
    router.route("hello", tier="MID", cache="off", comparison="c1")
    router.route("hello", tier="MID", cache="off", purpose="audit")

    told = router.report()
    assert (1, 1, 1) == (told.results, told.comparing.calls, told.by_use["auditing"].calls)
    with pytest.raises(SettingsError, match="unknown purpose 'jugde'"):
        router.route("hello", purpose="jugde")
    assert "TOP (large) is priced on the recorded tokens" in str(told)
