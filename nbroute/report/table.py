"""Text for a screen: the package's only writer of tables, and shared wording."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

GAP = "  "
#: The columns that a cell keeps, however little room there is.
_NARROWEST = 8


def text_table(
    rows: Sequence[Sequence[str]], align: str = "<", *, widths: Sequence[int] = (), most: int = 0
) -> list[str]:
    """The rows, heading first, as lines of aligned columns.

    `align` has `<` or `>` for each column; its last sign is for all that remain. With `widths`
    the columns are that wide and longer cells are cut; else they are as wide as their cells, and
    where they are together wider than `most`, the widest are wrapped.
    """
    wide = [*widths] or [max(map(columns, column)) for column in zip(*rows, strict=True)]
    if most:
        room = max(most - len(GAP) * (len(wide) - 1), len(wide) * _NARROWEST)
        words = [max(columns(w) for w in " ".join(c).split(" ")) for c in zip(*rows, strict=True)]
        while sum(wide) > room:  # what breaks between words, before what breaks within one
            loose = [at for at, width in enumerate(wide) if width > words[at]] or range(len(wide))
            wide[max(loose, key=wide.__getitem__)] -= 1
    signs = align.ljust(len(wide), align[-1])
    lines = []
    for row in rows:
        cells = [_wrapped(*cell) if most else [cell[0]] for cell in zip(row, wide, strict=True)]
        lines += [
            GAP.join(fit(*cell) for cell in zip(line, wide, signs, strict=True)).rstrip()
            for line in zip_longest(*cells, fillvalue="")
        ]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of that width; a letter may be two columns wide."""
    if columns(text) <= width:
        return [text]
    return textwrap.wrap(text, width if columns(text) == len(text) else width // 2)


def without_nothing(rows: Sequence[Sequence[str]], *names: str) -> list[tuple[str, ...]]:
    """The rows, heading first, without those named columns that contain only $0 or 0.

    The first of the names stays where none of them would.
    """
    head, *lines = rows
    empty = {
        name
        for place, name in enumerate(head)
        if name in names and all(line[place] in ("$0", "0") for line in lines)
    }
    gone = empty - {names[0]} if empty == set(names) & set(head) else empty
    kept = [place for place, name in enumerate(head) if name not in gone]
    return [tuple(row[place] for place in kept) for row in rows]


def fit(text: str, width: int, sign: str = "<") -> str:
    """The text at exactly that width, padded or cut with an ellipsis."""
    if columns(text) > width:
        while columns(text) > width - 1:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    blanks = " " * (width - columns(text))
    return blanks + text if sign == ">" else text + blanks


def columns(text: str) -> int:
    """How wide a terminal shows the text: a Chinese character or an emoji takes two columns."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def one_line(text: str) -> str:
    """The text with no control characters, line ends or runs of blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shortened(text: str, most: int) -> str:
    """The text as one line of at most that many characters."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def ends(text: str, first: int, last: int) -> str:
    """The first and last characters of the text, and how many are left out between them."""
    left_out = len(text) - first - last
    if left_out < first // 2:  # not worth it
        return text
    return f"{text[:first]} [… {left_out:,} characters …] {text[len(text) - last :]}"


def counted(number: int, noun: str) -> str:
    """`1 call`, `1,234 calls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def with_effort(model: str, effort: str | None) -> str:
    """`gpt-5.4-mini, high effort`; the model alone where no effort was asked for."""
    return f"{model}, {effort} effort" if model and effort else model


def seconds(milliseconds: float) -> str:
    """`12 ms`, `0.4 s`, `75 s`."""
    if milliseconds < 95:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds / 1000:.0f} s"
