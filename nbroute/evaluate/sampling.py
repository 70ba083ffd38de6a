"""What an audit samples: a session's answers, the ledger's rows with texts, or a frame."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from nbroute import pricing
from nbroute.batch.jobs import is_missing
from nbroute.engine.conversations import KEPT
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError
from nbroute.evaluate.past import Past, collect
from nbroute.evaluate.training_data import check_columns, frame_of
from nbroute.evaluate.whatif_text import as_float
from nbroute.providers.simulated import unanswered
from nbroute.report.table import counted
from nbroute.types import Options, Tier, Usage

#: The options that shape a request, and so apply on the other tier too.
_SHAPING = ("system", "max_tokens", "temperature", "effort", "json", "schema")
_FORMS = "a column prompt, and maybe answer and tier"
#: The other columns that are read.
_READ = ("answer", "text", "tier", "confidence", "cost_usd")
_TEXTLESS = "whose text was not kept"
_PLAIN = "the ledger keeps no system prompts and no options, so the prompts were asked without"
#: The most calls that are read from a ledger at once.
_MOST_CALLS = 200_000


@dataclass(frozen=True, eq=False)
class Subject:
    """A prompt of the sample and its answer, "" if it still has to be asked for.

    `options` are those that shape the request. `usd` is the price of the answer and `result` its
    id in the ledger, if they are known.
    """

    prompt: str
    tier: str = ""
    text: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    confidence: float = math.nan
    usd: float = math.nan
    result: str = ""
    cached: bool = False


@dataclass(frozen=True, eq=False)
class Population:
    """What a sample is drawn from: its size, where the prompts are from, and why some are left out.

    `at` gives the prompt at an index.
    """

    size: int
    at: Callable[[int], Subject]
    source: str
    left_out: Mapping[str, int]
    note: str = ""

    def drawn(self, count: int, seed: int) -> list[Subject]:
        """`count` prompts at random; any first part of them is a random sample too."""
        places = random.Random(seed).sample(range(self.size), count)  # noqa: S311 - a sample
        return [self.at(place) for place in places]


def of_session(engine: Engine, *, everything: bool) -> Population:
    """What the session answered, or else its rows in the ledger; SettingsError if none."""
    calls = engine.spend(everything=True).calls if everything else 0
    if calls > _MOST_CALLS:
        raise SettingsError(
            f"the ledger has {calls:,} calls, more than the {_MOST_CALLS:,} that are read at once; "
            f"audit a part of it: frame=... with {_FORMS}"
        )
    found = collect(engine, None, None, None, 0, everything=everything)
    left_out = Counter({"without an answer": found.unanswered, _TEXTLESS: found.textless})
    left_out["from a comparison"] = found.compared
    why = {id(past): _unfit(past, engine) for past in found.past}
    left_out.update(filter(None, why.values()))
    kept = [past for past in found.past if not why[id(past)]]
    whose = "in the ledger" if everything else "of this session"
    if not kept:
        raise SettingsError(_nothing(+left_out, whose))
    note = "" if kept[0].options else _PLAIN
    if kept[0].options and len(engine.history.results()) == KEPT:
        note = f"drawn from the last {KEPT:,} results, as no more are kept"
    return Population(len(kept), lambda at: _of_past(engine, kept[at]), whose, +left_out, note)


def _unfit(past: Past, engine: Engine) -> str:
    """Why it cannot be asked again on its own, or on this ladder; "" if it can."""
    answer, options = past.answer, past.options
    if answer is None:
        return "without an answer"
    if unanswered(answer.model, answer.text or ""):
        return "that the simulated models have no answer to"
    if past.earlier or (answer.thread and options is None):
        return "in the middle of a conversation"
    if options and options.model:
        return "for a model that was chosen by name"
    return "" if answer.tier in engine.ladder.names else "of tiers that this ladder does not have"


def _nothing(left_out: Mapping[str, int], whose: str) -> str:
    """The error if there is nothing to audit: why, and what to do about it."""
    cure = f"give a frame with {_FORMS}"
    if _TEXTLESS in left_out:
        cure = f"store_text = true in nbroute.toml keeps texts from now on, or {cure}"
    if not left_out:
        more = "take earlier sessions (everything=True, or --all), or " * (whose[:2] == "of")
        return f"there is no prompt {whose} to audit: route some first, {more}{cure}"
    told = ", ".join(f"{n:,} {why}" for why, n in left_out.items())
    return f"no prompt {whose} can be audited: {told}; {cure}"


def _of_past(engine: Engine, past: Past) -> Subject:
    answer, options, made = past.answer, past.options or Options(), past.decision
    if answer is None:
        raise AssertionError("unreachable")
    asked = {name: getattr(options, name) for name in _SHAPING}
    usd = answer.cost_usd
    if answer.cached:
        usd = worth(engine, engine.ladder[answer.tier], answer.model, answer.usage)
    shaped = {name: value for name, value in asked.items() if value not in (None, False)}
    sure = as_float(made.confidence if made and made.tier == answer.tier else None)
    said = (past.prompt, answer.tier, answer.text or "", shaped, sure)
    return Subject(*said, as_float(usd), answer.result, answer.cached)


def worth(engine: Engine, tier: Tier, model: str, usage: Usage) -> Decimal | None:
    """What an answer from the cache would have cost."""
    return pricing.cost_of(usage, tier, model, engine.parts.kind(tier)).usd


def of_frame(engine: Engine, frame: Any) -> Population:
    """The prompts of a frame, with their answers and tiers if it has them."""
    import pandas as pd

    table = frame_of(frame, _FORMS)
    read = [one for one in _READ if one in table.columns]
    check_columns(table, ["prompt", *read], _FORMS)
    columns = {name: table[name] for name in ("prompt", *read)}
    nothing = pd.Series(math.nan, index=table.index)
    prompts, tiers = columns["prompt"].tolist(), columns.get("tier", nothing).tolist()
    texts = columns.get("answer", columns.get("text", nothing)).tolist()
    sure, costs = (
        pd.to_numeric(columns.get(name, nothing), errors="coerce").tolist()
        for name in ("confidence", "cost_usd")
    )
    places = [at for at, one in enumerate(prompts) if isinstance(one, str) and one.strip()]
    if not places:
        raise SettingsError(f"the frame has no prompts: {counted(len(table), 'row')}, none a text")
    said = {str(one) for one in tiers if not is_missing(one)}
    known = {name: engine.ladder.find(name).name for name in said}

    def at(place: int) -> Subject:
        row = places[place]
        text = str(texts[row]) if isinstance(texts[row], str) else ""
        one = Subject(str(prompts[row]), known.get(str(tiers[row]), ""), text.strip() and text)
        if one.tier:
            return replace(one, confidence=sure[row], usd=costs[row])
        found = engine.explain(one.prompt)
        if found.asking:
            raise SettingsError(
                f"the frame has no tier for {one.prompt!r:.60}, and {found.asking.model} would be "
                "asked for it; router.map(prompts).frame() has tiers and answers"
            )
        made = found.decision
        return replace(one, tier=made.tier, confidence=as_float(made.confidence))

    left_out = Counter({"without text": len(prompts) - len(places)})
    return Population(len(places), at, "of the frame", +left_out)
