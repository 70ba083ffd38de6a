"""Prompts to ask "what if" about: of the session, of the ledger, or one's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from nbroute.batch.rows import Row
from nbroute.engine.conversations import Turn
from nbroute.errors import PromptError, SettingsError
from nbroute.pricing import estimate_tokens
from nbroute.types import Attempt, Decision, RouteResult, Usage

#: Options that make two requests with the same prompt different ones.
_SHAPING = ("system", "max_tokens", "temperature", "json", "schema", "checks")


@dataclass(frozen=True, slots=True)
class Past:
    """A prompt, and what came of it.

    `request` is the same for two that differ in their tier alone. `attempts` are all calls
    made for it, escalations too, and none for a prompt that was never sent; `answer` is the
    one that stands. `decision` is the recorded one, `earlier` the conversation before it.
    """

    prompt: str = field(repr=False)
    request: Hashable
    usage: Usage
    attempts: tuple[Attempt, ...] = ()
    answer: Attempt | None = None
    latency_ms: float = 0.0
    decision: Decision | None = None
    earlier: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """The prompts, oldest first, and how many had no answer or no text, of how many."""

    past: tuple[Past, ...]
    unanswered: int = 0
    textless: int = 0
    seen: int = 0


def of_results(results: Iterable[RouteResult | Row]) -> Collected:
    """One a chain of escalations; answers that were compared with others are left out.

    The rows of a batch will do, too: their tokens are those of all that was paid for.
    """
    every = list(results)
    rows = [one for one in every if isinstance(one, Row)]
    routed = _of_routed([one for one in every if isinstance(one, RouteResult)])
    if len(rows) + routed.seen < len(every):
        raise SettingsError("results= takes RouteResults or a batch; for texts there is prompts=")
    answered = [one for one in rows if one.text]
    return replace(
        routed,
        past=(*routed.past, *map(_of_row, answered)),
        unanswered=routed.unanswered + len(rows) - len(answered),
    )


def _of_row(row: Row) -> Past:
    """The row as one attempt; which provider answered it does not say."""
    attempt = Attempt(
        id=row.result,
        ts=0.0,
        session="",
        result=row.result,
        tier=row.tier,
        provider="",
        provider_kind="remote",
        model=row.model,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        cost_source=row.cost_source,
        latency_ms=row.latency_ms,
        cached=row.cached,
    )
    usage = attempt.usage
    return Past(row.prompt, (row.prompt,), usage, (attempt,), attempt, row.latency_ms)


def _of_routed(results: Sequence[RouteResult]) -> Collected:
    asked = [one for one in results if one.options.comparison is None]
    escalated = {one.parent.id for one in asked if one.parent}
    last = [one for one in asked if one.id not in escalated]
    answered = [one for one in last if one.text]
    turns = _Conversations()
    past = tuple(_of_result(one, turns.before(one)) for one in answered)
    return Collected(past, unanswered=len(last) - len(answered), seen=len(results))


def _of_result(result: RouteResult, earlier: tuple[Turn, ...]) -> Past:
    first, shape = result.chain[-1], result.options
    told = tuple(turn.prompt for turn in earlier)
    return Past(
        prompt=result.prompt,
        request=(result.prompt, told, *(repr(getattr(shape, name)) for name in _SHAPING)),
        usage=result.usage,
        attempts=tuple(attempt for one in reversed(result.chain) for attempt in one.attempts),
        answer=result.answer,
        latency_ms=sum(one.latency_ms for one in result.chain),
        decision=first.decision,
        earlier=earlier,
    )


class _Conversations:
    """The turns of each thread so far."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, tuple[Turn, ...]] = defaultdict(tuple)

    def before(self, result: RouteResult) -> tuple[Turn, ...]:
        """The turns before the result's own, which is the thread's next."""
        if not result.options.thread:
            return ()
        earlier = self._turns[result.options.thread]
        by_hand = result.options.tier is not None
        turn = Turn(result.prompt, result.text, result.tier, result.id, by_hand=by_hand)
        self._turns[result.options.thread] = (*earlier, turn)
        return earlier


_NAMES = tuple(one.name for one in fields(Attempt))


def of_ledger(rows: Iterable[Mapping[str, Any]]) -> Collected:
    """The ledger's rows, which have a prompt's text only where it keeps texts."""
    groups: dict[str, list[Attempt]] = {}
    root: dict[str, str] = {}
    for row in rows:
        attempt = Attempt(**{name: row[name] for name in _NAMES if name in row})
        if attempt.comparison is None:
            above = attempt.parent or attempt.result
            first = root.setdefault(attempt.result, root.get(above, above))
            groups.setdefault(first, []).append(attempt)
    answered = {key: found for key, attempts in groups.items() if (found := _answer(attempts))}
    told = {key: groups[key] for key, answer in answered.items() if answer.prompt}
    return Collected(
        tuple(_of_attempts(told[key], answered[key]) for key in told),
        unanswered=len(groups) - len(answered),
        textless=len(answered) - len(told),
    )


def _answer(attempts: Sequence[Attempt]) -> Attempt | None:
    answers = [one for one in attempts if one.purpose == "answer" and one.output_tokens]
    kept = [one for one in answers if one.status == "ok"]
    return next(iter([*reversed(kept), *reversed(answers)]), None)


def _of_attempts(attempts: Sequence[Attempt], answer: Attempt) -> Past:
    prompt, first = answer.prompt or "", next(a for a in attempts if a.purpose == "answer")
    return Past(
        prompt=prompt,
        request=(prompt, answer.thread and answer.id),
        usage=answer.usage,
        attempts=tuple(attempts),
        answer=answer,
        latency_ms=sum(attempt.latency_ms for attempt in attempts),
        decision=Decision(first.tier, first.classifier, first.reason),
    )


def of_prompts(prompts: Any, output_tokens: int) -> Collected:
    """One's own prompts: texts, or a DataFrame with `prompt` and maybe the tokens of each.

    Tokens that are not there are estimated: those of the prompt by its characters, those of
    the answer as `output_tokens`. PromptError where there is no text.
    """
    rows = _rows(prompts)
    for place, (prompt, _, _) in enumerate(rows):
        if not isinstance(prompt, str) or not prompt.strip():
            raise PromptError(f"prompt {place} is {prompt!r:.80}; give texts that are not empty")
    return Collected(tuple(_own(*row, output_tokens) for row in rows))


def _rows(prompts: Any) -> list[tuple[Any, Any, Any]]:
    if isinstance(prompts, str):
        return [(prompts, None, None)]
    columns = getattr(prompts, "columns", None)
    if columns is None and not isinstance(prompts, Iterable):
        raise PromptError(f"prompts is {prompts!r:.80}; give a list of texts")
    if columns is None:
        return [(one, None, None) for one in prompts]
    if "prompt" not in columns:
        known = ", ".join(map(repr, columns))
        raise SettingsError(f"the frame has no column 'prompt'; it has {known or 'none'}")
    nothing = [None] * len(prompts)
    given = (prompts.get(f"{way}put_tokens", nothing) for way in ("in", "out"))
    return list(zip(prompts["prompt"], *given, strict=True))


def _own(prompt: str, given: Any, taken: Any, output_tokens: int) -> Past:
    counts = (_count(given), _count(taken))
    known = None not in counts
    tokens_in = estimate_tokens(prompt) if counts[0] is None else counts[0]
    tokens_out = output_tokens if counts[1] is None else counts[1]
    return Past(prompt, (prompt,), Usage(tokens_in, tokens_out, estimated=not known))


def _count(value: Any) -> int | None:
    """A number of tokens; None where there is none (NaN, for a missing one, is none either)."""
    try:
        return int(value) if value >= 0 else None
    except (TypeError, ValueError):
        return None
