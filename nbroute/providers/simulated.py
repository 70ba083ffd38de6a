"""A provider without models, the same in every run: for lessons, tests and demos.

The prompts of its lessons (`known_prompts`) get answers that were written for them, as models of
four strengths might answer; to any other it says that it has no answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nbroute.errors import (
    AuthError,
    BadReply,
    ProviderError,
    RateLimited,
    SettingsError,
    TimedOut,
    Unavailable,
    UnknownModel,
    did_you_mean,
)
from nbroute.locks import Lock
from nbroute.providers.refusals import no_effort
from nbroute.providers.simulated_answers import (
    MARK,
    NO_LESSON,
    known_prompts,
    logprobs,
    noise,
    simulated_text,
    tokens_of,
)
from nbroute.providers.simulated_judge import judgement
from nbroute.types import Chunk, ProviderKind, Request, Usage

__all__ = ["FAILURES", "MODELS", "Simulated", "SimulatedModel", "known_prompts", "unanswered"]

Kinds = str | Sequence[str | None]


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """How a simulated model behaves.

    Time to first token and tokens per second are from the table "Latency vs Cost" in the second
    article. `skill` (0 to 1) is invented for lessons: it measures nothing, and decides which of a
    lesson's four answers the model gives.
    """

    ttft_ms: float
    tokens_per_second: float
    skill: float


MODELS: Mapping[str, SimulatedModel] = {
    "simulated/gpt-4o-mini": SimulatedModel(300, 110, 0.35),
    "simulated/claude-haiku-3.5": SimulatedModel(400, 120, 0.5),
    "simulated/claude-sonnet-4": SimulatedModel(800, 85, 0.75),
    "simulated/gpt-4o": SimulatedModel(800, 80, 0.65),
    "simulated/gemini-2.5-pro": SimulatedModel(1200, 60, 0.85),
    "simulated/claude-opus-4": SimulatedModel(2000, 40, 0.95),
}

_RAISED: Mapping[str, tuple[type[ProviderError], str]] = {
    "rate_limit": (RateLimited, "too many requests: wait a little, or name a fallback model"),
    "timeout": (TimedOut, "no answer in time: try again, or name a fallback model"),
    "unavailable": (Unavailable, "a server error: try again later, or name a fallback model"),
    "auth": (AuthError, "the key was refused: set it again"),
}
_TOLD: Mapping[str, str] = {
    "refusal": f"{MARK} I'm sorry, but I cannot help with that request.",
    "bad_json": f'{{"simulated": true, "note": "{MARK} an object that is not closed"',
    "empty": "",
}
#: What `fail` can ask for.
FAILURES = (*_RAISED, *_TOLD, "cut", "slow", "length")


class Simulated:
    """A provider without a network whose answers, tokens and times follow from the request.

    `fail` makes it fail: a kind of `FAILURES` for every call, a list of kinds (None: answer) used
    up call by call, or a mapping from models to either. It has its own clock (`Chunk.clock_ms`)
    and really waits only by `pace`: 1.0 is as long as that clock says. A token is a word of up to
    12 letters or a punctuation mark, with the white space before it. SettingsError for a kind or
    a model that does not exist.
    """

    kind: ProviderKind = "simulated"

    def __init__(
        self,
        name: str = "simulated",
        *,
        fail: Kinds | Mapping[str, Kinds] | None = None,
        pace: float = 0.0,
    ) -> None:
        self.name = name
        self.pace = pace
        if isinstance(fail, Mapping):
            for model in fail:
                if model not in MODELS:
                    raise SettingsError(f"fail names {model!r}, {did_you_mean(model, MODELS)}")
            self._failures = {model: _kinds(kinds) for model, kinds in fail.items()}
        else:
            self._failures = dict.fromkeys(MODELS, _kinds(fail))
        self._lock = Lock()

    def send(self, request: Request) -> Iterator[Chunk]:
        """Yield the answer that follows from the request; see `Provider.send`."""
        model = MODELS.get(request.model)
        if model is None:
            raise UnknownModel(
                f"{MARK} no model {request.model!r}: {did_you_mean(request.model, MODELS)}"
            )
        with self._lock:
            kind = next(self._failures.get(request.model, iter(())), None) or ""
        if kind in _RAISED:
            error, says = _RAISED[kind]
            raise error(f"{MARK} {request.model}: {says}")
        if request.effort:
            yield no_effort(request.model, "a simulated model does not think")
        clock = 0.0
        for chunk in _answer(request, model, kind):
            now = chunk.clock_ms or clock
            if self.pace:
                time.sleep((now - clock) / 1000 * self.pace)
            clock = now
            yield chunk

    def models(self) -> list[str]:
        """List the simulated models, cheapest tier first."""
        return list(MODELS)

    def secrets(self) -> tuple[str, ...]:
        """None: nothing here needs a key."""
        return ()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def unanswered(model: str, text: str) -> bool:
    """Whether the text is a simulated model's admission that it has no answer to the prompt."""
    return model in MODELS and NO_LESSON in text


def _kinds(kinds: Kinds | None) -> Iterator[str | None]:
    """Play one kind for ever, or several once."""
    asked = [kinds] if isinstance(kinds, str) else list(kinds or ())
    for kind in asked:
        if kind is not None and kind not in FAILURES:
            raise SettingsError(
                f"there is no simulated failure {kind!r}: {did_you_mean(str(kind), FAILURES)}"
            )
    return itertools.repeat(kinds) if isinstance(kinds, str) else iter(asked)


def _answer(request: Request, model: SimulatedModel, kind: str) -> Iterator[Chunk]:
    # The speed varies by up to a tenth, by the request's hash.
    factor = (1 + 0.1 * noise(request, "speed")) * (10 if kind == "slow" else 1)

    def clock_ms(tokens: int) -> float:
        return model.ttft_ms * factor + tokens * 1000 / (model.tokens_per_second / factor)

    said = judgement(request, model.skill) or simulated_text(request, model.skill)
    tokens = tokens_of(_TOLD.get(kind, said))
    most = min(request.max_tokens, len(tokens) // 2 or 1 if kind == "length" else len(tokens))
    finish = "length" if kind == "length" or most < len(tokens) else "stop"
    tokens = tokens[:most]
    sure = logprobs(request, model.skill, tokens) if request.logprobs else ()
    sent = 0 if not request.stream else most // 2 if kind == "cut" else most
    for place, token in enumerate(tokens[:sent]):
        yield Chunk(token, clock_ms=clock_ms(place), logprobs=sure[place : place + 1])
    if kind == "cut":
        raise Unavailable(f"{MARK} the answer of {request.model!r} broke off half-way: ask again")
    text, sure = ("", ()) if request.stream else ("".join(tokens), sure)
    usage = Usage(sum(len(tokens_of(m.content)) for m in request.messages), most)
    yield Chunk(text, usage, finish, request.model, clock_ms(most), logprobs=sure)
    if not tokens:
        raise BadReply(f"{MARK} empty answer from {request.model!r}: ask again")
