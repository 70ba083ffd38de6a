"""Settings -> Router: the one place that names concrete classes."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbroute.classify.embedding import EmbeddingClassifier, Method
from nbroute.classify.examples import Example, ExampleVectors, shipped
from nbroute.classify.hybrid import CautiousClassifier
from nbroute.classify.learned import LearnedClassifier
from nbroute.classify.model import ModelClassifier
from nbroute.classify.registry import resolve
from nbroute.classify.rules import RulesClassifier
from nbroute.embedders import wordllama
from nbroute.embedders.openai_compatible import OpenAIEmbedder
from nbroute.embedders.remembered import RememberedEmbedder
from nbroute.embedders.taught import TaughtExamples
from nbroute.engine.context import EmbedTexts, Parts, Resources, Spec
from nbroute.engine.engine import Engine
from nbroute.engine.feedback import keep_label, labels_frame
from nbroute.errors import RecordError, SettingsError, did_you_mean
from nbroute.evaluate import model_file
from nbroute.evaluate.training import Fitted, fit
from nbroute.evaluate.training_data import read_examples
from nbroute.evaluate.whatif import WhatIf, what_if
from nbroute.ladders import LOCAL_MODEL, spread, validate
from nbroute.providers import model_files
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.simulated import Simulated
from nbroute.recording.documents import Header, RecordedClassifier, RecordedEmbedder
from nbroute.recording.recorder import Recorder
from nbroute.recording.replay import Recording, ReplayProvider
from nbroute.recording.scrub import Scrubber, secrets_of
from nbroute.settings import AUTO, ProviderSettings, Settings, base_ladder, load
from nbroute.settings.profiles import known_keys
from nbroute.settings.replaying import replayed
from nbroute.storage.cache import FileCache, MemoryCache, request_key
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import (
    Attempt,
    Classifier,
    Embedder,
    Label,
    Ladder,
    Ledger,
    Provider,
    Request,
    RouteResult,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from nbroute.batch import Batch
    from nbroute.compare import Comparison, Grid
    from nbroute.evaluate.whatif import WhatIf


class Router(Engine):
    """Classifies prompts, sends each to the cheapest tier that should do, and records it all.

    With nothing said it follows `nbroute.toml`, else the keys in the environment, else it
    works offline. `settings` is a path or a `Settings`, `profile` a built-in or configured
    name, `ladder` a `Ladder` or a preset's name, `provider` one `Provider` for every tier,
    `classifier` a name, a `Classifier` or a function prompt -> tier, `ledger` a file.
    `examples` are labelled prompts (a DataFrame or CSV of `prompt` and `tier`, pairs) that the
    embedding classifiers go by, in place of the shipped ones. `replay` is a recording, which
    brings its own ladder and answers in the models' place: nothing is sent. Where a profile
    or a provider is named, no recording of the environment or the settings file is used.

    Thread-safe. Raises SettingsError where something named does not exist, RecordError for a
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
        chosen = _chosen(settings, profile, replay, provider)
        self.settings = chosen
        recording = recording_of(chosen, given=provider, classifier=classifier, announce=announce)
        self._recording = recording
        self.given = {"provider": provider, "classifier": classifier, "examples": examples}
        providers = providers_of(chosen, provider, announce, recording)
        steps = ladder_of(chosen, ladder, provider, providers)
        asked = classifier_tier(chosen, steps, providers)
        beside = Path(ledger) if isinstance(ledger, str | Path) else chosen.ledger_file
        self._deciders = Deciders(chosen, steps, asked, providers, announce=announce, beside=beside)
        self._deciders.default = classifier or self._deciders.default
        if examples is not None:
            self._deciders.own_examples = read_examples(examples, steps)
        super().__init__(
            Parts(
                ladder=steps,
                providers=providers,
                cache=recording or _cache(chosen),
                request_key=recording.key if recording else _keys(providers),
                classifier_for=self._deciders.classifier_for,
                classifier_tier=asked,
                embedder=self._deciders.embedder,
                ledger=_ledger(chosen, ledger),
                recorder=lambda: self._deciders.recorder,
                replay=recording,
                limits=chosen.limits,
                cache_mode=chosen.cache,
                agreement=chosen.agreement,
                check_timeout_s=chosen.check_timeout_s,
                baseline=chosen.baseline if chosen.baseline in steps.names else steps.names[-1],
                session=session or new_id(),
                clock=time.time,
                timer=time.perf_counter,
                new_id=new_id,
                hash_text=hash_text,
            )
        )
        if chosen.record is not None:
            self.record(chosen.record)

    @property
    def recorder(self) -> Recorder | None:
        """What `record` has begun; None where nothing is recorded."""
        return self._deciders.recorder

    @property
    def replaying(self) -> Recording | None:
        """The recording that answers; None where models do."""
        return self._recording

    @overload
    def record(self, path: str | Path) -> Recorder: ...
    @overload
    def record(self, path: None) -> None: ...
    def record(self, path: str | Path | None) -> Recorder | None:
        """Keep each answer from here on in that text file, for `replay`; None ends it.

        Also those of the classifying model and those out of the cache. A recording that
        is there already is gone on with, any other file is refused. No key is written. Answers
        that other processes fetch for `map` are not in it. RecordError where the file cannot be
        used, SettingsError in a replay.
        """
        made = None if path is None else recorder_of(self, path, self._deciders)
        old = self._deciders.recorder
        self._deciders.recorder = made
        if old is not None:
            old.close()
        return made

    def close(self) -> None:
        """Shut providers and ledger down and end recording; a second call does nothing."""
        self.record(None)
        super().close()

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
        """Ask several tiers or models the same, at the same time: a `Comparison`, a table first.

        `tiers` names tiers, models on the ladder, or others as "TIER:model"; None is every
        tier. Many prompts make a `Grid`, prompts x contenders. For a text it takes `observe`,
        `cancel`, `workers` and most options of `route`: see `nbroute.compare.compare_prompt`;
        for many also `to`, `resume`, `fresh`, `picks` and `progress`: see `compare_prompts`.
        """
        from nbroute.compare import compare

        return compare(self, prompt, tiers, **options)

    def map(self, prompts: Iterable[str], **options: Any) -> Batch:
        """Route many prompts at once: a `Batch` with a row each, in order; a failure is a row.

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
        """Keep the prompt as an example of the tier, for the classifiers that go by examples.

        The tier's name. PromptError for an empty prompt, SettingsError for an unknown tier.
        """
        return self._deciders.teach(prompt, tier)

    def label(
        self,
        result: RouteResult,
        feedback: str,
        needed: str | None = None,
        *,
        picked: str | None = None,
    ) -> Label:
        """Keep your word on an answer: "good", "bad", "too weak" or "more than needed".

        "cheapest acceptable" is the word on one of several compared answers. The prompt is
        kept with it. `needed` names the tier that would have done, else it follows from the
        word; `picked` the one that routing picked, where that is not the first that answered.
        SettingsError for an unknown word or tier, RecordError where the ledger fails.
        """
        return keep_label(self, result, feedback, needed, picked=picked)

    def labels(self, *, everything: bool = False, feedback: bool = False) -> pd.DataFrame:
        """The session's labels as `fit` takes them: the last word on each prompt, as its tier.

        `everything` takes all sessions in the ledger. Words that name no tier of this ladder
        are left out; `feedback` gives every word as it was said, `tier` maybe None.
        """
        return labels_frame(self, everything=everything, feedback=feedback)

    def fit(self, frame: Any, *, to: str | Path | None = None, seed: int = 0) -> Fitted:
        """Learn a classifier from labelled prompts; it is used from here on if it is better.

        `frame` is a DataFrame or a CSV file with `prompt` and `tier` (or `weak` and `strong`,
        scores of answers), and maybe `group`, which cross-validation keeps together. Better
        is better than chance, than the prompt's length and than the present classifier. It
        is kept in the file `to`, for `classifier = "learned"`. SettingsError for labels that
        cannot be learnt from, and where scikit-learn is missing.
        """
        return self._deciders.fit(frame, Path(to) if to else None, seed)

    @property
    def classifier(self) -> Spec:
        """What decides where nothing else is said: a name, a classifier or a function."""
        return self._deciders.default

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
        return what_if(
            self,
            self.settings,
            self.classifier,
            ladder=ladder,
            asked=classifier,
            threshold=threshold,
            cache=cache,
            prompts=prompts,
            results=results,
            session=session,
            output_tokens=output_tokens,
        )

    def __repr__(self) -> str:
        """No keys, no prompts."""
        return f"<Router profile={self.settings.profile!r} ladder={self.ladder.name!r}>"


def find_settings(
    path: str | Path | None = None,
    profile: str | None = None,
    replay: str | Path | bool | None = None,
) -> Settings:
    """The settings in force here; `local` is offered where llama.cpp and a model file are."""
    return load(path, profile=profile, local_ready=model_files.ready, replay=replay)


def new_id() -> str:
    """Twelve hexadecimal digits by chance."""
    return uuid.uuid4().hex[:12]


def hash_text(text: str) -> str:
    """The first 12 hexadecimal digits of SHA-256, as in the second article's log record."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _chosen(
    settings: str | Path | Settings | None,
    profile: str | None,
    replay: str | Path | None,
    provider: Provider | None,
) -> Settings:
    """The settings, with a recording's ladder where one is replayed."""
    if not isinstance(settings, Settings):
        aside = provider is not None and replay is None
        return find_settings(settings, profile, False if aside else replay)
    return settings if replay is None else replayed(settings, Path(replay).expanduser().absolute())


def _cache(settings: Settings) -> MemoryCache | FileCache:
    return FileCache(settings.cache_file) if settings.cache_file else MemoryCache()


def _ledger(settings: Settings, asked: Ledger | str | Path | None) -> Ledger:
    if asked is None or isinstance(asked, str | Path):
        return SqliteLedger(Path(asked or settings.ledger_file), store_text=settings.store_text)
    return asked


def _keys(providers: Mapping[str, Provider]) -> Callable[[Request], str]:
    """Request -> cache key, told apart by the address that a provider's name stands for."""
    places = {name: getattr(one, "base_url", "") for name, one in providers.items()}
    return lambda request: request_key(request, places[request.provider])


Announce = Callable[[str], None]


def providers_of(
    settings: Settings,
    given: Provider | None,
    announce: Announce | None,
    recording: Recording | None = None,
) -> Mapping[str, Provider]:
    """The providers by name; the one that was `given` alone, or those of the `recording`."""
    if recording is not None:
        kinds = recording.header.providers
        return {name: ReplayProvider(name, kind, recording) for name, kind in kinds.items()}
    if given is not None:
        return {given.name: given}
    return {one.name: _provider(one, announce) for one in settings.providers}


def _provider(settings: ProviderSettings, announce: Announce | None) -> Provider:
    if settings.kind == "simulated":
        return Simulated(settings.name, fail=settings.fail, pace=settings.pace)
    if settings.kind == "local":
        return LlamaCpp(
            settings.name, files=model_files.find_models(settings.gguf), announce=announce
        )
    if settings.kind == "litellm":
        return LiteLLM(
            settings.name,
            timeout_s=settings.timeout_s,
            api_key=settings.api_key,
            api_base=settings.base_url or None,
            api_key_env=settings.api_key_env,
            kind="remote" if settings.billed else "local",
        )
    return OpenAICompatible(
        settings.name,
        settings.base_url,
        settings.api_key,
        kind="remote" if settings.billed else "local",
        timeout_s=settings.timeout_s,
        token_parameter=settings.token_parameter,
        api_key_env=settings.api_key_env,
    )


def ladder_of(
    settings: Settings,
    asked: Ladder | str | None,
    given: Provider | None,
    providers: Mapping[str, Provider],
) -> Ladder:
    """The ladder that was asked for, else the settings'; SettingsError where it cannot be used."""
    ladder = asked if isinstance(asked, Ladder) else settings.ladder
    if isinstance(asked, str):
        home = ladder.tiers[0].provider
        ladder = base_ladder(asked, next(p for p in settings.providers if p.name == home))
    if given is not None:
        tiers = tuple(_moved(tier, given.name) for tier in ladder.tiers)
        ladder = replace(ladder, tiers=tiers)
    validate(ladder)
    _check_providers(ladder, providers)
    for name in dict.fromkeys(tier.provider for tier in ladder.tiers):
        ladder = _with_found_models(ladder, providers[name])
    return ladder


def _moved(tier: Tier, provider: str) -> Tier:
    """The tier with all of its models at that provider."""
    return replace(tier, provider=provider, fallbacks=tier.models[1:])


def _check_providers(ladder: Ladder, providers: Mapping[str, Provider]) -> None:
    named = [(tier, target.provider) for tier in ladder.tiers for target in tier.targets]
    for tier, provider in named:
        if provider not in providers:
            msg = (
                f"tier {tier.name!r} names the provider {provider!r}, which is not "
                f"configured: {did_you_mean(provider, providers)}"
            )
            raise SettingsError(msg)


def _with_found_models(ladder: Ladder, provider: Provider) -> Ladder:
    """The models that the endpoint has, on its tiers where the settings leave them open.

    llama.cpp's tiers are open where they name the preset's model and other files are there.
    """
    open_models = {AUTO, LOCAL_MODEL} if isinstance(provider, LlamaCpp) else {AUTO}
    mine = [t for t in ladder.tiers if t.provider == provider.name and t.model in open_models]
    if not mine or not isinstance(provider, LlamaCpp | OpenAICompatible):
        return ladder
    found = provider.models()
    if LOCAL_MODEL in found or not (found or isinstance(provider, OpenAICompatible)):
        return ladder
    if not found:
        raise SettingsError(f"{provider.name!r} has no models yet; load one there first")
    filled = spread(found, replace(ladder, tiers=tuple(mine), default=mine[0].name))
    tiers = tuple(filled[t.name] if t in mine else t for t in ladder.tiers)
    return replace(ladder, tiers=tiers)


class Deciders:
    """Classifiers by name for one router; what they are made of is made when it is needed.

    What is taught and learnt is kept in files `beside` the ledger's.
    """

    def __init__(
        self,
        settings: Settings,
        ladder: Ladder,
        tier: Tier,
        providers: Mapping[str, Provider],
        *,
        announce: Callable[[str], None] | None,
        beside: Path,
    ) -> None:
        self.default: Spec = settings.classifier.name
        self.rules = RulesClassifier()
        self.learned: LearnedClassifier | None = None
        self.own_examples: Any = settings.classifier.examples_file
        self._settings, self._ladder, self._tier = settings, ladder, tier
        self._providers, self._announce = providers, announce
        self._embedder: Embedder | None = None
        self._examples: ExampleVectors | None = None
        self._recorder: Recorder | None = None
        self._announced = ""
        self._lock = threading.RLock()
        self.taught = TaughtExamples(beside.with_name("examples.sqlite3"))
        self._vectors = beside.with_name("vectors.sqlite3")
        self.learned_file: Path = settings.classifier.file or beside.with_name("learned.npz")

    def classifier_for(self, asked: Spec | None, resources: Resources | None) -> Classifier:
        """The classifier asked for; with no `resources` our rules stand in for what would send.

        `step_up_below` of the settings is put round it, unless it is a cautious one already.
        """
        found = self._classifier_for(asked, resources)
        threshold = self._settings.classifier.step_up_below
        if not threshold or isinstance(found, CautiousClassifier):
            return found
        return CautiousClassifier(found, threshold)

    def _classifier_for(self, asked: Spec | None, resources: Resources | None) -> Classifier:
        tier = self._tier
        model: Classifier = self.rules
        if resources is not None:
            model = ModelClassifier(resources.ask, provider=tier.provider, model=tier.model)
        others: dict[str, Callable[[], Classifier]] = {
            "embedding": partial(self._by_examples, "neighbours", resources),
            "embedding:centroid": partial(self._by_examples, "centroid", resources),
            "learned": self._learned,
        }
        threshold = self._settings.classifier.threshold if resources else 0
        spec = self.default if asked is None else asked
        return resolve(spec, rules=self.rules, model=model, threshold=threshold, others=others)

    @property
    def recorder(self) -> Recorder | None:
        """What keeps the vectors that an endpoint makes; None where nothing is recorded."""
        return self._recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        with self._lock:
            self._recorder = recorder
            self._examples = None  # their vectors are asked for again, and so recorded

    def embedder(self) -> Embedder:
        """The embedder, made once; SettingsError where there is none."""
        with self._lock:
            if self._embedder is None:
                self._embedder = self._made_embedder()
            return self._embedder

    def teach(self, prompt: str, tier: str) -> str:
        """Keep the prompt as an example of the tier, and use it from here on; the tier's name."""
        example = self.taught.teach(prompt, tier, self._ladder)
        with self._lock:
            if self._examples is not None:
                self._examples.add(example)
        return example.tier

    def fit(self, frame: Any, to: Path | None, seed: int) -> Fitted:
        """Learn from the labels; what is better than the present classifier takes its place."""
        present = self._classifier_for(None, None)
        if isinstance(present, LearnedClassifier):  # it may have learnt from the same rows
            present = self.rules
        embedder = self._free_embedder()
        fitted = fit(frame, self._ladder, embedder=embedder, present=present, seed=seed)
        if fitted.better:
            self.learned_file = model_file.save(fitted.classifier, to or self.learned_file)
            self.learned, self.default = fitted.classifier, "learned"
            told = (
                f"switched on for this router, and saved as {self.learned_file}; later: -c learned"
            )
            fitted = replace(fitted, note="\n".join(filter(None, [fitted.note, told])))
        return fitted

    def _made_embedder(self) -> Embedder:
        name = self.embedder_name()
        if name is not None:
            return wordllama.WordLlamaEmbedder() if name == "wordllama" else self._at(name)
        raise SettingsError(
            "comparing texts takes an embedder, and there is none: "
            "pip install 'nbroute[embeddings]', or name a provider in `embedder` of nbroute.toml"
        )

    def embedder_name(self) -> str | None:
        """The provider that embeds, or "wordllama", also where `auto` chooses; None for neither."""
        name = self._settings.embedder.name
        if name != "auto":
            return name
        if wordllama.available():
            return "wordllama"
        able = (
            name
            for name, provider in self._providers.items()
            if isinstance(provider, OpenAICompatible) and provider.kind == "remote"
        )
        return next(able, None)

    def _at(self, name: str) -> Embedder:
        provider = self._providers.get(name)
        if isinstance(provider, ReplayProvider):
            return provider.embedder(self._settings.embedder.model)
        if not isinstance(provider, OpenAICompatible):
            hint = did_you_mean(name, ["wordllama", *self._providers])
            raise SettingsError(f"embedder = {name!r} is no endpoint with embeddings: {hint}")
        made = OpenAIEmbedder(provider, self._settings.embedder.model)
        return RememberedEmbedder(
            made, self._vectors, announce=self._announce, embedded=partial(self._record, made)
        )

    def _record(self, embedder: Embedder, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep the vectors in the recording, if there is one; what it cannot write is announced."""
        try:
            if self._recorder is not None:
                self._recorder.keep_vectors(embedder.provider, embedder.model, texts, vectors)
        except RecordError as error:
            if self._announce is not None and str(error) != self._announced:
                self._announce(f"nbroute: {error}")
            self._announced = str(error)

    def _by_examples(self, method: Method, resources: Resources | None) -> Classifier:
        embed = resources.embed if resources else self._free_embed()
        if embed is None:
            return self.rules
        name = "embedding" if method == "neighbours" else f"embedding:{method}"
        return EmbeddingClassifier(embed, self._example_vectors(), name=name, method=method)

    def _free_embed(self) -> EmbedTexts | None:
        """Vectors that are made here, where nothing may be sent."""
        embedder = self.embedder()
        if embedder.kind == "remote":
            return None

        def embed(texts: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
            return embedder.embed(texts).vectors, ()

        return embed

    def _example_vectors(self) -> ExampleVectors:
        with self._lock:
            if self._examples is None:
                source = self.own_examples
                own = shipped() if source is None else read_examples(source, self._ladder)
                self._examples = ExampleVectors([*own, *self._taught()])
            return self._examples

    def _taught(self) -> tuple[Example, ...]:
        """What the user taught; a file that cannot be read is announced and left alone."""
        try:
            return self.taught.examples(self._ladder)
        except RecordError as error:
            if self._announce is not None:
                self._announce(f"nbroute: without the examples you taught: {error}")
            return ()

    def _learned(self) -> Classifier:
        with self._lock:
            if self.learned is None:
                self.learned = model_file.load(self.learned_file, self._free_embedder)
            return self.learned

    def _free_embedder(self) -> Embedder | None:
        """An embedder that is not paid for, as learning takes a vector of every prompt."""
        if not wordllama.available():
            return None
        embedder = self.embedder()
        return embedder if embedder.kind != "remote" else wordllama.WordLlamaEmbedder()


def classifier_tier(settings: Settings, ladder: Ladder, providers: Mapping[str, Provider]) -> Tier:
    """The lowest tier, with the classifying model in its place where one is configured.

    A provider handed to the Router stands for those of the settings, the classifier's too.
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
    settings: Settings, *, given: Provider | None, classifier: object, announce: Announce | None
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
    if recording.header.classifier.name == OWN and classifier is None and announce is not None:
        announce(
            f"nbroute: {settings.replay.name} was recorded with a classifier of the recorder's "
            "own; the rules decide, unless you give it too (classifier=...)"
        )
    return recording


def recorder_of(router: Router, path: str | Path, deciders: Deciders) -> Recorder:
    """A recorder of that router's answers; SettingsError for one that replays."""
    settings, parts = router.settings, router.parts
    if parts.replay is not None:
        raise SettingsError(
            f"{settings.origin.partition(',')[0]}: what it answers is recorded already; "
            "`%route use PROFILE` continues with a profile that can be recorded"
        )
    if not str(path).strip() or "\0" in str(path):
        raise SettingsError(f"record takes the name of a file, such as 'talk.rec', not {path!r}")
    providers, tier = parts.providers, parts.classifier_tier
    embedder = deciders.embedder_name() or "auto"
    targets = [target.provider for step in parts.ladder.tiers for target in step.targets]
    asked = dict.fromkeys([*targets, tier.provider, embedder])
    header = Header.of(
        parts.ladder,
        profile=settings.profile,
        providers={name: providers[name].kind for name in asked if name in providers},
        classifier=RecordedClassifier(
            name=deciders.default if isinstance(deciders.default, str) else OWN,
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
