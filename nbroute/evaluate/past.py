"""Prompts to ask "what if" about: the session's, the ledger's, or your own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbroute.batch.rows import Row, attempt_of
from nbroute.engine.engine import Engine
from nbroute.errors import PromptError, SettingsError
from nbroute.pricing import estimate_tokens
from nbroute.storage.schema import FIELDS
from nbroute.types import Attempt, Decision, Options, RouteResult, Tier, Usage

#: Options that make two requests with the same prompt different ones.
_SHAPING = ("system", "max_tokens", "temperature", "effort", "json", "schema", "checks")


@dataclass(frozen=True, slots=True)
class Past:
    """A prompt, and what came of it.

    `request` is the same for two that differ only in their tier. `attempts` are all its calls,
    including escalations, and none for a prompt that was never sent; `answer` is the final one.
    `decision` is the recorded one, `earlier` the conversation before it, `options` what was asked
    for, which the ledger does not keep.
    """

    prompt: str = field(repr=False)
    request: Hashable
    usage: Usage
    attempts: tuple[Attempt, ...] = ()
    answer: Attempt | None = None
    latency_ms: float = 0.0
    decision: Decision | None = None
    earlier: tuple[RouteResult, ...] = ()
    options: Options | None = None

    def took_on(self, tier: Tier) -> float:
        """How long (ms) the tier's model took to answer it; 0 if it did not."""
        answer = self.answer
        if answer is None or answer.cached:
            return 0.0
        same = answer.model == tier.model and answer.provider in (tier.provider, "")
        return answer.latency_ms if same else 0.0

    def usage_on(self, tier: Tier) -> Usage:
        """The tokens of its answer, on that tier; another model's prompt cache does not count."""
        cached = self.usage.cached_tokens if self._asked(tier) else 0
        return Usage(self.usage.input_tokens, self.usage.output_tokens, cached)

    def answered_on(self, tier: Tier) -> str | None:
        """The model that answered in place of the tier's, if that is another one."""
        return self.answer.answered_by if self.answer and self._asked(tier) else None

    def _asked(self, tier: Tier) -> bool:
        return self.answer is not None and self.answer.model == tier.model

    def decided_by(self, classifier: str) -> Decision | None:
        """The recorded decision, if it is that classifier's."""
        made = self.decision
        return made if made is not None and made.classifier == classifier else None


@dataclass(frozen=True, slots=True)
class Collected:
    """The prompts, oldest first, and how many had no answer or no text, or were compared."""

    past: tuple[Past, ...]
    unanswered: int = 0
    textless: int = 0
    compared: int = 0


def collect(
    engine: Engine,
    prompts: Any,
    results: Iterable[RouteResult | Row] | None,
    session: str | None,
    output_tokens: int,
    *,
    everything: bool = False,
) -> Collected:
    """The prompts, results or session that was given; else this session's results or ledger rows.

    `everything` takes the ledger's rows of all sessions.
    """
    if sum(one is not None for one in (prompts, results, session)) > 1:
        raise SettingsError("give what_if one of prompts, results and session, not several")
    if prompts is not None:
        return _of_prompts(prompts, output_tokens)
    if results is not None:
        return _of_results(results)
    if everything:
        return _of_ledger(engine.ledger.rows())
    kept = _of_results(engine.history.results() if session is None else ())
    if kept.past:
        return kept
    return _of_ledger(engine.ledger.rows(session=session or engine.session))


def _of_results(results: Iterable[RouteResult | Row]) -> Collected:
    """One for each chain of escalations; answers that were compared with others are left out.

    They may be rows of a batch, whose tokens are those of everything that was paid for.
    """
    every = list(results)
    rows = [one for one in every if isinstance(one, Row)]
    routed = [one for one in every if isinstance(one, RouteResult)]
    if len(rows) + len(routed) < len(every):
        raise SettingsError("results= takes RouteResults or a batch; for texts there is prompts=")
    asked = [one for one in routed if one.options.comparison is None]
    escalated = {one.parent.id for one in asked if one.parent}
    last = [one for one in asked if one.id not in escalated]
    threads: defaultdict[str, tuple[RouteResult, ...]] = defaultdict(tuple)
    past: list[Past] = []
    for one in last:
        if not one.text:
            continue
        thread, chain = one.options.thread, one.chain
        earlier = threads[thread] if thread else ()
        told = tuple(turn.prompt for turn in earlier)
        shape = (repr(getattr(one.options, name)) for name in _SHAPING)
        found = Past(
            prompt=one.prompt,
            request=(one.prompt, told, *shape),
            usage=one.usage,
            attempts=tuple(attempt for tried in reversed(chain) for attempt in tried.attempts),
            answer=one.answer,
            latency_ms=sum(tried.latency_ms for tried in chain),
            decision=chain[-1].decision,
            earlier=earlier,
            options=one.options,
        )
        past.append(found)
        if thread:
            threads[thread] += (one,)
    for row in rows:
        if row.text:  # as one attempt; a row does not say which provider answered
            one_call = attempt_of(row, session="", provider="", provider_kind="remote")
            calls, took = (one_call,), row.latency_ms
            past.append(Past(row.prompt, (row.prompt,), one_call.usage, calls, one_call, took))
    compared = {one.options.comparison for one in routed} - {None}
    unanswered = len(last) + len(rows) - len(past)
    return Collected(tuple(past), unanswered, compared=len(compared))


def _of_ledger(rows: Iterable[Mapping[str, Any]]) -> Collected:
    """The ledger's rows, which have a prompt's text only if the ledger keeps texts."""
    groups: dict[str, list[Attempt]] = {}
    root: dict[str, str] = {}
    compared = set()
    for row in rows:
        attempt = Attempt(**{name: row[name] for name in FIELDS if name in row})
        if attempt.comparison is not None:
            compared.add(attempt.comparison)
        elif attempt.purpose not in ("audit", "judge"):
            above = attempt.parent or attempt.result
            first = root.setdefault(attempt.result, root.get(above, above))
            groups.setdefault(first, []).append(attempt)
    past: list[Past] = []
    unanswered = textless = 0
    for attempts in groups.values():
        asked = [one for one in attempts if one.purpose == "answer"]
        answers = [one for one in asked if one.output_tokens]
        kept = [one for one in answers if one.status == "ok"] or answers
        if not kept:
            unanswered += 1
            continue
        answer, begun = kept[-1], asked[0]
        if not answer.prompt:
            textless += 1
            continue
        found = Past(
            prompt=answer.prompt,
            request=(answer.prompt, answer.thread and answer.id),
            usage=answer.usage,
            attempts=tuple(attempts),
            answer=answer,
            latency_ms=sum(attempt.latency_ms for attempt in attempts),
            decision=Decision(begun.tier, begun.classifier, begun.reason),
        )
        past.append(found)
    return Collected(tuple(past), unanswered, textless, len(compared))


def _of_prompts(prompts: Any, output_tokens: int) -> Collected:
    """Your own prompts: texts, or a DataFrame with `prompt` and maybe the tokens of each.

    Missing tokens are estimated: those of the prompt by its characters, those of the answer as
    `output_tokens`. PromptError for a prompt without text.
    """
    columns = getattr(prompts, "columns", None)
    if columns is not None:
        if "prompt" not in columns:
            known = ", ".join(map(repr, columns)) or "none"
            raise SettingsError(f"the frame has no column 'prompt'; it has {known}")
        nothing = [None] * len(prompts)
        given = (prompts.get(name, nothing) for name in ("input_tokens", "output_tokens"))
        rows = list(zip(prompts["prompt"], *given, strict=True))
    elif isinstance(prompts, Iterable):
        texts = [prompts] if isinstance(prompts, str) else prompts
        rows = [(one, None, None) for one in texts]
    else:
        raise PromptError(f"prompts is {prompts!r:.80}; give a list of texts")
    past = []
    for place, (prompt, *told) in enumerate(rows):
        if not isinstance(prompt, str) or not prompt.strip():
            raise PromptError(f"prompt {place} is {prompt!r:.80}; give texts that are not empty")
        sent, received = map(_count, told)
        usage = Usage(
            estimate_tokens(prompt) if sent is None else sent,
            output_tokens if received is None else received,
            estimated=sent is None or received is None,
        )
        past.append(Past(prompt, (prompt,), usage))
    return Collected(tuple(past))


def _count(value: Any) -> int | None:
    """A number of tokens; None if there is none (or NaN, for a missing one)."""
    try:
        return int(value) if value >= 0 else None
    except (TypeError, ValueError):
        return None
