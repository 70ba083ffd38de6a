"""What a threshold is calibrated on: labels, an audit's pairs, or answers that were judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nbroute.classify.registry import CautiousClassifier
from nbroute.engine.engine import Engine, would_ask
from nbroute.engine.feedback import labels_frame
from nbroute.errors import SettingsError
from nbroute.evaluate.check_training import judged_rows, votes
from nbroute.evaluate.judging import WORTH
from nbroute.evaluate.quality_data import MOST, WOULD, decisions, estimated
from nbroute.evaluate.training_data import (
    check_columns,
    frame_of,
    has_groups,
    judged_by,
    levels_of,
    near_duplicates,
    numbers_in,
    texts_in,
)
from nbroute.report.table import counted
from nbroute.types import Classifier

_FORMS = (
    "columns prompt and tier (the tier needed), or what an audit's frame() has; group is optional"
)


class Kind(NamedTuple):
    """A threshold: its `safe` and its `cheap` end, and what it does to a prompt or an answer.

    It acts on scores below it if `safe` is above `cheap`, else from the threshold up.
    """

    safe: float
    cheap: float
    done: str
    ends: tuple[str, str]


_FAILS = ("fails", ("none fails", "all that can fail"))
#: What can be calibrated, with thresholds as users write them.
KINDS = {
    "classifier": Kind(1.0, 0.0, "one tier up", ("none moved up", "all that can move")),
    "learned": Kind(0.0, 1.0, *_FAILS),
    "rating": Kind(10.0, 1.0, *_FAILS),
    "logprob": Kind(1.0, 0.001, *_FAILS),
}


@dataclass(frozen=True, eq=False)
class Cases:
    """What a threshold decides on, a row each; rows are independent of each other.

    The threshold acts on a row by its score (never if it is NaN); `left` and `done` say whether the
    row is a loss if left alone and if acted on. `said` is the confidence that it is right, `right`
    whether it was. `usd` is what each costs if left, if acted on, and at most. `given` is how many
    rows there were before near-duplicates were counted once.
    """

    kind: Kind
    scores: np.ndarray
    left: np.ndarray
    done: np.ndarray
    said: np.ndarray
    right: np.ndarray
    loss: str
    usd: np.ndarray | None = None
    noun: str = "labelled answer"
    given: int = 0
    most: str = ""
    present: float | None = None
    notes: tuple[str, ...] = ()


def _once(frame: pd.DataFrame, seed: int, noun: str) -> tuple[pd.DataFrame, list[str]]:
    """One random row of each group or of each set of near-duplicates, and notes; at most `MOST`."""
    texts_in(frame, "prompt")
    own = "group" if has_groups(frame) else "prompt"
    kept = frame.sample(frac=1, random_state=seed).drop_duplicates(own)
    drawn = f"Of {counted(len(kept), noun)} {MOST:,} were drawn at random."
    notes, kept = [drawn] if len(kept) > MOST else [], kept.head(MOST)
    if own == "prompt":
        _, first = np.unique(near_duplicates(kept["prompt"].tolist()), return_index=True)
        kept = kept.iloc[first]
    if len(kept) < min(len(frame), MOST):
        why = "rows of one group" if own == "group" else "near-duplicates"
        notes.append(f"{counted(len(frame), noun)} are {len(kept):,}, as {why} count once.")
    return kept, notes


def of_prompts(engine: Engine, source: Any, seed: int) -> Cases:
    """The cases for the classifier's threshold, from labels or from an audit's pairs."""
    notes, audited = list[str](), getattr(engine, "audited", None)
    if source is None and (audited is None or not len(_pairs(audited.frame()))):
        source = labels_frame(engine, everything=True)
        if source.empty:
            raise SettingsError(
                "no prompt has been labelled yet: use the thumbs under a card, `%route label`, "
                f"`%route audit`, or give a frame with {_FORMS}."
            )
        notes.append("Labels given by hand are not a random sample: this is for prompts like them.")
    source = audited if source is None else source
    notes += judged_by(source)
    frame = frame_of(source, _FORMS)
    judged = "verdict" in frame.columns
    needed = ("prompt", "confidence" if judged else "tier")
    check_columns(frame, (*needed, *map(str, frame.columns)), _FORMS)
    noun = "judged pair" if judged else "label"
    usable = _pairs(frame) if judged else frame
    if usable.empty:
        raise SettingsError(f"there is no {noun} in it; give {_FORMS}.")
    if left := len(frame) - len(usable):
        notes.append(f"Left out: {counted(left, 'pair')}, not judged or not with the next tier up.")
    if not judged:
        usable = usable.assign(level=levels_of(usable, engine.ladder))
    kept, told = _once(usable, seed, noun)
    classifier, present = engine.parts.classifier_for(None, would_ask(engine.parts)), 0.0
    if isinstance(classifier, CautiousClassifier):
        present, classifier = classifier.threshold, classifier.classifier
    cases = _of_audit(kept, present) if judged else _of_labels(engine, classifier, kept)
    notes += told
    return replace(
        cases, noun=noun, given=len(usable), present=present, notes=(*notes, *cases.notes)
    )


def _pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of an audit that were judged against one tier up."""
    if "verdict" not in frame.columns:
        return frame.head(0)
    known = frame["verdict"].isin(WORTH)
    odd = frame["verdict"][frame["verdict"].notna() & ~known]
    if len(odd):
        words = "'cheaper', 'expensive', 'tie' or None"
        raise SettingsError(f"a verdict is {odd.iloc[0]!r:.40}; it is {words}.")
    up = frame["direction"] == "up" if "direction" in frame.columns else True
    return frame[known & up]


def _of_audit(kept: pd.DataFrame, present: float) -> Cases:
    """A loss is a prompt that stays put although the expensive answer is preferred."""
    scores = _scores(kept, "confidence", 0.0, 1.0)
    lost = (kept["verdict"] == "expensive").to_numpy(dtype=bool)
    usd = np.column_stack([numbers_in(kept, name) for name in ("cheaper_usd", "expensive_usd")])
    if (usd < 0).any():
        raise SettingsError(f"a cost is {usd[usd < 0][0]:g} US dollars; leave it empty if unknown.")
    risen, kind = scores < present, KINDS["classifier"]
    nothing = "No expensive answer was preferred: all ties, or the cheaper one."
    notes = [] if lost.any() else [nothing]
    if unknown := int(np.isnan(scores).sum()):
        notes.append(f"{counted(unknown, 'prompt')} without a confidence cannot be moved.")
    if present:
        kind = kind._replace(cheap=present)
        notes.append(
            f"step_up_below is {present:g} already; what a lower one does is not in these pairs."
        )
    notes.append(
        "Prompts that go to the top tier are not among the pairs. A more expensive answer that is "
        "worse is not a loss here. Costs are those of the pairs."
    )
    loss = "a prompt that stays although the judge prefers the more expensive answer"
    costs = np.column_stack([usd[:, 0], np.where(risen, *usd.T), usd[:, 1]])
    found = (kind, scores, lost, lost & risen, scores, ~lost, loss, costs)
    return Cases(*found, notes=tuple(notes))


def _of_labels(engine: Engine, classifier: Classifier, kept: pd.DataFrame) -> Cases:
    """A loss is a prompt that is answered below the tier that it needs."""
    tiers, needed, prompts = engine.ladder.names, kept["level"].to_numpy(), kept["prompt"].tolist()
    what, top = f"the classifier {classifier.name!r}", len(tiers) - 1
    decided = decisions(engine, classifier, prompts)
    if not decided:
        raise SettingsError(
            f"{what} would have to send the prompts; calibrate on an audit's pairs "
            "(router.audit), which have its confidence."
        )
    made = [decided[prompt] for prompt in prompts]
    levels = np.array([tiers.index(engine.ladder.find(one.tier).name) for one in made])
    if (levels == top).all():
        raise SettingsError(f"{what} puts every prompt on {tiers[top]}: none can move up.")
    said = np.array([math.nan if m.confidence is None else m.confidence for m in made])
    moving = kept.assign(confidence=np.where(levels == top, math.nan, said))
    rows, above = np.arange(len(levels)), np.minimum(levels + 1, top)
    usd, source, told = estimated(engine, prompts, tiers)
    notes = ["A prompt that is answered above the tier that it needs is not a loss here.", *told]
    notes += ["None of it is billed."] * (source == WOULD)
    if len(np.unique(needed)) == 1:
        notes.append(f"Every label says {tiers[needed[0]]}: nothing is known of the others.")
    if classifier.name == "learned":
        notes.append(
            "If the classifier has learnt from these labels, the promise is worth nothing."
        )
    scores = _scores(moving, "confidence", 0.0, 1.0, what)
    losses = (levels < needed, above < needed, said, levels == needed)
    loss = "a prompt that is answered below the tier that it needs"
    costs = np.column_stack([usd[rows, levels], usd[rows, above], usd[:, top]])
    found = (KINDS["classifier"], scores, *losses, loss, costs)
    return Cases(*found, most=f"all on {tiers[top]}", notes=tuple(notes))


def of_answers(engine: Engine, source: Any, of: str, seed: int) -> Cases:
    """The cases for a check's threshold: a loss is a bad answer that passes."""
    missing = 0
    if source is None:
        source, missing = votes(engine)
    frame, _ = judged_rows(source)
    check_columns(frame, map(str, frame.columns), _FORMS)
    kept, notes = _once(frame, seed, "labelled answer")
    bad = kept["bad"].to_numpy(dtype=bool)
    if of == "learned":
        check = engine.parts.learned_check()
        logprobs = [None if math.isnan(one) else one for one in numbers_in(kept, "logprob")]
        rows = zip(kept["prompt"], kept["text"], logprobs, strict=True)
        scores = np.array([check.chance(*row) for row in rows])
        said = 1 - scores
        notes.append("If the check was fitted on these answers, the promise is worth nothing.")
    elif of == "logprob":
        scores = said = np.exp(np.minimum(_scores(kept, of, -math.inf, math.inf), 0))
    else:
        said = _scores(kept, of, 1.0, 10.0) / 10
        scores = np.nan_to_num(10 * said)  # an answer with no rating fails the check
    if missing:
        notes.append(f"Left out: {counted(missing, 'labelled answer')} whose texts were not kept.")
    notes.append("Whether the next tier's answer is better, where one fails, is not looked at.")
    loss, never = "a bad answer that passes the check", np.zeros(len(bad), dtype=bool)
    found = (KINDS[of], scores, bad, never, said, ~bad, loss)
    return Cases(*found, given=len(frame), notes=tuple(notes))


def _scores(
    frame: pd.DataFrame, name: str, least: float, most: float, what: str = ""
) -> np.ndarray:
    """The column as numbers, NaN for none; SettingsError if no threshold can be set on it."""
    scores = numbers_in(frame, name)
    known = scores[~np.isnan(scores)]
    if not len(known):
        none = f"{what} gives no {name}" if what else f"there is no number in the column {name}"
        raise SettingsError(f"{none}, so there is nothing to set a threshold on.")
    odd = known[(known < least) | (known > most)]
    if len(odd):
        raise SettingsError(f"a {name} is {odd[0]:g}; it is a number from {least:g} to {most:g}.")
    return scores
