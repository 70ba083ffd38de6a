"""The nouns: frozen values that each stage hands to the next, and the seams between them.

    prompt -> Decision -> Plan -> Request -> Attempt -> Verdict -> RouteResult

Money is in US dollars as `Decimal`, a price is per million tokens, durations are in
milliseconds. `None` as an amount means "not known", never zero.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from nbroute.errors import ProviderError, SettingsError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CostSource = Literal["billed", "list", "configured", "estimated", "equivalent", "unknown"]
ProviderKind = Literal["remote", "local", "simulated"]
#: How hard a model is asked to think before it answers.
Effort = Literal["low", "medium", "high"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
#: What is said of every simulated answer.
WRITTEN = "simulated: written for a lesson, not by a model"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; `cached_input` is for those in the endpoint's cache."""

    input: Decimal
    output: Decimal
    source: Literal["list", "configured"] = "list"
    cached_input: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them, or our estimate where it did not say.

    `input_tokens` includes `cached_tokens` (those the endpoint read from its own prompt
    cache), `output_tokens` includes `reasoning_tokens` (those the model spent on thinking, where
    the endpoint says). `billed_usd` is what the endpoint says it charged (OpenRouter's
    `usage.cost`).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    billed_usd: Decimal | None = None
    estimated: bool = False
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount and where it comes from; `price` is the price used to work it out."""

    usd: Decimal | None
    source: CostSource
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A model at a provider; `price` is for a model that the list does not have."""

    provider: str
    model: str
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung of a ladder: a model with the system prompt and the token budget that suit it.

    `reference` is the model, as `provider:model`, whose list price is used where nothing
    is billed (a local or a simulated model). `description` is what the tier is for, in the
    words that a model used as classifier is given. A fallback is a model of the same provider or
    a `Target` at another. `context` is how many tokens the model reads and writes in one call;
    None means as the price list says. `effort` is how hard the model thinks before it answers;
    None leaves that to the model. Thinking is paid for, and counts towards `max_tokens`.
    """

    name: str
    provider: str
    model: str
    max_tokens: int
    system: str = ""
    fallbacks: tuple[str | Target, ...] = ()
    price: Price | None = None
    reference: str | None = None
    description: str = ""
    context: int | None = None
    effort: Effort | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The model and its fallbacks, in the order in which they are tried."""
        chain = (
            one if isinstance(one, Target) else Target(self.provider, one) for one in self.fallbacks
        )
        return (Target(self.provider, self.model, self.price), *chain)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the model and its fallbacks, in the order in which they are tried."""
        return tuple(target.model for target in self.targets)

    def on(self, provider: str, model: str) -> Tier:
        """The tier with that target's model and price."""
        for target in self.targets[1:]:
            elsewhere = target.provider != self.provider or target.price is not None
            if elsewhere and (target.provider, target.model) == (provider, model):
                return replace(self, provider=provider, model=model, price=target.price)
        return self


@dataclass(frozen=True, slots=True)
class Ladder:
    """The tiers, cheapest first; `default` is used where nothing decides."""

    name: str
    tiers: tuple[Tier, ...]
    default: str

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers' names, cheapest first."""
        return tuple(tier.name for tier in self.tiers)

    def named(self, name: str) -> str | None:
        """The tier's name as the ladder writes it, for a name in any case; None if unknown."""
        return next((tier for tier in self.names if tier.casefold() == name.casefold()), None)

    def find(self, name: str) -> Tier:
        """The tier of that name, in any case; SettingsError with the close matches otherwise."""
        known = self.named(name)
        if known is None:
            cure = did_you_mean(name, self.names)
            raise SettingsError(f"unknown tier {name!r:.80} on ladder {self.name!r}: {cure}")
        return self[known]

    def index(self, name: str) -> int:
        """Its place, 0 for the cheapest, for a name in any case; ValueError where there is none."""
        return self.names.index(self.named(name) or name)

    def __getitem__(self, name: str) -> Tier:
        """The tier of that name; ValueError where there is none."""
        return self.tiers[self.index(name)]

    def above(self, name: str) -> Tier | None:
        """The next tier up; None at the top."""
        place = self.index(name) + 1
        return self.tiers[place] if place < len(self.tiers) else None


Status = Literal["running", "ok", "rejected", "unused", "error", "interrupted", "not sent"]
Purpose = Literal["answer", "classify", "embed", "audit", "judge"]
#: What `route` can be asked for: an answer, or one that only measures the router.
Asking = Literal["answer", "audit", "judge"]
CacheMode = Literal["use", "off", "refresh", "only"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: complete, with nothing left to a provider's taste but parameter names.

    `schema` is the JSON schema that the answer must have, `logprobs` asks for the tokens'
    log-probabilities, and `rated` says that the messages ask the model to rate its answer.
    `effort` is how hard the model should think; `sample` numbers requests that are otherwise the
    same, from 0. A `patient` request is sent again where the endpoint is busy; one for which
    another model is standing by is not.
    """

    provider: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    json: bool = False
    stream: bool = True
    schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    rated: bool = False
    effort: Effort | None = None
    sample: int = 0
    patient: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a reply. Text comes in any number of pieces, the rest once, at the end.

    `clock_ms` is the time since sending by the provider's own clock, where it keeps one,
    `logprobs` the natural logarithms of the probabilities of the piece's tokens, `id` what
    the endpoint calls this answer. `reasoning` is what the model thought before it answered,
    which is not part of the text; `notice` is something the user should know, and `waits`
    says that the call is waiting for it. `effortless` says that the endpoint takes no effort.
    """

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str | None = None
    clock_ms: float | None = None
    logprobs: tuple[float, ...] = ()
    id: str | None = None
    reasoning: str = ""
    notice: str = ""
    waits: bool = False
    effortless: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `finish_reason` is stop, length, content_filter or the endpoint's own word.

    `rating` is the model's own word on how sure it is (1 to 10, taken out of `text`), and
    `logprob` the mean natural logarithm of its tokens' probabilities; None where not known.
    `model` is the one that the endpoint says answered, `reasoning` what it thought beforehand,
    `effort` how hard it was asked to think (None, too, where the endpoint takes no effort).
    """

    text: str
    model: str
    usage: Usage
    finish_reason: str | None
    latency_ms: float
    ttft_ms: float | None
    rating: float | None = None
    logprob: float | None = None
    id: str | None = None
    reasoning: str = ""
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of a reply; `feedback` goes up with the prompt to the next tier.

    `score` is how good the reply is, from a check that measures, on that check's own scale.
    """

    passed: bool
    check: str
    reason: str = ""
    feedback: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of one model, or one answer out of the cache: a row of the ledger.

    `result` is the id of the `RouteResult` that it belongs to, `parent` that of the one that it
    escalates. `error` is the class and message of what went wrong, or the verdict that rejected
    the answer. `ts` is seconds since 1970. `status` is `unused` for an answer that was paid for
    but not used, and `not sent` for a call that was recorded and then not made, which the
    ledger no longer shows. `reserved_usd` is the worst case that a budget holds back while the
    attempt runs, `generation` what the endpoint calls the answer; `rating`, `logprob`,
    `reasoning` and `effort` are as in `Reply`. `answered_by` is the model that the endpoint says
    answered, where that is not the `model` that was asked. Answers that are compared share a
    `comparison`.
    """

    id: str
    ts: float
    session: str
    result: str
    tier: str
    provider: str
    provider_kind: ProviderKind
    model: str
    parent: str | None = None
    feature: str | None = None
    msg_hash: str = ""
    purpose: Purpose = "answer"
    strategy: str = "direct"
    classifier: str = ""
    reason: str = ""
    status: Status = "ok"
    error: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    tokens_estimated: bool = False
    cost_usd: Decimal | None = None
    cost_source: CostSource = "unknown"
    price_input: Decimal | None = None
    price_output: Decimal | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    finish_reason: str | None = None
    escalated: bool = False
    cached: bool = False
    thread: str | None = None
    generation: str | None = None
    rating: float | None = None
    logprob: float | None = None
    reserved_usd: Decimal | None = None
    comparison: str | None = None
    answered_by: str | None = None
    effort: str | None = None
    reasoning_tokens: int = 0
    prompt: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    reasoning: str | None = field(default=None, repr=False)

    @property
    def answers(self) -> bool:
        """Whether the prompt was asked, and not its tier or its vector."""
        return self.purpose in get_args(Asking)

    @property
    def usage(self) -> Usage:
        """The tokens of this attempt."""
        return Usage(
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            estimated=self.tokens_estimated,
            reasoning_tokens=self.reasoning_tokens,
        )


#: From the least to the most certain; a sum is as certain as its least certain part.
_CERTAINTY: tuple[CostSource, ...] = ("unknown", "estimated", "list", "configured", "billed")


def total_cost(attempts: tuple[Attempt, ...]) -> Cost:
    """What the attempts cost together; unknown as soon as one of them is.

    Money that was not billed (`equivalent`) is never added to money that was: where both
    occur, the sum is of the real money alone (`equivalent_cost` has the rest).
    """
    real = tuple(a for a in attempts if a.cost_source != "equivalent")
    return _sum(real) if any(a.cost_usd != 0 for a in real) else equivalent_cost(attempts)


def equivalent_cost(attempts: tuple[Attempt, ...]) -> Cost:
    """What the unbilled attempts would have cost; where there are none, as `total_cost`."""
    return _sum(tuple(a for a in attempts if a.cost_source == "equivalent") or attempts)


def _sum(attempts: tuple[Attempt, ...]) -> Cost:
    charged = [a for a in attempts if a.cost_usd != 0] or list(attempts[-1:])
    sources = [a.cost_source for a in charged]
    if not sources:
        return Cost(None, "unknown")
    source = sources[0] if len(set(sources)) == 1 else min(sources, key=_CERTAINTY.index)
    amounts = [a.cost_usd for a in charged if a.cost_usd is not None]
    if len(amounts) < len(charged):
        return Cost(None, source if source == "equivalent" else "unknown")
    return Cost(sum(amounts, Decimal(0)), source)


Feedback = Literal["good", "bad", "too weak", "overkill", "cheapest acceptable", "taken back"]
#: What ledgers of earlier versions call it.
OLD_FEEDBACK: dict[str, Feedback] = {"more than needed": "overkill"}


@dataclass(frozen=True, slots=True)
class Label:
    """A person's judgement of one answer: a row of the ledger's labels.

    `picked` is the tier that routing picked (for an escalated answer, the one that answered
    first), `needed` the tier that the prompt needs according to the label; None where it names
    none (`bad` does not say what would have done). A classifier learns from the `prompt`.
    `result` and `comparison` are the ids of what was judged, `ladder` the name of the ladder,
    `ts` seconds since 1970.
    """

    id: str
    ts: float
    session: str
    feedback: Feedback
    picked: str
    needed: str | None
    ladder: str
    prompt: str = field(repr=False)
    msg_hash: str = ""
    result: str = ""
    comparison: str | None = None
    feature: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "feedback", OLD_FEEDBACK.get(self.feedback, self.feedback))


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget of so many US dollars: for a session's id, a day (UTC) or a feature's name."""

    usd: Decimal
    scope: Literal["session", "day", "feature"]
    key: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The budget that a call no longer fits in, and what is left of it.

    It `may_fit` once running calls have ended, if they cost less than is held back for them.
    """

    cap: Cap
    left_usd: Decimal
    may_fit: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, one row per text (n x d, float32), and what the endpoint counted and charged."""

    vectors: np.ndarray
    usage: Usage | None = None
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Something in the prompt that spoke for a decision.

    `start` and `end` are character offsets in the prompt, None for a property of the whole
    prompt (its length, say). A positive `weight` points to a more expensive tier.
    """

    name: str
    text: str
    start: int | None = None
    end: int | None = None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Which tier, who says so, why and how sure (0 to 1; None where it cannot tell).

    `attempts` are the calls that deciding cost. `defaulted` means that the classifier gave
    no usable answer and the ladder's default tier was taken.
    """

    tier: str
    classifier: str
    reason: str
    confidence: float | None = None
    signals: tuple[Signal, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    defaulted: bool = False


class Provider(Protocol):
    """An endpoint. `kind` says whether money changes hands and whether its words are real.

    A provider with an address has a `base_url`, and perhaps a `host`: the cache keeps the
    answers of two addresses apart, and a recording has the provider's name instead of them.
    """

    name: str
    kind: ProviderKind

    def send(self, request: Request) -> Iterator[Chunk]:
        """Send, and yield the reply's pieces as they come (one piece where not streaming).

        Raises ProviderError only; closing the iterator closes the connection.
        """

    def secrets(self) -> Sequence[str]:
        """What must never be written down: its keys, the user and the password in its address."""

    def close(self) -> None:
        """Release what it holds; a second call does nothing."""


class Classifier(Protocol):
    """Prompt -> Decision. `name` is what the ledger and the card call it."""

    name: str

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier that should answer; raises nothing that the prompt's content can cause."""


#: Whether a reply will do, and if not, why.
Check = Callable[[Reply], Verdict]


class Embedder(Protocol):
    """Texts -> vectors. `name` tells its vectors from others'; `kind` is as for a provider."""

    name: str
    kind: ProviderKind
    provider: str
    model: str

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts, once each, that would be sent to an endpoint."""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector per text; raises ProviderError, or SettingsError where it cannot be used."""


class Cache(Protocol):
    """Request key -> Reply."""

    def get(self, key: str) -> Reply | None:
        """The stored reply; None where there is none."""

    def put(self, key: str, reply: Reply) -> None:
        """Keep the reply under that key."""


class Ledger(Protocol):
    """The append-only record: the last row of an attempt's id counts."""

    def append(self, attempt: Attempt) -> None:
        """Write a row at once; RecordError where it cannot be written."""

    def append_all(
        self, attempts: Sequence[Attempt], caps: Sequence[Cap] = (), *, cut: bool = False
    ) -> list[Attempt | Refusal]:
        """Append or reserve them all in one step; each as it was written, or why it was not.

        With `cut` a reservation that is over what is left is cut to that.
        """

    def reserve(self, attempt: Attempt, caps: Sequence[Cap]) -> Refusal | None:
        """Append the running attempt if its `reserved_usd` fits in every cap, else say which not.

        One step: two threads or two processes on one ledger cannot both pass it.
        """

    def rows(self, *, session: str | None = None) -> list[Mapping[str, Any]]:
        """One mapping per attempt, oldest first, with the fields of `Attempt`."""

    def frame(self, *, session: str | None = None) -> pd.DataFrame:
        """The same as a table, with `ts` also as UTC `time` and money as floats."""

    def report_rows(self, *, session: str | None = None) -> Iterable[Any]:
        """The same as light tuples, for `nbroute.report.summarise`."""

    def spend(self, by: Any = None, *, session: str | None = None) -> Any:
        """The `Spend` of all, or a dict of them by tier, model, day, feature or session."""

    def version(self) -> object:
        """A value that changes as soon as anybody has written; None where that is not known."""

    def label(self, label: Label) -> None:
        """Keep a person's label; RecordError where it cannot be written."""

    def labels(self, *, session: str | None = None) -> list[Label]:
        """All labels, oldest first."""

    def close(self) -> None:
        """Close the file; a second call does nothing."""


class Recorder(Protocol):
    """Keeps answers and failures in a file."""

    def keep(
        self, request: Request, outcome: Reply | ProviderError, *, tier: str, purpose: str
    ) -> None:
        """Keep a whole answer, or that a model failed; RecordError where it cannot be written."""


class Replay(Protocol):
    """What a recorded file says besides its answers."""

    @property
    def told(self) -> str:
        """What a result says about where it comes from."""

    def miss(self, tier: str, requests: Sequence[Request], purpose: str) -> str:
        """A message: none of the requests is recorded, which ones are close, and the cure."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asked for besides the prompt; None means "as the settings say"."""

    tier: str | None = None
    model: str | None = None
    strategy: str = "direct"
    start: str | None = None
    tiers: tuple[str, ...] = ()
    classifier: str | Classifier | Callable[[str], Any] | None = None
    system: str | None = None
    max_tokens: int | None = None
    max_cost: Decimal | None = None
    over_budget: bool = False
    temperature: float | None = None
    effort: Effort | None = None
    json: bool = False
    schema: Any = None
    checks: tuple[str | Check, ...] = ()
    agreement: float | None = None
    by: Literal["value", "cosine"] | None = None
    feature: str | None = None
    thread: str | None = None
    comparison: str | None = None
    repeat: int | None = None
    cache: CacheMode | None = None
    stream: bool = True
    purpose: Asking = "answer"

    def __getstate__(self) -> list[Any]:
        """A function or a class that cannot be pickled, such as a lambda, goes by its name."""
        return [_portable(getattr(self, one.name)) for one in fields(self)]


def _portable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_portable, value))
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - a user's object can raise anything
        return getattr(value, "__name__", repr(value))
    return value


@dataclass(frozen=True, slots=True)
class Step:
    """One tier to try, with its models in order."""

    tier: Tier
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that a strategy will take; `agreement` is for two that answer at once.

    `times` is how often the one step of `direct` is asked.
    """

    strategy: str
    steps: tuple[Step, ...]
    agreement: float | None = None
    times: int = 1

    @property
    def at_once(self) -> tuple[Step, ...]:
        """The steps that are asked at the same time: two, or the first alone."""
        return self.steps[: 1 if self.agreement is None else 2]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What came of asking one tier the same thing several times: ids of attempts, in order.

    `agreeing` are those of the `answered` that agree with the answer that is used, itself
    included; `by` says how they were compared, and `value` is what they agree on, if any.
    """

    asked: int
    answered: tuple[str, ...]
    agreeing: tuple[str, ...]
    by: Literal["value", "cosine", "text"] = "text"
    value: str | None = None

    @property
    def share(self) -> float:
        """How many of the answers agree with the one that is used, from 0 to 1."""
        return len(self.agreeing) / len(self.answered)


#: The check that a tier fails, so to speak, if it could not answer.
NO_ANSWER = "no answer"
#: The reason of a verdict on two answers that counts them as different without knowing it.
UNCOMPARED = "the answers could not be compared"


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier's answer on the way (an attempt's id) and what the checks said of it.

    For a tier that could not answer it is the last attempt, with one verdict, `NO_ANSWER`.
    """

    tier: str
    attempt: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> Verdict | None:
        """The verdict that sent the answer back; None where it passed."""
        return next((verdict for verdict in self.verdicts if not verdict.passed), None)


@dataclass(frozen=True, slots=True)
class RouteResult:
    """An answer and all that led to it.

    `attempts` are all calls made for it, in order: classifying, failed, rejected, answering.
    `cost_usd` is what they cost together. `parent` is the result that this one escalates.
    `rungs` are the answers on the way with their verdicts, `chosen` the id of the attempt whose
    text is the answer, `data` the parsed answer where JSON or a schema was asked for. `repeats`
    is set where the tier was asked several times.
    """

    id: str
    prompt: str = field(repr=False)
    text: str = field(repr=False)
    decision: Decision = field(repr=False)
    plan: Plan = field(repr=False)
    options: Options = field(repr=False)
    attempts: tuple[Attempt, ...] = field(repr=False)
    rungs: tuple[Rung, ...] = field(default=(), repr=False)
    chosen: str = field(default="", repr=False)
    data: Any = field(default=None, repr=False)
    parent: RouteResult | None = field(default=None, repr=False)
    notices: tuple[str, ...] = field(default=(), repr=False)
    repeats: Repeats | None = field(default=None, repr=False)

    @property
    def answer(self) -> Attempt:
        """The attempt whose text is the answer: the chosen one, else the last that has any."""
        for attempt in self.attempts:
            if self.chosen and attempt.id == self.chosen:
                return attempt
        asked = [a for a in self.attempts if a.answers] or list(self.attempts)
        return next((a for a in reversed(asked) if a.text), asked[-1])

    @property
    def chain(self) -> tuple[RouteResult, ...]:
        """This result, the one that it escalates, and so on down to the first."""
        return (self, *(self.parent.chain if self.parent else ()))

    @property
    def tier(self) -> str:
        """The tier that answered."""
        return self.answer.tier

    @property
    def model(self) -> str:
        """The model that was asked for the answer."""
        return self.answer.model

    @property
    def answered_by(self) -> str:
        """The model that answered, according to the endpoint: an alias has another name."""
        return self.answer.answered_by or self.answer.model

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered, where the endpoint shows it."""
        return self.answer.reasoning or ""

    @property
    def usage(self) -> Usage:
        """The tokens of the answer (of `answer` alone; `attempts` has the rest)."""
        return self.answer.usage

    @property
    def cost(self) -> Cost:
        """What all attempts cost together."""
        return total_cost(self.attempts)

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars for all attempts together; None where a price is not known."""
        return self.cost.usd

    @property
    def cost_source(self) -> CostSource:
        """Where the cost comes from."""
        return self.cost.source

    @property
    def latency_ms(self) -> float:
        """From sending to the end: attempts in turn, and the slower of two tiers at once."""
        total = sum(attempt.latency_ms for attempt in self.attempts)
        if self.plan.times > 1:
            times = [one.latency_ms for one in self.attempts if one.answers]
            return total - sum(times) + max(times, default=0.0)
        by_tier = {step.tier.name: 0.0 for step in self.plan.at_once}
        for one in self.attempts:
            if one.answers and one.tier in by_tier:
                by_tier[one.tier] += one.latency_ms
        return total - sum(by_tier.values()) + max(by_tier.values(), default=0.0)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the checks said of the answer."""
        return next((r.verdicts for r in self.rungs if r.attempt == self.answer.id), ())

    @property
    def passed(self) -> bool:
        """Whether there is an answer that passed every check.

        That another answer differs does not count against it.
        """
        checked = (verdict.passed for verdict in self.verdicts if verdict.check != "agreement")
        return self.status == "ok" and all(checked)

    @property
    def ttft_ms(self) -> float | None:
        """From sending the answering call to its first token."""
        return self.answer.ttft_ms

    @property
    def escalated(self) -> bool:
        """Whether a tier below answered first."""
        return self.answer.escalated

    @property
    def cached(self) -> bool:
        """Whether the answer came from the cache."""
        return self.answer.cached

    @property
    def status(self) -> Status:
        """`ok`, or how the answer ended otherwise."""
        return self.answer.status

    def __repr__(self) -> str:
        """A line that fits a log: no prompt, no answer."""
        cost = "unknown" if self.cost_usd is None else f"${self.cost_usd:.6f}"
        return f"<RouteResult {self.id} {self.tier} {self.model} {cost} ({self.cost_source})>"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Classified:
    """The tier is known; nothing has been sent for the answer yet."""

    decision: Decision
    plan: Plan


@dataclass(frozen=True, slots=True)
class Sent:
    """A request goes out; what was shown so far is not part of its answer.

    An answer from the cache has no such event.
    """

    tier: str
    model: str
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model is thinking; none of the answer has arrived yet."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer arrived."""

    text: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """A call ended, well or not; it is in the ledger."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Escalated:
    """A check rejected an answer; the next tier is asked."""

    rejected: Attempt
    verdict: Verdict
    tier: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is not an error.

    One that `waits` says what the call is waiting for, and is not part of the result.
    """

    text: str
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The whole result."""

    result: RouteResult


@dataclass(frozen=True, slots=True)
class TierEstimate:
    """What the prompt would cost on a tier: low is a one-token answer, high a full budget."""

    tier: str
    model: str
    input_tokens: int
    max_tokens: int
    low: Cost
    high: Cost
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A dry run: what would be sent, where and why, and its cost range on every tier.

    `requests` are the first model's at each of the plan's steps. Where a model or an endpoint
    would be asked for the tier, `asking` is what that costs, and the decision is the guess of
    the classifier that asks nobody. `refusal` says what `max_cost` does not cover.
    """

    decision: Decision
    requests: tuple[Request, ...]
    estimates: tuple[TierEstimate, ...]
    plan: Plan
    asking: TierEstimate | None = None
    refusal: str = ""

    @property
    def steps(self) -> dict[str, Cost]:
        """All that may be asked, by what it is for, with the most that it could cost."""
        asking = self.asking
        asked = {f"asking {asking.model} for the tier": asking.high} if asking else {}
        names = [step.tier.name for step in self.plan.steps]
        costs = {one.tier: one.high for one in self.estimates if one.tier in names}
        if (times := self.plan.times) > 1:
            costs = {
                f"{name} {times} times": replace(cost, usd=cost.usd and cost.usd * times)
                for name, cost in costs.items()
            }
        return asked | costs


Event = Classified | Sent | Thinking | Text | Attempted | Escalated | Notice | Done
Observer = Callable[[Event], None]
