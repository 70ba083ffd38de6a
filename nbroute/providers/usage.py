"""What an endpoint says an answer took: tokens and money, in the many ways of saying so.

What is not a count (a text, a fraction, less than 0) is passed over, and so are zeros beside
an answer: what is not told is counted by us. Where each vendor tells it is in genai-prices'
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

#: No call has as many tokens or costs as many dollars; SQLite holds it exactly.
MOST = 10**9
#: https://docs.x.ai/developers/cost-tracking
_TICKS = 10**10

_TOLD = packaged("nbroute.providers", "replies.toml")["usage"]
#: Whose `completion_tokens` include the reasoning, as documented, and whose do not.
_INSIDE = re.compile(r"openrouter\.ai|openai|litellm|anthropic|deepseek|groq|mistral|\bgpt-|\bo\d")
_OUTSIDE = re.compile(r"\bx\.ai\b|\bgrok|googleapis|\bgemini|perplexity|\bsonar")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]{1,3})?")


class Tally:
    """What the events of one answer told so far; each count only grows in a stream.

    `whose` is the host and the model: they tell where the reasoning is counted. A LiteLLM proxy
    tells what a whole answer cost in a header alone, as 0 where it has no price:
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
        """Take in what an event, or a whole answer, tells."""
        places = [_at(event, name) for name in _TOLD["places"]]
        # Ollama's own API tells it in the event itself.
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
        """The tokens and the bill; what is not told of them is estimated, at 0 for now."""
        given, taken = self._told.get("input", 0), self._told.get("output", 0)
        if not (given or taken):
            return Usage(billed_usd=self._billed, estimated=True) if self._billed else None
        whole = given and "output" in self._told
        given = given or max(self._told.get("total", 0) - taken, 0)
        cached, written = self._told.get("cached", 0), self._told.get("written", 0)
        if self._told.get("total") == given + taken + cached + written:
            given += cached + written
        taken, sure = self._output(given, taken)
        # What is written into the endpoint's cache has a price of its own.
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
        """The tokens of answer and reasoning, and whether that is sure; the total tells.

        Without it, and with no word of the vendor's, reasoning counts on top.
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

    The model's own counts go before OpenRouter's, which are by one tokenizer for all models.
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
    """Read what was charged; with the user's own key at the vendor, the vendor charges, too.

    OpenRouter takes a fee of it then; an answer that does not say whose key it was is known by
    that. Source: https://openrouter.ai/docs/use-cases/usage-accounting
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
    """The first of the counts that is more than 0, else 0 where one is told."""
    told = None
    for name in names:
        main, *apart = (_count(_at(place, part)) for part in name.split("+"))
        if main:
            return main + sum(count or 0 for count in apart)
        told = main if told is None else told
    return told


def _count(value: Any, most: int = MOST) -> int | None:
    """Read a number of tokens; what is not one is counted by us instead."""
    return value if type(value) is int and 0 <= value < most else None


def _at(value: Any, path: str) -> Any:
    """What lies there; of a list its first."""
    for name in filter(None, path.split(".")):
        value = field(value, name)
        value = value[0] if isinstance(value, list) and value else value
    return value


def field(value: Any, name: str) -> Any:
    """A field of plain JSON; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else None
