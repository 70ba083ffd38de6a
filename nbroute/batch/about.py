"""What a batch is made with, noted down so that it is gone on with in the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError

#: Options that change what may be sent, and not what an answer is.
_ASIDE = {"cache", "feature", "max_cost", "over_budget", "stream"}


def describe(router: Engine, options: Mapping[str, Any]) -> dict[str, str]:
    """The ladder, the endpoints, the classifier and the options, a short text each."""
    providers = router.parts.dispatcher.providers.values()
    found = {
        "ladder": f"{router.ladder.name} {_digest(repr(router.ladder))}",
        "endpoints": ", ".join(sorted(_endpoint(one) for one in providers)),
        "classifier": _classifier(router),
    }
    return found | {name: _told(one) for name, one in options.items() if name not in _ASIDE}


def check_same(known: Mapping[str, str], now: Mapping[str, str], place: str) -> None:
    """SettingsError where the batch was made with something else."""
    changed = [name for name in {**known, **now} if known.get(name) != now.get(name)]
    if changed:
        told = "; ".join(
            f"{name} was {known.get(name, 'not given')} and is {now.get(name, 'not given')}"
            for name in changed
        )
        raise SettingsError(
            f"the batch in {place} was made with other options: {told}. Give the same ones to go "
            "on with it, name another file, or begin anew with fresh=True"
        )


def _classifier(router: Engine) -> str:
    given = getattr(router, "given", {}).get("classifier")
    settings = getattr(router, "settings", None)
    return _told(given or (settings.classifier.name if settings else ""))


def _endpoint(provider: Any) -> str:
    place = getattr(provider, "base_url", "")
    return f"{provider.name} at {place}" if place else str(provider.name)


def _told(value: Any) -> str:
    """A short text; a function by its name, as what it does cannot be compared."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value)) or "none"
    if callable(value):
        default = type(value).__name__
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', default)}"
    text = f"{value!r}"
    return text if len(text) <= 60 else f"{text[:48]}... {_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
