"""What-if in words: the table, what is assumed, and the settings to write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from nbroute.evaluate.past import Collected
from nbroute.evaluate.rerouting import Routed
from nbroute.evaluate.scenarios import SOURCE, Setting, Strategy
from nbroute.pricing import format_usd
from nbroute.report import counted
from nbroute.report.table import text_table

STRATEGY = (
    "strategy",
    "prompts",
    "usd",
    "equivalent_usd",
    "unknown",
    "kind",
    "latency_s",
    "saved_usd",
    "saved_equivalent_usd",
    "saved_share",
)
HEAD = ("strategy", "total cost", "kind of figure", "average latency", "saved", "tiers")
EMPTY = (
    "what if: there is no prompt to work with yet. Route some first (%%route in a cell, "
    "router.route or router.map), or give your own: router.what_if(prompts=[...])"
)
_PRICES = {
    frozenset({"list"}): "list prices",
    frozenset({"configured"}): "your prices",
    frozenset({"list", "configured"}): "list prices and yours",
}


def strategy_record(one: Strategy, tiers: Iterable[str]) -> dict[str, Any]:
    """The strategy as a line of a frame."""
    return {
        "strategy": one.name,
        "prompts": one.spend.calls,
        "usd": float(one.spend.usd),
        "equivalent_usd": float(one.spend.equivalent_usd),
        "unknown": one.spend.unknown_calls,
        "kind": kind(one),
        "latency_s": math.nan if one.latency_ms is None else one.latency_ms / 1000,
        "saved_usd": _float(one.saved_usd),
        "saved_equivalent_usd": _float(one.saved_equivalent_usd),
        "saved_share": math.nan if one.saved_share is None else one.saved_share,
        **{tier: one.mix.get(tier, 0.0) for tier in tiers},
    }


def _float(amount: Decimal | None) -> float:
    return math.nan if amount is None else float(amount)


def kind(one: Strategy) -> str:
    """What the money of a strategy is, in words."""
    billed = one.sources - {"equivalent", "unknown"}
    told = []
    if one.recorded:
        told += ["recorded"] if billed else []
    elif billed:
        told.append(f"estimate at {_PRICES.get(billed, 'known prices')}, billed to nobody")
    if "equivalent" in one.sources:
        told.append(f"{'recorded' if one.recorded else 'estimate'}, equivalent: nothing billed")
    if one.spend.unknown_calls:
        told.append(f"{one.spend.unknown_calls:,} of unknown cost")
    return " + ".join(told) or "nothing to pay"


def cells(one: Strategy) -> tuple[str, ...]:
    """The strategy as a line of the table, under `HEAD`."""
    return (one.name, cost(one), kind(one), seconds(one.latency_ms), saved(one), mix(one.mix))


def cost(one: Strategy) -> str:
    """The total; money of two kinds stays apart, and an unknown rest is named."""
    spend = one.spend
    parts = [format_usd(spend.usd)] if spend.usd or one.sources - {"equivalent", "unknown"} else []
    parts += [f"{format_usd(spend.equivalent_usd)} equivalent"] if spend.equivalent_usd else []
    parts += ["unknown"] if spend.unknown_calls else []
    return " + ".join(parts) or "$0"


def saved(one: Strategy) -> str:
    """What it saves against all on the dearest tier, in US dollars and percent."""
    equivalent = one.saved_equivalent_usd
    amount = one.saved_usd if equivalent is None else equivalent
    if amount is None:
        return "unknown" if one.spend.unknown_calls else "not comparable"
    share = "" if one.saved_share is None else f" ({one.saved_share:.0%})"
    return f"{format_usd(amount)}{share}"


def seconds(milliseconds: float | None) -> str:
    """`1.2 s`, or `0.04 s` for what is quick."""
    if milliseconds is None:
        return "unknown"
    return f"{milliseconds / 1000:.{1 if milliseconds >= 1000 else 2}f} s"


def mix(shares: dict[str, float] | Any) -> str:
    """`SIMPLE 62%, MEDIUM 38%`; tiers with no prompt are left out."""
    told = [f"{tier} {share:.0%}" for tier, share in shares.items() if share]
    return ", ".join(told) or "none"


def headline(asked: Setting, classifier: str, prompts: int) -> str:
    """What is asked about, in a line."""
    caution = f", one tier up below a confidence of {asked.threshold:g}" if asked.threshold else ""
    cached = "with the cache" if asked.cache else "without the cache"
    return (
        f"what if {counted(prompts, 'prompt')} went over ladder {asked.ladder.name}, "
        f"classified by {classifier}{caution}, {cached} (nothing was sent)"
    )


def text(
    head: str, strategies: Sequence[Strategy], notes: Sequence[str] = (), setting: str = ""
) -> str:
    """The whole answer as plain text."""
    lines = text_table([HEAD, *map(cells, strategies)])
    wanted = ["to have it:", setting] if setting else []
    told = [part for part in (notes, wanted) if part]
    return "\n".join([head, "", *lines, *(line for part in told for line in ("", *part))])


def notes(
    found: Collected, routed: Routed, unmeasured: Sequence[str], strategies: Sequence[Strategy]
) -> list[str]:
    """What is assumed, where the figures come from, and what was left out.

    With no strategies there is only what was left out to tell of.
    """
    if not strategies:
        return _left_out(found)
    return [
        (
            "assumed: each prompt is asked once (no fallback, check or escalation) and takes the "
            "tokens of its recorded answer on every tier; what classifying cost is included. "
            f"A cache is in '+ cache' and 'as it was' alone. Saved is against {strategies[0].name}."
        ),
        _about_time(unmeasured, len(strategies[0].mix)),
        *_about_tokens(found),
        *_about_classifying(routed),
        *_left_out(found),
    ]


def _about_time(unmeasured: Sequence[str], tiers: int) -> str:
    measured = "as this session measured it, and the tier's median where it did not answer"
    if not unmeasured:
        return f"latency: {measured}."
    estimate = f"an estimate from {SOURCE}, by the model or its height on the ladder"
    if len(unmeasured) == tiers:
        return f"latency: {estimate}."
    return f"latency: {measured}; for {', '.join(unmeasured)} {estimate}."


def _about_tokens(found: Collected) -> list[str]:
    estimated = sum(one.usage.estimated for one in found.past)
    if not estimated:
        return []
    return [f"tokens: estimated for {counted(estimated, 'prompt')}, which had no count of them."]


def _about_classifying(routed: Routed) -> list[str]:
    told = []
    if routed.recorded:
        told.append(
            f"classifying: {routed.name} would have to be asked, so the session's own decision "
            f"and its cost are taken for {counted(routed.recorded, 'prompt')}."
        )
    if routed.stand_ins:
        told.append(
            f"classifying: {routed.name} would have to be asked about "
            f"{counted(routed.stand_ins, 'prompt')} and the session did not, so our rules' word "
            "stands in there; what asking would cost is not in the figures."
        )
    return told


def _left_out(found: Collected) -> list[str]:
    reasons = {
        "without an answer": found.unanswered,
        "whose text the ledger does not keep (store_text = true in nbroute.toml)": found.textless,
    }
    return [f"left out: {counted(n, 'prompt')} {why}." for why, n in reasons.items() if n]


def setting(asked: Setting, in_force: Setting) -> str:
    """What nbroute.toml would say, as TOML; what has no name there is a comment in Python."""
    toml: list[str] = []
    python: list[str] = []
    if asked.ladder != in_force.ladder:
        named = asked.ladder_name
        (toml if named else python).append(f'ladder = "{named}"' if named else "ladder=...")
    if asked.classifier not in (None, in_force.classifier):
        named = asked.classifier if isinstance(asked.classifier, str) else ""
        line = f'classifier = "{named}"' if named else "classifier=..."
        (toml if named else python).append(line)
    if asked.threshold != in_force.threshold:
        toml.append(f"step_up_below = {asked.threshold:g}")
    if asked.cache != in_force.cache:
        toml.append(f'cache = "{"use" if asked.cache else "off"}"')
    lines = ["# nbroute.toml", "[nbroute]", *toml] if toml else []
    lines += [f"# in Python: nbroute.Router({', '.join(python)})"] if python else []
    return "\n".join(lines or ["# nothing to write: this is what is in force now"])
