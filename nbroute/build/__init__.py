"""Settings -> Router: the one place that names concrete classes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbroute.build.classifying import Deciders, classifier_tier
from nbroute.build.endpoints import Announce, ladder_of, providers_of
from nbroute.build.recorded import recorder_of, recording_of
from nbroute.cache import FileCache, MemoryCache, request_key
from nbroute.classify.examples import read_examples
from nbroute.dispatch import Dispatcher
from nbroute.evaluate.training import Fitted
from nbroute.labelling import keep_label, labels_frame
from nbroute.ledger import SqliteLedger
from nbroute.parts import Parts, Spec
from nbroute.providers import models
from nbroute.router import Engine
from nbroute.settings import Settings, load
from nbroute.settings.replaying import replayed
from nbroute.types import Label, Ladder, Ledger, Provider, Request, RouteResult

if TYPE_CHECKING:
    import pandas as pd

    from nbroute.comparing import Comparison, Grid
    from nbroute.evaluate.whatif import WhatIf
    from nbroute.many import Batch
    from nbroute.recording.reading import Recording
    from nbroute.recording.writing import Recorder


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
                dispatcher=_dispatcher(chosen, providers, recording),
                classifier_for=self._deciders.classifier_for,
                classifier_tier=asked,
                embedder=self._deciders.embedder,
                ledger=_ledger(chosen, ledger),
                limits=chosen.limits,
                cache_mode=chosen.cache,
                agreement=chosen.agreement,
                check_timeout_s=chosen.check_timeout_s,
                baseline=chosen.baseline if chosen.baseline in steps.names else steps.names[-1],
                session=session or new_id(),
                clock=time.time,
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

    def record(self, path: str | Path | None) -> Recorder | None:
        """Keep each answer from here on in that text file, for `replay`; None ends it.

        Also those of the classifying model and those out of the cache. A recording that
        is there already is gone on with, any other file is refused. No key is written. Answers
        that other processes fetch for `map` are not in it. RecordError where the file cannot be
        used, SettingsError in a replay.
        """
        made = None if path is None else recorder_of(self, path, self._deciders)
        old = self._deciders.recorder
        self._deciders.recorder = self.parts.dispatcher.recorder = made
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
        `cancel`, `workers` and most options of `route`: see `nbroute.comparing.compare_prompt`;
        for many also `to`, `resume`, `fresh`, `picks` and `progress`: see `compare_prompts`.
        """
        from nbroute.comparing import compare

        return compare(self, prompt, tiers, **options)

    def map(self, prompts: Iterable[str], **options: Any) -> Batch:
        """Route many prompts at once: a `Batch` with a row each, in order; a failure is a row.

        Takes `executor`, `workers`, `to`, `resume`, `fresh`, `progress`, `cancel` and what
        `route` takes: see `nbroute.many.map_prompts`.
        """
        from nbroute.many import map_prompts

        return map_prompts(self, prompts, **options)

    async def amap(self, prompts: Iterable[str], **options: Any) -> Batch:
        """`map` for an event loop: threads underneath, cancelled with its task."""
        from nbroute.many import amap

        return await amap(self, prompts, **options)

    async def aroute(self, prompt: str, **options: Any) -> RouteResult:
        """`route` for an event loop: a thread underneath, cancelled with its task."""
        from nbroute.many import aroute

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
        from nbroute.build.whatif import ask_what_if

        return ask_what_if(
            self,
            ladder=ladder,
            classifier=classifier,
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
    return load(path, profile=profile, local_ready=models.ready, replay=replay)


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


def _dispatcher(
    settings: Settings, providers: Mapping[str, Provider], recording: Recording | None
) -> Dispatcher:
    if recording is not None:
        return Dispatcher(providers, recording, recording.key, replay=recording)
    return Dispatcher(providers, _cache(settings), _keys(providers))


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
