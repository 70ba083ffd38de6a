"""Pairs of answers and what a judge says about them: in both orders, as rows, never a crash.

LLM-as-a-judge: Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena"
(arXiv 2306.05685). Judges favour a position, long answers and their own words, so each pair is
judged in both orders, and a verdict that flips with the order is a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from nbroute.batch.jobs import described
from nbroute.batch.rows import Row, Task, row_of_error, without_answer
from nbroute.batch.store import Store
from nbroute.compare.contenders import find_contenders
from nbroute.engine.engine import Engine
from nbroute.errors import Interrupted, PromptError, SettingsError
from nbroute.evaluate.purse import NOTHING, Asking, Worst, worst_cost_of
from nbroute.evaluate.verdicts import SYSTEM, Said, question, read_verdict
from nbroute.pricing import maker_of, same_model
from nbroute.providers.simulated_answers import NO_LESSON
from nbroute.report.metrics import wilson
from nbroute.report.table import shortened

Word = Literal["cheaper", "expensive", "tie"]
#: What a verdict is worth to the cheaper answer.
WORTH: Mapping[Word, float] = {"cheaper": 1.0, "tie": 0.5, "expensive": 0.0}
#: A tier, a model, or a function (prompt, a, b) -> "a", "b" or "tie"; None is the top tier.
Judge = str | Callable[[str, str, str], str]

#: Tokens for the judge's answer: a few sentences, with thoughts before them if it has an effort.
_ROOM, _THOUGHT = 1_000, 4_000
_STOPPED = "Interrupted: stopped before it was sent"
SAME = "the two answers are the same"
#: A judge that nearly always picks the same position is pointed out from this many verdicts on.
_ENOUGH = 8


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt (None: not asked for yet), and the tiers that gave them."""

    prompt: str
    cheaper: str | None
    expensive: str | None
    cheaper_tier: str
    expensive_tier: str


@dataclass(frozen=True)
class Ruling:
    """What a judge says about a pair: `forward` is its verdict with the cheaper answer first.

    None is no verdict, and `error` says why; `reasons` are its words in each order. `usd` is what
    judging cost, None if that is not known.
    """

    forward: Word | None
    backward: Word | None
    reasons: tuple[str, str] = ("", "")
    error: str = ""
    usd: Decimal | None = Decimal(0)

    @property
    def verdict(self) -> Word | None:
        """The verdict over both orders: a tie if they disagree, None if either is missing."""
        if self.forward is None or self.backward is None:
            return None
        return self.forward if self.forward == self.backward else "tie"

    @property
    def flipped(self) -> bool:
        """Whether the verdict depends on the order."""
        return None not in (self.forward, self.backward) and self.forward != self.backward


def judge_options(router: Engine, judge: str | None) -> dict[str, Any]:
    """The options of `router.route` for that judge; SettingsError if there is no such judge.

    A judge is "TIER", "TIER:high" (with an effort), a model on the ladder, or "TIER:model".
    """
    if judge is not None and not isinstance(judge, str):
        raise SettingsError(
            f"judge is {judge!r:.60}; give a tier, a model, or a function (prompt, a, b) that "
            "returns 'a', 'b' or 'tie'"
        )
    (who,) = find_contenders(router.ladder, [router.ladder.names[-1] if judge is None else judge])
    if who.repeat:
        raise SettingsError(f"judge = {judge!r} asks several times; name a tier or a model")
    thinks = who.effort or router.ladder[who.tier].effort
    room = _THOUGHT if thinks else _ROOM
    judging = {"system": SYSTEM, "max_tokens": room, "temperature": 0.0, "purpose": "judge"}
    return {**who.options, **judging}


def worst_cost(router: Engine, pairs: Sequence[Pair], judge: Judge | None = None) -> Worst:
    """How many calls the judging takes and what they cost at most; nothing is sent.

    An answer that is not there yet counts as being as long as its tier's `max_tokens` allow.
    """
    if callable(judge):
        return NOTHING

    def text(answer: str | None, tier: str) -> str:
        longest = min(4 * router.ladder[tier].max_tokens, router.limits.max_prompt_chars // 4)
        return "x" * longest if answer is None else answer

    asked = []
    for one in pairs:
        if None in (one.cheaper, one.expensive) or not _settled(one):
            answers = text(one.cheaper, one.cheaper_tier), text(one.expensive, one.expensive_tier)
            asked.append(question(one.prompt, *answers))
    once = worst_cost_of(router, asked, judge_options(router, judge))
    return once + once


def judge_pairs(
    asking: Asking, pairs: Sequence[Pair], judge: Judge | None, store: Store
) -> list[Ruling]:
    """What the judge says about each pair, shown to it in both orders.

    A model is asked in a batch, a function is called on this thread. What fails, or gives no
    verdict, is a ruling with its `error`; two answers that are the same are a tie without asking.
    `store` has two rows for each pair; handed in again, only those without an answer are asked for.

    SettingsError for a judge that does not exist, Interrupted on Ctrl-C; its `result` is the
    rulings so far.
    """
    messages = list[str | PromptError]()
    for pair in pairs:
        told, texts = _settled(pair), (pair.cheaper or "", pair.expensive or "")
        both = [question(pair.prompt, *texts), question(pair.prompt, *texts[::-1])]
        messages += [PromptError(told)] * 2 if told else both
    try:
        if callable(judge):
            _call(asking, pairs, messages, judge, store)
        else:
            asking.ask(messages, judge_options(asking.router, judge), store)
    except KeyboardInterrupt:
        rulings = _rulings(pairs, store)
        done = sum(one.verdict is not None for one in rulings)
        error = Interrupted(f"stopped; {done} of {len(pairs)} pairs are judged")
        error.result = rulings
        raise error from None
    return _rulings(pairs, store)


def _settled(pair: Pair) -> str:
    """Why the judge does not have to be asked; "" if it does."""
    texts = [(pair.cheaper or "").strip(), (pair.expensive or "").strip()]
    for text, tier in zip(texts, (pair.cheaper_tier, pair.expensive_tier), strict=True):
        if not text:
            return f"{tier} gave no answer"
        if NO_LESSON in text:
            return f"{tier} is simulated and has no answer to this prompt"
    return SAME if texts[0] == texts[1] else ""


def _call(
    asking: Asking,
    pairs: Sequence[Pair],
    messages: Sequence[str | PromptError],
    judge: Callable[[str, str, str], str],
    store: Store,
) -> None:
    """Let a function judge; each verdict is stored before the next is asked for."""
    store.begin(described(asking.router, {"judge": judge}))
    for place, message in enumerate(messages):
        if asking.cancel is not None and asking.cancel.is_set():
            raise KeyboardInterrupt
        if isinstance(message, PromptError) or store.has_answer(place, message):
            asking.bar.count()
            continue
        pair = pairs[place // 2]
        texts = [pair.cheaper or "", pair.expensive or ""][:: -1 if place % 2 else 1]
        task = Task(place, message)
        try:
            said = judge(pair.prompt, *texts)
            told = f"the judge returned {said!r:.60}; it has to be 'a', 'b' or 'tie'"
            row = without_answer(task, "error", told)
            if isinstance(said, str) and said in ("a", "b", "tie"):
                row = Row(*task, text=f"Verdict: {said}", cost_usd=Decimal(0), cost_source="list")
        except KeyboardInterrupt:  # Interrupted is an Exception, too
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a row
            row = row_of_error(task, error)
        store.write([row])
        asking.bar.count(row)


def _rulings(pairs: Sequence[Pair], store: Store) -> list[Ruling]:
    room, found = int(store.about().get("max_tokens", 0)), []
    for place, pair in enumerate(pairs):
        if told := _settled(pair):
            word: Word | None = "tie" if told == SAME else None
            reasons, error = ((told, told), "") if word else (("", ""), told)
            found.append(Ruling(word, word, reasons, error))
        else:
            missing = without_answer(Task(0, ""), "not sent", _STOPPED)
            rows = [store.row(2 * place + order) or missing for order in (0, 1)]
            (first, no_first), (second, no_second) = (_said(row, room) for row in rows)
            words = (first and _FORWARD[first], second and _BACKWARD[second])
            error = "; ".join(dict.fromkeys(filter(None, (no_first, no_second))))
            costs = [row.cost_usd for row in rows if row.cost_usd is not None]
            usd = sum(costs, Decimal(0)) if len(costs) == 2 else None
            found.append(Ruling(*words, (rows[0].text, rows[1].text), error, usd))
    return found


_FORWARD: Mapping[Said, Word] = {"a": "cheaper", "b": "expensive", "tie": "tie"}
_BACKWARD: Mapping[Said, Word] = {"a": "expensive", "b": "cheaper", "tie": "tie"}


def _said(row: Row, room: int) -> tuple[Said | None, str]:
    """The verdict in the row, or why it has none."""
    if row.error is not None:
        return None, row.error
    if room and row.output_tokens >= room:
        told = f"the judge's answer was cut off at {room:,} tokens, before its verdict"
        cure = f"one that thinks has more room with an effort, as in '{row.tier}:low'"
        return None, told if room >= _THOUGHT else f"{told}; {cure}"
    if word := read_verdict(row.text):
        return word, ""
    said = shortened(" ".join(row.text.split()), 120)
    return None, f"the judge gave no verdict: {said!r}" if said else "the judge said nothing"


@dataclass(frozen=True)
class Leaning:
    """How a judge leans, over verdicts in a single order (two for each pair).

    `first` of the `decisive` ones were for the answer shown first; `ties` were for neither. The
    verdict on `flipped` of the `judged` pairs changed with the order. The longer answer won
    `longer` of the `uneven` pairs: decided ones, with answers of different lengths.
    """

    first: int
    decisive: int
    ties: int
    flipped: int
    judged: int
    longer: int
    uneven: int

    @property
    def blind(self) -> bool:
        """Whether nearly all of its verdicts name the same position, and so mean nothing."""
        most = max(self.first, self.decisive - self.first)
        return self.decisive >= _ENOUGH and most >= 0.95 * self.decisive

    @property
    def notes(self) -> list[str]:
        """How it leans, a sentence each; none if it does not."""
        notes = []
        low, high = wilson(self.first / max(self.decisive, 1), self.decisive)
        for place, count, surely in (
            ("first", self.first, low),
            ("second", self.decisive - self.first, 1 - high),
        ):
            told = f"this judge chose the answer shown {place} in {count} of {self.decisive}"
            if self.blind and count > self.decisive / 2:
                notes.append(f"{told} verdicts, so they mean nothing")
            elif surely > 0.5:
                notes.append(f"{told} verdicts that named one: it favours that position")
        low, _ = wilson(self.longer / max(self.uneven, 1), self.uneven)
        if low > 0.5 and self.uneven >= _ENOUGH:
            notes.append(
                f"the longer answer won {self.longer} of the {self.uneven} pairs that were decided "
                "and whose answers differ in length: it may be better, or only longer"
            )
        return notes


def leaning(pairs: Sequence[Pair], rulings: Sequence[Ruling]) -> Leaning:
    """How the judge of these pairs leans by position and by length."""
    words = [("cheaper", one.forward) for one in rulings if one.forward]
    words += [("expensive", one.backward) for one in rulings if one.backward]
    asked = [one for one in rulings if one.verdict and one.reasons != (SAME, SAME)]
    words = [one for one in words if one[1] != "tie"]
    longer = [
        (len(pair.cheaper or "") > len(pair.expensive or "")) == (ruling.verdict == "cheaper")
        for pair, ruling in zip(pairs, rulings, strict=True)
        if ruling.verdict in ("cheaper", "expensive")
        if len(pair.cheaper or "") != len(pair.expensive or "")
    ]
    ties = sum(word == "tie" for one in asked for word in (one.forward, one.backward))
    first, flipped = sum(stood == word for stood, word in words), sum(one.flipped for one in asked)
    return Leaning(first, len(words), ties, flipped, len(asked), sum(longer), len(longer))


def kin(router: Engine, judge: Judge | None, tiers: Iterable[str]) -> str:
    """A warning if the judge is one of these tiers' models, or shares its maker; else "".

    Judges favour their own words (Zheng et al. 2023, self-enhancement). If the judge's maker made
    all of the tiers, they gain equally.
    """
    if callable(judge):
        return ""
    options = judge_options(router, judge)
    models = {name: router.ladder[name].model for name in dict.fromkeys(tiers)}
    model = options.get("model") or router.ladder[options["tier"]].model
    other = "you can name another judge"
    for name, one in models.items():
        if same_model(one, model):
            return f"{name} is judged by its own model, which may favour its own words: {other}"
    maker = maker_of(model)
    family = [name for name, one in models.items() if maker and maker_of(one) == maker]
    if not 0 < len(family) < len(models):
        return ""
    return (
        f"{' and '.join(family)} and the judge are from one maker, {maker}, and a judge may favour "
        f"its own family: {other}"
    )
