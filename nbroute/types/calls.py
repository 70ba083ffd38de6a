"""What goes to a model, what comes back, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from nbroute.types.money import Cost, CostSource, ProviderKind, Usage

Status = Literal["running", "ok", "rejected", "unused", "error", "interrupted"]
Purpose = Literal["answer", "classify", "embed"]
CacheMode = Literal["use", "off", "refresh", "only"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: complete, with nothing left to a provider's taste but parameter names.

    `schema` is the JSON schema that the answer must have, `logprobs` asks for the tokens'
    log-probabilities, and `rated` says that the messages ask the model to rate its answer.
    """

    provider: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    json: bool = False
    stream: bool = True
    schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a reply. Text comes in any number of pieces, the rest once, at the end.

    `clock_ms` is the time since sending by the provider's own clock, where it keeps one,
    `logprobs` the natural logarithms of the probabilities of the piece's tokens, `id` what
    the endpoint calls this answer.
    """

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str | None = None
    clock_ms: float | None = None
    logprobs: tuple[float, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `finish_reason` is the endpoint's: stop, length, content_filter.

    `rating` is the model's own word on how sure it is (1 to 10, taken out of `text`), and
    `logprob` the mean natural logarithm of its tokens' probabilities; None where not known.
    """

    text: str
    model: str
    usage: Usage
    finish_reason: str | None
    latency_ms: float
    ttft_ms: float | None
    rating: float | None = None
    logprob: float | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of a reply; `feedback` goes up with the prompt to the next tier.

    `score` is how good the reply is by a check that measures, on a scale of the check's own.
    """

    passed: bool
    check: str
    reason: str = ""
    feedback: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of one model, or one answer out of the cache: a row of the ledger.

    `result` is the id of the `RouteResult` that it belongs to and `parent` the one that it
    escalates. `error` is the class and message of what went wrong, or the
    verdict that rejected the answer. `ts` is seconds since 1970. `status` is `unused` for an
    answer that was paid for beside the one that was kept. `reserved_usd` is the worst case
    that a budget holds back while the attempt runs, `generation` what the endpoint calls the
    answer, `rating` and `logprob` are as in `Reply`. Answers of one prompt that are compared
    share a `comparison`.
    """

    id: str
    ts: float
    session: str
    result: str
    tier: str
    provider: str
    provider_kind: ProviderKind
    model: str
    parent: str | None = None
    feature: str | None = None
    msg_hash: str = ""
    purpose: Purpose = "answer"
    strategy: str = "direct"
    classifier: str = ""
    reason: str = ""
    status: Status = "ok"
    error: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    tokens_estimated: bool = False
    cost_usd: Decimal | None = None
    cost_source: CostSource = "unknown"
    price_input: Decimal | None = None
    price_output: Decimal | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    finish_reason: str | None = None
    escalated: bool = False
    cached: bool = False
    thread: str | None = None
    generation: str | None = None
    rating: float | None = None
    logprob: float | None = None
    reserved_usd: Decimal | None = None
    comparison: str | None = None
    prompt: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)

    @property
    def usage(self) -> Usage:
        """The tokens of this attempt."""
        return Usage(
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            estimated=self.tokens_estimated,
        )


#: From the least to the most certain; a sum is as certain as its least certain part.
_CERTAINTY: tuple[CostSource, ...] = ("unknown", "estimated", "list", "configured", "billed")


def total_cost(attempts: tuple[Attempt, ...]) -> Cost:
    """What the attempts cost together; unknown as soon as one of them is.

    Money that was not billed (`equivalent`) is never added to money that was: where both
    occur, the sum is of the real money alone (`equivalent_cost` has the rest).
    """
    real = tuple(a for a in attempts if a.cost_source != "equivalent")
    return _sum(real) if any(a.cost_usd != 0 for a in real) else equivalent_cost(attempts)


def equivalent_cost(attempts: tuple[Attempt, ...]) -> Cost:
    """What the attempts that nothing was billed for would have cost; of none, as `total_cost`."""
    return _sum(tuple(a for a in attempts if a.cost_source == "equivalent") or attempts)


def _sum(attempts: tuple[Attempt, ...]) -> Cost:
    charged = [a for a in attempts if a.cost_usd != 0] or list(attempts[-1:])
    sources = [a.cost_source for a in charged]
    if not sources:
        return Cost(None, "unknown")
    source = sources[0] if len(set(sources)) == 1 else min(sources, key=_CERTAINTY.index)
    amounts = [a.cost_usd for a in charged if a.cost_usd is not None]
    if len(amounts) < len(charged):
        return Cost(None, source if source == "equivalent" else "unknown")
    return Cost(sum(amounts, Decimal(0)), source)
