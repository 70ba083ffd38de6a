"""What the doctor looks at: each check is a function that yields its findings."""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from nbroute import pricing
from nbroute.classify.registry import DEFAULT
from nbroute.errors import ProviderError, RecordError, SettingsError
from nbroute.evaluate.findings import Colour, Finding, Patient, unknown
from nbroute.evaluate.quality_arms import RANDOM
from nbroute.evaluate.rewording import flips_of
from nbroute.providers import model_files
from nbroute.report.metrics import enough, newcombe, wilson
from nbroute.report.table import counted, one_line, shortened
from nbroute.settings import trust
from nbroute.settings.document import read_document
from nbroute.settings.model import ENVIRONMENT
from nbroute.types import Tier

SEND, _AUDIT = "%route doctor --send", "%route audit --direction both"
#: A ledger of so many megabytes is checked page by page in about a second.
_CHECKED_MB = 200
_OTHER_LEDGER = "~/nbroute-ledger.sqlite3"
_KEPT = "a new kernel takes another one, if it is named before %load_ext nbroute"
_LITTLE_ROOM = 50_000_000
#: With fewer answers, prompts or judged pairs a share of them says nothing.
_ANSWERS, _PROMPTS, _JUDGED = 20, 10, 20
_ONE_TIER = 0.8
#: How much larger the next audit is, if one was too small.
_LARGER = 4
#: 1,349 small changes to 240 prompts by another author change the tier in 8% with `ngrams`, and in
#: 14% by examples. About 30% of prompts go to the wrong tier anyway (docs/classifiers.md).
_STEADY, _SHAKY = 0.15, 0.30
#: Variables that override the settings file.
_VARIABLES = tuple(
    f"NBROUTE_{name}"
    for name in ("CONFIG", "PROFILE", "LEDGER", "CACHE", "RECORD", "REPLAY", "STATIC", "GGUF")
)


def _settings(patient: Patient) -> Iterator[Finding]:
    settings, file = patient.settings, patient.settings.source_file
    if settings.set_aside:
        yield Finding("settings", "amber", settings.set_aside, "%route trust")
    try:
        nearest = read_document(file) if file else trust.review()
        aside = str(nearest.file) in settings.set_aside
        if nearest.file != file and not aside and settings.replay is None:
            words = f"{nearest.file} exists but is not in use yet"
            cure = "%route trust" if trust.asks(nearest) else "restart the kernel, which reads it"
            yield Finding("settings", "amber", words, cure)
    except SettingsError as error:
        if not str(error).startswith(f"there is no {trust.FILE_NAME}"):
            told = str(error).rstrip(".")
            words = f"{told}; this session keeps the settings it has"
            yield Finding("settings", "red", words, "%route trust  # once the file is corrected")
            return
    over = [name for name in _VARIABLES if ENVIRONMENT.get(name)]
    words = f"{settings.origin.partition(';')[0]}"
    words += "" if file else "; no settings file is used"
    first = " (they override the file)" if file else ""
    words += f"; set in the environment{first}: {', '.join(over)}" if over else ""
    yield Finding("settings", "green", words)
    kinds = {patient.router.parts.kind(tier) for tier in patient.router.ladder.tiers}
    if settings.replay is not None:
        words = "a recording answers: no model is asked, whatever is sent"
        yield Finding("answers", "amber", words, "%route replay off")
    elif "simulated" in kinds:
        words = "the models are simulated: their answers were written for lessons, by no model"
        yield Finding("answers", "amber", words, "%route key openrouter")


def _keys(patient: Patient) -> Iterator[Finding]:
    known = {one.name: one for one in patient.settings.providers}
    for name in dict.fromkeys(provider for provider, _ in patient.alone):
        provider = patient.router.parts.providers[name]
        own, calls = known.get(name), [key for key in patient.alone if key[0] == name]
        variable = own.api_key_env if own else None
        keys = [own.api_key or ""] if own and variable else [*getattr(provider, "secrets", list)()]
        problems = [patient.problem(key) for key in calls]
        refused = [one for one in problems if one.startswith("AuthError")]
        where = variable or f"the key of {name!r}"
        cure = f"%route key {name}" if variable else "%route help key"
        if variable and not keys[0]:
            said = "is set but empty" if variable in ENVIRONMENT else "is not set"
            yield Finding("key", "red", f"{variable}, the key for {name}, {said}", cure)
        elif malformed := next(filter(None, map(_malformed, keys)), ""):
            yield Finding("key", "red", f"{where} {malformed}", cure)
        elif refused:
            yield Finding("key", "red", refused[0].partition(": ")[2], cure)
        elif own and own.kind == "litellm":
            yield unknown("key", f"LiteLLM looks for the keys of {name} itself", SEND)
        elif keys:
            accepted = any(
                key in patient.heard for key, one in zip(calls, problems, strict=True) if not one
            )
            told = "was accepted" if accepted else "looks well formed; --send tries it"
            yield Finding("key", "green", f"{where} is set and {told}")
        else:
            yield Finding("key", "green", f"{name} needs no key")


def _malformed(key: str) -> str:
    """What is wrong with how a key looks, in words that show nothing of it."""
    if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'`":
        return "has quotes around it: leave them out"
    if any(character.isspace() for character in key):
        return "has a space or a line break in it: copy it again"
    if not (key.isascii() and key.isprintable()):
        return "has a character that no key contains: copy it again"
    if "..." in key or key.startswith("<"):
        return "is the example of a key, not a key"
    return ""


def _models(patient: Patient) -> Iterator[Finding]:
    answered, silent = 0, []
    for key, tier in patient.alone.items():
        row, told = patient.heard.get(key), patient.problem(key)
        if told:
            yield from _broken(patient, tier, told)
        elif row is None and (command := _missing(patient, tier)):
            lacks = "has no model file here" if "pull" in command else "needs llama.cpp"
            yield Finding("model", "red", f"{tier.model} {lacks}", command)
        elif row is None:
            silent.append(f"{tier.name}'s {tier.model}")
        elif row["answered_by"] and not pricing.same_model(tier.model, row["answered_by"]):
            by = one_line(row["answered_by"])
            words = f"asked for {tier.model}, {shortened(by, 60)} answers: the name is an alias, "
            cure = f"!nbroute check-endpoint {tier.provider} {tier.model}"
            if re.fullmatch(r"[\w./:@+-]{1,200}", by):  # a name that can be pasted
                cure = _renamed(patient, tier, by)
            yield Finding("model", "amber", f"{words}or was retired", cure)
        else:
            answered += 1
    every = len(patient.alone)
    if answered:
        which = "each model" if answered == every else counted(answered, "model")
        yield Finding("model", "green", f"{which} answered, under the name that was asked for")
    if silent:
        words = f"not asked in this session: {', '.join(silent)}"
        none = f"none of {counted(every, 'model')} was asked in this session"
        many = "this session has too many calls to look through"
        short = many if patient.crowded else none
        yield unknown("model", short if len(silent) == every else words, SEND)


def _missing(patient: Patient, tier: Tier) -> str:
    """The command that installs what a local model lacks; "" for any other model."""
    own = [one for one in patient.settings.providers if one.name == tier.provider]
    lacks = (model_files.missing(one.gguf) for one in own if one.kind == "local")
    return next(filter(None, lacks), "")


def _broken(patient: Patient, tier: Tier, told: str) -> Iterator[Finding]:
    """A model that did not answer: amber if it is a fallback, as its tier still can."""
    kind, _, words = told.partition(": ")
    if kind == "AuthError":  # the key's check reports it
        return
    colour: Colour = "red" if _is_first(patient, tier) else "amber"
    cure = f"!nbroute check-endpoint {tier.provider} {tier.model}"
    if "nbroute pull" in words:
        cure = _missing(patient, tier) or "!nbroute pull"
    if kind in ("RateLimited", "BudgetExceeded"):
        colour, cure = "amber", SEND
    elif kind == "UnknownModel" and patient.sent:
        listed: list[str] = []
        with contextlib.suppress(ProviderError, SettingsError):
            listed = getattr(patient.router.parts.providers[tier.provider], "models", list)()
        for near in difflib.get_close_matches(tier.model, listed, 1):
            cure = _renamed(patient, tier, near)
    yield Finding("model", colour, f"{tier.name}'s {tier.model} did not answer: {words}", cure)


def _is_first(patient: Patient, tier: Tier) -> bool:
    """Whether a tier asks this model first."""
    firsts = [(one.provider, one.model) for one in patient.router.ladder.tiers]
    return (tier.provider, tier.model) in firsts


def _renamed(patient: Patient, tier: Tier, model: str) -> str:
    """The line that makes that model the tier's, or its fallback."""
    if _is_first(patient, tier):
        return f"%route tiers {tier.name}={model}"
    return f'fallbacks = ["{model}"]  # under [tiers.{tier.name}]'


def _prices(patient: Patient) -> Iterator[Finding]:
    kind = patient.router.parts.kind
    tiers = patient.alone.values()
    unpriced = [one for one in tiers if pricing.price_of(one, one.model, kind(one)) is None]
    if not unpriced:
        count = counted(len(patient.alone), "model")
        yield Finding("price", "green", f"the price of each is known: {count}")
    for tier in unpriced:
        words = f"no price is known for {tier.model}: no sum includes it, and a budget refuses it"
        cure = f"price = {{ input = ..., output = ... }}  # under [tiers.{tier.name}]"
        if not _is_first(patient, tier):
            at = f'provider = "{tier.provider}", model = "{tier.model}"'
            cure = f"fallbacks = [{{ {at}, {cure.replace('  #', ' }]  #')}"
        yield Finding("price", "amber", words, cure)


def _tiers(patient: Patient) -> Iterator[Finding]:
    audited, names = patient.audited, patient.router.ladder.names
    if len({(one.provider, one.model) for one in patient.router.ladder.tiers}) < 2:
        model = patient.router.ladder.tiers[0].model
        if len(names) > 1:
            words = f"{model} answers every tier, so none is better than another"
            yield Finding("tiers", "amber", words, "%route help tiers")
        return
    if audited is None:
        words = "whether a more expensive tier is better than the one below it: nothing was judged"
        yield unknown("tiers", words, _AUDIT)
        return
    frame = audited.frame()
    for cheaper, expensive in pairwise(names):
        pairs = frame[(frame["cheaper"] == cheaper) & (frame["expensive"] == expensive)]
        verdicts = [one for one in pairs["verdict"] if isinstance(one, str)]
        yield _better(patient, cheaper, expensive, verdicts)


def _audit(patient: Patient, times: int = 1) -> str:
    """The audit in both directions, with a sample so many times the last one."""
    if (last := patient.audited) is None:
        return _AUDIT
    share = last.sampled / last.population
    later = "  # after more prompts" if times > 1 and share == 1 else ""
    return f"{_AUDIT} --sample {min(times * share, 1):.2g}{later}"


def _better(patient: Patient, cheaper: str, expensive: str, verdicts: list[str]) -> Finding:
    """Whether the more expensive of two tiers is clearly preferred."""
    what, n = "tiers", len(verdicts)
    if not n:
        words = f"whether {expensive} is better than {cheaper}: nothing was judged"
        return unknown(what, words, _audit(patient))
    up, down = verdicts.count("expensive"), verdicts.count("cheaper")
    judge = getattr(patient.audited, "judge", "the judge")
    low, high = newcombe({(True, False): up, (False, True): down, (False, False): n - up - down})
    words = (
        f"{judge} preferred {expensive} to {cheaper} in {up} of {counted(n, 'pair')}, {cheaper} in "
        f"{down}: {(up - down) / n:+.0%} [{low:+.0%}, {high:+.0%}]"
    )
    if n < _JUDGED and (low > 0 or high < 0):  # at the ends the interval is too sure of itself
        told = f"{words}, too few to tell: this needs {_JUDGED} pairs"
        return Finding(what, "amber", told, _audit(patient, _LARGER))
    if low > 0:
        return Finding(what, "green", f"{words}, surely better")
    if high < 0:
        model = patient.router.ladder[cheaper].model
        return Finding(what, "red", f"{words}, surely worse", f"%route tiers {expensive}={model}")
    told = f"{words}, too close to tell"
    if up != down:
        more = max(math.ceil(enough((up - down) / n, low, high, n)) - n, 1)
        told += f"; about {counted(more, 'more pair')} would tell"
    return Finding(what, "amber", told, _audit(patient, _LARGER))


def _wording(patient: Patient) -> Iterator[Finding]:
    router, prompts, about = patient.router, patient.prompts, "how often rewording changes a tier"
    if len(prompts) < _PROMPTS:
        words = f"{about}: this needs {_PROMPTS} prompts; this session has {len(prompts)}"
        yield unknown("wording", words, f"%route doctor  # after {_PROMPTS} prompts")
        return
    if not isinstance(patient.classifier, str) and not patient.sent:
        words = f"{about}: your own classifier is not tried, as it may send something"
        yield unknown("wording", words, SEND)
        return
    classifier = router.parts.classifier_for(None, None)
    found = flips_of(prompts, classifier, router.ladder)
    low, high = found.interval
    words = (
        f"{len(found.flips)} of {sum(found.tried.values())} small changes to {len(prompts)} "
        f"prompts change the tier: {found.share:.0%} [{low:.0%}, {high:.0%}]"
    )
    cure = "%route whatif threshold=0.6"
    if worst := found.worst(router.ladder):
        kind, share = next(iter(found.by_change().items()))
        words += (
            f"; most often {kind} ({share:.0%}). {shortened(worst.changed, 40)!r} goes to "
            f"{worst.after}, not {worst.before}: {worst.change}"
        )
        cure = f"%route teach {worst.before} {one_line(worst.changed)}"
    if classifier.name not in (DEFAULT, "hybrid"):  # hybrid asks no model here
        cure = f'classifier = "{DEFAULT}"  # under [nbroute]'
    if high <= _STEADY:
        yield Finding("wording", "green", words)
    else:
        yield Finding("wording", "red" if low > _SHAKY else "amber", words, cure)
    if patient.translated:
        yield _translation(patient)


def _translation(patient: Patient) -> Finding:
    """How often a translation of a prompt goes to another tier."""
    router, told = patient.router, patient.translated
    classifier = router.parts.classifier_for(None, None)
    tiers = {
        prompt: [classifier.classify(text, router.ladder).tier for text in (prompt, translated)]
        for prompt, translated in told.items()
    }
    flips = [prompt for prompt, (before, after) in tiers.items() if before != after]
    share = len(flips) / len(told)
    low, high = wilson(share, len(told))
    words = (
        f"{len(flips)} of {counted(len(told), 'prompt')} go to another tier in another language: "
        f"{share:.0%} [{low:.0%}, {high:.0%}]"
    )
    if high <= _STEADY:
        return Finding("wording", "green", words)
    if not flips:
        return unknown("wording", f"{words}, too few to tell", SEND)
    (before, after), text = tiers[flips[0]], told[flips[0]]
    words += f". {shortened(text, 40)!r} goes to {after}, not {before}"
    cure = f"%route teach {before} {one_line(text)}"
    return Finding("wording", "red" if low > _SHAKY else "amber", words, cure)


def _shares(patient: Patient) -> Iterator[Finding]:
    answered = patient.router.report().answered
    total, ladder = sum(answered.values()), patient.router.ladder
    if total < _ANSWERS:
        words = "whether one tier takes nearly all answers: this "
        words += f"needs {_ANSWERS} answers; this session has {total}"
        yield unknown("shares", words, f"%route doctor  # after {_ANSWERS} answers")
        return
    tier, most = max(answered.items(), key=lambda one: one[1])
    words = f"{tier} gave {most} of {total} answers: {most / total:.0%}"
    if most / total <= _ONE_TIER or len(ladder.tiers) == 1:
        yield Finding("shares", "green", words)
        return
    way = "up" if tier == ladder.names[0] else "down"
    told = f"{words}, over {_ONE_TIER:.0%}: are your prompts all alike, or is routing wrong?"
    yield Finding("shares", "amber", told, f"%route audit --direction {way}")


def _routing(patient: Patient) -> Iterator[Finding]:
    """Whether routing beats its own share at random, on what was judged."""
    router: Any = patient.router
    found = None
    for source in (None, router.labels(everything=True)):
        with contextlib.suppress(SettingsError):
            found = found or router.quality(source)
    if found is None:
        words = "whether routing beats its own share at random: unknown, as nothing was judged"
        yield unknown("routing", words, _AUDIT)
    elif found.rival != RANDOM:
        words = "whether routing beats its own share at random: an audit one way does not tell"
        yield unknown("routing", words, _audit(patient))
    elif found.better is None:
        yield unknown("routing", found.verdict, _audit(patient, _LARGER))
    else:
        cure = "" if found.better else "%route quality"
        yield Finding("routing", "green" if found.better else "red", found.verdict, cure)


def _ledger(patient: Patient) -> Iterator[Finding]:
    ledger = patient.router.ledger
    path: Path | None = getattr(ledger, "path", None)
    if not hasattr(ledger, "health"):
        ledger.rows(session=patient.router.session)
        yield Finding("ledger", "green", "your own ledger, which can be read")
        return
    if path is None:
        words = "it is kept in memory, and gone with this kernel"
        yield Finding("ledger", "amber", words, 'ledger = "ledger.sqlite3"  # under [nbroute]')
        return
    size = path.stat().st_size if path.exists() else 0
    folder = next(one for one in path.absolute().parents if one.exists())
    elsewhere = f'ledger = "{_OTHER_LEDGER}"  # under [nbroute]'
    if "NBROUTE_LEDGER" in ENVIRONMENT:  # it overrides the file
        elsewhere = f"%env NBROUTE_LEDGER={_OTHER_LEDGER}"
    words = ""
    colour: Colour = "red"
    try:
        found = ledger.health(thorough=size < _CHECKED_MB * 1_000_000)
        free = shutil.disk_usage(folder).free
        if found.damage:
            words = f"{path} is damaged: {found.damage}"
        elif found.waiting:
            words = f"{counted(found.waiting, 'row')} wait in memory, as {path} cannot be written"
        elif not os.access(path if size else folder, os.W_OK):
            words = f"{path} cannot be written"
        elif free < _LITTLE_ROOM:
            words = f"the disk of {path} has {free / 1e6:,.0f} MB left"
            colour = "amber" if free else "red"
    except RecordError as error:
        words = str(error).rstrip(".")
    if words:
        yield Finding("ledger", colour, f"{words}; {_KEPT}", elsewhere)
    else:
        told = f"{path}: {counted(found.rows, 'row')}, {size / 1e6:,.1f} MB"
        yield Finding("ledger", "green", told)


def _texts(patient: Patient) -> Iterator[Finding]:
    words = "prompts and answers are kept in the ledger, and can be judged in a later session"
    if not patient.settings.store_text:
        words = (
            "prompts and answers are not kept in the ledger (store_text = false): nobody can read "
            "them there, and only this session's can be judged"
        )
    yield Finding("texts", "green", words)


#: The checks by what they are about, in the order of the findings.
CHECKS: Mapping[str, Callable[[Patient], Iterator[Finding]]] = {
    "settings": _settings,
    "key": _keys,
    "model": _models,
    "price": _prices,
    "tiers": _tiers,
    "routing": _routing,
    "shares": _shares,
    "wording": _wording,
    "ledger": _ledger,
    "texts": _texts,
}
