"""The third article's table: python tests/benchmarks/workload.py

The prompts are seeded, a mixed workload like that of a developer's day; the templates are in
workload.toml. They go over the article's own ladder, simulated, in each of its four ways, with
nbroute's default classifier and with the article's rules.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from string import Template

import pandas as pd

from nbroute import Router
from nbroute.batch import Batch
from nbroute.errors import SettingsError
from nbroute.evaluate import scenarios, whatif_text
from nbroute.evaluate.scenarios import Strategy
from nbroute.ladders import preset
from nbroute.report.table import text_table
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Ladder, Price

#: Tier -> kind -> ways to ask for it, with gaps.
Kinds = Mapping[str, Sequence[str]]
TEMPLATES: Mapping[str, Kinds] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
#: "80% of dev requests are simple" is the third article's; the rest is split by us.
SHARES = {"fast": 0.80, "mid": 0.15, "power": 0.05}
#: Exact repeats: the article's cache takes a third off its router's cost ($8.40 to $5.60).
REPEATED = 0.30
#: How unequally often prompts are repeated (Pareto's exponent; lower is more unequal).
_SKEW = 1.1
_TRIES = 1_000


def _split(names: str) -> list[str]:
    return names.split()


_NOUNS = _split("user order invoice product payment session report event ticket account cart")
_VERBS = _split("load parse send update validate merge fetch export count build")
_LANGUAGES = _split("Python TypeScript Go Java Rust Ruby C# Kotlin PHP")
_TOOLS = _split("git docker kubectl make pytest npm curl jq sed awk ssh tar")
_STORES = _split("PostgreSQL MySQL MongoDB Redis SQLite DynamoDB Cassandra")
_FIELDS = _split("id name email total status created_at price country sku quantity active")
_FRAMEWORKS = _split("Django Rails Spring Laravel Express FastAPI Flask")
_CLOUDS = _split("AWS Azure GCP Hetzner OpenShift")
_TYPOS = _split("recieve seperate occured adress enviroment succesful responce lenght")
_ERRORS = _split("KeyError TypeError ValueError IndexError AttributeError RecursionError")
_CODES = _split("201 204 301 304 400 401 403 404 409 418 422 429 500 502 503 504")
_FORMATS = _split("JSON YAML CSV TOML XML Markdown INI")
_ALGORITHMS = (
    "binary search",
    "a bloom filter",
    "quicksort",
    "dynamic programming",
    "two-phase commit",
    "consistent hashing",
    "exponential backoff",
    "optimistic locking",
)

Fill = Callable[[random.Random], str]


def _one(values: tuple[str, ...] | list[str]) -> Fill:
    return lambda rng: rng.choice(values)


def _number(low: int, high: int, step: int = 1) -> Fill:
    return lambda rng: f"{rng.randrange(low, high, step):,}".replace(",", "")


def _identifier(rng: random.Random) -> str:
    return f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}{rng.choice(['', 's', '_by_id', '_list'])}"


def _record(rng: random.Random) -> dict[str, object]:
    values: dict[str, object] = {"id": rng.randrange(1, 9999), "active": rng.random() < 0.5}
    for name in rng.sample(_FIELDS[1:-1], rng.randrange(2, 5)):
        values[name] = rng.choice([rng.randrange(500), rng.choice(_NOUNS), None])
    return values


def _json(rng: random.Random) -> str:
    records = [_record(rng) for _ in range(rng.randrange(1, 5))]
    return json.dumps(records[0] if len(records) == 1 else records, separators=(",", ":"))


def _csv(rng: random.Random) -> str:
    names = rng.sample(_FIELDS, 3)
    lines = [",".join(rng.choice([*_NOUNS, "17", "3.5"]) for _ in names) for _ in range(4)]
    return "\n".join([",".join(names), *lines])


def _code(rng: random.Random) -> str:
    name, noun, part = _identifier(rng), rng.choice(_NOUNS), rng.choice(_FIELDS)
    return "\n".join(
        [
            f"def {name}(db, {noun}_id, limit={rng.randrange(5, 200)}):",
            f'    rows = db.query("select * from {noun}s")',  # noqa: S608 - text, never run
            "    found = []",
            "    for row in rows:",
            f"        if row['{part}'] == {noun}_id:",
            f"            found.append(row['{rng.choice(_FIELDS)}'])",
            "    return found[:limit]",
        ]
    )


def _long_code(rng: random.Random) -> str:
    return "\n\n".join(_code(rng) for _ in range(rng.randrange(3, 6)))


def _trace(rng: random.Random) -> str:
    noun, line = rng.choice(_NOUNS), rng.randrange(12, 400)
    return "\n".join(
        [
            "Traceback (most recent call last):",
            f'  File "app/{noun}s.py", line {line}, in {_identifier(rng)}',
            f"    total += {noun}['{rng.choice(_FIELDS)}']",
            f"{rng.choice(_ERRORS)}: '{rng.choice(_FIELDS)}'",
        ]
    )


def _words(rng: random.Random) -> str:
    return ", ".join(rng.sample(_NOUNS, rng.randrange(4, 9)))


#: The gap's name in a template -> what fills it.
SLOTS: Mapping[str, Fill] = {
    "noun": _one(_NOUNS),
    "other": _one(_FIELDS),
    "language": _one(_LANGUAGES),
    "tool": _one(_TOOLS),
    "store": _one(_STORES),
    "framework": _one(_FRAMEWORKS),
    "cloud": _one(_CLOUDS),
    "typo": _one(_TYPOS),
    "error": _one(_ERRORS),
    "code": _one(_CODES),
    "format": _one(_FORMATS),
    "algorithm": _one(_ALGORITHMS),
    "identifier": _identifier,
    "identifier2": _identifier,
    "json": _json,
    "csv": _csv,
    "snippet": _code,
    "snippets": _long_code,
    "trace": _trace,
    "words": _words,
    "small": _number(2, 60),
    "port": _number(1024, 65_000),
    "stamp": _number(1_500_000_000, 1_900_000_000),
    "size": _number(20_000, 900_000, 10_000),
    "team": _number(3, 60),
    "rate": _number(200, 90_000, 100),
}


@dataclass(frozen=True, slots=True)
class DevelopmentPrompt:
    """A prompt, what it asks for, and the tier that it was written for (fast, mid or power).

    The tier is what we intended, to compare with; no classifier sees it.
    """

    text: str
    kind: str
    tier: str


def development_prompts(n: int = 1000, seed: int = 0) -> tuple[DevelopmentPrompt, ...]:
    """`n` prompts like those of a developer's day, the same for the same seed.

    Of the distinct ones 80% are simple, 15% everyday work and 5% hard; 30% of all prompts repeat an
    earlier one exactly, a few of them very often. SettingsError for n below 1.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise SettingsError(f"a workload of {n!r:.80} prompts cannot be made; give 1 or more")
    rng = random.Random(seed)  # noqa: S311 - a workload that can be made again, no secret
    repeats = set(rng.sample(range(1, n), round(n * REPEATED))) if n > 1 else set()
    tiers = _tiers(n - len(repeats), rng)
    known: dict[str, DevelopmentPrompt] = {}
    weights: list[float] = []
    found = []
    for place in range(n):
        if place in repeats:
            found.append(rng.choices([*known.values()], weights)[0])
            continue
        made = _new(tiers.pop(), known, rng)
        known[made.text] = made
        weights.append(rng.paretovariate(_SKEW))
        found.append(made)
    return tuple(found)


def _tiers(count: int, rng: random.Random) -> list[str]:
    hard = [tier for tier in ("mid", "power") for _ in range(round(count * SHARES[tier]))]
    tiers = [*hard, *["fast"] * (count - len(hard))]
    rng.shuffle(tiers)
    return tiers


def _new(tier: str, known: dict[str, DevelopmentPrompt], rng: random.Random) -> DevelopmentPrompt:
    """A prompt that was not asked yet; a numbered one where the templates have run out."""
    for _ in range(_TRIES):
        kind, text = _filled(TEMPLATES[tier], rng)
        if text not in known:
            return DevelopmentPrompt(text, kind, tier)
    return DevelopmentPrompt(f"{text}\n({len(known)})", kind, tier)


def _filled(kinds: Kinds, rng: random.Random) -> tuple[str, str]:
    kind = rng.choice(list(kinds))
    template = Template(rng.choice(kinds[kind]))
    names = template.get_identifiers()
    return kind, template.substitute({name: SLOTS[name](rng) for name in names})


def article_ladder() -> Ladder:
    """The third article's three tiers, simulated, at its own prices.

    $0.15, $2.50 and $15 per million tokens in, and three times that out, as in its formula.
    Times, tokens and words are those of the simulated models.
    """
    ladder = preset("three-tier", "simulated")
    given = (Decimal("0.15"), Decimal("2.50"), Decimal(15))
    tiers = (
        replace(tier, price=Price(price, 3 * price, "configured"))
        for tier, price in zip(ladder.tiers, given, strict=True)
    )
    return replace(ladder, name="third article", tiers=tuple(tiers))


@dataclass(frozen=True)
class Measured:
    """What the strategies cost on a workload, and what the router picked.

    `picked` are (the tier it was written for, the tier picked) of each prompt.
    """

    strategies: tuple[Strategy, ...]
    picked: tuple[tuple[str, str], ...]
    ladder: Ladder

    def frame(self) -> pd.DataFrame:
        """One row for each strategy, with the columns of `WhatIf.frame`."""
        names = self.ladder.names
        records = [whatif_text.strategy_record(one, names) for one in self.strategies]
        return pd.DataFrame(records, columns=[*whatif_text.STRATEGY, *names])

    def confusion(self) -> pd.DataFrame:
        """How many prompts written for a tier (rows) went to which (columns)."""
        counts = [
            [sum(pair == (meant, tier) for pair in self.picked) for tier in self.ladder.names]
            for meant in SHARES
        ]
        return pd.DataFrame(counts, index=list(SHARES), columns=list(self.ladder.names))

    def __repr__(self) -> str:
        """The table as plain text."""
        head = f"measured on {len(self.picked):,} development prompts, ladder {self.ladder.name}"
        table = text_table([whatif_text.HEAD, *whatif_text.table(self.strategies)])
        return "\n".join([head, "", *table])


def measure(
    router: Router,
    prompts: Sequence[DevelopmentPrompt],
    *,
    classifier: object = None,
    billed: bool = False,
    progress: bool = False,
) -> Measured:
    """Send the workload over the router's ladder in each of the article's four ways.

    All on the most expensive tier, all on the middle one, the router, and the router with its
    cache, which must be empty. Four times as many calls as prompts: SettingsError on tiers that are
    billed, unless `billed`.
    """
    _refuse_bills(router, billed=billed)
    send = partial(router.map, [one.text for one in prompts], progress=progress)
    names = router.ladder.names
    top = len(names) - 1
    found = {
        f"all on {names[place]}": send(tier=names[place], cache="off")
        for place in dict.fromkeys((top, top // 2))
    }
    found["router"] = send(classifier=classifier, cache="off")
    # One at a time: two of the same at once would both be sent.
    found["router + cache"] = send(classifier=classifier, cache="use", workers=1)
    strategies = [_strategy(name, batch, names) for name, batch in found.items()]
    kinds = frozenset(router.parts.kind(tier) != "remote" for tier in router.ladder.tiers)
    picked = zip(prompts, found["router"], strict=True)
    return Measured(
        tuple(scenarios.against(one, strategies[0], kinds) for one in strategies),
        tuple((one.tier, row.tier) for one, row in picked),
        router.ladder,
    )


def _refuse_bills(router: Router, *, billed: bool) -> None:
    paid = [tier.name for tier in router.ladder.tiers if router.parts.kind(tier) == "remote"]
    if paid and not billed:
        raise SettingsError(
            f"measuring would send every prompt four times, and {', '.join(paid)} is billed; use "
            "Router(profile='simulated'), or say billed=True"
        )


def _strategy(name: str, batch: Batch, tiers: Sequence[str]) -> Strategy:
    rows = list(batch)
    mix = {tier: sum(row.tier == tier for row in rows) / len(rows) for tier in tiers}
    average = sum(row.latency_ms for row in rows) / len(rows)
    return Strategy(name, batch.cost, average, mix, recorded=True)


if __name__ == "__main__":
    workload = development_prompts()
    for name in ("ngrams", "rules:three-tier"):
        router = Router(profile="simulated", ladder=article_ladder(), ledger=SqliteLedger(None))
        with closing(router):
            measured = measure(router, workload, classifier=name)
        print(f"classified by {name}: {measured}\n\n{measured.confusion()}\n")
