"""A few tiny calls that show what an endpoint accepts and reports: the command `check-endpoint`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from nbroute.errors import (
    AuthError,
    ProviderError,
    RateLimited,
    SettingsError,
    TimedOut,
    Unavailable,
    UnknownModel,
)
from nbroute.pricing import describe, format_usd
from nbroute.providers import model_files
from nbroute.report.table import counted, seconds, shortened
from nbroute.router import Router
from nbroute.settings import load
from nbroute.types import Event, Ladder, RouteResult, Text, Tier

_PROMPT = "What is the capital of France? Answer with its name alone."
#: A bare name may be one token, which comes in one piece even when it is streamed.
_STREAMED = "What is the capital of France? Answer in one short sentence."
#: Hosted endpoints cache prompts of 1,024 tokens and more.
_LONG = f"{'Paris is the capital of France. ' * 220}\n{_PROMPT}"
_SYSTEM = "Whatever you are asked, answer with the one word banana."
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_CALLS = 5
#: After one of these, the other calls would end the same way.
_ENDS_IT = (AuthError, RateLimited, TimedOut, Unavailable, UnknownModel)


class Finding(NamedTuple):
    """What was tried, how it went (`ok`, `note` or `fails`), and the finding or the cure."""

    check: str
    verdict: str
    says: str


_THE_REST = Finding("the rest", "fails", "not tried: it would end the same way")


def router_for(provider: str, model: str | None, max_tokens: int) -> Router:
    """A router with one tier, CHECK: that model, else the first one in the settings.

    SettingsError for an unknown provider, or if it has no tier and no model is named.
    """
    settings = load(local_ready=model_files.ready, replay=False)
    if provider not in [one.name for one in settings.providers]:
        settings = load(profile=provider, local_ready=model_files.ready, replay=False)
    tiers = [tier for tier in settings.ladder.tiers if tier.provider == provider]
    if not tiers and model is None:
        raise SettingsError(f"no tier uses {provider!r}: also name one of its models")
    tiers.append(Tier("CHECK", provider, model or "", 1))
    tier = next(tier for tier in tiers if model in (None, tier.model))
    tier = replace(tier, name="CHECK", max_tokens=max_tokens, system="", fallbacks=())
    return Router(settings, ladder=Ladder("check", (tier,), default="CHECK"))


def plan(router: Router, *, cached: bool) -> str:
    """How many calls to which endpoint, and their worst case."""
    tier = router.ladder.tiers[0]
    prompts = [_STREAMED] * _CALLS + [_LONG, _LONG] * cached
    worst = [router.explain(prompt, tier="CHECK").estimates[0].high.usd for prompt in prompts]
    cost = "no known price"
    if None not in worst:
        cost = f"at most {format_usd(sum((usd for usd in worst if usd), Decimal(0)))}"
    host = getattr(router.parts.providers[tier.provider], "host", tier.provider)
    return f"{counted(len(prompts), 'call')} to {tier.model!r} at {host}: {cost}"


def findings(router: Router, *, cached: bool) -> Iterator[Finding]:
    """Make the calls one after another, recorded in the ledger; yields what each shows."""
    whole = _ask(router, stream=False)
    yield _answered("whole", whole)
    if isinstance(whole, _ENDS_IT):
        yield _THE_REST
        return
    pieces: list[Event] = []
    streamed = _ask(router, _STREAMED, observe=pieces.append)
    yield _answered("streamed", streamed, sum(isinstance(piece, Text) for piece in pieces))
    if isinstance(whole, ProviderError) and isinstance(streamed, ProviderError):
        yield _THE_REST
        return
    yield _of_system(_ask(router, system=_SYSTEM))
    yield _of_schema(_ask(router, schema=_SCHEMA))
    yield _of_wrong_model(_ask(router, model="nbroute-no-such-model", over_budget=True))
    for way, result in (("whole", whole), ("streamed", streamed)):
        if isinstance(result, RouteResult):
            yield from _of_money(way, result)
    if cached:
        _ask(router, _LONG)
        yield _of_cache(_ask(router, _LONG))


def _ask(router: Router, prompt: str = _PROMPT, **options: Any) -> RouteResult | ProviderError:
    options = {"tier": "CHECK", "cache": "off", "feature": "check-endpoint"} | options
    try:
        return router.route(prompt, **options)
    except ProviderError as error:
        return error


def _answered(check: str, result: RouteResult | ProviderError, pieces: int = 0) -> Finding:
    if isinstance(result, ProviderError):
        return _failed(check, result)
    told = [repr(shortened(result.text, 30)), seconds(result.latency_ms)]
    if result.answered_by != result.model:
        told.append(f"answered by {result.answered_by!r}")
    if result.reasoning:
        told.append("it thinks first: give its tiers a large max_tokens")
    unusual = pieces == 1 and not result.notices
    if unusual:
        told.append("came in one piece: it, or a proxy in between, does not stream")
    return _found(check, "note" if unusual else "ok", ", ".join(told), result)


def _failed(check: str, error: ProviderError) -> Finding:
    return Finding(check, "fails", str(error).replace("raise max_tokens", "try --max-tokens 1000"))


def _found(check: str, verdict: str, says: str, result: RouteResult) -> Finding:
    """The finding with what had to be changed in the request, which makes it a note."""
    return Finding(check, "note" if result.notices else verdict, "; ".join([says, *result.notices]))


def _of_schema(result: RouteResult | ProviderError) -> Finding:
    if isinstance(result, ProviderError):
        return _failed("schema", result)
    if isinstance(result.data, dict) and result.passed:
        return _found("schema", "ok", repr(result.data), result)
    why = "; ".join(verdict.reason for verdict in result.verdicts if not verdict.passed)
    says = f"not followed ({why}): use --schema with another model"
    return _found("schema", "note", says, result)


def _of_system(result: RouteResult | ProviderError) -> Finding:
    if isinstance(result, ProviderError):
        return Finding(
            "system role", "fails", f"{str(result).rstrip('.')}; leave `system` out of its tiers"
        )
    if "banana" in result.text.lower():
        return _found("system role", "ok", "followed", result)
    says = f"accepted, but not followed: it answered {shortened(result.text, 30)!r}"
    return _found("system role", "note", says, result)


def _of_wrong_model(result: RouteResult | ProviderError) -> Finding:
    if isinstance(result, UnknownModel):
        return Finding("wrong model", "ok", "refused, so that a fallback is asked")
    if isinstance(result, ProviderError):
        says = f"refused as {type(result).__name__}, not as an unknown model: {result}"
        return Finding("wrong model", "note", says)
    by = result.answered_by
    return Finding("wrong model", "note", f"answered by {by!r}: a typo in the name goes unnoticed")


def _of_money(way: str, result: RouteResult) -> Iterator[Finding]:
    answer, says = result.answer, "no usable token count arrived: costs are estimates"
    if not answer.tokens_estimated:
        says = f"{answer.input_tokens:,} tokens in, {answer.output_tokens:,} out"
    yield Finding(f"usage, {way}", "note" if answer.tokens_estimated else "ok", says)
    says, unknown = describe(result.cost), result.cost_usd is None
    if unknown:
        says += ": give its tiers price = { input = ..., output = ... } in nbroute.toml"
    elif result.cost_source in ("list", "configured"):
        says += ": the endpoint does not report costs, so compare this with your bill"
    yield Finding(f"cost, {way}", "note" if unknown else "ok", says)


def _of_cache(result: RouteResult | ProviderError) -> Finding:
    if isinstance(result, ProviderError):
        return Finding("cached input", "fails", str(result))
    kept, given = result.answer.cached_tokens, result.answer.input_tokens
    if kept:
        return Finding("cached input", "ok", f"{kept:,} of {given:,} tokens")
    return Finding("cached input", "note", "none reported: all input is counted at full price")
