"""Our own default rules: find what the prompt asks for, then how hard that is.

The instruction is found first (`instruction`), so that neither a pasted text nor a quoted
word nor a greeting decides. A family of tasks gives it a place from 0 to 1, which topic,
rigour, scale and requirements then move. The weights were set by hand on the prompts marked
`tuned` in `tests/data/tier_prompts.jsonl`; those marked `held` were kept for measuring, though
the same hand wrote both. Of the last 102, not looked at until the work was done, 79% were
right at first sight, where chance is 25%: 84% where the confidence was 0.7 or more and 62%
below that, so 0.7 is a fair threshold for a hybrid. They too were written by the same hand;
expect less of a stranger's prompts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nbroute.classify.instruction import Instruction, instruction
from nbroute.classify.reading import Found, read
from nbroute.classify.tasks import FACTS, Deciding, deciding, figures
from nbroute.classify.words import TASKS
from nbroute.types import Decision, Ladder, Signal

#: What a topic adds to a question, to any other task, and how often it counts.
WEIGHTS = {
    "open_problem": (0.68, 0.12, 1),
    "deep": (0.36, 0.05, 1),
    "philosophy": (0.62, 0.05, 1),
    "abstract": (0.2, 0.02, 2),
    "quantifier": (0.13, 0.01, 2),
    "science": (0.08, 0.1, 3),
    "rigour": (0.05, 0.08, 3),
    "system": (0.03, 0.1, 1),
    "conditions": (0.04, 0.14, 2),
    "conflict": (0.03, 0.05, 1),
    "scale": (0.06, 0.08, 4),
    "maths": (0.06, 0.04, 3),
    "depth": (0.06, 0.05, 2),
    "requirement": (0.0, 0.025, 4),
    "easing": (-0.08, -0.12, 2),
}
#: Nothing of an exam question is there for nothing; elsewhere length says little.
_LONGER_IS_HARDER = {"choice", "reason"}
_QUESTIONS = {"yes_no", "what_is", "what", "how", "why", "lookup", "unknown"}
#: A question of so few words that are all abstract is a deep one.
TERSE = 7
#: From here on a task is more than a fact or a touch, and counts beside the one that decides.
REAL_TASK = 0.3


class Assessment(NamedTuple):
    """How hard a prompt looks, from 0 to 1, and what makes it so."""

    score: float
    task: Deciding
    topics: tuple[Found, ...]
    instruction: Instruction


class RulesClassifier:
    """The default classifier: no call, no state, about 0.1 ms for a prompt of 200 words."""

    name = "rules"

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The tier at the score's relative place in the ladder, whatever the ladder's size."""
        found = assess(prompt)
        place = min(int(found.score * len(ladder.tiers)), len(ladder.tiers) - 1)
        signals = tuple(_signals(prompt, found))
        return Decision(
            ladder.tiers[place].name,
            self.name,
            _reason(signals, found.instruction),
            _confidence(found),
            signals,
        )

    def score(self, prompt: str) -> float:
        """How hard the prompt looks, from 0 to 1: the quarters are the four reference bands."""
        return assess(prompt).score


def assess(prompt: str) -> Assessment:
    """Find the prompt's hardest task and what moves it."""
    asked = instruction(prompt)
    tasks, topics = read(asked)
    task = deciding(prompt, asked, tasks, topics)
    return Assessment(_score(task, topics, asked), task, tuple(topics), asked)


def _score(task: Deciding, topics: list[Found], asked: Instruction) -> float:
    family = TASKS[task.kind]
    if task.kind in FACTS and (asked.pasted or asked.quoted or figures(asked)):
        return family.base
    others = {kind for kind in task.kinds if TASKS[kind].base > REAL_TASK} - {task.kind}
    size = 0.12 * min(asked.words / 160, 1) if task.kind in _LONGER_IS_HARDER else 0.0
    listed = 0 if task.kind in _QUESTIONS else 0.02 * _items(asked)
    moved = family.base + family.stretch * (_push(task.kind, topics, asked.asked) + listed)
    return min(max(moved + 0.03 * min(len(others), 3) + size, 0.0), 0.999)


def _items(asked: Instruction) -> int:
    """How many more than two things the instruction enumerates, at most five."""
    commas = sum(asked.text.count(",", *span) for span in asked.spans)
    return min(max(commas - 1, 0), 5)


def _push(kind: str, topics: list[Found], asked: int) -> float:
    counts: dict[str, int] = {}
    for topic in topics:
        counts[topic.kind] = counts.get(topic.kind, 0) + 1
    column = 0 if kind in _QUESTIONS else 1
    terse = asked <= TERSE and column == 0 and counts.get("abstract", 0) > 1
    pushes = ((WEIGHTS[name], count) for name, count in counts.items() if name in WEIGHTS)
    return 0.22 * terse + sum(w[column] * min(count, w[2]) for w, count in pushes)


def _confidence(found: Assessment) -> float:
    """The family's own trust, less where the score is near the edge of a band."""
    edge = abs(found.score * 4 - round(found.score * 4)) * 2
    inner = 1.0 if found.score < 0.125 or found.score > 0.875 else edge
    return round(TASKS[found.task.kind].trust * (0.6 + 0.4 * inner), 2)


def _signals(prompt: str, found: Assessment) -> Iterable[Signal]:
    asked = found.instruction
    family = TASKS[found.task.kind]
    if found.task.found:
        yield _signal(prompt, asked, found.task.found, found.task.kind, family.base)
    column = 0 if found.task.kind in _QUESTIONS else 1
    for topic in found.topics:
        if topic.kind in WEIGHTS:
            weight = WEIGHTS[topic.kind][column] * family.stretch
            yield _signal(prompt, asked, topic, topic.kind, weight)


def _signal(prompt: str, asked: Instruction, found: Found, name: str, weight: float) -> Signal:
    start, end = asked.offset(found.start), asked.offset(found.end)
    return Signal(name, prompt[start:end], start, end, round(weight, 3))


def _reason(signals: tuple[Signal, ...], asked: Instruction) -> str:
    told = [f'"{signal.text}" at {signal.start}' for signal in signals[:3]]
    told.append(f"{asked.asked} words" + (f" of {asked.words}" if asked.pasted else ""))
    told.append("code" if asked.code else "no code")
    return f"rules: {', '.join(told)}"
