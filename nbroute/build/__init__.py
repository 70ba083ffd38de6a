"""Settings -> Router: the one place that names concrete classes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.build.classifying import Deciders, classifier_tier
from nbroute.build.endpoints import Announce, ladder_of, providers_of
from nbroute.cache import FileCache, MemoryCache, request_key
from nbroute.classify.examples import read_examples
from nbroute.dispatch import Dispatcher
from nbroute.evaluate.training import Fitted
from nbroute.ledger import SqliteLedger
from nbroute.parts import Parts, Spec
from nbroute.providers import models
from nbroute.router import Engine
from nbroute.settings import Settings, load
from nbroute.types import Ladder, Ledger, Provider, Request, RouteResult

if TYPE_CHECKING:
    from nbroute.many import Batch


class Router(Engine):
    """Classifies prompts, sends each to the cheapest tier that should do, and records it all.

    With nothing said it follows `nbroute.toml`, else the keys in the environment, else it
    works offline. `settings` is a path or a `Settings`, `profile` a built-in or configured
    name, `ladder` a `Ladder` or a preset's name, `provider` one `Provider` for every tier,
    `classifier` a name, a `Classifier` or a function prompt -> tier, `ledger` a file.
    `examples` are labelled prompts (a DataFrame or CSV of `prompt` and `tier`, pairs) that the
    embedding classifiers go by, in place of the shipped ones.

    Thread-safe. Raises SettingsError where something named does not exist.
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
    ) -> None:
        chosen = settings if isinstance(settings, Settings) else find_settings(settings, profile)
        self.settings = chosen
        self.given = {"provider": provider, "classifier": classifier, "examples": examples}
        providers = providers_of(chosen, provider, announce)
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
                dispatcher=Dispatcher(providers, _cache(chosen), _keys(providers)),
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

    def fit(self, frame: Any, *, to: str | Path | None = None, seed: int = 0) -> Fitted:
        """Learn a classifier from labelled prompts; it is used from here on if it is better.

        `frame` is a DataFrame or a CSV file with `prompt` and `tier` (or `weak` and `strong`,
        scores of answers), and maybe `group`, which cross-validation keeps together. Better
        is better than chance, than the prompt's length and than the present classifier. It
        is kept in the file `to`, for `classifier = "learned"`. SettingsError for labels that
        cannot be learnt from, and where scikit-learn is missing.
        """
        return self._deciders.fit(frame, Path(to) if to else None, seed)

    def __repr__(self) -> str:
        """No keys, no prompts."""
        return f"<Router profile={self.settings.profile!r} ladder={self.ladder.name!r}>"


def find_settings(path: str | Path | None = None, profile: str | None = None) -> Settings:
    """The settings in force here; `local` is offered where llama.cpp and a model file are."""
    return load(path, profile=profile, local_ready=models.ready)


def new_id() -> str:
    """Twelve hexadecimal digits by chance."""
    return uuid.uuid4().hex[:12]


def hash_text(text: str) -> str:
    """The first 12 hexadecimal digits of SHA-256, as in the second article's log record."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


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
