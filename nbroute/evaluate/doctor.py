"""Examining a router: what is wrong with its set-up, and the cure.

Only `ask` sends: one tiny call for each model and a few translations, in the ledger as audits.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nbroute.batch.run import Bar
from nbroute.budgets import held
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import Interrupted, NbrouteError, RecordError, named
from nbroute.evaluate.checkups import CHECKS, SEND
from nbroute.evaluate.findings import Examination, Finding, Patient, unknown
from nbroute.evaluate.purse import NOTHING, Purse, worst_cost_of
from nbroute.pricing import format_usd
from nbroute.providers.keys import scrubbed
from nbroute.report.table import counted, one_line, shortened
from nbroute.settings import Settings
from nbroute.settings.profiles import known_keys
from nbroute.types import Ladder, RouteResult, Tier, total_cost

_PROMPT = "What is the capital of France? Answer with its name alone."
_TRANSLATE = "Translate into French, or from French into English. Give nothing else:\n\n"
_HOW: dict[str, Any] = {"cache": "off", "purpose": "audit", "feature": "doctor"}
#: How many of the session's prompts are translated, and how long each and its translation may be.
_TRANSLATIONS, _LONGEST, _TRANSLATED = 25, 1000, 512
#: Seconds without an answer after which a model counts as hanging.
_LONGEST_S = 30.0


def _calls(patient: Patient) -> list[tuple[Tier, str]]:
    """The calls to make: one for each model, and translations by the cheapest real one."""
    tiers = list(patient.alone.values())
    made = [(tier, _PROMPT) for tier in tiers]
    able = [tier for tier in tiers if patient.router.parts.kind(tier) != "simulated"]
    short = [one for one in patient.prompts if len(one) <= _LONGEST][-_TRANSLATIONS:]
    for tier in able[:1]:
        wide = replace(tier, max_tokens=_TRANSLATED)
        made += [(wide, f"{_TRANSLATE}{prompt}") for prompt in short]
    return made


def foreseen(router: Engine, settings: Settings, classifier: Spec) -> str:
    """How many calls `--send` makes, and what they cost at most."""
    calls = _calls(Patient(router, settings, classifier))
    costs = [
        worst_cost_of(_engine(router, tier), [text], _HOW | {"tier": tier.name})
        for tier, text in calls
    ]
    known = sum((one for one in costs if one.cost.usd is not None), NOTHING)
    translated = sum(text != _PROMPT for _, text in calls)
    told = counted(len(calls), "call")
    told += f" ({translated} of them to translate prompts)" if translated else ""
    told += f", at most {format_usd(known.cost.usd)}"
    if known.cost.source == "equivalent":
        told += " if they were billed, which they are not"
    unpriced = len(calls) - known.calls
    return told + (f", and what {counted(unpriced, 'call')} without a price cost" * bool(unpriced))


def _engine(router: Engine, tier: Tier) -> Engine:
    """An engine whose ladder is that tier, with the router's budget, session and ledger."""
    made = Engine(replace(router.parts, ladder=Ladder("doctor", (tier,), tier.name)))
    made.limits = router.limits
    return made


def ask(patient: Patient, purse: Purse) -> None:
    """Make the calls; a provider that refused its key is not asked again."""
    refused: set[str] = set()
    calls = _calls(patient)
    with Bar(patient.router, len(calls), unit="call") as bar:
        for tier, prompt in calls:
            key, translates = (tier.provider, tier.model), prompt != _PROMPT
            if tier.provider not in refused and not (translates and key in patient.failed):
                bar.tell(f"{shortened(tier.model, 30)}, {format_usd(purse.spent)} so far")
                answer, problem = _asked(patient, purse, tier, prompt)
                if answer and translates:
                    patient.translated[prompt.removeprefix(_TRANSLATE)] = answer.text
                elif problem and not translates:
                    patient.failed[key] = problem
                if problem.startswith("AuthError"):
                    refused.add(tier.provider)
            bar.count()


def _asked(
    patient: Patient, purse: Purse, tier: Tier, prompt: str
) -> tuple[RouteResult | None, str]:
    """The answer, or what went wrong; an interrupt is raised."""
    hangs = threading.Event()
    clock = threading.Timer(_LONGEST_S, hangs.set)
    clock.daemon = True
    clock.start()
    left = None if purse.limit is None else max(purse.limit - purse.spent, Decimal(0))
    result, problem = None, ""
    try:
        made = _engine(patient.router, tier)
        result = made.route(prompt, tier=tier.name, cancel=hangs, max_cost=left, **_HOW)
    except NbrouteError as error:
        patient.spent += error.result.attempts if error.result else ()
        if isinstance(error, Interrupted) and not hangs.is_set():
            raise
        problem = named(error)
        if isinstance(error, Interrupted):  # one that has begun to answer does work
            begun = error.result is not None and error.result.text
            problem = "" if begun else f"TimedOut: no answer within {_LONGEST_S:.0f} s"
    finally:
        clock.cancel()
    patient.spent += result.attempts if result else ()
    purse.spent = sum(map(held, patient.spent), Decimal(0))
    return result, problem


def examine(
    router: Engine, settings: Settings, classifier: Spec, *, send: bool, max_cost: object = None
) -> Examination:
    """Everything that can be found out; see `Router.doctor`."""
    purse = Purse(max_cost)
    patient = Patient(router, settings, classifier, sent=send and settings.replay is None)
    found: list[Finding] = []
    stopped = "you stopped it; this is what was found before"
    try:
        if patient.sent:
            ask(patient, purse)
    except KeyboardInterrupt:
        found.append(unknown("stopped", stopped, SEND))
    try:
        for name, check in CHECKS.items():
            for one in _checked(name, check, patient):
                found.append(one)  # noqa: PERF402 - what was found stays if it is stopped
    except KeyboardInterrupt:
        found.append(unknown("stopped", stopped, "%route doctor"))
    keys = known_keys(settings)
    clean = (replace(one, words=one_line(scrubbed(one.words, keys, ours=True))) for one in found)
    cost, note = total_cost(tuple(patient.spent)) if patient.sent else None, ""
    if cost is None and settings.replay is None:
        with contextlib.suppress(NbrouteError):
            note = f"{SEND} also asks each model: {foreseen(router, settings, classifier)}"
    return Examination(tuple(clean), cost, note)


def _checked(
    name: str, check: Callable[[Patient], Iterator[Finding]], patient: Patient
) -> Iterator[Finding]:
    """What the check finds, or how it failed: ledger, provider and classifier may be your own."""
    cure = "%route help doctor"
    try:
        yield from check(patient)
    except KeyboardInterrupt:
        raise
    except RecordError:  # the ledger's check reports it
        yield unknown(name, "this needs the ledger, which cannot be read", cure)
    except Exception as error:  # noqa: BLE001 - anything of the user's own
        yield unknown(name, f"this could not be checked: {named(error)}", cure)
