"""The tokens and the money that an endpoint says an answer took, in its vendor's own format.

Anything that is not a count (text, a fraction, a negative number) is skipped, and so are zeros
next to an answer: we count what is missing ourselves. Each vendor's fields are in genai-prices'
extractors (https://github.com/pydantic/genai-prices) and, for local servers, in
https://github.com/ollama/ollama/blob/main/docs/api.md and
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`timings`);
their names are in `replies.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from nbroute.decoding import packaged
from nbroute.pricing import read_usd
from nbroute.types import Usage

#: No call has this many tokens or costs this many dollars; SQLite stores it exactly.
MOST = 10**9
#: https://docs.x.ai/developers/cost-tracking
_TICKS = 10**10

_TOLD = packaged("nbroute.providers", "replies.toml")["usage"]
#: Vendors whose `completion_tokens` include the reasoning, as documented, and those whose do not.
_INSIDE = re.compile(r"openrouter\.ai|openai|litellm|anthropic|deepseek|groq|mistral|\bgpt-|\bo\d")
_OUTSIDE = re.compile(r"\bx\.ai\b|\bgrok|googleapis|\bgemini|perplexity|\bsonar")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]{1,3})?")


class Tally:
    """The counts from the events of one answer so far; in a stream each count only grows.

    `whose` is the host and the model, which decide where reasoning is counted. A LiteLLM proxy
    sends the cost of a whole answer only in a header, as 0 where it has no price:
    https://docs.litellm.ai/docs/proxy/response_headers
    """

    def __init__(self, whose: str, headers: Mapping[str, str] | None = None) -> None:
        self._whose = whose.lower()
        self._told: dict[str, int] = {}
        headers = headers or {}
        cost = headers.get("x-litellm-response-cost", "")
        told = _PLAIN.fullmatch(cost) and "event-stream" not in headers.get("content-type", "")
        self._billed = (_read_bill(cost) or None) if told else None

    def add(self, event: Any) -> None:
        """Take in the counts of an event, or of a whole answer."""
        places = [_at(event, name) for name in _TOLD["places"]]
        # Ollama's own API has the counts in the event itself.
        for place in (*places, event if field(event, "eval_count") else None):
            if not isinstance(place, Mapping):
                continue
            for count, names in _TOLD["counts"].items():
                if (value := _first(place, names)) is not None:
                    self._told[count] = max(self._told.get(count, 0), value)
            # xAI; OpenRouter, LiteLLM, Vercel (`cost`); Perplexity; and DeepInfra charges its
            # `estimated_cost`: https://github.com/BerriAI/litellm/issues/38802
            ticks = _count(field(place, "cost_in_usd_ticks"), most=MOST * _TICKS)
            upstream = field(field(place, "cost_details"), "upstream_inference_cost")
            amounts = [
                None if ticks is None else Decimal(ticks) / _TICKS,
                _with_own_key(place, "cost", upstream),
                *(_read_bill(_at(place, name)) for name in ("cost.total_cost", "estimated_cost")),
                self._billed,
            ]
            self._billed = next((usd for usd in amounts if usd is not None), None)

    @property
    def usage(self) -> Usage | None:
        """The tokens and the bill; missing counts are 0 for now, and marked as estimated."""
        given, taken = self._told.get("input", 0), self._told.get("output", 0)
        if not (given or taken):
            return Usage(billed_usd=self._billed, estimated=True) if self._billed else None
        whole = given and "output" in self._told
        given = given or max(self._told.get("total", 0) - taken, 0)
        cached, written = self._told.get("cached", 0), self._told.get("written", 0)
        if self._told.get("total") == given + taken + cached + written:
            given += cached + written
        taken, sure = self._output(given, taken)
        # Tokens written into the endpoint's cache have a different price.
        estimated = not whole or (self._billed is None and (written > 0 or not sure))
        thought = min(self._told.get("reasoning", 0), taken)
        return Usage(
            given,
            taken,
            min(cached, given),
            self._billed,
            estimated=estimated,
            reasoning_tokens=thought,
        )

    def _output(self, given: int, taken: int) -> tuple[int, bool]:
        """The tokens of answer and reasoning, and whether the total confirms them.

        Without a total, and where the vendor documents nothing, reasoning is added on top.
        """
        reasoning, total = self._told.get("reasoning", 0), self._told.get("total", 0)
        beyond = total - given - taken
        if beyond > 0:
            return taken + max(beyond, reasoning), reasoning in (0, beyond)
        if reasoning <= taken and (beyond == 0 or not reasoning or _INSIDE.search(self._whose)):
            return taken, True
        return taken + reasoning, _OUTSIDE.search(self._whose) is not None


def generation_usage(answer: Any) -> Usage | None:
    """Read an answer to GET /generation; None where it names no cost.

    The model's own counts are preferred to OpenRouter's, which use one tokenizer for all models.
    """
    data = field(answer, "data")
    billed = _with_own_key(data, "total_cost", field(data, "upstream_inference_cost"))
    if billed is None:
        return None
    asked = _first(data, ("native_tokens_prompt", "tokens_prompt"))
    answered = _first(data, ("native_tokens_completion", "tokens_completion"))
    cached = _count(field(data, "native_tokens_cached")) or 0
    known = asked is not None and answered is not None
    return Usage(asked or 0, answered or 0, min(cached, asked or 0), billed, estimated=not known)


def _with_own_key(bill: Any, name: str, upstream: Any) -> Decimal | None:
    """Read what was charged; with the user's own key, the vendor charges as well.

    OpenRouter then takes a fee, by which we recognise an answer that does not say whose key it
    used. Source: https://openrouter.ai/docs/use-cases/usage-accounting
    """
    amount, vendors = _read_bill(field(bill, name)), _read_bill(upstream) or Decimal(0)
    if amount is None:
        return None
    own_key = field(bill, "is_byok")
    added = vendors > amount if own_key is None else own_key is True
    return amount + vendors if added else amount


def _read_bill(value: Any) -> Decimal | None:
    """Read an amount as it was written; None for anything that is not an amount."""
    amount = read_usd(value)
    return amount if amount is not None and amount < MOST else None


def _first(place: Any, names: Sequence[str]) -> int | None:
    """The first of the counts above 0, else 0 if any was sent."""
    told = None
    for name in names:
        main, *apart = (_count(_at(place, part)) for part in name.split("+"))
        if main:
            return main + sum(count or 0 for count in apart)
        told = main if told is None else told
    return told


def _count(value: Any, most: int = MOST) -> int | None:
    """Read a number of tokens; None where it is not one."""
    return value if type(value) is int and 0 <= value < most else None


def _at(value: Any, path: str) -> Any:
    """The value at that path; the first item of a list."""
    for name in filter(None, path.split(".")):
        value = field(value, name)
        value = value[0] if isinstance(value, list) and value else value
    return value


def field(value: Any, name: str) -> Any:
    """A field of plain JSON, or None."""
    return value.get(name) if isinstance(value, Mapping) else None
