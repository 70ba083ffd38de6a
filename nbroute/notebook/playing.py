"""What the playground says of a prompt that nobody sent: as HTML, and once as a plain table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.budgets import clean
from nbroute.classify.wording import confident
from nbroute.errors import SettingsError, named
from nbroute.notebook.marked import marked, signal_lines, signal_table
from nbroute.notebook.panels import bar, table, text
from nbroute.notebook.tables import Said, Table, dry_run
from nbroute.types import Decision, Explanation

if TYPE_CHECKING:
    from nbroute.router import Router

#: These ask a model, or may.
ASKING = ("model", "hybrid")
STANDS_IN = (
    "With %%route the classifier may ask a model or an endpoint. Nothing is sent while you type, "
    "so this is the word of the rules, and the button goes by it."
)
_SHOWN = 2_000


class Told(NamedTuple):
    """The panels: the tier and why; the signals and the costs; what a screen reader says."""

    verdict: str
    details: str
    spoken: str


INVITATION = Told(
    '<div class="nbr"><span class="nbr-big">No prompt yet</span><p>Type one above: its tier, '
    "the signals in it and its cost on every tier will stand here. Nothing is sent until you "
    "press a button.</p></div>",
    "",
    "",
)


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


def failed(error: Exception) -> Told:
    """An error's words, where the tier would be."""
    said = named(error)
    head = '<span class="nbr-big">This cannot be routed</span>'
    return Told(f'<div class="nbr">{head}<p>{text(said)}</p></div>', "", said)


def told(explained: Explanation, prompt: str, tiers: tuple[str, ...], note: str = "") -> Told:
    """The panels for a prompt."""
    made, sent = explained.decision, clean(prompt)[0]
    tier = explained.plan.steps[0].tier.name
    below = f"<p>{text(note)}</p>" if note else ""
    verdict = (
        f'<div class="nbr"><span class="nbr-big">{text(tier)}</span>'
        f"<p>why: {text(made.reason)}</p><p>{_sure(made)}</p>{below}</div>"
    )
    details = (
        f'<div class="nbr"><h4>Your prompt, signals marked</h4>{marked(sent, made.signals, tiers)}'
        f"{signal_table(sent, made.signals, tiers)}{_costs(explained, tier)}</div>"
    )
    return Told(verdict, details, f"would go to {tier}")


def _sure(made: Decision) -> str:
    if made.confidence is None:
        return f"{text(made.classifier)} does not say how confident it is"
    return f'{confident(made.confidence)} <span class="nbr-sure">{bar(made.confidence)}</span>'


def _costs(explained: Explanation, picked: str) -> str:
    rows, place = [], None
    for number, (tier, *cells) in enumerate(dry_run(explained).rows):
        name = tier.removeprefix("> ")
        place = number if name == picked else place
        mark = "<br>◂ routing picks this" if name == picked else ""
        model, given, most, cost = map(text, cells)
        rows.append([f"{text(name)}{mark}", cost, model, given, most])
    head = ["tier", "cost", "model", "tokens in (about)", "most tokens out"]
    caption = "On every tier: from an answer of one token to the whole token budget"
    return table(caption, head, rows, numbers=head[3:], wide=head[3:], picked=place)


def printed(router: Router, prompt: str, **options: Any) -> Table | Said:
    """The same once, in words, for a terminal and a static notebook."""
    if not prompt.strip():
        return Said("playground: give a text, %route playground What is a monad?")
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
