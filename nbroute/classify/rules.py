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

import re
from collections import Counter
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from nbroute.classify.instruction import Instruction, Span, instruction, opening
from nbroute.classify.lexicon import (
    CHINESE,
    CHINESE_KINDS,
    CUES,
    HAN,
    KNOWN,
    PATTERNS,
    STEMS,
    TASKS,
    WHOLE,
    WORD,
    Cue,
    corrected,
)
from nbroute.classify.wording import counted, found_in
from nbroute.types import Decision, Ladder, Signal

#: What a topic adds to a question, to any other task, and how often it counts.
WEIGHTS: dict[str, tuple[float, float, int]] = KNOWN["weights"]
#: Nothing of an exam question is there for nothing; elsewhere length says little.
_LONGER_IS_HARDER = {"choice", "reason"}
_QUESTIONS = {"yes_no", "what_is", "what", "how", "why", "lookup", "unknown"}
#: A question of so few words that are all abstract is a deep one.
TERSE = 7
#: From here on a task is more than a fact or a touch, and counts beside the one that decides.
REAL_TASK = 0.3
#: A reason calls a question of no more words than this short.
SHORT_QUESTION = 12
#: Slips of the keyboard are looked for in prompts of no more words than this.
MENDABLE = 45
#: Questions that one fact answers, unless their topic says otherwise.
FACTS = frozenset({"greeting", "lookup", "yes_no", "what_is", "what"})


class Found(NamedTuple):
    """A cue at its place in the instruction's text."""

    kind: str
    start: int
    end: int


class Deciding(NamedTuple):
    """The task that decides, its place where it has one, and all that are asked for."""

    kind: str
    found: Found | None
    kinds: tuple[str, ...]


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
        score, asked = found.score, found.instruction
        place = min(int(score * len(ladder.tiers)), len(ladder.tiers) - 1)
        family = TASKS[found.task.kind]
        column = 0 if found.task.kind in _QUESTIONS else 1
        weighed = [(found.task.found, found.task.kind, family.base)] if found.task.found else []
        weighed += [
            (topic, topic.kind, WEIGHTS[topic.kind][column] * family.stretch)
            for topic in found.topics
            if topic.kind in WEIGHTS
        ]
        signals = []
        for at, name, weight in weighed:
            start, end = asked.offset(at.start), asked.offset(at.end)
            signals.append(Signal(name, prompt[start:end], start, end, round(weight, 3)))
        # The family's own trust, less where the score is near the edge of a band.
        edge = abs(score * 4 - round(score * 4)) * 2
        inner = 1.0 if score < 0.125 or score > 0.875 else edge
        return Decision(
            ladder.tiers[place].name,
            self.name,
            ", ".join(filter(None, [found_in(prompt, signals[:3]), _sized(prompt, asked)])),
            round(family.trust * (0.6 + 0.4 * inner), 2),
            tuple(signals),
        )

    def score(self, prompt: str) -> float:
        """How hard the prompt looks, from 0 to 1: the quarters are the four reference bands."""
        return assess(prompt).score


def assess(prompt: str) -> Assessment:
    """Find the prompt's hardest task and what moves it."""
    asked = instruction(prompt)
    tasks, topics = read(asked)
    task = deciding(prompt, asked, tasks, topics)
    family = TASKS[task.kind]
    if task.kind in FACTS and (asked.pasted or asked.quoted or figures(asked)):
        return Assessment(family.base, task, tuple(topics), asked)
    column = 0 if task.kind in _QUESTIONS else 1
    counts = Counter([topic.kind for topic in topics])
    push = 0.0
    for kind, count in counts.items():
        if kind in WEIGHTS:
            push += WEIGHTS[kind][column] * min(count, WEIGHTS[kind][2])
    if column == 0 and asked.asked <= TERSE and counts["abstract"] > 1:
        push += 0.22
    if column:
        # How many more than two things the instruction enumerates, at most five.
        commas = sum([asked.text.count(",", *span) for span in asked.spans])
        push += 0.02 * min(max(commas - 1, 0), 5)
    others = {kind for kind in task.kinds if TASKS[kind].base > REAL_TASK} - {task.kind}
    size = 0.12 * min(asked.words / 160, 1) if task.kind in _LONGER_IS_HARDER else 0.0
    moved = family.base + family.stretch * push
    score = min(max(moved + 0.03 * min(len(others), 3) + size, 0.0), 0.999)
    return Assessment(score, task, tuple(topics), asked)


def _sized(prompt: str, asked: Instruction) -> str:
    """How much is asked, and whether there is code in it."""
    size = counted(asked.asked, "word")
    if asked.pasted:
        size = f"asked in {asked.asked} of {counted(asked.words, 'word')}"
    elif len(asked.spans) == 1 and asked.asked <= SHORT_QUESTION:
        is_question = prompt.rstrip().endswith(("?", "？"))
        size = "one short question" if is_question else size
    return f"{size}, with code" if asked.code else size


def read(asked: Instruction) -> tuple[list[Found], list[Found]]:
    """The tasks and the topics of the instruction, in order."""
    tasks: list[Found] = []
    topics: list[Found] = []
    found = _cues(asked)
    for start, end in asked.spans:
        within = [cue for cue in found if start <= cue.start < end]
        for_span, about = _sentence(asked, (start, end), within)
        tasks += for_span
        topics += about
        # What follows is only what the task is to be done to: "Shorten this: ..."
        handles = for_span and for_span[0].kind in _HANDLING
        if handles and asked.text[:end].rstrip().endswith(":"):
            break
    return tasks, topics


def _sentence(
    asked: Instruction, span: Span, found: list[Found]
) -> tuple[list[Found], list[Found]]:
    """The tasks and the topics of one sentence.

    A word that is only mentioned is not a topic, and in "who wrote ..." nothing is to be written.
    """
    tasks = [
        Found(*opened)
        for head in asked.heads
        if span[0] <= head < span[1] and (opened := opening(asked.text, head, span[1]))
    ]
    tasks += [f for f in found if f.kind in TASKS]
    tasks.sort(key=itemgetter(1))
    lexical = [task for task in tasks if task.kind == "lexical"]
    if lexical and tasks[0].kind in _MASKING:
        return lexical[:1], []
    if tasks and tasks[0].kind == "lookup":
        tasks = [t for t in tasks if t is tasks[0] or _leads(asked.text, t.start)]
    return tasks, [f for f in found if f.kind not in TASKS]


def _cues(asked: Instruction) -> list[Found]:
    asking = " ".join([asked.text[start:end] for start, end in asked.spans])
    plain = asking.isascii()
    words = set(asking.translate(_BLANKS).split() if plain else WORD.findall(asking))
    hits = [(word, CUES[word]) for word in CUES.keys() & words]
    hits += [(word, STEMS[word[:4]]) for word in words if word[:4] in STEMS and word not in WHOLE]
    if asked.words <= MENDABLE:
        for word in words:
            if len(word) > 4 and word not in CUES and (meant := corrected(word)):
                cues = [cue for cue in CUES[meant] if cue.phrase == meant]
                hits.append((word, tuple([replace(cue, phrase=word) for cue in cues])))
    found: list[Found] = []
    for word, cues_of_word in hits:
        _place(asked, word, cues_of_word, found)
    if not plain and HAN.search(asking):
        found += _chinese(asked.text)
    # By start, the longer first: a set of words has no order of its own.
    found.sort(key=itemgetter(2), reverse=True)
    found.sort(key=itemgetter(1))
    return found


def _place(asked: Instruction, word: str, cues: tuple[Cue, ...], found: list[Found]) -> None:
    """Add what the word stands for at each of its places; the longest phrase wins."""
    text = asked.text
    at = text.find(word)
    while at >= 0:
        longest = 0
        for cue in cues:
            start = at - cue.lead
            if len(cue.phrase) < longest or not text.startswith(cue.phrase, start):
                continue
            if _fits(asked, start, cue):
                longest = len(cue.phrase)
                found.append(Found(cue.kind, start, start + longest))
        at = text.find(word, at + (longest or len(word)))


def _fits(asked: Instruction, start: int, cue: Cue) -> bool:
    text = asked.text
    end = start + len(cue.phrase)
    if start < 0:
        return False
    if start and text[start - 1] != " " and WORD.match(text, start - 1):
        return False
    if text[end : end + 1] == "." and WORD.match(text, end + 1):  # the name of a file
        return False
    if not cue.open_end and text[end : end + 1] != " " and WORD.match(text, end):
        return False
    return not cue.leading or start in asked.heads or _leads(text, start)


def _leads(text: str, start: int) -> bool:
    """Whether an instruction can begin after the words before `start`, an adverb left out."""
    rest, _, last = text[max(start - 24, 0) : start].rstrip().rpartition(" ")
    if last.endswith("ly"):
        rest, _, last = rest.rstrip().rpartition(" ")
    return not last or last in _LEADS or last.endswith(_ENDS)


def _chinese(text: str) -> list[Found]:
    """Without the tasks that only say who or what a Chinese question is about ("who ...ed")."""
    found = [Found(kind, *m.span()) for m in CHINESE.finditer(text) for kind in CHINESE_KINDS[m[0]]]
    asks = [cue.start for cue in found if cue.kind in _ASKED_LAST]
    kept = []
    for cue in found:
        after = next((start for start in asks if start > cue.start), 0)
        about = text[cue.end : after]
        if cue.kind not in TASKS or "的" not in about or "，" in about:
            kept.append(cue)
    return kept


#: What `WORD` leaves out of plain text; splitting is the faster way to the same words.
_BLANKS = {code: " " for code in range(128) if not WORD.match(chr(code))}
_ENDS = tuple(KNOWN["lead_ends"].split())
_LEADS = frozenset(KNOWN["leads"].split())
#: What is asked to be spelt, translated or looked up is mentioned, not used.
_MASKING = {"lexical", "lookup", "yes_no", "what_is", "what", "how", "trivial", "write", "suggest"}
_ASKED_LAST = {"lookup", "lexical"}
_HANDLING = {"lexical", "trivial", "translate", "transform"}


def deciding(prompt: str, asked: Instruction, tasks: list[Found], topics: list[Found]) -> Deciding:
    """The hardest of the tasks, or what the prompt as a whole turns out to be.

    A general verb is settled by its object ("write" a note, an essay, a parser), the hardest
    of several tasks decides, and some things only the prompt as a whole can tell.
    """
    about = {found.kind for found in topics}
    known = about.union([task.kind for task in tasks])
    kinds = [_settled(task, known, topics, asked) for task in tasks] or ["unknown"]
    bases = [TASKS[kind].base for kind in kinds]
    hardest = bases.index(max(bases))
    kind = _whole(kinds[hardest], about, asked, prompt)
    return Deciding(kind, tasks[hardest] if tasks else None, tuple(kinds))


def _settled(task: Found, about: set[str], topics: list[Found], asked: Instruction) -> str:
    """The task that a general verb turns out to be, by what it is to bring about."""
    kind, brief = task.kind, asked.asked < BRIEF
    if kind == "should":
        return "yes_no" if brief else "analyse"
    # A long text is to be brought into another form.
    if kind in {"trivial", "transform"} and asked.pasted and not brief and "?" not in asked.text:
        return "transform"
    if kind == "translate":
        return "lexical" if asked.quoted or (brief and not asked.pasted) else kind
    if kind in _QUERIED and "critical" in about and asked.asked > ROUNDABOUT:
        return "analyse"
    if kind in {"write", "suggest", "design"}:
        return _made(task, topics, about, asked.text)
    return next((to for what, to in KNOWN["refined"].get(kind, {}).items() if what in about), kind)


def _made(task: Found, topics: list[Found], about: set[str], text: str) -> str:
    """The task by what is to be made: what stands before the first preposition after the verb."""
    stop = PATTERNS["preposition"].search(text, task.end)
    limit = stop.start() if stop else len(text)
    made = {topic.kind for topic in topics if topic.start < limit}
    if "theory" in made:
        return "research"
    if "proof_thing" in made:
        return "prove"
    if task.kind != "write":
        return task.kind
    made |= about & {"transform"}
    return next((kind for what, kind in KNOWN["made"].items() if what in made), "write")


def _whole(kind: str, about: set[str], asked: Instruction, prompt: str) -> str:
    """What only the whole can tell: the size of a text, a word problem, a multiple choice."""
    # Evidence is in conflict, or long work is to be done without asking back.
    alone = "autonomy" in about and kind not in _TOLD
    if kind not in _PLAIN and (alone or about >= {"conflict", "evidence"}):
        return "research"
    if kind in _WRITTEN and _is_long(asked):
        return "long_form"
    if kind in _EXAMINED and _CHOICES.search(prompt[-2000:]):
        return "choice"
    problem = asked.story or (figures(asked) > 2 and asked.asked > BRIEF)
    if (kind in _OPEN and problem) or (kind == "suggest" and asked.story):
        return "reason"
    if kind == "unknown":
        return _unnamed(about, asked, prompt)
    return _about_code(kind, about, asked)


def _is_long(asked: Instruction) -> bool:
    """Whether a text of several pages is asked for."""
    for span in asked.spans:
        for size in PATTERNS["length"].finditer(asked.text, *span):
            if size[2] or int(re.sub(r"\D", "", size[1])) >= LONG:
                return True
    return False


def _about_code(kind: str, about: set[str], asked: Instruction) -> str:
    """Why code fails takes working out; how one thing is written in it is a fact."""
    if kind in {"what", "what_is"} and asked.code:
        return "explain"
    if "code_thing" not in about:
        return kind
    if kind == "why":
        return "code"
    return "lookup" if kind == "how" and asked.asked < BRIEF else kind


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
    return sum([len(_FIGURE.findall(asked.text, *span)) for span in asked.spans])


#: Words that a question which is one fact does not reach, with the object of its verb.
BRIEF = 9
#: Nor one about a danger or a flaw that a few sentences answer.
ROUNDABOUT = 14
#: A text of so many words takes a plan.
LONG = 700
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
