"""Reports of rows written by hand, for the tests and for the benchmark of the charts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from nbroute.report import ReportRow, summarise
from nbroute.report.metrics import votes_of
from nbroute.types import Label, Price

TIERS = ("SIMPLE", "MEDIUM", "FRONTIER")
PRICE = Price(Decimal(10), Decimal(20))
NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
DAY = 86_400.0


def row(result="r1", **changes):
    """A call on SIMPLE of $0.01; its tokens would cost $0.20 on the baseline."""
    plain = {"ts": NOON, "result": result, "parent": None, "tier": "SIMPLE", "model": "mini"}
    plain |= {"feature": None, "purpose": "answer", "status": "ok", "cost_usd": 0.01}
    plain |= {"input_tokens": 10_000, "output_tokens": 5_000, "cost_source": "list"}
    plain |= {"latency_ms": 100.0, "escalated": False, "cached": False}
    return ReportRow(**(plain | changes))


def report(*rows, price=PRICE):
    return summarise(rows, tiers=TIERS, baseline="FRONTIER", price=price)


AMOUNTS = {"SIMPLE": 0.00012, "MEDIUM": 0.0012, "FRONTIER": 0.011}


def routed(number, **changes):
    tier = ("SIMPLE", "SIMPLE", "SIMPLE", "MEDIUM", "FRONTIER")[number % 5]
    usual = {
        "tier": tier,
        "model": f"model-{tier}",
        "feature": ("bot", "search", None)[number % 3],
        "ts": NOON + DAY * (number % 3),
        "cost_usd": AMOUNTS[tier],
        "latency_ms": 200.0 + 37 * number,
        "cached": number % 9 == 0,
    }
    return row(f"r{number}", **(usual | changes))


def busy():
    """Forty calls on three tiers and days, with all three kinds of money."""
    return report(
        *(routed(number) for number in range(40)),
        row("x1", parent="r1", tier="MEDIUM", escalated=True, cost_usd=0.001),
        row("r5", purpose="classify", cost_usd=0.0004),
        row("z1", cost_usd=None, cost_source="unknown", feature="search", model="odd"),
        *(
            row(f"e{n}", cost_source="equivalent", cost_usd=0.0003, feature="local")
            for n in range(4)
        ),
    )


def labelled():
    """The same with 19 words on answers, of all kinds."""
    said = [("good", "SIMPLE", 5), ("too weak", "MEDIUM", 3), ("cheapest acceptable", "MEDIUM", 3)]
    said += [("cheapest acceptable", "FRONTIER", 2), ("bad", None, 1), ("good", "FRONTIER", 5)]
    words = [(word, needed) for word, needed, number in said for _ in range(number)]
    labels = [label(f"prompt {n}", *word) for n, word in enumerate(words)]
    return replace(busy(), votes=votes_of(labels, busy().tiers))


def label(prompt, feedback, needed, picked="SIMPLE"):
    return Label(prompt, 0.0, "s", feedback, picked, needed, "ladder", prompt)
