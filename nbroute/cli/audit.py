"""`nbroute audit`: what saved notebooks say they spent, with no kernel."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.cli.terminal import UNBILLED
from nbroute.report.table import columns, one_line, text_table

if TYPE_CHECKING:
    from nbroute.audit import Audit, Line

_GROUPS = ("tier", "model", "notebook", "cell")
_OVER = 3
_MOST_WARNINGS = 20
_NAME_WIDTH = 56
#: What a spreadsheet takes for a formula.
_FORMULA = tuple("=+-@\t\r")

_ABOUT = """\
Reads the records that nbroute's cards leave in the outputs of saved notebooks. Nothing is run
and nothing is sent. A cell that was run again or cleared keeps no trace of the call before;
the ledger has every call.

exit codes: 0 done, 1 a file could not be read (the others are counted), 2 wrong usage,
3 more real money than --max-usd"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    words = commands.add_parser(
        "audit",
        help="total what saved notebooks spent, with no kernel",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument(
        "paths",
        nargs="*",
        default=["."],
        metavar="PATH",
        help="notebooks, folders or patterns; without any, the current folder and those in it",
    )
    words.add_argument("--by", choices=_GROUPS, help="one table in place of all four")
    form = words.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, as JSON")
    form.add_argument("--csv", action="store_true", help="a row for each call, or as --by says")
    words.add_argument("--max-usd", type=_usd, metavar="X", help="exit with 3 above that")
    words.set_defaults(command=_audit)


def _usd(text: str) -> Decimal:
    from nbroute.pricing import read_usd

    amount = read_usd(text)
    if amount is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars")
    return amount


def _audit(options: argparse.Namespace) -> int:
    from nbroute.audit import audit

    found = audit(options.paths)
    if options.json:
        print(json.dumps(_structured(found, options.by), indent=2))
    elif options.csv:
        _write_csv(found, options.by)
    else:
        print("\n".join(_report(found, [options.by] if options.by else _GROUPS)))
    for warning in _warnings(found):
        print(f"nbroute: {one_line(warning)}", file=sys.stderr)
    return _code(found, options.max_usd)


def _code(found: Audit, most: Decimal | None) -> int:
    from nbroute.pricing import format_usd
    from nbroute.report.table import counted

    spend = found.spend
    if most is not None and spend.unknown_calls:
        unknown = counted(spend.unknown_calls, "call")
        print(f"nbroute: {unknown} of unknown cost: not in the sum", file=sys.stderr)
    if most is not None and spend.usd > most:
        said = f"{format_usd(spend.usd)} spent, more than --max-usd {format_usd(most)}"
        print(f"nbroute: {said}", file=sys.stderr)
        return _OVER
    return 1 if found.unread else 0


def _warnings(found: Audit) -> Iterator[str]:
    yield from found.unread
    if not found.notebooks and not found.unread:
        yield "no notebook found"
    for skipped in found.skipped[:_MOST_WARNINGS]:
        yield f"{skipped.place}: a record is not counted: {skipped.why}"
    if (more := len(found.skipped) - _MOST_WARNINGS) > 0:
        yield f"{more:,} more records are not counted"


def _report(found: Audit, groups: Sequence[str]) -> Iterator[str]:
    for group in groups:
        if lines := found.by(group):
            yield from _table(group, [*lines, found.total])
            yield ""
    yield from _summary(found)


def _summary(found: Audit) -> Iterator[str]:
    """What the tables add up to, in words."""
    from nbroute.pricing import format_usd
    from nbroute.report.table import counted

    spend = found.spend
    read = counted(len(found.notebooks), "notebook")
    cached = f" ({spend.cached_calls:,} cached)" if spend.cached_calls else ""
    calls = f"{counted(spend.calls, 'call')}{cached}"
    yield f"read        {read}: {counted(found.answers, 'answer')} from {calls}"
    yield f"spent       {format_usd(spend.usd)}{_sources(spend.by_source)}"
    if spend.equivalent_usd:
        yield f"equivalent  {format_usd(spend.equivalent_usd)} ({UNBILLED})"
    if spend.unknown_calls:
        yield f"unknown     what {counted(spend.unknown_calls, 'call')} cost; in no sum"
    if found.repeated:
        again = counted(len(found.repeated), "answer")
        yield f"repeated    {again} shown again in another cell or notebook: counted once"
    if found.skipped:
        yield f"skipped     {counted(len(found.skipped), 'record')}; stderr says which and why"
    if found.unread:
        yield f"not read    {counted(len(found.unread), 'file')}; stderr says which and why"


def _sources(by_source: Any) -> str:
    from nbroute.pricing import format_usd

    real = {source: usd for source, usd in by_source.items() if source != "equivalent"}
    said = ", ".join(f"{format_usd(usd)} {_SAID[source]}" for source, usd in sorted(real.items()))
    return f" ({said})" if said else ""


_SAID = {
    "billed": "billed",
    "list": "at list price",
    "configured": "at your price",
    "estimated": "estimated",
}


def _table(group: str, lines: Sequence[Line]) -> Iterator[str]:
    """Aligned columns, the total last; the two amounts stand apart."""
    heads = [group, "calls", "cached", "tokens in", "tokens out", "spent", "equivalent", "unknown"]
    *rows, total = map(_cells, lines)
    head, *made, last = text_table([heads, *rows, ["total", *total[1:]]], "<>")
    rule = "-" * columns(head)
    yield from (head, rule, *made, rule, last)


def _cells(line: Line) -> list[str]:
    from nbroute.pricing import format_usd

    spend = line.spend
    counts = (spend.calls, spend.cached_calls, *line.tokens)
    return [
        _name(line.key),
        *(f"{count:,}" for count in counts),
        format_usd(spend.usd),
        format_usd(spend.equivalent_usd),
        f"{spend.unknown_calls:,}",
    ]


def _name(key: dict[str, Any]) -> str:
    """The line's name; of a long path the end, which tells one notebook from another."""
    first, *cell = key.values() or ("",)
    number = "" if not cell else f", cell {cell[0]}"
    count = "" if not cell or cell[1] is None else f" [{cell[1]}]"
    path, rest = one_line(str(first)), number + count
    while columns(path) + len(rest) > _NAME_WIDTH:
        path = f"…{path[2:]}"
    return (path + rest) or "(none)"


def _structured(found: Audit, by: str | None) -> dict[str, Any]:
    return {
        "schema": 1,
        "notebooks": list(found.notebooks),
        "answers": found.answers,
        "total": found.total.row,
        "by": {group: found.rows(group) for group in ([by] if by else _GROUPS)},
        "repeated": [{"result": result, **place._asdict()} for result, place in found.repeated],
        "skipped": [{**place._asdict(), "why": why} for place, why in found.skipped],
        "unread": list(found.unread),
    }


def _write_csv(found: Audit, by: str | None) -> None:
    frame_columns = list(found.columns(by))
    writer = csv.DictWriter(sys.stdout, frame_columns, lineterminator="\n")
    writer.writeheader()
    for row in found.rows(by):
        writer.writerow({name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
