from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from decimal import Decimal

import pytest
from reports import DAY, NOON, PRICE, TIERS, report, row

from nbroute.errors import SettingsError
from nbroute.report import Spend, record, summarise
from nbroute.types import Attempt, Decision, Options, Plan, RouteResult


def usd(groups):
    return {name: float(spend.usd) for name, spend in groups.items()}


def escalated(parent="r1", result="r2", **changes):
    return row(result, parent=parent, tier="MEDIUM", escalated=True, cost_usd=0.05, **changes)


def test_a_report_of_nothing_has_no_rates_and_can_be_shown():
    empty = report()

    assert 0 == empty.calls
    assert {} == empty.tier_share
    assert empty.escalation_rate is None
    assert Decimal(0) == empty.saving.usd
    assert "no calls recorded yet" == str(empty)
    assert list(TIERS) == list(empty.frame()["tier"])


def test_spend_is_told_by_tier_model_feature_and_day():
    told = report(
        row("r1", feature="bot"),
        row("r2", feature="bot", ts=NOON + DAY),
        row("r3", tier="FRONTIER", model="opus", cost_usd=0.5),
    )

    assert {"SIMPLE": 0.02, "MEDIUM": 0.0, "FRONTIER": 0.5} == usd(told.by_tier)
    assert {"mini": 0.02, "opus": 0.5} == usd(told.by_model)
    assert {"": 0.5, "bot": 0.02} == usd(told.by_feature)
    assert {
        ("", "2026-11-21"): 0.5,
        ("bot", "2026-11-21"): 0.01,
        ("bot", "2026-11-22"): 0.01,
    } == usd(told.by_feature_day)


def test_the_share_of_a_tier_counts_the_answers_that_stand():
    told = report(
        row("r1", status="rejected"),
        row("r1", tier="MEDIUM", escalated=True),
        row("r2"),
        row("r3", status="error", tier="FRONTIER"),
        row("r4", tier="OLD TIER"),
        row("r5"),
    )

    assert {"SIMPLE": 0.5, "MEDIUM": 0.25, "FRONTIER": 0, "OLD TIER": 0.25} == told.tier_share
    assert 5 == told.results
    assert 6 == told.calls


def test_the_escalation_rate_is_of_what_the_lowest_tier_answered():
    told = report(
        row("r1"),
        row("r2", status="rejected"),
        row("r2", tier="MEDIUM", escalated=True),
        row("r3"),
        escalated("r3", "r4"),
        row("r5", status="error"),
        row("r6", tier="MEDIUM"),
        escalated("r6", "r7", ts=NOON + 1),
        row("r8"),
    )

    assert 0.5 == told.escalation_rate


def chain(*steps):
    """Answers of one chain, each of a result of its own: `(tier, whether it went up)`."""
    return [
        row(f"c{n}", parent=f"c{n - 1}" if n else None, tier=tier, escalated=up, ts=NOON + n)
        for n, (tier, up) in enumerate(steps)
    ]


@pytest.mark.parametrize(
    ("steps", "rate"),
    [
        ([("MEDIUM", False), ("COMPLEX", True), ("FRONTIER", True), ("SIMPLE", False)], 0.0),
        ([("SIMPLE", False), ("FRONTIER", True), ("SIMPLE", False)], 1.0),
        ([("MEDIUM", False), ("SIMPLE", False), ("COMPLEX", True)], 1.0),
        ([("MEDIUM", False), ("COMPLEX", True)], None),
    ],
)
def test_only_what_went_up_from_the_lowest_tier_counts_as_escalated(steps, rate):
    assert rate == report(*chain(*steps)).escalation_rate


def test_two_tiers_at_once_count_whichever_ended_first():
    upper = row("r1", tier="MEDIUM", escalated=True)

    assert 1.0 == report(upper, row("r1", status="rejected")).escalation_rate


@pytest.mark.parametrize(
    ("climbing", "verdict"),
    [
        (0, "good, under 10%"),
        (1, "fair, 10% to 20%"),
        (2, "fair, 10% to 20%"),
        (3, "over 20%, look at the classifier"),
    ],
)
def test_the_escalation_rate_is_judged_by_the_articles_thresholds(climbing, verdict):
    rows = [row(f"r{n}") for n in range(10)]
    rows += [escalated(f"r{n}", f"e{n}") for n in range(climbing)]

    assert verdict == report(*rows).escalation_verdict


def test_latency_percentiles_are_by_nearest_rank_over_what_was_sent():
    rows = [row(f"r{n}", latency_ms=float(n)) for n in range(1, 21)]
    rows += [row("cached", cached=True, latency_ms=0.0), row("bad", status="error", latency_ms=1e6)]
    rows += [row("r1", purpose="classify", latency_ms=1e6)]

    assert {"SIMPLE": (20, 10.0, 19.0)} == report(*rows).latency


def test_the_percentiles_of_one_call_are_that_call():
    assert {"SIMPLE": (1, 100.0, 100.0)} == report(row()).latency


def test_cache_hits_and_failures_are_counted():
    told = report(
        row("r1", cached=True, cost_usd=0.0),
        row("r2", status="error", cost_usd=0.0),
        row("r2"),
        row("r3", status="interrupted"),
        row("r4", status="running"),
    )

    assert (5, 1, 1) == (told.calls, told.cache_hits, told.statuses["error"])
    assert {"ok": 2, "error": 1, "interrupted": 1, "running": 1} == told.statuses


def test_the_saving_is_the_baseline_less_all_that_was_spent():
    told = report(
        row("r1", purpose="classify", cost_usd=0.001),
        row("r1", status="error", cost_usd=0.002),
        row("r1"),
    )

    assert Decimal("0.2") == told.saving.baseline_usd
    assert Decimal("0.013") == told.saving.spent_usd
    assert Decimal("0.187") == told.saving.usd
    assert Decimal("0.001") == told.by_use["classifying"].usd


def test_a_chain_of_escalations_is_one_answer_on_the_baseline():
    told = report(
        row("r1", output_tokens=1),
        escalated("r1", "r2", ts=NOON + 1, output_tokens=2),
        row("r3", parent="r2", tier="FRONTIER", escalated=True, ts=NOON + 2, cost_usd=0.25),
    )

    assert Decimal("0.2") == told.saving.baseline_usd
    assert Decimal("-0.11") == told.saving.usd


def test_a_rejected_answer_costs_and_is_not_the_one_that_stands():
    told = report(row(status="rejected", output_tokens=900_000), row(tier="MEDIUM", escalated=True))

    assert Decimal("0.2") - Decimal("0.02") == told.saving.usd


def test_the_best_there_is_stands_where_every_answer_was_rejected():
    told = report(row(status="rejected", output_tokens=0), row(status="rejected", tier="MEDIUM"))

    assert Decimal("0.2") == told.saving.baseline_usd
    assert 1 == told.answered["MEDIUM"]


def test_an_answer_that_stands_is_not_undone_by_a_later_failure():
    told = report(row("r1"), escalated("r1", "r2", ts=NOON + 1, status="error"))

    assert Decimal("0.2") == told.saving.baseline_usd
    assert Decimal("0.14") == told.saving.usd


def test_an_answer_that_stands_is_not_undone_by_one_that_was_stopped():
    stopped = escalated("r1", "r2", ts=NOON + 1, status="interrupted", output_tokens=1)

    assert Decimal("0.2") == report(row("r1"), stopped).saving.baseline_usd


def test_a_cached_answer_saves_nothing_as_the_baseline_would_have_had_it_too():
    told = report(row(cached=True, cost_usd=0.0))

    assert 0 == told.saving.usd


def test_an_escalation_whose_parent_is_in_another_session_is_a_chain_of_its_own():
    told = report(escalated("elsewhere", "r2"), escalated("elsewhere", "r3"))

    assert Decimal("0.2") == told.saving.baseline_usd


def test_a_saving_is_unknown_without_a_price():
    told = report(row(), price=None)

    assert told.saving.usd is None
    assert "saving: unknown, FRONTIER has no known price" in str(told)


def test_a_saving_is_unknown_where_a_cost_is():
    told = report(row("r1"), row("r2", cost_usd=None, cost_source="unknown"))

    assert told.saving.usd is None
    assert 1 == told.saving.unknown_calls
    assert "saving: unknown, 1 call of unknown cost" in str(told)
    assert "$0.01 + 1 unknown" in str(told)


def test_real_money_and_equivalents_are_two_savings():
    told = report(
        row("r1", cost_source="equivalent", cost_usd=0.04),
        row("r1", purpose="classify", cost_usd=0.001),
        row("r2"),
    )

    assert Decimal("0.2") - Decimal("0.011") == told.saving.usd
    assert Decimal("0.2") - Decimal("0.04") == told.equivalent_saving.usd
    assert Decimal("0.011") == told.spend.usd
    assert Decimal("0.04") == told.spend.equivalent_usd


def test_a_local_model_without_a_reference_leaves_the_real_saving_known():
    told = report(row("r1", cost_source="equivalent", cost_usd=None), row("r2"))

    assert Decimal("0.19") == told.saving.usd
    assert told.equivalent_saving.usd is None
    assert 1 == told.spend.unknown_calls


def test_a_report_reads_the_same_from_rows_attempts_and_mappings():
    attempts = [made("a1", "r1"), made("a2", "r2", cost_usd=None, cost_source="unknown")]

    from_attempts = report(*attempts)

    assert from_attempts == report(*map(asdict, attempts))
    assert Spend(
        Decimal("0.25"), unknown_calls=1, calls=2, by_source={"list": Decimal("0.25")}
    ) == (from_attempts.spend)


TEXT = """\
3 results from 5 calls, 1 cached, 1 rejected
spent: $0.071, 5 calls, 1 cached
  of which classifying: $0.001, 1 call
saving: $0.33 less than all on FRONTIER (estimate, net)
  FRONTIER is priced on the recorded tokens, with no prompt cache: $10 in, $20 out per million

tier      results  share  calls   spent  half within  95% within
SIMPLE          2    67%      4  $0.021       0.10 s      0.10 s
MEDIUM          1    33%      1  $0.050       0.10 s      0.10 s
FRONTIER        0     0%      0      $0            -           -
together        3             5  $0.071       0.10 s      0.10 s
SIMPLE answers 67% of the results (over 50% is usual for support and Q&A)
SIMPLE escalates 33% of what it answers: over 20%, look at the classifier

model  calls   spent
mini       5  $0.071

feature  calls   spent
(none)       2  $0.001
bot          3  $0.070

feature and day (UTC)  calls   spent
(none) 2026-11-21          2  $0.001
bot 2026-11-21             3  $0.070"""


def test_the_text_of_a_report_says_what_happened():
    told = str(
        report(
            row("r1", feature="bot"),
            row("r2", feature="bot", status="rejected"),
            row("r2", feature="bot", tier="MEDIUM", escalated=True, cost_usd=0.05),
            row("r3", purpose="classify", cost_usd=0.001),
            row("r3", cached=True, cost_usd=0.0),
        )
    )

    assert TEXT == told


def test_routing_that_cost_more_than_the_baseline_says_so():
    assert "$0.30 more than all on FRONTIER" in str(report(row(cost_usd=0.5)))


def test_the_text_tells_equivalents_as_money_that_was_not_billed():
    told = str(report(row(cost_source="equivalent", cost_usd=0.04)))

    assert "spent: $0, 1 call, would have cost $0.04" in told
    assert "saving, had it been billed: $0.16 less than all on FRONTIER" in told
    assert "\nsaving:" not in told


def test_a_frame_has_a_row_for_every_tier():
    frame = report(row(), row("r2", tier="FRONTIER", cost_usd=0.5)).frame()

    assert list(TIERS) == list(frame["tier"])
    assert [0.01, 0.0, 0.5] == list(frame["usd"])
    assert [0.5, 0.0, 0.5] == list(frame["share"])
    assert math.isnan(frame["p95_ms"][1])


def test_the_last_answer_of_a_chain_stands_whichever_of_its_results_it_belongs_to():
    told = report(row("r1"), escalated("r1", "r2"), row("r1", ts=NOON + 1, input_tokens=20_000))

    assert Decimal("0.3") == told.saving.baseline_usd


def test_an_answer_beside_the_one_that_was_kept_is_paid_for_and_is_no_escalation():
    both = report(
        row("r1"),
        row("r1", tier="FRONTIER", status="unused", cost_usd=0.05, latency_ms=900.0),
    )

    assert Decimal("0.06") == both.spend.usd
    assert (Decimal("0.05"), 1) == (both.by_use["beside"].usd, both.by_use["beside"].calls)
    assert {"SIMPLE": 1, "MEDIUM": 0, "FRONTIER": 0} == both.answered
    assert (1, 0.0) == (both.lowest_answered, both.escalation_rate)
    assert 900.0 == both.latency["FRONTIER"].p50_ms
    assert Decimal("0.20") - Decimal("0.06") == both.saving.usd
    assert {"ok": 1, "unused": 1} == both.statuses
    assert "1 unused" in str(both)
    assert "  of which beside the answer that was used: $0.05, 1 call" in str(both)


def test_a_cheap_answer_that_was_not_kept_does_not_count_as_the_lowest_tiers():
    both = report(row("r1", status="unused"), row("r1", tier="FRONTIER", cost_usd=0.05))

    assert {"SIMPLE": 0, "MEDIUM": 0, "FRONTIER": 1} == both.answered
    assert (0, None) == (both.lowest_answered, both.escalation_rate)


def test_embedding_is_told_apart_from_classifying_and_makes_no_saving():
    both = report(
        row("r1", purpose="classify", cost_usd=0.001),
        row("r1", purpose="embed", cost_usd=0.002, model="text-embedding-3-small"),
        row("r1"),
    )

    assert (Decimal("0.001"), Decimal("0.002")) == (
        both.by_use["classifying"].usd,
        both.by_use["embedding"].usd,
    )
    assert Decimal("0.20") - Decimal("0.013") == both.saving.usd
    assert {"SIMPLE": 1, "MEDIUM": 0, "FRONTIER": 0} == both.answered
    assert "  of which embedding: $0.002, 1 call" in str(both)


def test_spends_add_up():
    one = Spend(Decimal(1), Decimal(2), 3, 4, 5, {"list": Decimal(1)})

    assert Spend(Decimal(2), Decimal(4), 6, 8, 10, {"list": Decimal(2)}) == one + one
    assert one == one + Spend()


def made(name, result, **changes):
    plain = Attempt(
        id=name,
        ts=NOON,
        session="s1",
        result=result,
        tier="SIMPLE",
        provider="openrouter",
        provider_kind="remote",
        model="mini",
        cost_usd=Decimal("0.25"),
        cost_source="list",
        latency_ms=100.0,
        msg_hash="abc",
        prompt="the prompt itself",
        text="the answer itself",
    )
    return replace(plain, **changes)


def routed(*attempts, parent=None):
    return RouteResult(
        id="r1",
        prompt="the prompt itself",
        text="the answer itself",
        decision=Decision("SIMPLE", "rules", "7 words", 0.93),
        plan=Plan("cascade", ()),
        options=Options(strategy="cascade"),
        attempts=attempts,
        parent=parent,
    )


def test_a_record_holds_the_result_in_json_without_prompt_and_answer():
    result = routed(
        made("a0", "r1", ts=NOON - 1, purpose="classify", cost_usd=Decimal("0.01")),
        made("a1", "r1", status="rejected", error="length: too short", ttft_ms=5.0),
        made("a2", "r1", tier="MEDIUM", escalated=True, parent="r0", ttft_ms=7.0, input_tokens=21),
    )

    told = json.loads(json.dumps(record(result), allow_nan=False))

    attempts = told.pop("attempts")
    assert told == {
        "schema": 1,
        "id": "r1",
        "parent": "r0",
        "session": "s1",
        "ts": NOON - 1,
        "msg_hash": "abc",
        "feature": None,
        "tier": "MEDIUM",
        "model": "mini",
        "provider": "openrouter",
        "provider_kind": "remote",
        "strategy": "direct",
        "classifier": "rules",
        "confidence": 0.93,
        "reason": "7 words",
        "status": "ok",
        "cost_usd": 0.51,
        "cost_source": "list",
        "input_tokens": 21,
        "output_tokens": 0,
        "latency_ms": 300.0,
        "ttft_ms": 7.0,
        "escalated": True,
        "cached": False,
        "passed": True,
        "thread": None,
        "effort": None,
        "reasoning_tokens": 0,
        "rungs": [],
    }
    assert attempts[1] == {
        "purpose": "answer",
        "tier": "SIMPLE",
        "provider": "openrouter",
        "model": "mini",
        "status": "rejected",
        "error": "length: too short",
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.25,
        "cost_source": "list",
        "latency_ms": 100.0,
        "cached": False,
        "effort": None,
    }
    assert ["classify", "answer", "answer"] == [attempt["purpose"] for attempt in attempts]


def test_an_unknown_cost_is_null_in_a_record_and_not_zero():
    told = record(routed(made("a1", "r1", cost_usd=None, cost_source="unknown")))

    assert told["cost_usd"] is None
    assert told["attempts"][0]["cost_usd"] is None
    assert "unknown" == told["cost_source"]


# Answers that were compared


def compared(result="c1", **changes):
    return row(result, comparison="x1", **changes)


def test_compared_answers_cost_money_and_are_no_results():
    told = report(
        row("r1"),
        compared("c1", cost_usd=0.02),
        compared("c2", tier="FRONTIER", model="opus", cost_usd=0.5, latency_ms=900.0),
    )

    assert (1, 3) == (told.results, told.calls)
    assert (2, Decimal("0.52")) == (told.comparing.calls, told.comparing.usd)
    assert {"SIMPLE": 1.0, "MEDIUM": 0.0, "FRONTIER": 0.0} == told.tier_share
    assert {"mini": 0.03, "opus": 0.5} == usd(told.by_model)
    assert 900.0 == told.latency["FRONTIER"].p50_ms
    assert (1, 0) == (told.lowest_answered, told.lowest_escalated)
    assert "  of which comparing: $0.52, 2 calls" in str(told)


def test_what_comparing_cost_is_taken_off_the_saving():
    told = report(row("r1"), compared("c1", cost_usd=0.5))

    assert Decimal("0.2") - Decimal("0.51") == told.saving.usd
    assert "$0.31 more than all on FRONTIER (estimate, net)" in str(told)


def test_a_compared_answer_that_is_escalated_begins_a_chain_of_its_own():
    told = report(compared("c1"), escalated(parent="c1"))

    assert (1, 1) == (told.results, told.answered["MEDIUM"])
    assert told.escalation_rate is None


def test_a_compared_answer_that_failed_has_no_latency_but_is_counted():
    told = report(compared(status="error", cost_usd=0.0))

    assert (1, {}, None) == (told.statuses["error"], told.latency, told.overall_latency)


# Frames


FRAMES = ["tier", "model", "feature", "feature_day", "day", "daily", "use", "status"]


def test_every_frame_is_there_over_no_calls_at_all():
    empty, full = report().frames(), report(row()).frames()

    assert FRAMES == list(empty) == list(full)
    for name in FRAMES:
        assert full[name].dtypes.to_dict() == empty[name].dtypes.to_dict()


def test_frames_tell_spend_by_model_feature_day_and_use():
    told = report(
        row("r1", feature="bot"),
        row("r1", feature="bot", purpose="classify", cost_usd=0.001),
        row("r2", tier="FRONTIER", model="opus", cost_usd=0.5, ts=NOON + DAY),
        row("r3", cached=True, cost_usd=0.0, ts=NOON + DAY),
    )

    def rows(name, *columns):
        return list(told.frame(name)[list(columns)].itertuples(index=False, name=None))

    assert [("mini", 0.011, 3), ("opus", 0.5, 1)] == rows("model", "model", "usd", "calls")
    assert [("", 0.5), ("bot", 0.011)] == rows("feature", "feature", "usd")
    assert [("", "2026-11-22", 0.5), ("bot", "2026-11-21", 0.011)] == rows(
        "feature_day", "feature", "day", "usd"
    )
    assert [("2026-11-21", 2, 0), ("2026-11-22", 2, 1)] == rows(
        "day", "day", "calls", "cached_calls"
    )
    assert [
        ("2026-11-21", "SIMPLE", 0.011),
        ("2026-11-22", "FRONTIER", 0.5),
        ("2026-11-22", "SIMPLE", 0.0),
    ] == rows("daily", "day", "tier", "usd")
    assert [("answering", 0.51), ("classifying", 0.001)] == rows("use", "use", "usd")
    assert [("ok", 4)] == rows("status", "status", "calls")


def test_what_is_not_known_is_no_zero_in_a_frame():
    frame = report(
        row("r1", cost_usd=None, cost_source="unknown"),
        row("r2", tier="MEDIUM", cost_usd=None, cost_source="equivalent"),
        row("r3", tier="FRONTIER", cost_usd=None, cost_source="unknown"),
        row("r4", tier="FRONTIER", cost_usd=0.5),
    ).frame()

    assert [True, False, False] == [math.isnan(usd) for usd in frame["usd"]]
    assert [False, True, False] == [math.isnan(usd) for usd in frame["equivalent_usd"]]
    assert [1, 1, 1] == list(frame["unknown_calls"])
    assert 0.5 == frame["usd"][2]


def test_an_unknown_cost_stands_beside_the_money_that_it_is_of():
    told = str(report(row("r1", cost_usd=None, cost_source="equivalent")))

    (line,) = [line for line in told.splitlines() if line.startswith("SIMPLE  ")]
    assert ["1", "unknown"] == line.split()[4:6]


def test_a_frame_that_there_is_not_names_the_close_ones():
    with pytest.raises(SettingsError, match=r"no frame by 'features'; did you mean 'feature'"):
        report().frame("features")


def test_the_latency_of_all_tiers_together_leaves_cached_answers_out():
    told = report(
        *(row(f"r{n}", latency_ms=float(n)) for n in range(1, 11)),
        row("r11", tier="FRONTIER", latency_ms=1_000.0),
        row("r12", cached=True, cost_usd=0.0, latency_ms=0.0),
    )

    assert (11, 6.0, 1_000.0) == told.overall_latency
    assert "together" in str(told)


def test_the_text_names_the_model_and_the_price_of_the_baseline():
    named = summarise([row()], tiers=TIERS, baseline="FRONTIER", price=PRICE, baseline_model="opus")

    priced = "priced on the recorded tokens, with no prompt cache: $10 in, $20 out per million"
    assert f"FRONTIER (opus) is {priced}" in str(named)


def test_days_are_told_with_their_tiers_once_there_are_several():
    told = str(
        report(
            row("r1"),
            row("r2", ts=NOON + DAY, cached=True, cost_usd=0.0),
            row("r3", ts=NOON + DAY, tier="MEDIUM", cost_source="equivalent", cost_usd=0.04),
        )
    )

    assert [
        "2026-11-21      1       0  $0.01             $0   $0.01             $0        $0",
        "2026-11-22      2       1     $0          $0.04      $0      $0.04 not        $0",
        "                                                                billed",
    ] == told.splitlines()[-3:]
    assert "day (UTC)" not in str(report(row("r1")))


def test_the_router_reports_over_no_calls_and_with_the_models_name(router):
    assert "no calls recorded yet" == str(router.report())
    assert ["LOW", "MID", "TOP"] == router.report().frame()["tier"].tolist()

    router.route("hello")
    router.route("hello", tier="MID", cache="off", comparison="c1")

    told = router.report()
    assert (1, 1) == (told.results, told.comparing.calls)
    assert "TOP (large) is priced on the recorded tokens" in str(told)


def test_what_measures_the_router_is_spent_and_is_no_result(router):
    router.route("hello")
    for purpose in ("audit", "judge"):
        answer = router.route("hello", tier="MID", cache="off", purpose=purpose)
        assert "MID" == answer.tier
        assert answer.text

    told = router.report()
    assert (1, 3) == (told.results, told.calls)
    assert 2 == told.by_use["auditing"].calls
    assert "of which auditing and judging: " in str(told)
    assert ["answer", "audit", "judge"] == [row["purpose"] for row in router.ledger.rows()]
    assert 1 == len(router.history.results())
    with pytest.raises(SettingsError, match="unknown purpose 'jugde'"):
        router.route("hello", purpose="jugde")
