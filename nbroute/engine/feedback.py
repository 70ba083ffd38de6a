"""What people say about answers: kept as labels, shown as a table, used by `router.fit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from nbroute.engine.attempts import new_id
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import OLD_FEEDBACK, Feedback, Label, Ladder, RouteResult

if TYPE_CHECKING:
    import pandas as pd

FEEDBACK: tuple[Feedback, ...] = tuple(w for w in get_args(Feedback) if w != "taken back")
#: The same by how they may be written, also by their earlier names.
WORDS: dict[str, Feedback] = dict(zip(FEEDBACK, FEEDBACK, strict=True)) | OLD_FEEDBACK
#: The columns of `labels_frame`, and the fields of a label that are in them.
_COLUMNS = {"prompt": "prompt", "tier": "needed", "picked": "picked", "feedback": "feedback"}
_COLUMNS |= {"time": "ts", "session": "session", "ladder": "ladder", "result": "result"}
_COLUMNS |= {"comparison": "comparison", "feature": "feature"}


def keep_label(
    router: Engine,
    result: RouteResult,
    feedback: str,
    needed: str | None = None,
    *,
    picked: str | None = None,
) -> Label:
    """Keep a person's feedback on an answer in the router's ledger: see `Router.label`.

    SettingsError also for a tier that contradicts the word, and a result without an answer.
    A label that cannot be written counts until the kernel ends.
    """
    word, ladder = read_feedback(feedback), router.ladder
    if not isinstance(result, RouteResult):
        raise SettingsError(
            f"{result!r:.80} cannot be labelled; give a result that router.route() returned"
        )
    answer = result.answer
    if not result.text.strip() and (answer.purpose != "answer" or answer.status != "ok"):
        raise SettingsError(
            "this prompt got no answer, so there is nothing to label; route it again"
        )
    if result.tier not in ladder.names:
        raise SettingsError(
            f"the answer comes from tier {result.tier!r}, which ladder {ladder.name!r} does not "
            "have; go back to the profile that it was routed with (`%route use PROFILE`), or "
            "route it again"
        )
    first = result.chain[-1].tier if picked is None else ladder.find(picked).name
    label = Label(
        id=new_id(),
        ts=router.parts.clock(),
        session=router.session,
        feedback=word,
        picked=first,
        needed=_needed(needed, word, result.tier, ladder),
        ladder=ladder.name,
        prompt=result.prompt,
        msg_hash=answer.msg_hash,
        result=result.id,
        comparison=result.options.comparison,
        feature=answer.feature,
    )
    router.ledger.label(label)
    return label


def take_back(router: Engine, result: RouteResult) -> None:
    """Take back what was said about that answer, if anything was."""
    said = [label for label in labels_of(router) if label.result == result.id]
    if said:
        gone = replace(said[-1], id=new_id(), ts=router.parts.clock(), feedback="taken back")
        router.ledger.label(gone)


def labels_of(router: Engine, *, everything: bool = False) -> list[Label]:
    """The labels, oldest first, without those that were taken back."""
    standing: list[Label] = []
    for label in router.ledger.labels(session=None if everything else router.session):
        if label.feedback == "taken back":
            standing = [one for one in standing if one.result != label.result]
        else:
            standing.append(label)
    return standing


def read_feedback(text: str) -> Feedback:
    """The word, whatever its case and hyphens; SettingsError with close matches if unknown."""
    plain = spelt(text)
    if plain in WORDS:
        return WORDS[plain]
    raise SettingsError(f"no feedback is called {text!r:.80}: {did_you_mean(plain, FEEDBACK)}")


def spelt(text: str) -> str:
    """The text as feedback is spelt: lower case, single spaces."""
    return " ".join(str(text).replace("-", " ").replace("_", " ").casefold().split())


def _needed(asked: str | None, feedback: Feedback, answered: str, ladder: Ladder) -> str | None:
    """The tier that a person names, if it fits the word; else the tier that the word implies.

    That is one tier up or down: the prompt may need more, which only the next answer shows.
    None for "bad": no other tier need have done better.
    """
    place, top = ladder.index(answered), len(ladder.tiers) - 1
    if not asked:
        if feedback == "bad" or (feedback == "too weak" and place == top):
            return None  # no tier of this ladder
        moves = {"too weak": place + 1, "overkill": max(place - 1, 0)}
        return ladder.names[moves.get(feedback, place)]
    tier = ladder.find(asked).name
    above = ladder.index(tier) - place
    fits = {"good": above == 0, "too weak": above >= 0, "overkill": above <= 0}
    if not fits.get(feedback, True):
        raise SettingsError(
            f"{feedback!r} of {answered}'s answer does not go with {tier!r} as the tier needed; "
            "change the word or leave the tier out"
        )
    return tier


def _last_words(router: Engine, *, everything: bool) -> list[Label]:
    """The newest label of each prompt, in the order in which they were given."""
    newest: dict[str, Label] = {}
    for label in labels_of(router, everything=everything):
        newest.pop(label.prompt, None)
        newest[label.prompt] = label
    return list(newest.values())


def labels_frame(
    router: Engine, *, everything: bool = False, feedback: bool = False
) -> pd.DataFrame:
    """The labels as `router.fit` takes them: see `Router.labels`."""
    import pandas as pd

    if feedback:
        found = labels_of(router, everything=everything)
    else:
        last = _last_words(router, everything=everything)
        found = [one for one in last if one.needed in router.ladder.names]
    rows = [[getattr(one, field) for field in _COLUMNS.values()] for one in found]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    times = pd.to_datetime(frame["time"].astype("float64"), unit="s", utc=True)
    frame["time"] = times.dt.as_unit("ns")
    return frame


@dataclass(frozen=True)
class PickedAgainstNeeded:
    """How often routing picked what was needed, by the last word on each prompt.

    `counts` has the prompts by (picked, needed), both tiers of this ladder; `unnamed` are
    those whose last word names no tier, `elsewhere` those of other ladders' tiers.
    """

    tiers: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]
    unnamed: int = 0
    elsewhere: int = 0

    @property
    def named(self) -> int:
        """The prompts in the table."""
        return sum(self.counts.values())

    @property
    def right(self) -> int:
        """Prompts whose pick was what they needed."""
        return sum(self.counts.get((tier, tier), 0) for tier in self.tiers)

    @property
    def too_weak(self) -> int:
        """Prompts that needed a more expensive tier than was picked."""
        place = self.tiers.index
        return sum(n for (one, other), n in self.counts.items() if place(one) < place(other))

    def needing(self, tier: str) -> int:
        """The prompts that need the tier."""
        return sum(n for (_, needed), n in self.counts.items() if needed == tier)

    @property
    def too_expensive(self) -> int:
        """Prompts for which a cheaper tier would have done."""
        return self.named - self.right - self.too_weak


def picked_against_needed(router: Engine, *, everything: bool = False) -> PickedAgainstNeeded:
    """The labels of this session, or of every one in the ledger, counted."""
    words = _last_words(router, everything=everything)
    tiers = router.ladder.names
    named = [one for one in words if one.needed is not None]
    counts = Counter((one.picked, str(one.needed)) for one in named)
    known = {pair: n for pair, n in counts.items() if set(pair) <= set(tiers)}
    return PickedAgainstNeeded(
        tiers, known, len(words) - len(named), len(named) - sum(known.values())
    )
