"""A router's settings -> the recording that it replays, and the recorder that it fills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nbroute.build.classifying import Deciders
from nbroute.build.endpoints import Announce
from nbroute.errors import SettingsError
from nbroute.parts import Parts
from nbroute.recording.header import Classifying, Header
from nbroute.recording.reading import Recording
from nbroute.recording.scrub import Scrubber
from nbroute.recording.writing import Recorder
from nbroute.settings import Settings
from nbroute.settings.keys import known_keys
from nbroute.types import Provider, ProviderKind

if TYPE_CHECKING:
    from nbroute.build import Router

#: What the header calls a classifier that is a function or an object of the user's own.
OWN = "own"


def recording_of(
    settings: Settings, *, given: Provider | None, classifier: object, announce: Announce | None
) -> Recording | None:
    """The recording that the settings name; RecordError for a file that is none."""
    if settings.replay is None:
        return None
    if given is not None:
        raise SettingsError(
            f"provider = {given!r:.60} would not be asked while {settings.replay.name} is "
            "replayed; leave out provider or replay"
        )
    recording = Recording.load(settings.replay, Scrubber(known_keys(settings)))
    if recording.header.classifying.name == OWN and classifier is None and announce is not None:
        announce(
            f"nbroute: {settings.replay.name} was recorded with a classifier of the recorder's "
            "own; the rules decide, unless you give it too (classifier=...)"
        )
    return recording


def recorder_of(router: Router, path: str | Path, deciders: Deciders) -> Recorder:
    """A recorder of that router's answers; SettingsError for one that replays."""
    if router.parts.dispatcher.replay is not None:
        raise SettingsError(
            f"{router.settings.origin.partition(',')[0]}: what it answers is recorded already; "
            "`%route use PROFILE` goes on with a profile that can be recorded"
        )
    if not str(path).strip() or "\0" in str(path):
        raise SettingsError(f"record takes the name of a file, such as 'talk.rec', not {path!r}")
    providers = router.parts.dispatcher.providers
    return Recorder(path, _header(router, deciders), scrubber_of(router), _places(providers))


def scrubber_of(router: Router) -> Scrubber:
    """What takes this router's keys, and those of the environment, out of a text."""
    given = _secrets(router.parts.dispatcher.providers.values())
    return Scrubber(given, lambda: known_keys(router.settings))


def _header(router: Router, deciders: Deciders) -> Header:
    settings, parts = router.settings, router.parts
    embedder = deciders.embedder_name() or "auto"
    default = deciders.default
    return Header(
        profile=settings.profile,
        ladder=parts.ladder,
        kinds=_kinds(parts, embedder),
        classifying=Classifying(
            name=default if isinstance(default, str) else OWN,
            provider=parts.classifier_tier.provider,
            model=parts.classifier_tier.model,
            threshold=settings.classifier.threshold,
            step_up_below=settings.classifier.step_up_below,
        ),
        embedder=embedder,
        embedder_model=settings.embedder.model,
        agreement=parts.agreement,
        baseline=parts.baseline,
    )


def _kinds(parts: Parts, embedder: str) -> dict[str, ProviderKind]:
    """The providers that are asked, in the ladder's order."""
    providers = parts.dispatcher.providers
    targets = [target.provider for tier in parts.ladder.tiers for target in tier.targets]
    named = dict.fromkeys([*targets, parts.classifier_tier.provider, embedder])
    return {name: providers[name].kind for name in named if name in providers}


def _secrets(providers: Iterable[Provider]) -> Iterator[str]:
    """Keys of providers that were handed over ready-made, and what stands in their addresses."""
    for provider in providers:
        told = vars(provider)
        address = urlsplit(str(told.get("base_url") or ""))
        yield from filter(None, (told.get("_api_key"), address.username, address.password))


def _places(providers: Mapping[str, Provider]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, provider in providers.items():
        told = vars(provider)
        found |= {place: name for at in ("base_url", "host") if (place := told.get(at))}
    return found
