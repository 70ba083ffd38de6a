"""What happened in one routed call, priced and written down as it happens.

Each attempt is appended before it is sent (`running`, its worst case reserved), every few
seconds while its answer streams in, and once more when it has ended; the last row of an
attempt counts. So a killed kernel leaves at most those seconds unaccounted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Protocol, cast

from nbroute.budgets import Guard, over_budget, worst_case
from nbroute.errors import ProviderError, RecordError, TimedOut, named
from nbroute.pricing import estimate_tokens, format_usd
from nbroute.types import (
    Attempt,
    Attempted,
    Cost,
    Decision,
    Embedded,
    Embedder,
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
    """The attempts of one call; `template` holds the fields that they share.

    Threads may share it. `guard` holds what the call may cost, None is no limit.
    """

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
        guard: Guard | None = None,
    ) -> None:
        self.template = template
        self.attempts: list[Attempt] = []
        self.observe = observe
        self.guard = guard or Guard()
        self._lock = threading.RLock()
        self._ledger = ledger
        self._price = price
        self._count_tokens = count_tokens
        self._clock = clock
        self._new_id = new_id
        self._warned = False

    def spent(self) -> Decimal:
        """US dollars so far, known ones, with what is reserved for attempts that still run."""
        with self._lock:
            return sum(map(_held, self.attempts), Decimal(0))

    def decided(self, decision: Decision) -> None:
        """From here on, attempts say who chose the tier and why."""
        self.template = replace(
            self.template, classifier=decision.classifier, reason=decision.reason
        )

    def climb(self) -> None:
        """From here on, attempts are marked as escalated."""
        self.template = replace(self.template, escalated=True)

    def open(self, request: Request, tier: Tier, provider: Provider, purpose: Purpose) -> Attempt:
        """Write the attempt down as running, with its worst case reserved, and return it.

        Checking and writing are one step. BudgetExceeded where the worst case is over a limit
        of the guard's, RecordError where the ledger cannot tell; then nothing is written.
        """
        parts = self.priced(self.estimate(request, ""), tier, request.model, provider.kind)
        parts |= {"status": "running", "reserved_usd": worst_case(request, tier, provider.kind)}
        return self.begin(self._drafted(request, tier, provider, purpose, **parts))

    def begin(self, attempt: Attempt) -> Attempt:
        """Write down that the attempt runs, if its `reserved_usd` is within every limit."""
        with self._lock:
            self.guard.check(attempt, self.spent())
            self._reserve(attempt)
            self.attempts.append(attempt)
        return attempt

    def progress(self, attempt: Attempt, request: Request, tier: Tier, text: str) -> None:
        """Write down how far the answer is, in case the kernel does not live to see its end."""
        usage = self.estimate(request, text)
        so_far = self.priced(usage, tier, attempt.model, attempt.provider_kind)
        self._append(replace(attempt, **so_far))

    def close(self, attempt: Attempt, reply: Reply, tier: Tier) -> Attempt:
        """The attempt ended well."""
        cost = self.priced(reply.usage, tier, attempt.model, attempt.provider_kind)
        ended = replace(attempt, status="ok", reserved_usd=None, **_of_reply(reply), **cost)
        return self.settle(ended)

    def fail(self, attempt: Attempt, reply: Reply, tier: Tier, error: BaseException) -> Attempt:
        """The attempt broke off; `reply` is what had arrived.

        With no text and no usage nothing was delivered, and nothing is counted as paid; but
        an endpoint that was stopped or too slow may well charge for what it read.
        """
        stopped = isinstance(error, KeyboardInterrupt)
        told: dict[str, Any] = {
            "status": "interrupted" if stopped else "error",
            "error": "stopped by the user" if stopped else named(error),
            "reserved_usd": None,
        }
        cost: dict[str, Any] = {
            "input_tokens": 0,
            "tokens_estimated": False,
            "cost_usd": Decimal(0),
        }
        maybe_billed = stopped or isinstance(error, TimedOut)
        if maybe_billed or reply.text or not reply.usage.estimated:
            cost = self.priced(reply.usage, tier, attempt.model, attempt.provider_kind)
        return self.settle(replace(attempt, **told, **_of_reply(reply), **cost))

    def answer_from_cache(
        self,
        request: Request,
        tier: Tier,
        provider: Provider,
        reply: Reply,
        purpose: Purpose,
        *,
        timed: bool = False,
    ) -> Attempt:
        """Write down an answer that was not sent for: its tokens, at no cost and in no time.

        A `timed` one, which is replayed, has the time that it took when it was recorded.
        """
        parts = _of_reply(reply) | self.priced(reply.usage, tier, request.model, provider.kind)
        parts |= {"cost_usd": Decimal(0), "cached": True, "generation": None}
        if not timed:
            parts |= {"latency_ms": 0.0, "ttft_ms": None}
        return self.settle(self._drafted(request, tier, provider, purpose, **parts))

    def fail_from_file(
        self,
        request: Request,
        tier: Tier,
        provider: Provider,
        error: ProviderError,
        purpose: Purpose,
    ) -> Attempt:
        """Write down a failure that was recorded and is replayed."""
        parts = self.priced(Usage(), tier, request.model, provider.kind)
        parts |= {"cost_usd": Decimal(0), "cached": True, "status": "error"}
        parts["error"] = named(error)
        return self.settle(self._drafted(request, tier, provider, purpose, **parts))

    def reject(self, attempt: Attempt | str, verdict: Verdict) -> Attempt:
        """That answer failed a check: it stays paid for, and is not the one that counts."""
        told = " ".join(f"{verdict.check}: {verdict.reason}".split())
        return self._mark(attempt, status="rejected", error=told)

    def kept(self, attempt: Attempt | str) -> Attempt:
        """That answer counts after all, as no other passed its checks either."""
        return self._mark(attempt, status="ok")

    def unused(self, attempt: Attempt | str, reason: str) -> Attempt:
        """That answer was paid for beside the one that is kept; `reason` says why it was not."""
        return self._mark(attempt, status="unused", error=reason)

    def escalated(self, attempt: Attempt | str) -> Attempt:
        """That answer stands in for one of a tier below, which was rejected."""
        return self._mark(attempt, escalated=True)

    def estimate(self, request: Request, text: str) -> Usage:
        """The usage as we would count it ourselves."""
        return Usage(
            input_tokens=sum(self._count_tokens(m.content) for m in request.messages),
            output_tokens=self._count_tokens(text) if text else 0,
            estimated=True,
        )

    def embedding(self, embedder: Embedder, tier: Tier) -> Attempt:
        """The attempt at embedding texts, not written down yet; `tier` carries the model."""
        return replace(
            self.template,
            id=self._new_id(),
            ts=self._clock(),
            tier=tier.name,
            provider=embedder.provider,
            provider_kind=embedder.kind,
            model=embedder.model,
            purpose="embed",
            status="running",
        )

    def _drafted(
        self, request: Request, tier: Tier, provider: Provider, purpose: Purpose, **parts: Any
    ) -> Attempt:
        return replace(
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

    def priced(self, usage: Usage, tier: Tier, model: str, kind: ProviderKind) -> dict[str, Any]:
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

    def _mark(self, attempt: Attempt | str, **changes: Any) -> Attempt:
        name = attempt if isinstance(attempt, str) else attempt.id
        with self._lock:
            known = next(one for one in self.attempts if one.id == name)
            return self._keep(replace(known, **changes))

    def settle(self, attempt: Attempt) -> Attempt:
        """Write down how the attempt ended, and tell the observer."""
        self._keep(attempt)
        self.observe(Attempted(attempt))
        return attempt

    def _keep(self, attempt: Attempt) -> Attempt:
        with self._lock:
            ids = [known.id for known in self.attempts]
            place = ids.index(attempt.id) if attempt.id in ids else len(ids)
            self.attempts[place : place + 1] = [attempt]
        self._append(attempt)
        return attempt

    def _reserve(self, attempt: Attempt) -> None:
        caps = self.guard.caps(attempt)
        if not caps:
            self._append(attempt)
            return
        refusal = self._ledger.reserve(attempt, caps)
        if refusal is not None:
            raise over_budget(refusal, attempt)

    def _append(self, attempt: Attempt) -> None:
        try:
            self._ledger.append(attempt)
        except RecordError as error:
            if not self._warned:
                self._warned = True
                self.observe(Notice(str(error)))


def _held(attempt: Attempt) -> Decimal:
    """What the attempt takes of a limit: at least its reservation, while it runs."""
    return max(attempt.cost_usd or Decimal(0), attempt.reserved_usd or Decimal(0))


def _of_reply(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "latency_ms": reply.latency_ms,
        "ttft_ms": reply.ttft_ms,
        "rating": reply.rating,
        "logprob": reply.logprob,
        "generation": reply.id,
    }


@contextlib.contextmanager
def journaled(
    journal: Journal, embedder: Embedder, tier: Tier, texts: Sequence[str]
) -> Iterator[Callable[[Embedded], Attempt]]:
    """Around embedding texts: it is written down with its cost reserved, and at its end.

    What is yielded takes the vectors; `tier` carries the embedder's model. Where no endpoint
    counted the tokens they are our estimate. BudgetExceeded as in `Journal.open`.
    """
    estimate = Usage(sum(map(estimate_tokens, texts)), estimated=True)
    cost = _cost(journal, embedder, tier, estimate)
    drafted = journal.embedding(embedder, tier)
    attempt = journal.begin(replace(drafted, reserved_usd=cost["cost_usd"], **cost))
    ended: list[Attempt] = []

    def keep(made: Embedded) -> Attempt:
        took = _cost(journal, embedder, tier, made.usage or estimate)
        took |= {"status": "ok", "reserved_usd": None, "latency_ms": made.latency_ms}
        ended.append(journal.settle(replace(attempt, **took)))
        return ended[0]

    try:
        yield keep
    except BaseException as error:
        if not ended:
            took = _cost(journal, embedder, tier, getattr(error, "usage", None) or Usage())
            took |= {"status": "error", "error": named(error), "reserved_usd": None}
            journal.settle(replace(attempt, **took))
        raise


def _cost(journal: Journal, embedder: Embedder, tier: Tier, usage: Usage) -> dict[str, Any]:
    """As of any call; vectors that nobody bills cost 0, as no sum must be unknown for them."""
    cost = journal.priced(usage, tier, embedder.model, embedder.kind)
    if embedder.kind != "remote" and cost["cost_source"] != "billed":
        free: dict[str, Any] = {"cost_usd": Decimal(0), "cost_source": "equivalent"}
        cost |= free | {"price_input": None, "price_output": None}
    return cost


_FIELDS = tuple(field.name for field in fields(Attempt))


class _Biller(Protocol):
    def settle(self, generation: str) -> Usage | None:
        """What the endpoint counted and charged for that answer; None where it cannot say."""


@dataclass(frozen=True)
class Settled:
    """How many calls had no bill yet, and of how many there is one now; `usd` is what it adds."""

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
    """Write down what the session's calls were charged where their answers did not say.

    Each call's last row counts, so a row with the bill is added. An endpoint that fails ends
    the settling of its calls; the rest can be settled later.
    """
    waiting = [row for row in ledger.rows(session=session) if _unsettled(row, providers)]
    settled, added = 0, Decimal(0)
    failures: dict[str, str] = {}
    for row in waiting:
        if row["provider"] in failures:
            continue
        biller = cast("_Biller", providers[row["provider"]])
        try:
            usage = biller.settle(row["generation"])
        except ProviderError as error:
            failures[row["provider"]] = str(error)
            continue
        if usage is not None and usage.billed_usd is not None:
            ledger.append(_with_bill(row, usage))
            settled += 1
            added += usage.billed_usd - (row["cost_usd"] or 0)
    return Settled(len(waiting), settled, added, "; ".join(failures.values()))


def _unsettled(row: Mapping[str, Any], providers: Mapping[str, Provider]) -> bool:
    ended = row["status"] != "running" and not row["cached"] and row["provider_kind"] == "remote"
    biller = hasattr(providers.get(row["provider"]), "settle")
    return bool(ended and biller and row["generation"] and row["cost_source"] != "billed")


def _with_bill(row: Mapping[str, Any], usage: Usage) -> Attempt:
    attempt = Attempt(**{name: row[name] for name in _FIELDS if name in row})
    counted = usage.input_tokens or usage.output_tokens
    if counted:
        attempt = replace(
            attempt,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            tokens_estimated=False,
        )
    return replace(attempt, cost_usd=usage.billed_usd, cost_source="billed")
