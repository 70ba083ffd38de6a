"""Our own default rules: find what the prompt asks for, then how hard that is.

The instruction is found first (`instruction`), so that neither a pasted text nor a quoted
word nor a greeting decides. A family of tasks gives it a place from 0 to 1, which topic,
rigour, scale and requirements then move. The weights were set by hand and tried on one half
of `tests/data/tier_prompts.jsonl`; the other half was kept for measuring.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nbroute.classify.instruction import QUESTION, Instruction, Span, instruction
from nbroute.classify.lexicon import (
    CHINESE,
    CHINESE_KIND,
    CUES,
    STEMS,
    TASKS,
    WORD,
    Cue,
    corrected,
)
from nbroute.types import Decision, Ladder, Signal

#: What a topic adds to a question, to any other task, and how often it counts.
WEIGHTS = {
    "open_problem": (0.68, 0.12, 1),
    "deep": (0.36, 0.05, 1),
    "abstract": (0.14, 0.02, 2),
    "quantifier": (0.12, 0.01, 2),
    "science": (0.08, 0.1, 3),
    "rigour": (0.05, 0.08, 3),
    "system": (0.03, 0.1, 1),
    "scale": (0.06, 0.08, 4),
    "logic": (0.0, 0.0, 1),
    "maths": (0.06, 0.04, 3),
    "depth": (0.06, 0.05, 2),
    "requirement": (0.0, 0.025, 4),
    "easing": (-0.08, -0.12, 2),
}
_QUESTIONS = {"yes_no", "what_is", "what", "how", "why", "lookup", "unknown"}
_FACTS = {"greeting", "lookup", "yes_no", "what_is", "what"}
_MASKING = {"lookup", "yes_no", "what_is", "what", "how", "trivial", "write", "unknown"}
_HANDLING = {"lexical", "trivial", "translate", "transform"}
_RANK = {kind: task.base for kind, task in TASKS.items()}


@dataclass(frozen=True, slots=True)
class Found:
    """A cue at its place in the instruction's text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """How hard a prompt looks, from 0 to 1, and what makes it so."""

    score: float
    kind: str
    task: Found | None
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
    tasks: list[Found] = []
    topics: list[Found] = []
    for span in asked.spans:
        for_span, about = _read(asked, span)
        tasks += for_span
        topics += about
        if _introduces(asked.text, span, for_span):
            break
    kinds = [_settled(task, tasks, topics, asked) for task in tasks] or ["unknown"]
    hardest = max(range(len(kinds)), key=lambda i: _RANK[kinds[i]])
    task = tasks[hardest] if tasks else None
    kind = _whole(kinds[hardest], topics, asked, prompt)
    score = _score(kind, kinds, topics, asked)
    return Assessment(score, kind, task, tuple(topics), asked)


def _introduces(text: str, span: Span, tasks: list[Found]) -> bool:
    """Whether what follows is only what the task is to be done to: "Shorten this: ..."."""
    return bool(tasks) and tasks[0].kind in _HANDLING and text[: span[1]].rstrip().endswith(":")


def _read(asked: Instruction, span: Span) -> tuple[list[Found], list[Found]]:
    """The tasks and the topics of one sentence; a word that is only mentioned is no topic."""
    heads = [head for head in asked.heads if span[0] <= head < span[1]]
    found = sorted(_cues(asked.text, span, heads), key=lambda f: f.start)
    tasks = _questions(asked.text, span, heads) + [f for f in found if f.kind in TASKS]
    tasks.sort(key=lambda f: f.start)
    lexical = next((task for task in tasks if task.kind == "lexical"), None)
    if lexical and tasks[0].kind in {*_MASKING, "lexical"}:
        return [lexical], []
    return tasks, [f for f in found if f.kind not in TASKS]


def _questions(text: str, span: Span, heads: list[int]) -> list[Found]:
    matches = (QUESTION.match(text, head, span[1]) for head in heads)
    return [
        Found(m.lastgroup, m.start(m.lastgroup), m.end()) for m in matches if m and m.lastgroup
    ]


def _cues(text: str, span: Span, heads: list[int]) -> Iterable[Found]:
    part = text[slice(*span)]
    words = WORD.findall(part)
    for word in CUES.keys() & set(words):
        yield from _placed(text, span, heads, word, CUES[word])
    for word in set(words):
        if word[:4] in STEMS and word not in CUES:
            yield from _placed(text, span, heads, word, STEMS[word[:4]])
    for word in words[:14]:
        if len(word) > 4 and word not in CUES and (meant := corrected(word)):
            cues = (c for c in CUES[meant] if c.phrase == meant)
            slips = (Cue(word, c.kind, c.leading, c.open_end) for c in cues)
            yield from _placed(text, span, heads, word, slips)
    if not part.isascii():
        yield from (
            Found(CHINESE_KIND[m.group()], *m.span()) for m in CHINESE.finditer(text, *span)
        )


def _placed(
    text: str, span: Span, heads: list[int], word: str, cues: Iterable[Cue]
) -> Iterable[Found]:
    start, stop = span
    cues = tuple(cues)
    while (start := text.find(word, start, stop)) >= 0:
        fitting = [c for c in cues if _fits(text, start, stop, c, heads)]
        end = start + (len(fitting[0].phrase) if fitting else len(word))
        yield from (Found(c.kind, start, end) for c in fitting if len(c.phrase) == end - start)
        start = end


def _fits(text: str, start: int, stop: int, cue: Cue, heads: list[int]) -> bool:
    end = start + len(cue.phrase)
    if end > stop or not text.startswith(cue.phrase, start):
        return False
    if start and WORD.match(text, start - 1) or not cue.open_end and WORD.match(text, end):
        return False
    return not cue.leading or start in heads or bool(_LEAD.search(text, max(start - 24, 0), start))


_LEAD = re.compile(
    r"(?:[,:;(]\s*|\b(?:and|or|then|please|you|also|to|me|just|let's|who|that|finally|but|now"
    r"|bitte|must|should|\w{3,}ly)\s+)$"
)


def _settled(task: Found, tasks: list[Found], topics: list[Found], asked: Instruction) -> str:
    """The task that a general verb turns out to be, by what it is to bring about."""
    if task.kind == "should":
        return "analyse" if asked.asked > 8 else "yes_no"
    if task.kind == "translate":
        return "lexical" if asked.quoted or asked.asked <= 8 else task.kind
    about = {found.kind for found in (*topics, *tasks)}
    if task.kind in {"write", "suggest", "design"}:
        return _made(task, _objects(task, topics, asked.text) | about & {"transform"})
    return next((to for what, to in _REFINED.get(task.kind, ()) if what in about), task.kind)


#: Task -> what it becomes with a topic of that kind; the first that fits.
_REFINED = {
    "identify": (
        ("surface", "trivial"),
        ("code_thing", "code"),
        ("critical", "analyse"),
        ("maths", "solve"),
    ),
    "transform": (("surface", "trivial"), ("format", "trivial")),
    "code": (("surface", "trivial"),),
    "trivial": (("small_code_thing", "small_code"), ("code_thing", "small_code")),
    "solve": (("code_thing", "code"),),
    "show": (("maths", "prove"),),
}


def _objects(task: Found, topics: list[Found], text: str) -> set[str]:
    """What is to be made: what stands before the first preposition after the verb."""
    stop = _PREPOSITION.search(text, task.end)
    limit = stop.start() if stop else len(text)
    return {topic.kind for topic in topics if topic.start < limit}


_PREPOSITION = re.compile(
    r"\b(?:about|on|for|to|of|whether|that|which|from|über|für|von|sobre|para|sur|pour)\b"
)


def _made(task: Found, about: set[str]) -> str:
    if "theory" in about:
        return "research"
    if task.kind != "write":
        return task.kind
    made = next((kind for what, kind in _MADE if what in about), None)
    return made or "write"


#: What is written, made or built -> the task.
_MADE = (
    ("small_code_thing", "small_code"),
    ("code_thing", "code"),
    ("transform", "write"),
    ("short_text", "write"),
    ("long_text", "long_form"),
    ("book", "research"),
    ("system", "design"),
    ("plan_thing", "plan"),
)




def _whole(kind: str, topics: list[Found], asked: Instruction, prompt: str) -> str:
    """What only the prompt as a whole can tell: a word problem, a sum, a choice, a paste."""
    about = {topic.kind for topic in topics}
    if kind in _OPEN and _is_problem(topics, asked):
        return "reason"
    if kind == "unknown":
        return _unnamed(about, asked, prompt)
    if kind in _FACTS and _CHOICES.search(prompt[-2000:]):
        return "choice"
    if kind in {"what", "what_is"} and asked.code:
        return "explain"
    if kind == "why" and "code_thing" in about:
        return "code"
    if kind == "how" and "code_thing" in about and asked.asked < 9:
        return "lookup"
    return kind


def _is_problem(topics: list[Found], asked: Instruction) -> bool:
    figures = _figures(asked)
    relations = sum(topic.kind == "logic" for topic in topics)
    told = asked.story and (figures > 1 or relations > 1)
    return told or (figures > 2 and asked.asked > 10)


def _unnamed(about: set[str], asked: Instruction, prompt: str) -> str:
    if not asked.spans:
        return "trivial" if _SUM.fullmatch(prompt[:200]) else "greeting"
    if _CHOICES.search(prompt[-2000:]):
        return "choice"
    if not about and _SUM.fullmatch(prompt[:200]):
        return "trivial"
    if "code_thing" in about:
        return "code"
    if asked.asked <= 8 and asked.text.rstrip().endswith(("?", "？")):
        return "yes_no"
    return "analyse" if "critical" in about else "unknown"


def _figures(asked: Instruction) -> int:
    return sum(len(_FIGURE.findall(asked.text, *span)) for span in asked.spans)


_OPEN = {*_FACTS, "unknown", "how", "solve", "reason", "identify"}
_FIGURE = re.compile(r"\d+")
_SUM = re.compile(r"[\s\d.,+*/×÷=?()^%-]+")
_CHOICES = re.compile(r"^\(?A[.)].*\n\(?B[.)]", re.MULTILINE)


def _score(kind: str, kinds: list[str], topics: list[Found], asked: Instruction) -> float:
    task = TASKS[kind]
    if kind in _FACTS and (asked.pasted or asked.quoted or _figures(asked)):
        return task.base
    others = {other for other in kinds if _RANK[other] > 0.3} - {kind}
    size = 0.04 * min(asked.words if asked.story else asked.asked, 120) / 120
    moved = task.base + task.stretch * _push(kind, topics) + 0.03 * min(len(others), 3) + size
    return min(max(moved, 0.0), 0.999)


def _push(kind: str, topics: list[Found]) -> float:
    counts: dict[str, int] = {}
    for topic in topics:
        counts[topic.kind] = counts.get(topic.kind, 0) + 1
    column = 0 if kind in _QUESTIONS else 1
    pushes = ((WEIGHTS[name], count) for name, count in counts.items() if name in WEIGHTS)
    return sum(weights[column] * min(count, weights[2]) for weights, count in pushes)


def _confidence(found: Assessment) -> float:
    """The family's own trust, less where the score is near the edge of a band."""
    edge = abs(found.score * 4 - round(found.score * 4)) * 2
    inner = 1.0 if found.score < 0.125 or found.score > 0.875 else edge
    return round(TASKS[found.kind].trust * (0.7 + 0.3 * inner), 2)


def _signals(prompt: str, found: Assessment) -> Iterable[Signal]:
    asked = found.instruction
    if found.task:
        yield _signal(prompt, asked, found.task, found.kind, TASKS[found.kind].base)
    column = 0 if found.kind in _QUESTIONS else 1
    for topic in sorted(found.topics, key=lambda t: t.start):
        if topic.kind in WEIGHTS:
            weight = WEIGHTS[topic.kind][column] * TASKS[found.kind].stretch
            yield _signal(prompt, asked, topic, topic.kind, weight)


def _signal(prompt: str, asked: Instruction, found: Found, name: str, weight: float) -> Signal:
    start, end = asked.offset(found.start), asked.offset(found.end)
    return Signal(name, prompt[start:end], start, end, round(weight, 3))


def _reason(signals: tuple[Signal, ...], asked: Instruction) -> str:
    told = [f'"{signal.text}" at {signal.start}' for signal in signals[:3]]
    told.append(f"{asked.asked} words" + (f" of {asked.words}" if asked.pasted else ""))
    told.append("code" if asked.code else "no code")
    return f"rules: {', '.join(told)}"
