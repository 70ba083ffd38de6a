"""The answers of one cell, run by run: prototyping is running it again with another prompt."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import takewhile

from nbroute.compare.differences import difference
from nbroute.notebook import look
from nbroute.notebook.answer import answer_html
from nbroute.notebook.lines import Scale, exact_price, model_name, tokens, took
from nbroute.notebook.render import card
from nbroute.notebook.tables import Table
from nbroute.pricing import places_of
from nbroute.report.table import shortened
from nbroute.types import RouteResult

#: With this share of equal letters or more, a prompt counts as a version of an earlier one, if the
#: front end does not name its cells.
ALIKE = 0.6
#: A change up to here is visible in a table that shows how a prompt begins.
_IN_SIGHT = 40


@dataclass(frozen=True)
class Version:
    """One answer of a cell: the number of its card, and the result."""

    number: int
    result: RouteResult


class Versions:
    """The versions of each cell, by the name that the front end gives the cell."""

    def __init__(self) -> None:
        self._cells: dict[str, list[Version]] = {}

    def next_of(self, cell: str, prompt: str) -> tuple[str, int]:
        """The cell that this is a run of, and which version it will be."""
        cell = cell or self._like(prompt)
        return cell, len(self._cells.get(cell, ())) + 1

    def keep(self, cell: str, version: Version) -> None:
        """Keep an answer; a later one of the same card replaces it."""
        kept = self._cells.setdefault(cell, [])
        if kept and kept[-1].number == version.number:
            kept.pop()
        kept.append(version)

    def of(self, number: int | None = None) -> list[Version]:
        """The versions of the cell that the card belongs to, or of the newest one."""
        cells = list(self._cells.values())
        for versions in reversed(cells if number is not None else []):
            if any(one.number == number for one in versions):
                return versions
        return max(cells, key=lambda one: one[-1].number, default=[]) if number is None else []

    def _like(self, prompt: str) -> str:
        for cell, kept in reversed(self._cells.items()):
            before = kept[-1].result.prompt
            match = difflib.SequenceMatcher(None, before[:2_000], prompt[:2_000], autojunk=False)
            if match.real_quick_ratio() >= ALIKE <= match.ratio():
                return cell
        return f"cell {len(self._cells) + 1}"


def versions_table(versions: list[Version]) -> Table:
    """A line for each version, oldest first."""
    places = places_of(one.result.cost_usd for one in versions)
    prompts = [one.result.prompt for one in versions]
    rows = [
        (
            f"v{place}",
            f"#{one.number}",
            one.result.tier,
            str(exact_price(one.result, places)),
            took(one.result),
            shortened(_changed(before, one.result.prompt), 60),
            shortened(one.result.text, 60),
        )
        for place, (one, before) in enumerate(zip(versions, ["", *prompts], strict=False), 1)
    ]
    below = [] if rows else ["no versions yet: run a routed cell twice"]
    return Table(("", "card", "tier", "cost", "time", "prompt", "answer"), rows, below=below)


def _changed(before: str, prompt: str) -> str:
    """The prompt from a few words before where it first differs from the previous one."""
    pairs = zip(before, prompt, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if before == prompt or same < _IN_SIGHT:
        return prompt
    return f"... {prompt[prompt.rfind(' ', 0, same - 15) + 1 :]}"


def side_by_side(before: Version, after: Version, place: int, scale: Scale) -> str:
    """Two versions side by side as HTML; what is new in the prompt is marked."""
    older, newer, panes = before.result, after.result, ""
    places = places_of([older.cost_usd, newer.cost_usd])
    for name, result, other in ((place - 1, older, newer), (place, newer, older)):
        asked = "".join(
            f'<mark class="nbr-diff">{look.text(piece)}</mark>' if new else look.text(piece)
            for piece, new in difference(result.prompt, other.prompt)
        )
        cost, answer = str(exact_price(result, places)), result.answer
        facts = map(look.quiet, (model_name(answer), cost, took(result), tokens(answer)))
        head = [look.badge(f"v{name}"), look.pill(result.tier, scale.tiers), *facts]
        panes += card(
            result.tier,
            scale.tiers,
            look.head(head),
            f'<p class="nbr-note nbr-asked">{asked}</p>',
            f'<div class="nbr-body">{answer_html(result.text)}</div>',
        )
    return f'<div class="nbr-columns">{panes}</div>'
