"""What an output's metadata says -> calls, each field checked: anybody can write a notebook."""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args

from nbroute.audit.calls import Call, Place
from nbroute.errors import SettingsError
from nbroute.report.metadata import SCHEMA
from nbroute.types import CostSource, Purpose, Status

#: One call in US dollars, and in tokens: far above any real one, far below what breaks a sum.
_MOST_USD = 1e6
_MOST_TOKENS = 10**12
_LATEST = 253_402_300_800  # the year 10000
_LONGEST = 200
_SOURCES = frozenset(get_args(CostSource))
_PURPOSES = frozenset(get_args(Purpose))
_STATUSES = frozenset(get_args(Status))

Record = Mapping[str, Any]


def records(said: Any) -> Iterator[Record | SettingsError]:
    """Every record in it, oldest first: those of a comparison, and those that were escalated."""
    found: list[Record | SettingsError] = []
    waiting = deque([said])
    while waiting:
        one = waiting.popleft()
        if problem := _foreign(one):
            found.append(SettingsError(problem))
            continue
        try:
            waiting.extend(_others(one, "earlier"))
            waiting.extend(reversed(_others(one, "compared")))
        except SettingsError as error:
            found.append(error)
        if "compared" not in one:
            found.append(one)
    return reversed(found)


def _others(record: Record, name: str) -> list[Any]:
    others = record.get(name, [])
    if not isinstance(others, list):
        raise SettingsError(f"{name!r} is a {_kind(others)}, not a list")
    return others


def calls(record: Record, place: Place) -> tuple[Call, ...]:
    """The record's attempts; SettingsError names the first field that cannot be so."""
    result = _text(record, "id")
    ts = _number(record, "ts", _LATEST)
    attempts = record.get("attempts")
    if not isinstance(attempts, list) or not attempts:
        raise SettingsError(f"'attempts' is {_short(attempts)}, not a list of calls")
    return tuple(_call(attempt, place, result, ts) for attempt in attempts)


def _foreign(said: Any) -> str | None:
    if not isinstance(said, Mapping):
        return f"it is a {_kind(said)}, not a record of nbroute"
    schema = said.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        return f"its schema is {_short(schema)}; this nbroute reads {SCHEMA}"
    return None


def _call(attempt: Any, place: Place, result: str, ts: float) -> Call:
    if not isinstance(attempt, Mapping):
        raise SettingsError(f"an attempt is a {_kind(attempt)}, not a call")
    cached = attempt.get("cached")
    if not isinstance(cached, bool):
        raise SettingsError(f"'cached' is {_short(cached)}, neither true nor false")
    source = _one_of(attempt, "cost_source", _SOURCES)
    return Call(
        place=place,
        result=result,
        ts=ts,
        tier=_text(attempt, "tier", empty=True),
        model=_text(attempt, "model", empty=True),
        purpose=_one_of(attempt, "purpose", _PURPOSES),
        status=_one_of(attempt, "status", _STATUSES),
        input_tokens=_tokens(attempt, "input_tokens"),
        output_tokens=_tokens(attempt, "output_tokens"),
        cost_usd=_usd(attempt, source),
        cost_source=source,
        cached=cached,
    )


def _usd(attempt: Record, source: str) -> Decimal | None:
    """The cost; None where it is not known."""
    if attempt.get("cost_usd", 0) is None:
        return None
    amount = _number(attempt, "cost_usd", _MOST_USD)
    if source == "unknown" and amount:
        raise SettingsError(f"'cost_usd' is {amount!r}, and its source is 'unknown'")
    return Decimal(repr(amount))


def _number(record: Record, name: str, most: float) -> float:
    value = record.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
        return float(value)
    raise SettingsError(f"{name!r} is {_short(value)}, not a number from 0 to {most:.0f}")


def _tokens(record: Record, name: str) -> int:
    number = _number(record, name, _MOST_TOKENS)
    if not number.is_integer():
        raise SettingsError(f"{name!r} is {number!r}, not a whole number")
    return int(number)


def _text(record: Record, name: str, *, empty: bool = False) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not (value or empty):
        raise SettingsError(f"{name!r} is {_short(value)}, not a name")
    if len(value) > _LONGEST:
        raise SettingsError(f"{name!r} has {len(value):,} characters: no name")
    return value


def _one_of(record: Record, name: str, allowed: frozenset[str]) -> str:
    value = record.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise SettingsError(f"{name!r} is {_short(value)}, not one of {', '.join(sorted(allowed))}")
    return value


def _kind(value: Any) -> str:
    return type(value).__name__


def _short(value: Any) -> str:
    """The value in at most about 40 characters."""
    return reprlib.repr(value)[:60]
