"""What fills the gaps in the workload's templates: names, numbers, pieces of code and data."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping


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
