"""What happened in one routed call, priced and written down as it happens.

Each attempt is appended before it is sent (`running`), every few seconds while its answer
streams in, and once more when it has ended; the last row of an attempt counts. So a killed
kernel leaves at most those seconds unaccounted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nbroute.errors import RecordError, TimedOut
from nbroute.types import (
    Attempt,
    Attempted,
    Cost,
    Decision,
    Ledger,
    Notice,
    Observer,
    Provider,
    ProviderKind,
    Purpose,
    Reply,
    Request,
    Tier,
    Usage,
    Verdict,
)

Pricer = Callable[[Usage, Tier, str, ProviderKind], Cost]
TokenCounter = Callable[[str], int]


class Journal:
    """The attempts of one call; `template` holds the fields that they share."""

    def __init__(
        self,
        template: Attempt,
        *,
        ledger: Ledger,
        price: Pricer,
        count_tokens: TokenCounter,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        observe: Observer,
    ) -> None:
        self.template = template
        self.attempts: list[Attempt] = []
        self.observe = observe
        self._ledger = ledger
        self._price = price
        self._count_tokens = count_tokens
        self._clock = clock
        self._new_id = new_id
        self._warned = False

    def spent(self) -> Decimal:
        """US dollars so far, known ones."""
        return sum((a.cost_usd for a in self.attempts if a.cost_usd is not None), Decimal(0))

    def decided(self, decision: Decision) -> None:
        """From here on, attempts say who chose the tier and why."""
        self.template = replace(
            self.template, classifier=decision.classifier, reason=decision.reason
        )

    def climb(self) -> None:
        """From here on, attempts are marked as escalated."""
        self.template = replace(self.template, escalated=True)

    def open(self, request: Request, tier: Tier, provider: Provider, purpose: Purpose) -> Attempt:
        """Write the attempt down as running, at the price of its input, and return it."""
        cost = self._priced(self.estimate(request, ""), tier, request.model, provider.kind)
        attempt = self._started(request, tier, provider, purpose, status="running", **cost)
        self._append(attempt)
        return attempt

    def progress(self, attempt: Attempt, request: Request, tier: Tier, text: str) -> None:
        """Write down how far the answer is, in case the kernel does not live to see its end."""
        usage = self.estimate(request, text)
        so_far = self._priced(usage, tier, attempt.model, attempt.provider_kind)
        self._append(replace(attempt, **so_far))

    def close(self, attempt: Attempt, reply: Reply, tier: Tier) -> Attempt:
        """The attempt ended well."""
        cost = self._priced(reply.usage, tier, attempt.model, attempt.provider_kind)
        return self._settle(replace(attempt, status="ok", **_of_reply(reply), **cost))

    def fail(self, attempt: Attempt, reply: Reply, tier: Tier, error: BaseException) -> Attempt:
        """The attempt broke off; `reply` is what had arrived.

        With no text and no usage nothing was delivered, and nothing is counted as paid; but
        an endpoint that was stopped or too slow may well charge for what it read.
        """
        stopped = isinstance(error, KeyboardInterrupt)
        told: dict[str, Any] = {
            "status": "interrupted" if stopped else "error",
            "error": "stopped by the user" if stopped else one_line(error),
        }
        cost: dict[str, Any] = {
            "input_tokens": 0,
            "tokens_estimated": False,
            "cost_usd": Decimal(0),
        }
        maybe_billed = stopped or isinstance(error, TimedOut)
        if maybe_billed or reply.text or not reply.usage.estimated:
            cost = self._priced(reply.usage, tier, attempt.model, attempt.provider_kind)
        return self._settle(replace(attempt, **told, **_of_reply(reply), **cost))

    def answer_from_cache(
        self, request: Request, tier: Tier, provider: Provider, reply: Reply, purpose: Purpose
    ) -> Attempt:
        """Write down an answer that was not sent for: its tokens, at no cost and in no time."""
        parts = _of_reply(reply) | self._priced(reply.usage, tier, request.model, provider.kind)
        parts |= {"cost_usd": Decimal(0), "latency_ms": 0.0, "ttft_ms": None, "cached": True}
        return self._settle(self._started(request, tier, provider, purpose, **parts))

    def reject(self, verdict: Verdict) -> Attempt:
        """The last answer failed a check: it stays paid for, and the next tier is asked."""
        reason = f"{verdict.check}: {verdict.reason}"
        self.attempts[-1] = replace(self.attempts[-1], status="rejected", error=reason)
        self._append(self.attempts[-1])
        return self.attempts[-1]

    def estimate(self, request: Request, text: str) -> Usage:
        """The usage as we would count it ourselves."""
        return Usage(
            input_tokens=sum(self._count_tokens(m.content) for m in request.messages),
            output_tokens=self._count_tokens(text) if text else 0,
            estimated=True,
        )

    def _started(
        self, request: Request, tier: Tier, provider: Provider, purpose: Purpose, **parts: Any
    ) -> Attempt:
        attempt = replace(
            self.template,
            id=self._new_id(),
            ts=self._clock(),
            tier=tier.name,
            provider=request.provider,
            provider_kind=provider.kind,
            model=request.model,
            purpose=purpose,
            **parts,
        )
        self.attempts.append(attempt)
        return attempt

    def _priced(self, usage: Usage, tier: Tier, model: str, kind: ProviderKind) -> dict[str, Any]:
        """The fields of an Attempt that say how much it took."""
        cost = self._price(usage, tier, model, kind)
        return {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "tokens_estimated": usage.estimated,
            "cost_usd": cost.usd,
            "cost_source": cost.source,
            "price_input": cost.price.input if cost.price else None,
            "price_output": cost.price.output if cost.price else None,
        }

    def _settle(self, attempt: Attempt) -> Attempt:
        places = [i for i, known in enumerate(self.attempts) if known.id == attempt.id]
        self.attempts[places[0]] = attempt
        self._append(attempt)
        self.observe(Attempted(attempt))
        return attempt

    def _append(self, attempt: Attempt) -> None:
        try:
            self._ledger.append(attempt)
        except RecordError as error:
            if not self._warned:
                self._warned = True
                self.observe(Notice(str(error)))


def one_line(error: BaseException) -> str:
    """The error's class and message, without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _of_reply(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "latency_ms": reply.latency_ms,
        "ttft_ms": reply.ttft_ms,
    }
