"""The look of everything we draw: one stylesheet, and the pieces of HTML that use it.

The pieces read well with every style stripped, as a repository's viewer does; colours are the
front end's own. Whatever is not a tag is escaped here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nbroute.notebook.answer import safe_plain, words_html
from nbroute.report.colours import tier_colour

CSS = (Path(__file__).parent / "look.css").read_text("utf-8")
_RULES = dict(re.findall(r"^\.(nbr[\w-]*)\{([^}]*)\}", CSS, re.MULTILINE))
_CLASSES = re.compile(r'class="(nbr[^"]*)"(?: style="([^"]*)")?')
#: Separates the facts of a line where no stylesheet spaces them.
SEPARATOR = '<i class="nbr-sep"> · </i>'
text = words_html


def page(*pieces: str) -> str:
    """The pieces as one output, each with its own style: many viewers drop a stylesheet."""
    return _CLASSES.sub(_styled, f'<div class="nbr">{"".join(pieces)}</div>')


def _styled(found: re.Match[str]) -> str:
    rules = [*(_RULES.get(name, "") for name in found[1].split()), found[2] or ""]
    style = ";".join(filter(None, rules)).replace("\n", "")
    return f'class="{found[1]}" style="{style}"' if style else found[0]


def attribute(words: object) -> str:
    """The words as the value of an attribute."""
    return html.escape(safe_plain(str(words)))


def _facts(**facts: str) -> str:
    """Attributes by name; empty ones are left out."""
    told = ((name.strip("_").replace("_", "-"), value) for name, value in facts.items() if value)
    return "".join(f' {name}="{attribute(value)}"' for name, value in told)


def tinted(tier: str, tiers: Sequence[str]) -> str:
    """The style that sets a tier's colour for everything inside."""
    return f"--tier:{tier_colour(tier, tiers)}"


def pill(tier: str, tiers: Sequence[str]) -> str:
    """The tier's name on its colour, and its place on the ladder as steps."""
    colour = tier_colour(tier, tiers)
    reached = tiers.index(tier) if tier in tiers else -1
    shown = range(len(tiers) if reached >= 0 and len(tiers) <= 6 else 0)
    heights = (f"height:{3 + 2 * at}px{';opacity:1' * (at <= reached)}" for at in shown)
    steps = "".join(f'<i class="nbr-step" style="{height}"></i>' for height in heights)
    icon = f'<span class="nbr-steps" aria-hidden="true">{steps}</span>' if steps else ""
    style = f"background-color:{colour};color:#fff;border-radius:9px;padding:1px 8px"
    return (
        f'<b class="nbr-pill" style="--tier:{colour};{style}">{icon}{text(tier or "no tier")}</b>'
    )


def head(pieces: Iterable[str], *, tag: str = "p") -> str:
    """A line of facts, each a piece of HTML; empty ones are left out."""
    return f'<{tag} class="nbr-head">{SEPARATOR.join(filter(None, pieces))}</{tag}>'


def quiet(words: object, *, title: str = "") -> str:
    """Words in a fainter colour."""
    return _span("nbr-quiet", words, title)


def badge(words: object, *, title: str = "") -> str:
    """A short mark; `title` is what it means."""
    return _span("nbr-badge nbr-quiet", words, title)


def _span(kind: str, words: object, title: str) -> str:
    return f"<span{_facts(class_=kind, title=title)}>{text(words)}</span>" if words else ""


def folded(summary: str, inside: str, *, opened: bool = False, key: str = "") -> str:
    """A part that opens; both are HTML."""
    facts = _facts(class_="nbr-fold", data_key=key)
    return (
        f"<details{facts}{' open' if opened else ''}><summary>{summary}</summary>"
        f'<div class="nbr-inside">{inside}</div></details>'
    )


def bar(share: float, tint: str = "") -> str:
    """A bar filled to a share of 0 to 1; not read out, as the words next to it say the same."""
    colour = tint.replace("--tier", ";background-color")  # many viewers remove variables
    style = f"width:{min(max(share, 0.0), 1.0):.1%}{colour}"
    inside = f'<i class="nbr-filled" style="{style}"></i>'
    return f'<span class="nbr-bar" aria-hidden="true">{inside}</span>'


def share(words: object, part: float, tier: str, tiers: Sequence[str]) -> str:
    """The words over a bar in the tier's colour."""
    return f"{text(words)}{bar(part, tinted(tier, tiers))}"


class Fact(NamedTuple):
    """A figure, what it is, and how far it fills its bar (None for no bar)."""

    figure: str
    about: str
    part: float | None = None


def tiles(facts: Mapping[str, Sequence[Fact]]) -> str:
    """A tile for each title, with its facts."""
    shown = ""
    for title, told in facts.items():
        inside = "".join(
            f'<b class="nbr-big">{text(fact.figure)}</b>'
            f"{'' if fact.part is None else bar(fact.part)}<p>{text(fact.about)}</p>"
            for fact in told
        )
        least = 760 // len(facts)  # pixels: no tile is alone in a row on a narrow page
        shown += (
            f'<div class="nbr-tile" style="flex:1 1 {least}px"><p>{text(title)}</p>{inside}</div>'
        )
    return f'<div class="nbr-tiles">{shown}</div>'


def button(
    words: str,
    do: str,
    at: str = "",
    *,
    key: str = "",
    title: str = "",
    pressed: bool | None = None,
    kind: str = "",
    disabled: bool = False,
) -> str:
    """A button for `Live`; `pressed` makes it one that stays down."""
    facts = _facts(
        data_do=do,
        data_key=key or f"{do} {at}",
        data_at=at,
        class_=kind,
        title=title,
        aria_pressed="" if pressed is None else str(pressed).lower(),
        aria_disabled="true" if disabled else "",
    )
    return f"<button type=button{facts}>{text(words)}</button>"


def choice(words: str, do: str, options: Mapping[str, str], chosen: str) -> str:
    """A drop-down menu with its label; `options` map what is sent to what is shown."""
    inside = "".join(
        f'<option value="{attribute(name)}"{" selected" if name == chosen else ""}>{text(shown)}'
        "</option>"
        for name, shown in options.items()
    )
    return f'<label>{text(words)} <select data-do="{do}" data-key="{do}">{inside}</select></label>'


def menu(words: str, *buttons: str, title: str = "") -> str:
    """Buttons that a word opens."""
    facts = _facts(class_="nbr-menu", data_key=f"menu {words}")
    word = f"<summary{_facts(title=title, aria_label=title)}>{text(words)}</summary>"
    return f"<details data-menu{facts}>{word}<div>{''.join(buttons)}</div></details>"


def heard(words: str, *, seen: bool = True) -> str:
    """Words that a screen reader says when they change."""
    return f"<span{_facts(role='status', class_='' if seen else 'nbr-heard')}>{text(words)}</span>"


def room(name: str, *pieces: str) -> str:
    """A widget on its own, with its name."""
    inside = "".join(pieces)
    return f'<div class="nbr nbr-room" role="region" aria-label="{attribute(name)}">{inside}</div>'


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    hidden: Mapping[str, str] = {},
) -> str:
    """A table of pieces of HTML; the first cell of a row is its heading.

    The columns in `numbers` are aligned right. Those in `hidden` are left out if there is no room:
    "least" on a narrow page, "less" only on a very narrow one.
    """
    hide = {name: f" nbr-{how}" for name, how in hidden.items()}
    kinds = [
        f' class="nbr-{"number" if name in numbers else "cell"}{hide.get(name, "")}"'
        for name in columns
    ]
    top = "".join(
        f'<th scope="col"{kind}>{text(name)}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    body = ""
    for first, *rest in rows:
        cells = zip(rest, kinds[1:], strict=True)
        inside = "".join(f"<td{kind}>{cell}</td>" for cell, kind in cells)
        body += f'<tr><th scope="row"{kinds[0]}>{first}</th>{inside}</tr>'
    # a part that scrolls must be reachable by keyboard
    return (
        f'<div class="nbr-scroll" tabindex="0" role="region" aria-label="{attribute(caption)}">'
        f'<table class="nbr-rows"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )
