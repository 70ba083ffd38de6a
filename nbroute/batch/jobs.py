"""The unit of work: what is done with each prompt of a list, and what came of it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from threading import Event
from typing import Any, Literal, NamedTuple

from nbroute.batch.rows import Row, RowStatus, Task, row_of, row_of_error
from nbroute.budgets import worst_case
from nbroute.engine.attempts import estimate, hash_text, new_id, priced
from nbroute.engine.engine import Engine
from nbroute.errors import (
    AllModelsFailed,
    AuthError,
    BudgetExceeded,
    Interrupted,
    PromptError,
    SettingsError,
)
from nbroute.types import Attempt, Classified, Decision, Escalated, RouteResult, Text
from nbroute.types import Event as Told

#: Options that change what may be sent, but not the answer.
_ASIDE = {"cache", "comparison", "feature", "max_cost", "over_budget", "stream"}

_ELSEWHERE = (
    "handed to another process; until it comes back, its cost is an estimate: the worst case"
)

#: `refused`: over the budget, with nothing paid; `early`: only until calls elsewhere have ended;
#: `hopeless`: every other prompt would fail the same way.
Fate = Literal["done", "refused", "early", "hopeless"]


@dataclass(frozen=True)
class Job:
    """Routes a prompt, or only classifies it, with those options of `route` or `classify`.

    Budgets go by their `feature` and `over_budget`.
    """

    options: Mapping[str, Any]
    classify_only: bool = False

    def __call__(self, router: Engine, prompt: str, stop: Event) -> RouteResult | Decision:
        """The answer. Once `stop` is set, no call is begun.

        An answer on its way is awaited, as most of it is paid for either way; with the option
        `stream` it ends at its next piece. (Route's own `cancel` would take a second thread for
        each call, a fifth of all the work here.)
        """
        if self.classify_only:
            return router.classify(prompt, **self.options)
        kinds = (Classified, Escalated, Text)[: 3 if self.options.get("stream") else 2]

        def look(event: Told) -> None:
            if stop.is_set() and isinstance(event, kinds):
                raise KeyboardInterrupt

        return router.route(prompt, observe=look, **self.options)


class Outcome(NamedTuple):
    """A prompt's row, what that means for others, and the attempts that were made for it."""

    row: Row
    fate: Fate = "done"
    attempts: tuple[Attempt, ...] = ()


def done(job: Job, router: Engine, task: Task, stop: Event) -> Outcome:
    """The outcome of the task, which may be an error."""
    try:
        result = job(router, task.prompt, stop)
    except BaseException as error:  # noqa: BLE001 - a row, not the end of the others
        fate: Fate = "done"
        status: RowStatus = "interrupted" if isinstance(error, Interrupted) else "error"
        attempts = getattr(getattr(error, "result", None), "attempts", ())
        tried = [one for _, one in error.causes] if isinstance(error, AllModelsFailed) else [error]
        if isinstance(error, BudgetExceeded) and not attempts:
            # An unknown price or `max_cost` says nothing about the other prompts.
            status, fate = "not sent", fate_of(error)
        elif isinstance(error, SettingsError) or (
            tried and all(isinstance(one, AuthError) for one in tried)
        ):
            fate = "hopeless"
        return Outcome(row_of_error(task, error, status), fate, attempts)
    return Outcome(row_of(task, result), attempts=result.attempts)


def fate_of(error: BudgetExceeded) -> Fate:
    """What it means for the other prompts; an error of `max_cost` means nothing."""
    if error.refusal is None:
        return "done"
    return "early" if error.refusal.may_fit else "refused"


def expected(router: Engine, prompt: str, options: Mapping[str, Any], *, sure: bool) -> Attempt:
    """The row of a prompt that another process will answer: until then, its worst case.

    It is that of the classifier's tier, if the classifier asks no model and is `sure` to say the
    same there; otherwise that of the most expensive tier. Raises what `explain` raises.
    """
    given: list[dict[str, Any]] = [{"tier": name} for name in router.ladder.names]
    if sure or any(options.get(name) for name in ("tier", "start", "tiers")):
        given = [{}]
    return _most_expensive([_worst(router, prompt, {**options, **one}) for one in given])


def _worst(router: Engine, prompt: str, options: Mapping[str, Any]) -> Attempt:
    told = router.explain(prompt, **options)
    plain = Attempt(
        id=new_id(),
        ts=router.parts.clock(),
        session=router.session,
        result=new_id(),
        tier="",
        provider="",
        provider_kind="remote",
        model="",
        feature=options.get("feature"),
        msg_hash=hash_text(prompt),
        strategy=told.plan.strategy,
        classifier=told.decision.classifier,
        reason=_ELSEWHERE,
        status="running",
        prompt=prompt,
    )
    steps = []
    for step, asked in zip(told.plan.steps, told.requests, strict=True):
        models = []
        for target in step.targets:
            request = replace(asked, provider=target.provider, model=target.model)
            tier = step.tier.on(target.provider, target.model)
            kind = router.parts.kind(tier)
            row = replace(plain, tier=tier.name, provider=target.provider, model=target.model)
            row = priced(replace(row, provider_kind=kind), estimate(request), tier)
            models.append(replace(row, reserved_usd=worst_case(request, tier, kind)))
        steps.append(_most_expensive(models))
    known = [one.reserved_usd for one in steps if one.reserved_usd is not None]
    usd, row = sum(known, Decimal(0)) if known else None, _most_expensive(steps)
    billed = known and row.provider_kind == "remote"
    source = "estimated" if billed else row.cost_source
    return replace(row, cost_usd=usd, cost_source=source, reserved_usd=usd)


def _most_expensive(rows: Iterable[Attempt]) -> Attempt:
    return max(rows, key=lambda one: one.reserved_usd or 0)


def read_prompts(prompts: Iterable[Any], call: str = "router.map") -> Iterable[Any]:
    """The prompts as they came; SettingsError unless they are an iterable of prompts.

    `call` is the method that they were given to.
    """
    columns = getattr(prompts, "columns", None)
    wrong = ""
    if columns is not None:
        names = [str(name) for name in columns]
        asked = "prompt" if "prompt" in names else (names or ["prompt"])[0]
        wrong = f"a {type(prompts).__name__}; give one of its columns, as in "
        wrong += f"{call}(frame[{asked!r}]): there is {', '.join(map(repr, names)) or 'none'}."
    elif isinstance(prompts, str | bytes):
        wrong = f"one text, {prompts!r:.60}; give a list of them, or use router.route"
    elif isinstance(prompts, Mapping):
        wrong = "a dict; give its texts in order, as in list(d.values())"
    elif not isinstance(prompts, Iterable):
        wrong = f"{prompts!r:.60}; give a list, a generator or a column of texts"
    if wrong:
        raise SettingsError(f"prompts is {wrong}")
    return prompts


def text_of(item: Any) -> str:
    """The prompt as a row shows it: a short form of anything but text, "" for a missing value."""
    if isinstance(item, PromptError) or is_missing(item):
        return ""
    return item if isinstance(item, str) else f"{item!r:.200}"


def is_missing(item: Any) -> bool:
    """Whether it is a missing value: None, NaN, pandas' NA and NaT."""
    nan = isinstance(item, Real) and math.isnan(item)
    return item is None or nan or type(item).__name__ in ("NAType", "NaTType")


def unfit(item: Any) -> PromptError | None:
    """What is wrong with an item that is not text; None for text."""
    if isinstance(item, str):
        return None
    if isinstance(item, PromptError):
        return item
    if shown := text_of(item):
        return PromptError(f"a prompt is text, not {type(item).__name__}: {shown:.60}")
    return PromptError("there is no prompt here (a missing value)")


def described(router: Engine, options: Mapping[str, Any]) -> dict[str, str]:
    """What a job's rows are made with, in short texts: a file is only resumed with the same.

    That is the ladder, the endpoints, the classifier and the job's options.
    """
    endpoints = []
    for one in router.parts.providers.values():
        url = getattr(one, "base_url", "")
        endpoints.append(f"{one.name} at {url}" if url else one.name)
    settings = getattr(router, "settings", None)
    given = getattr(router, "given", {}).get("classifier")
    # As in files from before prices had one for cached input, and tiers an effort.
    ladder = re.sub(", (?:cached_input|effort)=None", "", repr(router.ladder))
    about = {
        "ladder": f"{router.ladder.name} {_digest(ladder)}",
        "endpoints": ", ".join(sorted(endpoints)),
        "classifier": _told(given or (settings.classifier.name if settings else "")),
    }
    return about | {name: _told(one) for name, one in options.items() if name not in _ASIDE}


def _told(value: Any) -> str:
    """A short text; of a function its name, as what it does cannot be compared."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value)) or "none"
    if callable(value):
        default = type(value).__name__
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', default)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:48]}... {_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
