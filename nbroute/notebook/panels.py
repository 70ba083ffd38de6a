"""Pieces of HTML that our widgets share: everything that is not a tag is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from nbroute.notebook.answer import safe_plain

_INK = "var(--jp-ui-font-color1, inherit)"
_LINE = "var(--jp-border-color1, #bdbdbd)"
_ACCENT = "var(--jp-brand-color1, #1976d2)"

#: A widget's first child; what the classes below look like, in the front end's own colours.
STYLE = f"""<style>
.nbr {{ color: {_INK}; font-size: var(--jp-ui-font-size1, 13px); line-height: 1.45;
  font-variant-numeric: tabular-nums; container-type: inline-size; }}
.nbr h4 {{ margin: 14px 0 4px; font-size: inherit; font-weight: 600; }}
.nbr p {{ margin: 2px 0; }}
.nbr-tiles + p {{ margin: 10px 0; }}
.nbr-tiles {{ display: grid; gap: 8px; margin: 2px 0;
  grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); }}
.nbr-tile {{ border: 1px solid {_LINE}; border-radius: 4px; padding: 8px 12px; }}
.nbr-tile h4 {{ margin: 0 0 2px; }}
.nbr-big {{ display: block; font-size: 1.55em; line-height: 1.3; font-weight: 600; }}
.nbr-bar {{ display: block; height: 7px; margin: 4px 0; border-radius: 4px; overflow: hidden;
  border: 1px solid {_LINE}; }}
.nbr-bar > span {{ display: block; height: 100%; background: {_ACCENT}; }}
.nbr-scroll {{ overflow-x: auto; }}
.nbr table {{ border-collapse: collapse; width: 100%; margin: 0; font-size: inherit;
  color: inherit; }}
.nbr caption {{ caption-side: top; text-align: left; font-weight: 600; color: inherit;
  padding: 14px 0 4px; font-size: inherit; }}
.nbr th, .nbr td {{ text-align: left; padding: 4px 14px 4px 0; vertical-align: top;
  border-bottom: 1px solid {_LINE}; background: none; color: inherit; white-space: normal;
  overflow-wrap: break-word; }}
.nbr th {{ font-weight: 600; }}
.nbr td.nbr-number, .nbr th.nbr-number {{ text-align: right; white-space: nowrap; }}
.nbr td.nbr-short, .nbr th[scope=row] {{ white-space: nowrap; }}
.nbr tr.nbr-picked > * {{ font-weight: 700;
  background: var(--jp-layout-color2, rgba(128, 128, 128, .15)); }}
.nbr-text {{ white-space: pre-wrap; overflow-wrap: anywhere; max-height: 22em; overflow-y: auto;
  border: 1px solid {_LINE}; border-radius: 4px; padding: 8px 12px;
  font-family: var(--jp-code-font-family, monospace); }}
.nbr mark {{ color: inherit; padding: 1px 0; border-radius: 2px; }}
.nbr mark.nbr-raises {{ background: rgba(245, 124, 0, .26); border-bottom: 2px solid #f57c00; }}
.nbr mark.nbr-cheaper {{ background: rgba(0, 150, 136, .24); border-bottom: 2px dotted #009688; }}
.nbr mark.nbr-neither {{ background: rgba(128, 128, 128, .25); border-bottom: 2px dashed #888; }}
.nbr mark sup {{ font-size: .75em; font-weight: 700; padding: 0 1px; line-height: 0; }}
.nbr-gap {{ font-style: italic; font-family: var(--jp-ui-font-family, sans-serif); }}
.nbr-heard {{ position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }}
.nbr-sure {{ display: inline-block; width: 9em; vertical-align: middle; margin-left: 8px; }}
.nbr-prompt textarea {{ resize: vertical; min-height: 5em; line-height: 1.45;
  font-family: var(--jp-code-font-family, monospace); }}
.nbr-row button:focus-visible {{ outline: 2px solid {_ACCENT}; outline-offset: 1px; }}
@container (max-width: 620px) {{
  .nbr th, .nbr td {{ padding-right: 9px; }}
  .nbr .nbr-wide {{ display: none; }}
}}
</style>"""


def text(words: object) -> str:
    """The words as HTML that shows just that."""
    return html.escape(safe_plain(str(words)))


def heard(words: str) -> str:
    """Words that a screen reader says when they change, and that are not seen."""
    return f'<div role="status" aria-live="polite" class="nbr-heard">{text(words)}</div>'


def status(words: str) -> str:
    """Words beside a button that a screen reader says when they change."""
    style = f"color:{_INK};display:inline-block;line-height:1.4"
    return f'<span role="status" style="{style}">{text(words)}</span>'


def bar(share: float) -> str:
    """A bar filled so far, 0 to 1; the words beside it say the same, so it is not read out."""
    filled = min(max(share, 0.0), 1.0)
    return (
        f'<span class="nbr-bar" aria-hidden="true"><span style="width:{filled:.1%}"></span></span>'
    )


def tile(title: str, big: str, *rest: str) -> str:
    """A figure with its name; `rest` are pieces of HTML below it."""
    below = "".join(one if one.startswith("<") else f"<p>{one}</p>" for one in rest if one)
    return (
        f'<div class="nbr-tile"><h4>{text(title)}</h4>'
        f'<span class="nbr-big">{text(big)}</span>{below}</div>'
    )


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    wide: Sequence[str] = (),
    picked: int | None = None,
) -> str:
    """A table of pieces of HTML; the first cell of a row is its heading.

    `numbers` and `wide` name columns: those set to the right, and those that a narrow page
    leaves out. `picked` is the place of the row that stands out.
    """
    kinds = [_kind(name, numbers, wide) for name in head]
    top = "".join(f'<th scope="col"{k}>{text(n)}</th>' for n, k in zip(head, kinds, strict=True))
    body = "".join(_row(row, kinds, place == picked) for place, row in enumerate(rows))
    # a part that scrolls must be reachable by keyboard
    return (
        f'<div class="nbr-scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _kind(name: str, numbers: Sequence[str], wide: Sequence[str]) -> str:
    kinds = ["nbr-number"] if name in numbers else []
    kinds += ["nbr-wide"] if name in wide else []
    return f' class="{" ".join(kinds)}"' if kinds else ""


def _row(cells: Sequence[str], kinds: Sequence[str], stands_out: bool) -> str:
    first, *rest = cells
    inside = "".join(f"<td{k}>{c}</td>" for c, k in zip(rest, kinds[1:], strict=True))
    mark = ' class="nbr-picked"' if stands_out else ""
    return f'<tr{mark}><th scope="row"{kinds[0]}>{first}</th>{inside}</tr>'
