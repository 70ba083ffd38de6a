"""What the playground says of a prompt that nobody sent: as HTML, and once as a plain table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbroute.budgets import clean
from nbroute.classify.wording import confident
from nbroute.errors import SettingsError
from nbroute.notebook import look
from nbroute.notebook.marked import marked, signal_lines, signal_table
from nbroute.notebook.tables import Said, Table, cost_range, dry_run
from nbroute.report import counted
from nbroute.types import Explanation

if TYPE_CHECKING:
    from nbroute.router import Router

#: These ask a model, or may.
ASKING = ("model", "hybrid")
STANDS_IN = (
    "With %%route the classifier may ask a model or an endpoint. Nothing is sent while you type, "
    "so this is what the rules say, and Send goes by it."
)
INVITATION = (
    "<p><b>No prompt yet.</b> Type one above: its tier, the words that decide it and its cost on "
    "every tier will stand here.</p>"
)
_COSTS = ("tier", "cost", "model", "tokens in, about", "most tokens out")
_SHOWN = 2_000


def would_send(router: Router, chosen: Any, prompt: str) -> bool:
    """Whether classifying the prompt might send something; a function of one's own is not known."""
    if not isinstance(chosen, str) or chosen.startswith("rules"):
        return False
    if chosen in ASKING:
        return True
    try:
        embedder = router.parts.embedder()
    except SettingsError:  # explaining says so
        return False
    free = chosen == "learned" and embedder.kind == "remote"  # it does without that one
    return not free and bool(embedder.missing([prompt]))


def told(explained: Explanation, prompt: str, tiers: tuple[str, ...], note: str = "") -> str:
    """The tier and why, the prompt with its signals marked, the cost on every tier; HTML."""
    made, sent = explained.decision, clean(prompt)[0]
    sure = confident(made.confidence) or f"{made.classifier} does not say how confident it is"
    facts = [look.pill(_picked(explained), tiers), look.text(sure), look.quiet(made.reason)]
    parts = [look.head(facts), f"<p>{look.text(note)}</p>" if note else ""]
    if made.signals:
        parts.append(marked(sent, made.signals, tiers))
        title = counted(len(made.signals), "signal")
        parts.append(_folded(title, signal_table(sent, made.signals, tiers)))
    parts.append(_folded("Cost on every tier", _costs(explained, tiers)))
    return "".join(parts)


def _picked(explained: Explanation) -> str:
    return explained.plan.steps[0].tier.name


def _folded(title: str, inside: str) -> str:
    return look.folded(look.text(title), inside, key=title.lstrip("0123456789 "))


def _costs(explained: Explanation, tiers: tuple[str, ...]) -> str:
    rows = []
    for one in explained.estimates:
        mark = " <b>◂ routing picks this</b>" if one.tier == _picked(explained) else ""
        facts = (cost_range(one.low, one.high), one.model, one.input_tokens, one.max_tokens)
        rows.append([look.pill(one.tier, tiers) + mark, *map(look.text, facts)])
    shown = look.table("cost on every tier", _COSTS, rows, numbers=_COSTS[3:])
    return f"{shown}<p>From an answer of one token to the whole token budget.</p>"


def printed(router: Router, prompt: str, **options: Any) -> Table | Said:
    """The same once, in words, for a terminal and a static notebook."""
    if not prompt.strip():
        return Said("playground: give a text, such as %route playground What is a monad?")
    explained = router.explain(prompt, **options)
    shown = dry_run(explained)
    signals = signal_lines(clean(prompt)[0], explained.decision.signals, router.ladder.names)
    return replace(shown, below=[*(signals or ["no signal in the text"]), *shown.below])


def shortened(prompt: str) -> str:
    """The prompt in a line, a long one by its ends."""
    words = " ".join(prompt.split())
    left_out = len(words) - _SHOWN
    if left_out <= 0:
        return words
    return f"{words[: _SHOWN - 100]} [… {left_out:,} characters …] {words[-100:]}"
