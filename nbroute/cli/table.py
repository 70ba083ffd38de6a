"""What a notebook's prompts cost, answer by answer: the table of `nbroute run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from nbroute.cli.terminal import UNBILLED, WIDTH
from nbroute.pricing import describe, format_usd
from nbroute.report.metadata import SCHEMA
from nbroute.report.spend import Spend
from nbroute.report.table import GAP, counted, one_line, seconds, text_table
from nbroute.types import Cost, CostSource

Record = Mapping[str, Any]

_COLUMNS = (("prompt", 38), ("tier", 9), ("tokens", 18), ("latency", 7), ("cost", 40))


def table(notebook: Any) -> Iterator[str]:
    """What the notebook's prompts cost, from the records in its outputs' metadata."""
    found = list(_found(notebook))
    rule = "-" * WIDTH
    if found:
        yield from (_row([name for name, _ in _COLUMNS]), _below("why", "model"), rule)
    for prompt, record in found:
        yield from _lines(prompt, record)
    if found:
        yield rule
    yield from _totals([record for _, record in found])


def _found(notebook: Any) -> Iterator[tuple[str, Record]]:
    """Each record once, with its prompt, oldest first in each cell.

    An escalated answer's prompt is that of the answer below it.
    """
    prompts: dict[str, str] = {}
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        told = [o.get("metadata", {}).get("nbroute") for o in outputs]
        records = [r for one in told if isinstance(one, Mapping) for r in _with_earlier(one)]
        for record in sorted(records, key=lambda record: record["ts"]):
            if record["id"] not in prompts:
                prompt = prompts.get(record["parent"]) or _prompt(cell.source)
                prompts[record["id"]] = prompt
                yield prompt, record


def _with_earlier(told: Record) -> list[Record]:
    """The record and those that it escalates; of a comparison, each of the answers."""
    records = (told, *told.get("earlier", ()), *told.get("compared", ()))
    return [r for r in records if r.get("schema") == SCHEMA and "attempts" in r]


def _prompt(source: str) -> str:
    lines = source.strip().splitlines()
    return "\n".join(lines[1:] if lines and lines[0].startswith("%%route") else lines)


def _lines(prompt: str, record: Record) -> Iterator[str]:
    tokens = f"{record['input_tokens']} in, {record['output_tokens']} out"
    cost = _money(record["cost_usd"], record["cost_source"])
    if record["cached"]:
        cost = f"{cost}, cached" if record["cost_usd"] else "$0 (cached)"
    yield _row([prompt, record["tier"], tokens, seconds(record["latency_ms"]), cost])
    marks = {
        "simulated": record["provider_kind"] == "simulated",
        "escalated": record["escalated"],
        record["status"]: record["status"] != "ok",
    }
    shown = ", ".join(mark for mark, is_so in marks.items() if is_so)
    yield _below(record["reason"], f"{record['model']}{f' ({shown})' if shown else ''}")


def _totals(records: Sequence[Record]) -> Iterator[str]:
    """The session in sum: real money, what was not billed, and what has no known price."""
    calls = [(attempt["model"], _spend(attempt)) for r in records for attempt in r["attempts"]]
    spend = sum((part for _, part in calls), Spend())
    cached = f", {spend.cached_calls} cached" if spend.cached_calls else ""
    answers = counted(len(records), "answer")
    yield f"shown       {answers} from {counted(spend.calls, 'call')}{cached}"
    yield f"spent       {_sources(spend)}"
    if spend.equivalent_usd:
        yield f"equivalent  {format_usd(spend.equivalent_usd)} ({UNBILLED})"
    if spend.unknown_calls:
        models = ", ".join(sorted({model for model, part in calls if part.unknown_calls}))
        yield f"unknown     what {counted(spend.unknown_calls, 'call')} cost: no price for {models}"


def _spend(attempt: Record) -> Spend:
    cached, amount, source = attempt["cached"], attempt["cost_usd"], attempt["cost_source"]
    return Spend.of_source(source, amount or 0.0, 1, int(cached), int(amount is None))


def _sources(spend: Spend) -> str:
    """The real money, split by where the figures come from."""
    real = {source: usd for source, usd in spend.by_source.items() if source != "equivalent"}
    parts = " + ".join(_money(usd, cast("CostSource", source)) for source, usd in real.items())
    return parts if len(real) == 1 else f"{format_usd(spend.usd)}{' = ' if real else ''}{parts}"


def _money(usd: float | Decimal | None, source: CostSource) -> str:
    return describe(Cost(None if usd is None else Decimal(str(usd)), source))


def _row(cells: Sequence[str]) -> str:
    widths = [width for _, width in _COLUMNS]
    return text_table([[one_line(cell) for cell in cells]], widths=widths)[0]


def _below(why: str, model: str) -> str:
    """The second line of an answer: why under its prompt and tier, the model under the rest."""
    left = _COLUMNS[0][1] + len(GAP) + _COLUMNS[1][1]
    cells = [f"  {one_line(why)}", one_line(model)]
    return text_table([cells], widths=[left, WIDTH - left - len(GAP)])[0]
