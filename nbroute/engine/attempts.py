"""The attempts of one call: opened, priced and settled, and written down as they happen.

Each attempt is appended to the ledger before it is sent (`running`, its worst case reserved),
every few seconds while its answer streams in, and once more when it has ended; the last row of
an attempt counts. So a killed kernel leaves at most those seconds unaccounted for.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from nbroute import pricing
from nbroute.budgets import Guard, over_budget, worst_case
from nbroute.errors import ProviderError, RecordError, TimedOut, named
from nbroute.locks import Lock
from nbroute.pricing import estimate_tokens, format_usd, least_tokens
from nbroute.types import (
    Attempt,
    Attempted,
    Cost,
    Ledger,
    Notice,
    Observer,
    Provider,
    ProviderKind,
    Purpose,
    Reply,
    Request,
    Rung,
    Tier,
    Usage,
    Verdict,
)

#: Context windows that local servers have by default, and cut a longer prompt to.
_WINDOWS = tuple(2**power for power in range(11, 18))
_SMALLEST = 512
_CUT = (
    "the server may have cut it; shorten the prompt, or give the server a larger context window "
    "(Ollama: num_ctx or OLLAMA_CONTEXT_LENGTH)"
)
_RECKONED = "this is an estimate by our own count"


@dataclass(eq=False)
class AttemptLog:
    """The attempts of one call, by id, and the verdicts on them.

    `template` has the fields that they share, `guard` what the call may cost. Threads may
    share a log.
    """

    template: Attempt
    ledger: Ledger
    clock: Callable[[], float]
    observe: Observer
    guard: Guard
    attempts: dict[str, Attempt] = field(default_factory=dict)
    rungs: list[Rung] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _warned: bool = False

    def share(self, **fields: Any) -> None:
        """Give all attempts from here on these fields."""
        self.template = replace(self.template, **fields)

    def open(self, request: Request, tier: Tier, kind: ProviderKind, purpose: Purpose) -> Attempt:
        """Write the attempt down as running, with its worst case reserved, and return it.

        Checking and writing are one step. BudgetExceeded if the worst case is over one of the
        guard's limits, RecordError if the ledger cannot tell; nothing is written then.
        """
        attempt = self.planned(request, tier, kind, purpose)
        with self._lock:
            self.guard.check(attempt, self.attempts.values())
            caps = self.guard.caps(attempt)
            if not caps:
                self._append(attempt)
            elif refusal := self.ledger.reserve(attempt, caps):
                raise over_budget(refusal, attempt)
            self.attempts[attempt.id] = attempt
        return attempt

    def afford(self, attempt: Attempt, times: int) -> None:
        """Raise BudgetExceeded if the limits have no room for `times` such attempts.

        Nothing stays reserved: each attempt is still to be opened.
        """
        worst = attempt.reserved_usd
        whole = replace(attempt, reserved_usd=None if worst is None else worst * times)
        with self._lock:
            named = replace(whole, tier=f"{attempt.tier} {times} times")
            self.guard.check(named, self.attempts.values())
            if not (caps := self.guard.caps(whole)):
                return
            if refusal := self.ledger.reserve(whole, caps):
                raise over_budget(refusal, whole, times)
            free = Decimal(0)
            self._append(replace(whole, status="not sent", cost_usd=free, reserved_usd=None))

    def planned(
        self, request: Request, tier: Tier, kind: ProviderKind, purpose: Purpose = "answer"
    ) -> Attempt:
        """The attempt as it would be written down, with its worst case; nothing is written."""
        attempt = priced(self._drafted(request, tier, kind, purpose), estimate(request), tier)
        reserved = worst_case(request, tier, kind)
        return replace(attempt, status="running", reserved_usd=reserved)

    def progress(self, attempt: Attempt, request: Request, tier: Tier, text: str) -> None:
        """Write down how far the answer is, in case the kernel does not live to see its end."""
        self._append(priced(attempt, estimate(request, text), tier))

    def close(self, attempt: Attempt, reply: Reply, tier: Tier) -> Attempt:
        """The attempt ended well."""
        return self._settle(_answered(attempt, reply, tier), status="ok")

    def fail(self, attempt: Attempt, reply: Reply, tier: Tier, error: BaseException) -> Attempt:
        """The attempt broke off; `reply` is what had arrived.

        With no text and no usage nothing was delivered, and nothing is counted as paid; but
        an endpoint that was stopped or too slow may well charge for what it read.
        """
        stopped = isinstance(error, KeyboardInterrupt)
        failed = _answered(attempt, reply, tier)
        usage = reply.usage
        paid = usage.billed_usd is not None or usage.output_tokens or not usage.estimated
        if not (paid or stopped or isinstance(error, TimedOut)):
            free = Decimal(0)
            failed = replace(failed, input_tokens=0, tokens_estimated=False, cost_usd=free)
        told = "stopped by the user" if stopped else named(error)
        return self._settle(failed, status="interrupted" if stopped else "error", error=told)

    def reuse(
        self,
        request: Request,
        tier: Tier,
        kind: ProviderKind,
        found: Reply | ProviderError,
        purpose: Purpose,
        *,
        timed: bool = False,
    ) -> Attempt:
        """Write down, at no cost, an answer or a recorded failure that was not sent for.

        A `timed` one, from a replay, took as long as when it was recorded.
        """
        made = self._drafted(request, tier, kind, purpose)
        if isinstance(found, ProviderError):
            made = replace(priced(made, Usage(), tier), status="error", error=named(found))
        else:
            made = _answered(made, found, tier)
            if not timed:
                made = replace(made, latency_ms=0.0, ttft_ms=None)
        return self._settle(made, cost_usd=Decimal(0), cached=True, generation=None)

    def judged(self, attempt: Attempt, verdicts: Sequence[Verdict]) -> Rung:
        """Note what the checks say about that answer."""
        rung = Rung(attempt.tier, attempt.id, tuple(verdicts))
        self.rungs.append(rung)
        return rung

    def reject(self, attempt: str, verdict: Verdict) -> Attempt:
        """That answer failed a check: it was paid for, but is not the one that counts."""
        told = " ".join(f"{verdict.check}: {verdict.reason}".split())
        return self.mark(attempt, status="rejected", error=told)

    def mark(self, attempt: str, **changes: Any) -> Attempt:
        """Write that attempt down again, with these changes."""
        with self._lock:
            return self._keep(replace(self.attempts[attempt], **changes))

    def _drafted(
        self, request: Request, tier: Tier, kind: ProviderKind, purpose: Purpose
    ) -> Attempt:
        return replace(
            self.template,
            id=new_id(),
            ts=self.clock(),
            tier=tier.name,
            provider=request.provider,
            provider_kind=kind,
            model=request.model,
            purpose=purpose,
            effort=request.effort,
        )

    def _settle(self, attempt: Attempt, **ended: Any) -> Attempt:
        """Write down how the attempt ended, and tell the observer."""
        settled = self._keep(replace(attempt, reserved_usd=None, **ended))
        self.observe(Attempted(settled))
        return settled

    def _keep(self, attempt: Attempt) -> Attempt:
        with self._lock:
            self.attempts[attempt.id] = attempt
        self._append(attempt)
        return attempt

    def _append(self, attempt: Attempt) -> None:
        try:
            self.ledger.append(attempt)
        except RecordError as error:
            if not (self._warned or error.told):
                self._warned = True
                self.observe(Notice(str(error)))


def new_id() -> str:
    """Twelve random hexadecimal digits."""
    return uuid.uuid4().hex[:12]


def hash_text(text: str) -> str:
    """The first 12 hexadecimal digits of SHA-256, as in the second article's log record."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def estimate(request: Request, text: str = "") -> Usage:
    """The usage by our own count."""
    return Usage(pricing.prompt_tokens(request.messages), estimate_tokens(text), estimated=True)


def believed(told: Usage | None, request: Request, text: str) -> tuple[Usage, str]:
    """The usage to go by, and what the user should know about it.

    If the endpoint gives no count, or one below that of any tokenizer, ours is used as an
    estimate; the endpoint's bill counts all the same.
    """
    ours = estimate(request, text)
    if told is None:
        return ours, ""
    given, taken = told.input_tokens, told.output_tokens
    least = sum(least_tokens(message.content) for message in request.messages)
    cut = given < max(least, 1) or (given in _WINDOWS and given < ours.input_tokens)
    short = taken < max(least_tokens(text), bool(text))
    if not (cut or short):
        return told, ""
    notes = []
    if cut and given:
        read = f"{request.model} read {given:,} tokens of a prompt of about {ours.input_tokens:,}"
        notes.append(f"{read}: {_CUT if given >= _SMALLEST else _RECKONED}")
    if short and taken:
        made = f"{request.model} counted {taken:,} tokens in an answer of about"
        notes.append(f"{made} {ours.output_tokens:,}: {_RECKONED}")
    usage = replace(
        told,
        input_tokens=ours.input_tokens if cut else given,
        output_tokens=ours.output_tokens if short else taken,
        estimated=True,
    )
    return usage, "; ".join(notes)


def priced(attempt: Attempt, usage: Usage, tier: Tier) -> Attempt:
    """The attempt with that usage and what it cost.

    Vectors that nobody bills cost 0, so that they make no sum unknown.
    """
    kind = attempt.provider_kind
    cost = pricing.cost_of(usage, tier, attempt.model, kind, attempt.answered_by)
    if attempt.purpose == "embed" and kind != "remote" and cost.source != "billed":
        cost = Cost(Decimal(0), "equivalent")
    return replace(
        attempt,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        tokens_estimated=usage.estimated,
        cost_usd=cost.usd,
        cost_source=cost.source,
        price_input=cost.price.input if cost.price else None,
        price_output=cost.price.output if cost.price else None,
    )


def _answered(attempt: Attempt, reply: Reply, tier: Tier) -> Attempt:
    answered = replace(
        attempt,
        text=reply.text,
        reasoning=reply.reasoning or None,
        answered_by=reply.model if reply.model != attempt.model else None,
        finish_reason=reply.finish_reason,
        latency_ms=reply.latency_ms,
        ttft_ms=reply.ttft_ms,
        rating=reply.rating,
        logprob=reply.logprob,
        generation=reply.id,
        effort=reply.effort,
    )
    return priced(answered, reply.usage, tier)


@dataclass(frozen=True)
class Settled:
    """How many calls had no bill yet, and how many have one now; `usd` is what that adds."""

    asked: int
    settled: int
    usd: Decimal
    failure: str = ""

    @property
    def told(self) -> str:
        """The outcome in a line."""
        if not self.asked:
            return "nothing to settle: every call of this session has its bill, or has none"
        less = "less" if self.usd < 0 else "more"
        line = f"{self.settled} of {self.asked} calls settled"
        if self.settled:
            line += f", together {format_usd(abs(self.usd))} {less} than was written down"
        return f"{line}; {self.failure}" if self.failure else line


def settle(ledger: Ledger, session: str, providers: Mapping[str, Provider]) -> Settled:
    """Write down what the session's calls were charged, where their answers did not say.

    Each call's last row counts, so a row with the bill is added. An endpoint that fails ends
    the settling of its calls; the rest can be settled later.
    """
    waiting = [
        row
        for row in ledger.rows(session=session)
        if row["status"] != "running" and not row["cached"] and row["provider_kind"] == "remote"
        if row["generation"] and row["cost_source"] != "billed"
        if hasattr(providers.get(row["provider"]), "settle")
    ]
    settled, added = 0, Decimal(0)
    failures: dict[str, str] = {}
    for row in waiting:
        if row["provider"] in failures:
            continue
        biller: Any = providers[row["provider"]]
        try:
            usage: Usage | None = biller.settle(row["generation"])
        except ProviderError as error:
            failures[row["provider"]] = str(error)
            continue
        if usage is not None and usage.billed_usd is not None:
            bill: dict[str, Any] = {"cost_usd": usage.billed_usd, "cost_source": "billed"}
            if not usage.estimated:
                bill |= {
                    "input_tokens": usage.input_tokens,
                    "output_tokens": usage.output_tokens,
                    "cached_tokens": usage.cached_tokens,
                    "reasoning_tokens": usage.reasoning_tokens or row["reasoning_tokens"],
                    "tokens_estimated": False,
                }
            ledger.append(Attempt(**{**row, **bill}))
            settled += 1
            added += usage.billed_usd - (row["cost_usd"] or 0)
    return Settled(len(waiting), settled, added, "; ".join(failures.values()))
