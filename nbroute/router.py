"""Settings -> Router: the one place that names concrete classes.

What measures and learns (`evaluate`, with numpy and pandas) is imported by the method that uses it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nbroute.additions import refused
from nbroute.checks.learned import LearnedCheck
from nbroute.classify.embedding import EmbeddingClassifier, Method
from nbroute.classify.examples import Example, ExampleVectors, shipped
from nbroute.classify.learned import LearnedClassifier, LearnedTiers
from nbroute.classify.model import ModelClassifier
from nbroute.classify.registry import (
    DEFAULT,
    FORMER,
    RENAMED,
    CautiousClassifier,
    resolve,
)
from nbroute.classify.taught import TaughtClassifier
from nbroute.embedders import wordllama
from nbroute.embedders.endpoint import OpenAIEmbedder
from nbroute.embedders.kept import RememberedEmbedder, TaughtExamples
from nbroute.engine.attempts import new_id
from nbroute.engine.context import Parts, Resources, Spec
from nbroute.engine.engine import Engine
from nbroute.engine.feedback import keep_label, labels_frame, take_back
from nbroute.errors import NbrouteError, RecordError, SettingsError, did_you_mean
from nbroute.ladders import LOCAL_MODEL, spread, validate
from nbroute.locks import Lock
from nbroute.providers import model_files
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.simulated import Simulated
from nbroute.recording.documents import Header, RecordedClassifier, RecordedEmbedder
from nbroute.recording.recorder import Recorder
from nbroute.recording.replay import Recording, ReplayProvider
from nbroute.recording.scrub import Scrubber, secrets_of
from nbroute.report.table import one_line
from nbroute.settings import AUTO, ProviderSettings, Settings, base_ladder, load, replayed
from nbroute.settings.model import MORE_PROVIDERS, named_path
from nbroute.settings.profiles import known_keys
from nbroute.storage.cache import FileCache, MemoryCache, request_key
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import (
    Classifier,
    Embedder,
    Label,
    Ladder,
    Ledger,
    Provider,
    RouteResult,
    Tier,
)

if TYPE_CHECKING:
    import threading

    import numpy as np
    import pandas as pd

    from nbroute.batch import Batch
    from nbroute.batch.run import Progress
    from nbroute.compare import Comparison, Grid
    from nbroute.evaluate.audit import Plan
    from nbroute.evaluate.audited import Audit
    from nbroute.evaluate.calibration import Calibration
    from nbroute.evaluate.check_training import FittedCheck
    from nbroute.evaluate.findings import Examination
    from nbroute.evaluate.judging import Judge
    from nbroute.evaluate.quality import Quality
    from nbroute.evaluate.training import Fitted
    from nbroute.evaluate.whatif import WhatIf


class Router(Engine):
    """Classifies prompts, sends each to the cheapest tier that should do, and records it all.

    With nothing said it follows `nbroute.toml`, else the keys in the environment, else it
    works offline. `settings` is a path or a `Settings`, `profile` a built-in or configured
    name, `ladder` a `Ladder` or a preset's name, `provider` one `Provider` for every tier,
    `classifier` a name, a `Classifier` or a function prompt -> tier, `ledger` a file.
    `examples` are labelled prompts (a DataFrame or CSV of `prompt` and `tier`, or pairs) that the
    embedding classifiers use instead of the shipped ones. `replay` is a recording, which has its
    own ladder and answers instead of the models: nothing is sent. If a profile or a provider is
    named, recordings named in the environment or the settings file are not used. Warns if a
    settings file was found and is not used, as it is not trusted.

    Thread-safe. Raises SettingsError if something named does not exist, RecordError for a
    recording that cannot be used.
    """

    def __init__(
        self,
        settings: str | Path | Settings | None = None,
        *,
        profile: str | None = None,
        ladder: Ladder | str | None = None,
        provider: Provider | None = None,
        classifier: Spec | None = None,
        examples: Any = None,
        ledger: Ledger | str | Path | None = None,
        session: str | None = None,
        announce: Announce | None = None,
        replay: str | Path | None = None,
    ) -> None:
        if not isinstance(settings, Settings):
            settings = load(
                settings,
                profile=profile,
                local_ready=model_files.ready,
                replay=False if provider is not None and replay is None else replay,
            )
            if settings.set_aside and announce is None:  # a notebook shows `origin` itself
                warnings.warn(f"nbroute: {settings.set_aside}", stacklevel=2)
        elif replay is not None:
            settings = replayed(settings, named_path("replay", replay).absolute())
        rename = Renaming(announce or warnings.warn)
        announce = announce or (lambda _: None)
        classifier = classifier and rename(classifier)
        named = replace(settings.classifier, name=rename(settings.classifier.name))
        settings = replace(settings, classifier=named)
        self.given = {"provider": provider, "classifier": classifier, "examples": examples}
        recording = recording_of(settings, given=provider, classifier=classifier, announce=announce)
        providers = providers_of(settings, provider, announce, recording)
        steps = ladder_of(settings, ladder, provider, providers)
        if ladder is None:
            told = found_models(settings.ladder, steps)
            settings = replace(settings, origin="; ".join([settings.origin, *told]))
        self.settings = settings
        #: The last audit, even if it was stopped.
        self.audited: Audit | None = None
        self._stopped: Audit | None = None
        asked = classifier_tier(settings, steps, providers)
        file = settings.ledger_file
        if ledger is None or isinstance(ledger, str | Path):
            file = named_path("ledger", ledger) if ledger else file
            ledger = SqliteLedger(file, store_text=settings.store_text)
        chosen = classifier or settings.classifier.name
        made = Classifiers(settings, steps, asked, providers, announce, file, chosen, rename)
        if examples is not None:
            made.own_examples = made.read(examples)
        self._classifiers = made
        places = {name: getattr(one, "base_url", "") for name, one in providers.items()}
        cache = FileCache(settings.cache_file) if settings.cache_file else MemoryCache()
        self._cache, self._recording = cache, recording
        super().__init__(
            Parts(
                ladder=steps,
                providers=providers,
                cache=recording or cache,
                # Told apart by the address that a provider's name stands for.
                request_key=recording.key
                if recording
                else lambda request: request_key(request, places[request.provider]),
                classifier_for=made.find,
                classifier_tier=asked,
                learned_check=made.learned_check,
                embedder=made.embedder,
                ledger=ledger,
                recorder=lambda: made.recorder,
                replay=recording,
                limits=settings.limits,
                cache_mode=settings.cache,
                agreement=settings.agreement,
                check_timeout_s=settings.check_timeout_s,
                baseline=settings.baseline if settings.baseline in steps.names else steps.names[-1],
                session=session or new_id(),
                clock=time.time,
            )
        )
        if settings.record is not None:
            self.record(settings.record)

    @property
    def recorder(self) -> Recorder | None:
        """What is recording; None if nothing is."""
        return self._classifiers.recorder

    @property
    def replaying(self) -> Recording | None:
        """The recording that answers; None if models do."""
        return self._recording

    @overload
    def record(self, path: str | Path) -> Recorder: ...
    @overload
    def record(self, path: None) -> None: ...
    def record(self, path: str | Path | None) -> Recorder | None:
        """Keep each answer from now on in that text file, for `replay`; None ends it.

        It keeps those of the classifying model and of the cache, too. An existing recording is
        continued, any other file is refused. No key is written. Answers that other processes
        fetch for `map` are not in it. RecordError if the file cannot be used, SettingsError in a
        replay.
        """
        made = None if path is None else recorder_of(self, path, self._classifiers)
        if (old := self._classifiers.keep_with(made)) is not None:
            old.close()
        return made

    def close(self) -> None:
        """Shut providers and files down and end recording; a second call does nothing."""
        self.record(None)
        super().close()
        self._classifiers.close()
        if isinstance(self._cache, FileCache):
            self._cache.close()

    @overload
    def compare(
        self, prompt: str, tiers: Sequence[str] | None = None, **options: Any
    ) -> Comparison: ...
    @overload
    def compare(
        self, prompt: Iterable[str], tiers: Sequence[str] | None = None, **options: Any
    ) -> Grid: ...
    def compare(
        self, prompt: str | Iterable[str], tiers: Sequence[str] | None = None, **options: Any
    ) -> Comparison | Grid:
        """Ask several tiers or models the same thing at the same time: a `Comparison`.

        `tiers` names tiers, models on the ladder, or others as "TIER:model"; None is every
        tier. Many prompts make a `Grid`, prompts x contenders. For a text it takes `observe`,
        `cancel`, `workers` and most options of `route`: see `nbroute.compare.compare_prompt`;
        for many also `to`, `resume`, `fresh`, `picks` and `progress`: see `compare_prompts`.
        `systems` are system prompts to compare, by name; with `over` (a DataFrame, lists by name)
        the prompt is a template, whose `{{name}}` is the column of that name, row by row.
        """
        from nbroute.compare import compare

        return compare(self, prompt, tiers, **options)

    def judge(
        self,
        grid: Grid,
        judge: Judge | None = None,
        *,
        max_cost: Any = None,
        progress: bool | Progress | None = None,
    ) -> Grid:
        """Have a judge compare each answer of a grid with the most expensive contender's.

        `grid = router.compare(prompts); router.judge(grid)`: the grid then shows the verdicts,
        and `grid.frame()` has them as `judged`: 1.0 for better, 0.5 for as good, 0.0 for worse,
        NaN where there is no verdict. `judge` is a tier, a model ("TIER:model"), or a function
        (prompt, a, b) -> "a", "b" or "tie"; None is the top tier. Each pair is judged in both
        orders, and a verdict that flips with the order counts as good. `max_cost` (US dollars)
        limits all of it. What fails is NaN, and the same call asks for that again.

        SettingsError for a single contender and for an unknown judge, Interrupted on Ctrl-C; its
        `result` is the grid.
        """
        from nbroute.evaluate.judged_grid import judge_grid

        return judge_grid(self, grid, judge, max_cost=max_cost, progress=progress)

    def strengths(self, judged: Audit | Grid | pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
        """How strong each tier is by what was judged, the strongest first: `tier`, `strength`.

        The strength is how often a tier would be preferred to an average one of them, `low` to
        `high` at 95%: see `nbroute.evaluate.strengths`. It takes an audit or its frame, or a grid
        after `judge`. SettingsError for fewer than three tiers, for tiers that no verdict
        connects, and if evalica is missing.
        """
        from nbroute.evaluate.strengths import strengths

        return strengths(judged, seed=seed)

    def map(self, prompts: Iterable[str], **options: Any) -> Batch:
        """Route many prompts at once: a `Batch` with a row for each, in order; a failure is a row.

        Takes `executor`, `workers`, `to`, `resume`, `fresh`, `progress`, `cancel` and what
        `route` takes: see `nbroute.batch.map_prompts`.
        """
        from nbroute.batch import map_prompts

        return map_prompts(self, prompts, **options)

    async def amap(self, prompts: Iterable[str], **options: Any) -> Batch:
        """`map` for an event loop: threads underneath, cancelled with its task."""
        from nbroute.batch import amap

        return await amap(self, prompts, **options)

    async def aroute(self, prompt: str, **options: Any) -> RouteResult:
        """`route` for an event loop: a thread underneath, cancelled with its task."""
        from nbroute.batch import aroute

        return await aroute(self, prompt, **options)

    def teach(self, prompt: str, tier: str) -> str:
        """Keep the prompt as an example of the tier, for ngrams and the embedding classifiers.

        The tier's name. PromptError for an empty prompt, SettingsError for an unknown tier.
        """
        return self._classifiers.teach(prompt, tier)

    def forget(self, prompt: str) -> str:
        """Take back what was taught of the prompt, for every session; the tier that it had.

        SettingsError for a prompt that was never taught.
        """
        return self._classifiers.forget(prompt)

    @property
    def taught(self) -> dict[str, str]:
        """The prompts taught in this session and others, newest last, each with its tier."""
        return self._classifiers.taught()

    def label(
        self,
        result: RouteResult,
        feedback: str,
        needed: str | None = None,
        *,
        picked: str | None = None,
    ) -> Label:
        """Keep your feedback on an answer: "good", "bad", "too weak" or "overkill".

        "cheapest acceptable" is the word for one of several compared answers. The prompt is kept
        with it. `needed` names the tier that would have done, otherwise the word implies it;
        `picked` is the tier that routing picked, if that is not the first that answered.
        SettingsError for an unknown word or tier, RecordError if the ledger fails.
        """
        return keep_label(self, result, feedback, needed, picked=picked)

    def take_back(self, result: RouteResult) -> None:
        """Take back your feedback on that answer; RecordError if the ledger fails."""
        take_back(self, result)

    def labels(self, *, everything: bool = False, feedback: bool = False) -> pd.DataFrame:
        """The session's labels as `fit` takes them: the last word on each prompt, as its tier.

        `everything` takes all sessions in the ledger. Labels with no tier of this ladder are
        left out; `feedback` gives all labels as they were given, some with no `tier`.
        """
        return labels_frame(self, everything=everything, feedback=feedback)

    def fit(self, frame: Any, *, to: str | Path | None = None, seed: int = 0) -> Fitted:
        """Learn a classifier from labelled prompts; it is used from now on if it is better.

        `frame` is a DataFrame or a CSV file with `prompt` and `tier` (or `weak` and `strong`,
        scores of answers), and maybe `group`, which cross-validation keeps together. It must
        be better than chance, the prompt's length and the present classifier, and is then kept
        in the file `to`, for `classifier = "learned"`. SettingsError for labels that it cannot
        learn from, and if scikit-learn is missing.
        """
        return self._classifiers.fit(frame, Path(to) if to else None, seed)

    def fit_check(self, frame: Any = None, *, catch: float = 0.5, seed: int = 0) -> FittedCheck:
        """Learn from labels which answers are bad; from now on the check "learned", if better.

        `frame` is a DataFrame or a CSV file with `prompt`, `text` and `good` (True or False, or
        good and bad in a column `label`), or with `prompt`, `better` and `worse`; and maybe
        `logprob`. Without a frame it takes the labels in the ledger whose answers' texts are kept.
        Fit it on answers of the tier that it will check; a bad answer does not mean that the
        next tier's is good (docs/checks.md has figures). The threshold is set so that the share
        `catch` of the bad answers fails. It must be clearly better, on prompts held back, than
        the prompt alone, the answer's length and chance, and is then kept next to the ledger.
        SettingsError for labels that it cannot learn from, and if scikit-learn is missing.
        """
        from nbroute.evaluate.check_training import votes

        missing = 0
        if frame is None:
            frame, missing = votes(self)
        fitted = self._classifiers.fit_check(frame, catch, seed)
        if not missing:
            return fitted
        left = f"{missing} labelled answers were left out, as their texts were not kept."
        return replace(fitted, note="\n".join(filter(None, [left, fitted.note])))

    def calibrate(
        self,
        source: Any = None,
        *,
        loss: float = 0.02,
        confidence: float = 0.9,
        of: str = "classifier",
        seed: int = 0,
    ) -> Calibration:
        """The cheapest threshold that keeps the loss of quality at `loss` or less; sends nothing.

        This holds with the probability `confidence`, for prompts like those of `source`: an
        `Audit`, its frame, or a DataFrame or CSV file with `prompt` and the `tier` needed;
        without it, the last audit's pairs, else the labels in the ledger. The threshold is the
        classifier's, `step_up_below`, or that `of` a check, "learned", "rating" or "logprob":
        then `source` is as in `fit_check`, with a column of that name for the last two.
        Near-duplicate prompts (or those of one `group`) count once. SettingsError for what cannot
        be used, and if nothing can be promised; it then says how many labels it would take.
        """
        from nbroute.evaluate.calibration import calibrate

        return calibrate(self, source, loss=loss, confidence=confidence, of=of, seed=seed)

    def quality(self, source: Any = None, *, seed: int = 0) -> Quality:
        """Quality against cost on your own prompts, next to chance, length and each tier alone.

        `source` is a DataFrame or a CSV file with `prompt` and a score from 0 to 1 of two tiers or
        more, in columns named as the tiers (costs in `TIER_usd`), with `prompt`, `weak` and
        `strong`, or with `prompt` and the `tier` needed; or a judged grid, or an audit. Without
        it, the last audit, else the session's labels. Nothing is sent: for a classifier that
        would send, a column `picked` has the tiers. SettingsError if `source` says nothing.
        """
        from nbroute.evaluate.quality import measure

        if source is None:
            source = self.labels() if self.audited is None else self.audited
        return measure(self, source, seed)

    @property
    def classifier(self) -> Spec:
        """What decides by default: a name, a classifier or a function."""
        return self._classifiers.default

    def what_if(
        self,
        ladder: Ladder | str | None = None,
        classifier: Spec | None = None,
        threshold: float | None = None,
        *,
        cache: bool | None = None,
        prompts: Any = None,
        results: Batch | Iterable[RouteResult] | None = None,
        session: str | None = None,
        output_tokens: int = 300,
    ) -> WhatIf:
        """What this session would have cost under other settings; nothing is sent.

        A prompt less sure than `threshold` (0 to 1) goes one tier up. The prompts are those
        of this process, else of the ledger where it keeps texts; or your own `prompts` (texts
        or a DataFrame, whose answers are taken to have `output_tokens`), a batch or other
        `results`, or another `session` of the ledger. SettingsError for an unknown ladder or
        classifier.
        """
        from nbroute.evaluate.past import collect
        from nbroute.evaluate.whatif import what_if

        found = collect(self, prompts, results, session, output_tokens)
        given = (self, self.settings, self.classifier, found)
        return what_if(*given, ladder=ladder, asked=classifier, threshold=threshold, cache=cache)

    def audit(  # noqa: PLR0917 - in the order in which they are thought of
        self,
        sample: float = 0.05,
        direction: str = "up",
        judge: Judge | None = None,
        seed: int = 0,
        frame: Any = None,
        max_cost: Any = None,
        *,
        everything: bool = False,
        again: float = 0.2,
        progress: bool | Progress | None = None,
        cancel: threading.Event | None = None,
        workers: int | None = None,
    ) -> Audit:
        """Have a random `sample` of the answers judged against those of the next tier: an `Audit`.

        `sample` is a share (0 to 1) of what this session answered, else of its rows in the ledger
        with texts (`everything`: of every session), or of `frame`, a DataFrame or a CSV file with
        `prompt` and maybe `answer` and `tier`. Their prompts are asked one tier "up", one tier
        "down" or "both", and for the share `again` the more expensive model is asked twice. The
        `judge` is a tier (the top one), a model, or a function (prompt, a, b) -> "a", "b" or
        "tie"; it sees each pair in both orders. `seed` draws the same prompts again.

        `max_cost` limits the cost in US dollars; without it, at most 2,000 prompts are taken.
        `progress` and `workers` are as in `compare`. Raises SettingsError before anything is
        sent, BudgetExceeded or ProviderError if nothing could be judged, and Interrupted on
        Ctrl-C or once `cancel` is set: their `result` is the audit so far. The same call then
        does only what is missing.
        """
        from nbroute.evaluate.audit import make_plan

        given = (sample, direction, judge, seed, frame, max_cost)
        plan = make_plan(self, *given, everything=everything, again=again)
        how = {"progress": progress, "cancel": cancel, "workers": workers}
        return self.carry_out(plan, max_cost=max_cost, **how)

    def carry_out(self, plan: Plan, **how: Any) -> Audit:
        """Carry out what `make_plan` planned; see `audit`."""
        from nbroute.evaluate.audit import run_audit
        from nbroute.evaluate.audited import Audit

        try:
            audit = run_audit(plan, before=self._stopped, **how)
        except NbrouteError as error:
            if isinstance(error.result, Audit):
                self._note(error.result)
            raise
        self._note(audit)
        return audit

    def _note(self, audit: Audit) -> None:
        """Make it the last audit, unless its judge said nothing and an earlier one did."""
        self._stopped = audit if audit.stopped else None
        if audit.telling or self.audited is None:
            self.audited = audit

    def go_on(self, other: Engine) -> None:
        """Take over the other's session and its last audit."""
        super().go_on(other)
        self.audited = getattr(other, "audited", None)
        self._stopped = getattr(other, "_stopped", None)

    def doctor(self, *, send: bool = False, max_cost: object = None) -> Examination:
        """What is wrong with the set-up, one finding a line, each with its cure.

        With `send`, each model is asked for one word, for at most `max_cost` (US dollars) in
        all; otherwise nothing is sent. The calls are in the ledger as audits. Whatever fails is
        a finding; only a `max_cost` that is not an amount raises SettingsError.
        """
        from nbroute.evaluate.doctor import examine

        return examine(self, self.settings, self.classifier, send=send, max_cost=max_cost)

    def __repr__(self) -> str:
        """No keys, no prompts."""
        return f"<Router profile={self.settings.profile!r} ladder={self.ladder.name!r}>"


Announce = Callable[[str], None]


def providers_of(
    settings: Settings, given: Provider | None, announce: Announce, recording: Recording | None
) -> Mapping[str, Provider]:
    """The providers by name; the one that was `given` alone, or those of the `recording`."""
    if recording is not None:
        kinds = recording.header.providers
        return {name: ReplayProvider(name, kind, recording) for name, kind in kinds.items()}
    if given is not None:
        return {given.name: given}
    return {one.name: _provider(one, announce) for one in settings.providers}


def _provider(settings: ProviderSettings, announce: Announce) -> Provider:
    if settings.kind == "simulated":
        return Simulated(settings.name, fail=settings.fail, pace=settings.pace)
    if settings.kind == "local":
        files = model_files.find_models(settings.gguf)
        return LlamaCpp(settings.name, files=files, announce=announce)
    common: dict[str, Any] = {
        "api_key": settings.api_key,
        "api_key_env": settings.api_key_env,
        "timeout_s": settings.timeout_s,
        "deadline_s": settings.deadline_s,
        "kind": "remote" if settings.billed else "local",
    }
    if settings.kind == "litellm":
        return LiteLLM(settings.name, api_base=settings.base_url or None, **common)
    if more := MORE_PROVIDERS.get(settings.kind):
        made: Provider = more.provider(settings.name, base_url=settings.base_url, **common)
        needs = ("name", "kind", "send", "secrets", "close")
        if lacks := [name for name in needs if not hasattr(made, name)]:
            raise refused(more, f"what its provider returns has no {' and no '.join(lacks)}")
        return made
    common["token_parameter"] = settings.token_parameter
    return OpenAICompatible(settings.name, settings.base_url, **common)


def ladder_of(
    settings: Settings,
    asked: Ladder | str | None,
    given: Provider | None,
    providers: Mapping[str, Provider],
) -> Ladder:
    """The ladder that was asked for, else the settings'; SettingsError if it cannot be used."""
    ladder = asked if isinstance(asked, Ladder) else settings.ladder
    if isinstance(asked, str):
        home = ladder.tiers[0].provider
        ladder = base_ladder(asked, next(p for p in settings.providers if p.name == home))
    if given is not None:
        moved = (replace(t, provider=given.name, fallbacks=t.models[1:]) for t in ladder.tiers)
        ladder = replace(ladder, tiers=tuple(moved))
    validate(ladder)
    for tier in ladder.tiers:
        for target in tier.targets:
            if target.provider not in providers:
                raise SettingsError(
                    f"tier {tier.name!r} names the provider {target.provider!r}, which is not "
                    f"configured: {did_you_mean(target.provider, providers)}"
                )
    for name in dict.fromkeys(tier.provider for tier in ladder.tiers):
        ladder = with_found_models(ladder, providers[name])
    return ladder


def with_found_models(ladder: Ladder, provider: Provider) -> Ladder:
    """The ladder with the endpoint's own models on those of its tiers that are open.

    llama.cpp's tiers are open if they name the preset's model, and only other files are there.
    """
    open_models = {AUTO, LOCAL_MODEL} if isinstance(provider, LlamaCpp) else {AUTO}
    mine = [t for t in ladder.tiers if t.provider == provider.name and t.model in open_models]
    if not mine or not isinstance(provider, LlamaCpp | OpenAICompatible):
        return ladder
    found = provider.models()
    if isinstance(provider, LlamaCpp) and (LOCAL_MODEL in found or not found):
        return ladder
    if not found:
        provider.close()
        raise SettingsError(
            f"{provider.name!r} has no model that chats (those that embed, rank, speak or draw are "
            "left out); load one there first"
        )
    there = tuple(tier for tier in ladder.tiers if tier.provider == provider.name)
    filled = spread(found, replace(ladder, tiers=there, default=there[0].name))
    tiers = tuple(filled[t.name] if t in mine else t for t in ladder.tiers)
    return replace(ladder, tiers=tiers)


def found_models(before: Ladder, after: Ladder) -> list[str]:
    """In words, which of an endpoint's models answers which tiers; [] for none."""
    tiers: dict[str, list[str]] = {}
    for asked, tier in zip(before.tiers, after.tiers, strict=True):
        if asked.model == AUTO != tier.model:
            tiers.setdefault(one_line(tier.model), []).append(tier.name)
    if [list(after.names)] == list(tiers.values()):
        return [f"{model}, the only model there, answers every tier" for model in tiers]
    return [f"{model} answers {' and '.join(names)}" for model, names in tiers.items()]


SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(eq=False)
class Renaming:
    """Replaces a classifier's former name by the present one, and says so once."""

    announce: Callable[[str], object]
    told: bool = False

    def __call__(self, asked: SpecT) -> SpecT | str:
        """What was asked for, by its present name."""
        if asked != FORMER:
            return asked
        if not self.told:
            self.told = True
            self.announce(f"nbroute: {RENAMED}")
        return DEFAULT


@dataclass(eq=False)
class Classifiers:
    """Classifiers by name for one router; their parts are made when they are needed.

    `default` decides if no other is asked for. What is taught and learnt is kept in files
    `beside` the ledger's.
    """

    settings: Settings
    ladder: Ladder
    tier: Tier
    providers: Mapping[str, Provider]
    announce: Announce
    beside: Path
    default: Spec
    rename: Renaming
    own_examples: tuple[Example, ...] = ()
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self._usual: TaughtClassifier | None = None
        self._taught = TaughtExamples(self.beside.with_name("examples.sqlite3"))
        self._learned_file = self.settings.classifier.file or self.beside.with_name("learned.npz")
        self._learned: LearnedClassifier | LearnedTiers | None = None
        self._check_file = self.beside.with_name("learned_check.npz")
        self._check: LearnedCheck | None = None
        self._embedder: Embedder | None = None
        self._remembered: RememberedEmbedder | None = None
        self._examples: ExampleVectors | None = None
        self._announced = ""
        self._thinkers: set[str] = set()
        self._lock = Lock()

    def find(self, asked: Spec | None, resources: Resources | None) -> Classifier:
        """The classifier asked for; without `resources`, ngrams replaces one that would send.

        `step_up_below` of the settings is applied to it, unless it is cautious already.
        """
        found = self._bare(asked, resources)
        threshold = self.settings.classifier.step_up_below
        if not threshold or isinstance(found, CautiousClassifier):
            return found
        return CautiousClassifier(found, threshold)

    def _bare(self, asked: Spec | None, resources: Resources | None) -> Classifier:
        usual = self._leaning()
        model: Classifier = usual
        if resources is not None:
            tier = self.tier
            model = ModelClassifier(resources.ask, tier.provider, tier.model, self._thinkers)
        return resolve(
            self.default if asked is None else self.rename(asked),
            usual=usual,
            model=model,
            threshold=self.settings.classifier.threshold if resources else 0,
            others={
                "embedding": partial(self._by_examples, "neighbours", resources),
                "embedding:centroid": partial(self._by_examples, "centroid", resources),
                "learned": self._by_learning,
            },
        )

    def _by_examples(self, method: Method, resources: Resources | None) -> Classifier:
        """The classifier by examples; if nothing may be sent, with vectors made here."""
        if resources is None and self.embedder().kind == "remote":
            return self._leaning()
        embed = (
            resources.embed
            if resources
            else lambda texts: (self.embedder().embed(texts).vectors, ())
        )
        with self._lock:
            if self._examples is None:
                file = self.settings.classifier.examples_file
                own = self.own_examples or (self.read(file) if file else shipped())
                self._examples = ExampleVectors([*own, *self._taught_examples()])
            examples = self._examples
        return EmbeddingClassifier(embed, examples, method)

    def read(self, examples: Any) -> tuple[Example, ...]:
        """The user's own examples for this ladder."""
        from nbroute.evaluate.training_data import read_examples

        return read_examples(examples, self.ladder)

    def _leaning(self) -> TaughtClassifier:
        """Ngrams with what was taught."""
        with self._lock:
            if self._usual is None:
                self._usual = TaughtClassifier(self._taught_examples())
            return self._usual

    def _taught_examples(self) -> tuple[Example, ...]:
        try:
            return self._taught.examples(self.ladder)
        except RecordError as error:  # the file is left alone
            if str(error) != self._announced:
                self.announce(f"nbroute: without the examples you taught: {error}")
            self._announced = str(error)
            return ()

    def _by_learning(self) -> Classifier:
        from nbroute.evaluate import model_file

        with self._lock:
            if self._learned is None:
                self._learned = model_file.load(self._learned_file, self._free_embedder)
            return self._learned

    def keep_with(self, recorder: Recorder | None) -> Recorder | None:
        """Have `recorder` keep answers and vectors from now on; the one that did before."""
        with self._lock:
            before, self.recorder = self.recorder, recorder
            self._examples = None  # their vectors are asked for again, and so recorded
        return before

    def teach(self, prompt: str, tier: str) -> str:
        """Keep the prompt as an example of the tier, and use it from now on; the tier's name."""
        example = self._taught.teach(prompt, tier, self.ladder)
        with self._lock:
            if self._examples is not None:
                self._examples.add(example)
            if self._usual is not None:
                self._usual = self._usual.taught(example)
        return example.tier

    def forget(self, prompt: str) -> str:
        """Use the prompt as an example no longer; the tier that it had."""
        example = self._taught.forget(prompt)
        with self._lock:
            self._usual = self._examples = None
        return example.tier

    def taught(self) -> dict[str, str]:
        """Prompts with their tiers; RecordError if they cannot be read."""
        return {one.prompt: one.tier for one in self._taught.examples()}

    def fit(self, frame: Any, to: Path | None, seed: int) -> Fitted:
        """Learn from the labels; if better than the present classifier, it takes its place."""
        from nbroute.evaluate import model_file
        from nbroute.evaluate.training import fit

        present = self._bare(None, None)
        embedder = self._free_embedder()
        fitted = fit(frame, self.ladder, embedder=embedder, present=present, seed=seed)
        if fitted.better:
            self._learned_file = model_file.save(fitted.classifier, to or self._learned_file)
            self._learned, self.default = fitted.classifier, "learned"
            told = (
                f"switched on for this router, and saved as {self._learned_file}; later: -c learned"
            )
            fitted = replace(fitted, note="\n".join(filter(None, [fitted.note, told])))
        return fitted

    def learned_check(self) -> LearnedCheck:
        """The check that was fitted here or before; SettingsError if there is none."""
        from nbroute.evaluate.model_file import load_check

        with self._lock:
            if self._check is None:
                self._check = load_check(self._check_file)
            return self._check

    def fit_check(self, frame: Any, catch: float, seed: int) -> FittedCheck:
        """Learn from the labels; a check that is better than nothing becomes the learned one."""
        from nbroute.evaluate.check_training import fit_check
        from nbroute.evaluate.model_file import save_check

        fitted = fit_check(frame, catch=catch, seed=seed)
        if not fitted.better:
            return fitted
        file = save_check(fitted.check, self._check_file)
        self._check = fitted.check
        told = f"switched on for this router, and saved as {file}; use it with --check learned"
        return replace(fitted, note=told)

    def embedder_name(self) -> str | None:
        """The provider that embeds, or "wordllama", after `auto` has chosen; None for neither."""
        name = self.settings.embedder.name
        if name != "auto":
            return name
        if wordllama.available():
            return "wordllama"
        for name, provider in self.providers.items():
            if isinstance(provider, OpenAICompatible) and provider.kind == "remote":
                return name
        return None

    def embedder(self) -> Embedder:
        """The embedder, made once; SettingsError if there is none."""
        with self._lock:
            if self._embedder is None:
                self._embedder = self._made_embedder()
            return self._embedder

    def _made_embedder(self) -> Embedder:
        name, model = self.embedder_name(), self.settings.embedder.model
        if name is None:
            raise SettingsError(
                "comparing texts takes an embedder, and there is none: pip install "
                "'nbroute[embeddings]', or name a provider in `embedder` of nbroute.toml"
            )
        if name == "wordllama":
            return wordllama.WordLlamaEmbedder()
        provider = self.providers.get(name)
        if isinstance(provider, ReplayProvider):
            return provider.embedder(model)
        if not isinstance(provider, OpenAICompatible):
            hint = did_you_mean(name, ["wordllama", *self.providers])
            raise SettingsError(f"embedder = {name!r} is not an endpoint with embeddings: {hint}")
        made = OpenAIEmbedder(provider, model)
        self._remembered = RememberedEmbedder(
            made,
            self.beside.with_name("vectors.sqlite3"),
            announce=self.announce,
            embedded=partial(self._record, made),
        )
        return self._remembered

    def _record(self, embedder: Embedder, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep the vectors in the recording, if there is one; announce it if that fails."""
        try:
            if self.recorder is not None:
                self.recorder.keep_vectors(embedder.provider, embedder.model, texts, vectors)
        except RecordError as error:
            if str(error) != self._announced:
                self.announce(f"nbroute: {error}")
            self._announced = str(error)

    def _free_embedder(self) -> Embedder | None:
        """An embedder that costs nothing, as learning takes a vector of every prompt."""
        if not wordllama.available():
            return None
        embedder = self.embedder()
        return embedder if embedder.kind != "remote" else wordllama.WordLlamaEmbedder()

    def close(self) -> None:
        """Give the files back; a later use opens them again."""
        self._taught.close()
        if self._remembered is not None:
            self._remembered.close()


def classifier_tier(settings: Settings, ladder: Ladder, providers: Mapping[str, Provider]) -> Tier:
    """The lowest tier, with the classifying model if one is configured.

    A provider handed to the Router replaces those of the settings, the classifier's, too.
    """
    tier = ladder.tiers[0]
    provider = settings.classifier.provider or tier.provider
    if provider not in providers:
        return tier
    model = settings.classifier.model or tier.model
    same = (provider, model) == (tier.provider, tier.model)
    return tier if same else replace(tier, provider=provider, model=model, price=None)


#: What a recording calls a classifier that is a function or an object of the user's own.
OWN = "own"


def recording_of(
    settings: Settings, *, given: Provider | None, classifier: object, announce: Announce
) -> Recording | None:
    """The recording that the settings name; RecordError for a file that is not one."""
    if settings.replay is None:
        return None
    if given is not None:
        raise SettingsError(
            f"provider = {given!r:.60} would not be asked while {settings.replay.name} is "
            "replayed; leave out provider or replay"
        )
    recording = Recording(settings.replay, Scrubber(known_keys(settings)))
    if recording.header.classifier.name == OWN and classifier is None:
        announce(
            f"nbroute: {settings.replay.name} was recorded with a classifier of the recorder's "
            "own; this machine's default decides, unless you give it too (classifier=...)"
        )
    return recording


def recorder_of(router: Router, path: str | Path, classifiers: Classifiers) -> Recorder:
    """A recorder of that router's answers; SettingsError for one that replays."""
    settings, parts = router.settings, router.parts
    if parts.replay is not None:
        raise SettingsError(
            f"{settings.origin.partition(',')[0]}: what it answers is recorded already; "
            "`%route use PROFILE` continues with a profile that can be recorded"
        )
    path = named_path("record", path)
    providers, tier = parts.providers, parts.classifier_tier
    embedder = classifiers.embedder_name() or "auto"
    targets = [target.provider for step in parts.ladder.tiers for target in step.targets]
    asked = dict.fromkeys([*targets, tier.provider, embedder])
    header = Header.of(
        parts.ladder,
        profile=settings.profile,
        providers={name: providers[name].kind for name in asked if name in providers},
        classifier=RecordedClassifier(
            name=classifiers.default if isinstance(classifiers.default, str) else OWN,
            provider=tier.provider,
            model=tier.model,
            threshold=settings.classifier.threshold,
            step_up_below=settings.classifier.step_up_below or None,
        ),
        embedder=RecordedEmbedder(embedder, settings.embedder.model),
        agreement=parts.agreement,
        baseline=parts.baseline,
    )
    return Recorder(path, header, scrubber_of(router), providers)


def scrubber_of(router: Router) -> Scrubber:
    """What takes this router's keys, and those of the environment, out of a text."""
    providers = router.parts.providers.values()
    keys = [key for provider in providers for key in secrets_of(provider)]
    return Scrubber(keys, lambda: known_keys(router.settings))
