"""Tasks and topics -> the one task that decides.

A general verb is settled by its object ("write" a note, an essay, a parser), the hardest of
several tasks decides, and some things only the prompt as a whole can tell.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nbroute.classify.instruction import Instruction
from nbroute.classify.reading import Found
from nbroute.classify.words import TASKS

#: Questions that one fact answers, unless their topic says otherwise.
FACTS = frozenset({"greeting", "lookup", "yes_no", "what_is", "what"})


class Deciding(NamedTuple):
    """The task that decides, its place where it has one, and all that are asked for."""

    kind: str
    found: Found | None
    kinds: tuple[str, ...]


def deciding(prompt: str, asked: Instruction, tasks: list[Found], topics: list[Found]) -> Deciding:
    """The hardest of the tasks, or what the prompt as a whole turns out to be."""
    about = {found.kind for found in (*topics, *tasks)}
    kinds = [_settled(task, about, topics, asked) for task in tasks] or ["unknown"]
    hardest = max(range(len(kinds)), key=lambda place: TASKS[kinds[place]].base)
    kind = _whole(kinds[hardest], topics, asked, prompt)
    return Deciding(kind, tasks[hardest] if tasks else None, tuple(kinds))


def _settled(task: Found, about: set[str], topics: list[Found], asked: Instruction) -> str:
    """The task that a general verb turns out to be, by what it is to bring about."""
    if task.kind == "should":
        return "analyse" if asked.asked >= BRIEF else "yes_no"
    if task.kind in {"trivial", "transform"} and _reworks(asked):
        return "transform"
    if task.kind == "translate":
        return (
            "lexical" if asked.quoted or (asked.asked < BRIEF and not asked.pasted) else task.kind
        )
    if task.kind in _QUERIED and "critical" in about and asked.asked > ROUNDABOUT:
        return "analyse"
    if task.kind in {"write", "suggest", "design"}:
        return _made(task, _objects(task, topics, asked.text) | about & {"transform"})
    return next((to for what, to in _REFINED.get(task.kind, ()) if what in about), task.kind)


def _reworks(asked: Instruction) -> bool:
    """Whether a long text is to be brought into another form."""
    return asked.pasted and asked.asked >= BRIEF and "?" not in asked.text


#: Task -> what it becomes with a topic of that kind; the first that fits.
_REFINED = {
    "identify": (
        ("proof_thing", "prove"),
        ("surface", "trivial"),
        ("code_thing", "code"),
        ("critical", "analyse"),
        ("maths", "solve"),
    ),
    "translate": (("proof_thing", "prove"),),
    "transform": (("surface", "trivial"), ("format", "trivial")),
    "code": (("surface", "trivial"),),
    "trivial": (
        ("proof_thing", "prove"),
        ("told", "transform"),
        ("small_code_thing", "small_code"),
        ("code_thing", "small_code"),
    ),
    "solve": (("code_thing", "code"),),
    "show": (("maths", "prove"), ("proof_thing", "prove")),
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
    if "proof_thing" in about:
        return "prove"
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
    """What only the whole can tell: the size of a text, a word problem, a multiple choice."""
    about = {topic.kind for topic in topics}
    if kind not in _PLAIN and _frontier(kind, about):
        return "research"
    if kind in _WRITTEN and _is_long(asked):
        return "long_form"
    return _examined(kind, about, asked, prompt)


def _examined(kind: str, about: set[str], asked: Instruction, prompt: str) -> str:
    if kind in _EXAMINED and _CHOICES.search(prompt[-2000:]):
        return "choice"
    if (kind in _OPEN and _is_problem(asked)) or (kind == "suggest" and asked.story):
        return "reason"
    if kind == "unknown":
        return _unnamed(about, asked, prompt)
    if kind in {"what", "what_is"} and asked.code:
        return "explain"
    return _about_code(kind, asked) if "code_thing" in about else kind


def _frontier(kind: str, about: set[str]) -> bool:
    """Whether evidence is in conflict, or long work is to be done without asking back."""
    alone = "autonomy" in about and kind not in _TOLD
    return alone or about >= {"conflict", "evidence"}


def _is_long(asked: Instruction) -> bool:
    """Whether a text of several pages is asked for."""
    sizes = (size for span in asked.spans for size in _LENGTH.finditer(asked.text, *span))
    return any(size[2] or int(re.sub(r"\D", "", size[1])) >= LONG for size in sizes)


def _about_code(kind: str, asked: Instruction) -> str:
    """Why code fails takes working out; how one thing is written in it is a fact."""
    short = kind == "how" and asked.asked < BRIEF
    return "code" if kind == "why" else "lookup" if short else kind


def _is_problem(asked: Instruction) -> bool:
    return asked.story or (figures(asked) > 2 and asked.asked > BRIEF)


def _unnamed(about: set[str], asked: Instruction, prompt: str) -> str:
    if _SUM.fullmatch(prompt[:200]):
        return "trivial"
    if not asked.spans:
        return "greeting"
    if "code_thing" in about:
        return "code"
    if asked.asked < BRIEF and asked.text.rstrip().endswith(("?", "？")):
        return "yes_no"
    return next((kind for what, kind in _NAMED if about >= what), "unknown")


#: Topics that tell what is to be done where no verb does.
_NAMED = (
    ({"theory", "deep"}, "research"),
    ({"conditions"}, "design"),
    ({"critical"}, "analyse"),
)


def figures(asked: Instruction) -> int:
    """How many numbers the instruction names."""
    return sum(len(_FIGURE.findall(asked.text, *span)) for span in asked.spans)


#: Words that a question which is one fact does not reach, with the object of its verb.
BRIEF = 9
#: Nor one about a danger or a flaw that a few sentences answer.
ROUNDABOUT = 14
#: A text of so many words takes a plan.
LONG = 700
_LENGTH = re.compile(
    r"\b(\d[\d.,]{0,6})[\s-]?(?:words?\b|wörter\w*|worte?\w*|mots\b|palabras\b|शब्द|字)"
    r"|((?:\b(?:one|two|three|a)\ thousand\ words|万字"
    r"|[一两三四五六七八九]千[一二三四五六七八九百]*字))"
)
_WRITTEN = {"write", "unknown", "trivial", "suggest", "explain", "lookup", "what", "how", "show"}
_QUERIED = {"what_is", "what", "how"}
#: What conflicting evidence and working alone do not make harder.
_PLAIN = {*FACTS, "lexical", "trivial", "transform", "how", "why", "explain", "translate"}
_TOLD = {"write", "suggest", "long_form"}
_EXAMINED = {*FACTS, "unknown", "how", "why", "solve", "identify", "show", "explain", "reason"}
_OPEN = {*FACTS, "unknown", "how", "solve", "reason", "identify"}
_FIGURE = re.compile(r"\d+")
_SUM = re.compile(r"[\s\d.,+*/×÷=?()^%-]+")
_CHOICES = re.compile(r"^\(?A[.)].*\n\(?B[.)]", re.MULTILINE)
