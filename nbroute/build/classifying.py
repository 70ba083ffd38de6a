"""Settings -> what decides: classifiers by name, the embedder, and what the user taught."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.classify.cautious import CautiousClassifier
from nbroute.classify.embedding import EmbeddingClassifier, Method
from nbroute.classify.examples import Example, read_examples, shipped
from nbroute.classify.learned import LearnedClassifier
from nbroute.classify.model import ModelClassifier
from nbroute.classify.rules import RulesClassifier
from nbroute.classify.simple import resolve
from nbroute.classify.vectors import ExampleVectors
from nbroute.embedders import wordllama
from nbroute.embedders.openai_compatible import OpenAIEmbedder
from nbroute.embedders.remembered import RememberedEmbedder
from nbroute.embedders.taught import TaughtExamples
from nbroute.errors import RecordError, SettingsError, did_you_mean
from nbroute.evaluate import modelfile
from nbroute.evaluate.training import Fitted, fit
from nbroute.parts import EmbedTexts, Senses, Spec
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.recording.standins import RecordedEmbedder, Replayed
from nbroute.recording.writing import Recorder
from nbroute.settings import Settings
from nbroute.types import Attempt, Classifier, Embedder, Ladder, Provider, Tier

if TYPE_CHECKING:
    import numpy as np


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
        self._lock = threading.RLock()
        self.taught = TaughtExamples(beside.with_name("examples.sqlite3"))
        self._vectors = beside.with_name("vectors.sqlite3")
        self.learned_file: Path = settings.classifier.file or beside.with_name("learned.npz")

    def classifier_for(self, asked: Spec | None, senses: Senses | None) -> Classifier:
        """The classifier asked for; with no `senses` our rules stand in for what would send.

        `step_up_below` of the settings is put round it, unless it is a cautious one already.
        """
        found = self._classifier_for(asked, senses)
        threshold = self._settings.classifier.step_up_below
        if not threshold or isinstance(found, CautiousClassifier):
            return found
        return CautiousClassifier(found, threshold)

    def _classifier_for(self, asked: Spec | None, senses: Senses | None) -> Classifier:
        tier = self._tier
        model: Classifier = self.rules
        if senses is not None:
            model = ModelClassifier(senses.ask, provider=tier.provider, model=tier.model)
        others: dict[str, Callable[[], Classifier]] = {
            "embedding": partial(self._by_examples, "neighbours", senses),
            "embedding:centroid": partial(self._by_examples, "centroid", senses),
            "learned": self._learned,
        }
        threshold = self._settings.classifier.threshold if senses else 0
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
            self.learned_file = modelfile.save(fitted.classifier, to or self.learned_file)
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
        if isinstance(provider, Replayed):
            return provider.embedder(self._settings.embedder.model)
        if not isinstance(provider, OpenAICompatible):
            hint = did_you_mean(name, ["wordllama", *self._providers])
            raise SettingsError(f"embedder = {name!r} is no endpoint with embeddings: {hint}")
        made = OpenAIEmbedder(provider, self._settings.embedder.model)
        kept = RememberedEmbedder(made, self._vectors, announce=self._announce)
        return RecordedEmbedder(kept, lambda: self._recorder, self._announce)

    def _by_examples(self, method: Method, senses: Senses | None) -> Classifier:
        embed = senses.embed if senses else self._free_embed()
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
                self.learned = modelfile.load(self.learned_file, self._free_embedder)
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
