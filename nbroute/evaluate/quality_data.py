"""How well each tier does on your own prompts, from tables of scores, labels or verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nbroute.classify import ngrams
from nbroute.classify.learned import LearnedClassifier, LearnedTiers
from nbroute.classify.taught import TaughtClassifier
from nbroute.classify.wording import listed
from nbroute.engine.engine import Engine, WouldAsk, would_ask
from nbroute.errors import SettingsError, did_you_mean
from nbroute.evaluate.judging import WORTH
from nbroute.evaluate.training_data import (
    check_columns,
    frame_of,
    judged_by,
    numbers_in,
    read_levels,
    texts_in,
)
from nbroute.evaluate.whatif import bare, sends_alone
from nbroute.pricing import cost_of, estimate_tokens
from nbroute.report.table import counted, shortened
from nbroute.types import Classifier, Decision, Ladder, Usage

#: The most prompts that are used: more take minutes to classify, and hardly say more.
MOST = 20_000
#: Tokens that an answer is assumed to have if its cost is not given, as in a what-if.
OUTPUT_TOKENS = 300
_FORMS = (
    "a prompt and a score from 0 to 1 for two tiers or more, in columns named as the tiers; or "
    "the columns prompt, weak and strong; or prompt and tier; or a judged grid, or an audit"
)
_AUDIT = {"prompt", "direction", "picked", "cheaper", "expensive", "verdict"}
#: What the costs are.
MEASURED, WOULD = "measured", "would have cost; nothing was billed"
ROUTED = "as routed"
#: The two answers of an audit in one direction.
_WAYS = {"up": (ROUTED, "one tier up"), "down": ("one tier down", ROUTED)}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Scores and costs of the tiers on the same prompts, and what the router does with each.

    `scores` and `usd` (NaN if not known) are prompts x tiers, the cheapest tier first. `picks` are
    the places in `tiers` that routing picks, `wants` how much a prompt needs the top tier. If
    `paired`, the `tiers` are two answers of an audit: as routed, and the next tier's. The scores of
    the most expensive tier may be `defined`, not seen (1 by labels, for instance). `scope` says
    what part of routing it is about, "" for all.
    """

    prompts: Sequence[str]
    tiers: tuple[str, ...]
    scores: np.ndarray
    usd: np.ndarray
    costs: str
    picks: np.ndarray
    wants: np.ndarray
    notes: Sequence[str]
    scope: str = ""
    defined: bool = False
    paired: bool = False

    @cached_property
    def lengths(self) -> np.ndarray:
        """The rank of each prompt by its number of words, from 0; ties share a rank."""
        return np.unique([len(one.split()) for one in self.prompts], return_inverse=True)[1]

    @cached_property
    def groups(self) -> np.ndarray:
        """A number for each prompt, the same wherever it is repeated."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(one.strip(), len(numbers)) for one in self.prompts])

    @cached_property
    def oracle(self) -> np.ndarray:
        """The place of the cheapest tier that is best for each prompt."""
        return np.asarray(self.scores.argmax(axis=1))


class _Wide(NamedTuple):
    """A table with a row for each prompt; `columns` has the column of scores by tier."""

    frame: pd.DataFrame
    columns: Mapping[str, str]
    note: str = ""
    scope: str = ""
    recorded: bool = False
    defined: bool = False
    paired: bool = False
    costs: str = MEASURED


def read_outcomes(router: Engine, source: Any, seed: int) -> Outcomes:
    """What the source says, with its prompts classified again; SettingsError for a bad one.

    Prompts without a score for every tier are left out, and at most `MOST` are kept.
    """
    if len(router.ladder.tiers) < 2:
        raise SettingsError(f"ladder {router.ladder.name!r} has one tier: nothing is routed.")
    table = frame_of(source, _FORMS)
    if table.empty:
        raise SettingsError(
            f"there is nothing to measure on yet: label answers, run an audit, or give {_FORMS}."
        )
    wide, scores, notes = _complete(_wide(table, router), seed)
    tiers, prompts = tuple(wide.columns), texts_in(wide.frame, "prompt")
    if wide.paired:
        usd, costs, how = _measured(wide) or (np.full(scores.shape, math.nan), "unknown", [])
        picks = wants = np.full(len(prompts), tiers.index(ROUTED))
        told = list[str]()
    else:
        usd, costs, how = _measured(wide) or estimated(router, prompts, tiers)
        picks, wants, told = _routed(router, prompts, wide)
    found = (
        prompts,
        tiers,
        scores,
        usd,
        costs,
        picks,
        wants,
        [*judged_by(source), *notes, *how, *told],
    )
    return Outcomes(*found, wide.scope, wide.defined, wide.paired)


def _complete(wide: _Wide, seed: int) -> tuple[_Wide, np.ndarray, list[str]]:
    """The rows with a score for every tier, the scores, and what is left out."""
    size, tiers = len(wide.frame), list(wide.columns)
    frame = wide.frame.reset_index(drop=True)
    scores = np.column_stack([_numbers(frame, name, 1) for name in wide.columns.values()])
    known = ~np.isnan(scores)
    kept = np.flatnonzero(known.all(axis=1))
    count = len(kept)
    if count < 2:
        sizes = zip(known.sum(axis=0), tiers, strict=True)
        told = ", ".join(f"{int(n):,} of {tier}" for n, tier in sizes)
        raise SettingsError(
            f"{counted(count, 'prompt')} with a score of every tier ({told}) cannot say anything; "
            "give at least two, preferably hundreds."
        )
    notes = [wide.note] if wide.note else []
    if count < size:
        missing = "are left out, as a tier has no score there."
        notes.append(f"{size - count:,} of {counted(size, 'prompt')} {missing}")
    if count > MOST:
        kept = np.sort(np.random.default_rng(seed).choice(kept, MOST, replace=False))
        notes.append(f"Of {count:,} prompts {MOST:,} were drawn at random.")
    return wide._replace(frame=frame.iloc[kept]), scores[kept], notes


# Every kind of table becomes one with a row for each prompt


def _wide(frame: pd.DataFrame, router: Engine) -> _Wide:
    ladder, names = router.ladder, [str(name) for name in frame.columns]
    known = [ladder.named(name) or name for name in names]
    used = {"prompt", "tier", "judged", "weak", "strong", "picked", *ladder.names}
    twice = [n for n, of in zip(names, known, strict=True) if of in used and known.count(of) > 1]
    if twice:
        raise SettingsError(
            f"there are several columns {listed(list(map(repr, twice)))}; leave one."
        )
    check_columns(frame, ["prompt"], _FORMS)
    if set(names) >= _AUDIT:
        return _of_audit(frame, router)
    if {"tier", "contender"} <= set(names) or {"tier", "judged"} <= set(names):
        return _of_grid(frame, ladder)
    columns = {tier: names[known.index(tier)] for tier in ladder.names if tier in known}
    if len(columns) < 2 and {"weak", "strong"} <= set(names) and "tier" not in names:
        columns = {ladder.names[0]: "weak", ladder.names[-1]: "strong"}
    if len(columns) >= 2:
        return _Wide(frame, columns)
    if "tier" in names:
        return _of_labels(frame, ladder)
    found = f"only {next(iter(columns))} has a column" if columns else "no tier has a column"
    among = shortened(", ".join(names), 120)
    raise SettingsError(
        f"{found} among {among}: give {_FORMS}. The tiers are {', '.join(ladder.names)}."
    )


def _of_labels(frame: pd.DataFrame, ladder: Ladder) -> _Wide:
    levels = read_levels(frame, ladder)
    scores = {tier: 1.0 * (place >= levels) for place, tier in enumerate(ladder.names)}
    note = "The labels say which tier is needed: it and those above score 1, those below 0."
    columns = dict(zip(ladder.names, ladder.names, strict=True))
    return _Wide(frame.assign(**scores), columns, note, defined=True)


def _of_grid(frame: pd.DataFrame, ladder: Ladder) -> _Wide:
    """A row for each answer -> the answers of the tiers' own models side by side."""
    if "judged" not in frame or frame["judged"].isna().all():
        raise SettingsError(
            "this grid is not judged yet: router.judge(grid) does it, then measure again."
        )
    for tier in set(frame["tier"]) - set(ladder.names):
        raise SettingsError(f"the tier {tier!r:.40}: {did_you_mean(str(tier), ladder.names)}")
    if "contender" in frame and (own := frame["contender"] == frame["tier"]).any():
        frame = frame[own]
    key = ["row", "prompt"] if "row" in frame else ["prompt"]
    if (twice := frame.duplicated([*key, "tier"])).any():
        prompt, tier = frame.loc[twice.to_numpy(), ["prompt", "tier"]].iloc[0]
        raise SettingsError(
            f"{prompt!r:.40} has several answers of {tier}; keep one answer of each tier."
        )
    by_tier = {tier: rows.set_index(key) for tier, rows in frame.groupby("tier")}
    tiers = [tier for tier in ladder.names if tier in by_tier]
    if len(tiers) < 2:
        raise SettingsError(f"only {', '.join(tiers)} was judged: there is nothing to compare.")
    columns = {tier: by_tier[tier]["judged"] for tier in tiers}
    if "cost_usd" in frame:
        columns |= {f"{tier}_usd": by_tier[tier]["cost_usd"] for tier in tiers}
    if "picked" in frame:
        columns["picked"] = frame[frame["picked"].isin([True])].set_index(key)["tier"]
    unbilled = "cost_source" in frame and (frame["cost_source"] == "equivalent").any()
    costs = WOULD if unbilled else MEASURED
    note = f"1 is an answer that is preferred to {tiers[-1]}'s, one half a tie."
    wide = pd.DataFrame(columns).reset_index()
    return _Wide(wide, dict(zip(tiers, tiers, strict=True)), note, defined=True, costs=costs)


def _of_audit(frame: pd.DataFrame, router: Engine) -> _Wide:
    """Two tiers that were each picked at times, side by side; else the routed and the next tier."""
    judged = frame[frame["verdict"].isin(WORTH) & frame["direction"].isin(_WAYS)]
    if judged.empty:
        raise SettingsError(
            "no pair of this audit has a verdict, so it says nothing: audit again, perhaps with "
            "another judge."
        )
    free = all(router.parts.kind(tier) != "remote" for tier in router.ladder.tiers)
    pairs = judged.groupby(["cheaper", "expensive"])["picked"].agg(["nunique", "size"])
    both, scope = pairs.loc[pairs["nunique"] > 1, "size"], ""
    if paired := both.empty:
        way = judged["direction"].mode()[0]
        (low, high), left = _WAYS[way], judged[judged["direction"] == way]
        note = (
            "It was audited in one direction, which says how one tier further compares; audited in "
            "both, it says whether routing beats chance."
        )
    else:
        low, high = both.index[int(both.to_numpy().argmax())]
        for tier in {low, high} - set(router.ladder.names):
            cure = did_you_mean(str(tier), router.ladder.names)
            raise SettingsError(f"the audit's tier {tier!r:.40}: {cure}")
        left = judged[(judged["cheaper"] == low) & (judged["expensive"] == high)]
        scope = f"between {low} and {high}, " if len(router.ladder.tiers) > 2 else ""
        note = f"Of the audit's {len(judged):,} pairs {len(left):,} are of {low} and {high}"
        note += ": what is preferred scores 1, a tie a half."
    score = left["verdict"].map(WORTH).astype(float)
    columns = {low: score, high: 1 - score}
    for name, of in ((low, "cheaper_usd"), (high, "expensive_usd")):
        columns |= {f"{name}_usd": left[of]} if of in left else {}
    told = (left.assign(**columns), {low: low, high: high}, note, scope)
    return _Wide(*told, recorded=True, paired=paired, costs=WOULD if free else MEASURED)


def _numbers(frame: pd.DataFrame, name: str, most: float) -> np.ndarray:
    """The column as floats, NaN if empty; SettingsError for anything not from 0 to `most`."""
    values = numbers_in(frame, name)
    wrong = np.isnan(values) & frame[name].notna().to_numpy()
    wrong |= (values < 0) | (values > most) | np.isinf(values)
    if wrong.any():
        row = int(wrong.argmax())
        kind = "a score from 0 to 1 (of a scale from 1 to 10: (score - 1) / 9)"
        raise SettingsError(
            f"row {row + 1} has {name} = {frame[name].tolist()[row]!r:.40}; give "
            f"{kind if most == 1 else 'US dollars'}, or leave it empty."
        )
    return values


# What routing does, and what it costs


def _routed(
    router: Engine, prompts: Sequence[str], wide: _Wide
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Where routing sends each prompt, how much each needs the top tier, and notes on both."""
    ladder, parts = router.ladder, router.parts
    given = parts.classifier_for(None, would_ask(parts))
    inner, decided = bare(given), decisions(router, given, prompts)
    if wide.recorded or (not decided and "picked" in wide.frame):
        rows = zip(wide.frame.index, wide.frame["picked"], strict=True)
        places = np.array([_place(picked, row, ladder) for row, picked in rows])
    elif decided:
        places = np.array([ladder.index(ladder.find(decided[one].tier).name) for one in prompts])
    else:
        raise SettingsError(
            f"the classifier {given.name!r} would have to ask a model, and measuring sends "
            "nothing: give a column picked with the tier of each prompt, or measure "
            "nbroute.Router(classifier='ngrams')."
        )
    picks, notes = _scored_only(places, tuple(wide.columns), ladder)
    if not decided:
        told = f"{given.name} would have to ask a model, so routing is as the column picked has it."
        return picks, places.astype(float), [told, *notes]
    score = getattr(inner, "score", None)
    if isinstance(inner, TaughtClassifier):
        score = partial(inner.score, ladder=ladder)
    wants = {
        prompt: float(score(prompt) if score else ladder.index(made.tier))
        for prompt, made in decided.items()
    }
    return picks, np.array([wants[prompt] for prompt in prompts]), [*notes, *_seen(inner, decided)]


def decisions(
    router: Engine, classifier: Classifier, prompts: Sequence[str]
) -> dict[str, Decision]:
    """What the classifier says about each prompt; {} if it would have to send something."""
    with suppress(WouldAsk):
        if not sends_alone(bare(classifier), router.parts):
            return {one: classifier.classify(one, router.ladder) for one in dict.fromkeys(prompts)}
    return {}


def _place(picked: object, row: int, ladder: Ladder) -> int:
    tier = ladder.named(picked) if isinstance(picked, str) else None
    if tier is None:
        cure = did_you_mean(str(picked), ladder.names)
        raise SettingsError(f"row {row + 1} has picked = {picked!r:.40}: {cure}")
    return ladder.index(tier)


def _scored_only(
    places: np.ndarray, tiers: tuple[str, ...], ladder: Ladder
) -> tuple[np.ndarray, list[str]]:
    """The places among the tiers with scores: for a tier without, the next one up, or the last."""
    scored = np.array([ladder.index(tier) for tier in tiers])
    picks = np.minimum(np.searchsorted(scored, places), len(tiers) - 1)
    notes = []
    for place in sorted(set(places) - set(scored)):
        here = places == place
        at, count = tiers[picks[here][0]], counted(int(here.sum()), "prompt")
        notes.append(f"{ladder.names[place]} has no scores: what it gets ({count}) counts as {at}.")
    return picks, notes


def _seen(classifier: Classifier, decided: Mapping[str, Decision]) -> list[str]:
    """A note if the classifier has learnt from these prompts, which flatters it."""
    if isinstance(classifier, LearnedClassifier | LearnedTiers):
        return ["If the learned classifier learnt from these prompts, this flatters it."]
    if not isinstance(classifier, TaughtClassifier):
        return []
    trained = ngrams.held_out(list(decided))
    seen = sum(
        made.confidence == 1 or known is not None
        for made, known in zip(decided.values(), trained, strict=True)
    )
    of = counted(len(decided), "prompt")
    return (
        [f"{classifier.name} learnt from {seen:,} of the {of}, which flatters it."] if seen else []
    )


def _measured(wide: _Wide) -> tuple[np.ndarray, str, list[str]] | None:
    """The costs in the table, if it has some for every tier; the mean for one that is missing."""
    names = [f"{name}_usd" for name in wide.columns.values()]
    if not set(names) <= set(wide.frame.columns):
        return None
    usd = np.column_stack([_numbers(wide.frame, name, math.inf) for name in names])
    known = ~np.isnan(usd)
    if not known.any(axis=0).all():
        return None
    means = np.where(known, usd, 0).sum(axis=0) / known.sum(axis=0)
    missing = f"{counted(int((~known).sum()), 'missing cost')}: the tier's mean is used."
    return np.where(known, usd, means), wide.costs, [] if known.all() else [missing]


def estimated(
    router: Engine, prompts: Sequence[str], tiers: Iterable[str]
) -> tuple[np.ndarray, str, list[str]]:
    """What each prompt would cost on each tier at today's prices; NaN if there is no price."""
    tokens, columns, sources = [estimate_tokens(prompt) for prompt in prompts], [], set[str]()
    for tier in map(router.ladder.find, tiers):
        usages = {n: Usage(n, OUTPUT_TOKENS, estimated=True) for n in set(tokens)}
        kind = router.parts.kind(tier)
        found = {n: cost_of(usage, tier, tier.model, kind) for n, usage in usages.items()}
        columns.append([math.nan if (usd := found[n].usd) is None else float(usd) for n in tokens])
        sources |= {one.source for one in found.values()}
    told = {frozenset({"equivalent"}): WOULD, frozenset({"unknown"}): "unknown"}
    costs = told.get(frozenset(sources), "estimated")
    note = f"Costs are estimated at today's prices, for answers of {OUTPUT_TOKENS} tokens."
    part = "Some of it is not billed: that part is what it would have cost."
    mixed = [part] if "equivalent" in sources and costs != WOULD else []
    return np.array(columns).T, costs, [note, *mixed]
