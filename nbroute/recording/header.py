"""The first document of a recording: the ladder, and what it takes to classify the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from nbroute import ladders
from nbroute.errors import RecordError, SettingsError
from nbroute.recording.documents import MOST, Document, joined, lines, not_ours
from nbroute.types import Ladder, Price, ProviderKind, Target, Tier

SCHEMA = 1
_MARK = "recording"
#: What is left out of the document where it is so.
_UNTOLD = {"name": "", "provider": None, "model": None, "threshold": None, "step_up_below": 0.0}
#: What a damaged document raises where it is read.
_DAMAGED = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)


@dataclass(frozen=True)
class Classifying:
    """The classifier's name and what it goes by; `provider` and `model` are whom it asks."""

    name: str = "rules"
    provider: str | None = None
    model: str | None = None
    threshold: float = 0.7
    step_up_below: float = 0.0


@dataclass(frozen=True)
class Header:
    """What was recorded with. `kinds` are the providers' by name, no address and no key.

    `embedder` is a provider's name, "wordllama", or "auto" where there was none.
    """

    profile: str
    ladder: Ladder
    kinds: Mapping[str, ProviderKind]
    classifying: Classifying
    embedder: str
    embedder_model: str
    agreement: float
    baseline: str

    def fields(self) -> dict[str, Any]:
        """The header's document."""
        classifying = self.classifying
        return {
            "nbroute": _MARK,
            "schema": SCHEMA,
            "written_by": f"nbroute {_version()}",
            "profile": self.profile,
            "providers": dict(self.kinds),
            "classifier": {
                name: told
                for name, usual in _UNTOLD.items()
                if (told := getattr(classifying, name)) != usual
            },
            "embedder": {"name": self.embedder, "model": self.embedder_model},
            "agreement": self.agreement,
            "baseline": self.baseline,
            "ladder": self.ladder.name,
            "default": self.ladder.default,
            "tiers": [_tier_fields(tier) for tier in self.ladder.tiers],
        }


def read_header(document: Document, path: Path) -> Header:
    """The header; RecordError for another program's file, another schema, or a damaged one."""
    fields = document.fields
    _check_ours(fields, path)
    try:
        return _header(fields)
    except (*_DAMAGED, SettingsError) as error:
        raise RecordError(
            f"{path}, line {document.line}: the recording's header is damaged "
            f"({_what(error)}); correct it, or record again in another file"
        ) from None


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two headers say the same, whichever version wrote them."""
    return {**one, "written_by": ""} == {**other, "written_by": ""}


def _check_ours(fields: Mapping[str, Any], path: Path) -> None:
    if fields.get("nbroute") != _MARK:
        raise not_ours(path)
    schema = fields.get("schema")
    if schema != SCHEMA:
        writer = fields.get("written_by", "another nbroute")
        newer = type(schema) is int and schema > SCHEMA
        cure = "upgrade nbroute (pip install -U nbroute)" if newer else "correct it"
        raise RecordError(
            f"{path} is of schema {schema!r:.40}, written by {writer!s:.40}, and nbroute "
            f"{_version()} reads schema {SCHEMA}; {cure}, or record again in another file"
        )


def _header(fields: Mapping[str, Any]) -> Header:
    tiers = tuple(_tier(one) for one in fields["tiers"])
    kinds = {str(name): _kind(kind) for name, kind in fields["providers"].items()}
    named = {target.provider for tier in tiers for target in tier.targets}
    unknown = sorted(named - set(kinds))
    if unknown:
        raise ValueError(f"providers lacks {unknown[0]!r}")
    return Header(
        profile=_text(fields["profile"]),
        ladder=_usable(Ladder(_text(fields["ladder"]), tiers, _text(fields["default"]))),
        kinds=kinds,
        classifying=_classifying(Classifying(**fields["classifier"])),
        embedder=_text(fields["embedder"]["name"]),
        embedder_model=_text(fields["embedder"]["model"]),
        agreement=_fraction(fields["agreement"]),
        baseline=_text(fields["baseline"]),
    )


def _usable(ladder: Ladder) -> Ladder:
    ladders.validate(ladder)
    return ladder


def _classifying(told: Classifying) -> Classifying:
    return Classifying(
        _text(told.name),
        _maybe_text(told.provider),
        _maybe_text(told.model),
        _fraction(told.threshold),
        _fraction(told.step_up_below),
    )


def _tier_fields(tier: Tier) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": tier.name,
        "provider": tier.provider,
        "model": tier.model,
        "max_tokens": tier.max_tokens,
        "system": lines(tier.system),
    }
    if tier.fallbacks:
        fields["fallbacks"] = [_fallback_fields(one) for one in tier.fallbacks]
    if tier.price:
        fields["price"] = _price_fields(tier.price)
    if tier.reference is not None:
        fields["reference"] = tier.reference
    if tier.context is not None:
        fields["context"] = tier.context
    return fields | ({"description": lines(tier.description)} if tier.description else {})


def _tier(fields: Mapping[str, Any]) -> Tier:
    return Tier(
        name=_text(fields["name"]),
        provider=_text(fields["provider"]),
        model=_text(fields["model"]),
        max_tokens=_whole(fields["max_tokens"]),
        system=joined(fields["system"]),
        fallbacks=tuple(_fallback(one) for one in fields.get("fallbacks", ())),
        price=_price(fields.get("price")),
        description=joined(fields.get("description", "")),
        reference=_maybe_text(fields.get("reference")),
        context=_whole(fields["context"]) if fields.get("context") is not None else None,
    )


def _fallback_fields(one: str | Target) -> str | dict[str, Any]:
    if isinstance(one, str):
        return one
    priced = {"price": _price_fields(one.price)} if one.price else {}
    return {"provider": one.provider, "model": one.model, **priced}


def _fallback(told: Any) -> str | Target:
    if isinstance(told, str):
        return told
    return Target(_text(told["provider"]), _text(told["model"]), _price(told.get("price")))


def _price_fields(price: Price) -> dict[str, str]:
    return {"input": str(price.input), "output": str(price.output), "source": price.source}


def _price(told: Any) -> Price | None:
    if told is None:
        return None
    source = "list" if told["source"] == "list" else "configured"
    given, taken = Decimal(told["input"]), Decimal(told["output"])
    if not max(given, taken) <= MOST:
        raise ValueError(f"the price {told['input']!r:.40} in, {told['output']!r:.40} out is none")
    return Price(given, taken, source)  # type: ignore[arg-type]


def _kind(told: Any) -> ProviderKind:
    if told not in get_args(ProviderKind):
        raise ValueError(f"providers has the kind {told!r:.40}")
    kind: ProviderKind = told
    return kind


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise ValueError(f"{told!r:.40} is no text")  # noqa: TRY004 - a damaged file, not a call
    return told


def _maybe_text(told: Any) -> str | None:
    return None if told is None else _text(told)


def _whole(told: Any) -> int:
    if type(told) is not int or not 0 < told <= MOST:
        raise ValueError(f"{told!r:.40} is no number of tokens")
    return told


def _fraction(told: Any) -> float:
    if type(told) not in (int, float) or not 0 <= told <= 1:
        raise ValueError(f"{told!r:.40} is no number from 0 to 1")
    return float(told)


def _what(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _version() -> str:
    try:
        return version("nbroute")
    except PackageNotFoundError:
        return "of an unknown version"
