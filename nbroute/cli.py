"""The command line: `nbroute pull` gets a model file, `nbroute run` executes a notebook."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from nbroute.errors import NbrouteError, SettingsError
from nbroute.pricing import describe, format_usd
from nbroute.report.spend import Spend, counted
from nbroute.types import Cost, CostSource

Record = Mapping[str, Any]

WIDTH = 120
_SCHEMA = 1
_KERNEL = "python3"
_INTERRUPTED = 130
_SHORT_MS = 95
_COLUMNS = (("prompt", 38), ("tier", 9), ("tokens", 18), ("latency", 7), ("cost", 40))
_GAP = "  "


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 for an error, 2 for wrong usage (as SystemExit)."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.command(options)
    except NbrouteError as error:
        print(f"nbroute: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nbroute: stopped", file=sys.stderr)
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbroute", description="Model routing in notebooks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    pull = commands.add_parser("pull", help="get a model file for the local profile")
    pull.add_argument("source", nargs="?", help="http(s) address of a GGUF file (else SmolLM2)")
    pull.add_argument("--sha256", metavar="HEX", help="the checksum that the file must have")
    pull.add_argument("--folder", metavar="DIR", type=_folder, help="where to keep the file")
    pull.set_defaults(command=_pull)
    run = commands.add_parser("run", help="execute a notebook and show what its prompts cost")
    run.add_argument("notebook", type=Path, help="the .ipynb file; it is not changed")
    run.add_argument("--out", metavar="DIR", type=_folder, default=Path("out"), help="default: out")
    run.add_argument("--profile", metavar="NAME", help="the profile to run on (NBROUTE_PROFILE)")
    run.set_defaults(command=_run)
    return parser


def _folder(text: str) -> Path:
    return Path(text).expanduser()


def _pull(options: argparse.Namespace) -> int:
    from nbroute.providers.pull import pull

    pull(options.source, options.folder, sha256=options.sha256)
    return 0


def _run(options: argparse.Namespace) -> int:
    notebook = _read(options.notebook)
    target = _target(options.notebook, options.out)
    environment = {**os.environ, "NBROUTE_STATIC": "1"}
    if options.profile:
        environment["NBROUTE_PROFILE"] = options.profile
    failure = None
    try:
        failure = _execute(notebook, options.notebook.absolute().parent, environment)
    finally:
        page = _write(notebook, target)
        print("\n".join(["", *table(notebook), f"notebook    {target}", f"page        {page}"]))
    if failure:
        print(f"nbroute: {failure}", file=sys.stderr)
    return 1 if failure else 0


def _read(path: Path) -> Any:
    try:
        import ipykernel  # noqa: F401 - asked for before anything is done
        import nbclient  # noqa: F401 - as above
        import nbconvert  # noqa: F401 - as above
        import nbformat
    except ImportError as error:
        raise SettingsError(
            f"running a notebook needs {error.name}: pip install 'nbroute[lab]'"
        ) from None
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {error.strerror}") from None
    except Exception as error:
        raise SettingsError(f"{str(path)!r} is no notebook: {_one_line(str(error))}") from error


def _target(notebook: Path, out: Path) -> Path:
    target = out / notebook.name
    if target.resolve() == notebook.resolve():
        raise SettingsError(
            f"the executed notebook would overwrite {str(notebook)!r}: "
            "name another folder with --out"
        )
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return target


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"cannot write to {str(folder)!r}: {error.strerror}; name another folder with --out"
        ) from None


def _execute(notebook: Any, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Run all cells; the first failure as one line, None where there is none."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm

    cells = [i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    with tqdm(total=len(cells), bar_format="{desc} |{bar:40}| {elapsed}", desc="kernel") as bar:

        def started(cell_index: int, **_: Any) -> None:
            bar.set_description_str(f"cell {cells.index(cell_index) + 1} of {len(cells)}")

        def ended(**_: Any) -> None:
            bar.update()

        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name=_KERNEL,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=started,
            on_cell_executed=ended,
        )
        try:
            with _ticking(bar):
                client.execute(env=dict(environment))
        except CellExecutionError as error:
            return f"{bar.desc} failed: {error.ename}: {_one_line(error.evalue)}"
        except DeadKernelError:
            return f"{bar.desc} failed: the kernel died"
    return None


@contextlib.contextmanager
def _ticking(bar: Any) -> Iterator[None]:
    """Let the seconds go on while a cell takes its time; only a terminal shows that well."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(1):
            bar.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()


def _write(notebook: Any, target: Path) -> Path:
    """Write the notebook and, beside it, the page; the page's path."""
    import nbformat
    from nbconvert import HTMLExporter

    page = target.with_suffix(".html")
    exporter = HTMLExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook)
    with _writing(target.parent):
        nbformat.write(notebook, target)  # type: ignore[no-untyped-call]
        page.write_text(html, encoding="utf-8")
    return page


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


def _with_earlier(record: Record) -> list[Record]:
    """The record and those that it escalates."""
    return [r for r in (record, *record.get("earlier", ())) if r.get("schema") == _SCHEMA]


def _prompt(source: str) -> str:
    lines = source.strip().splitlines()
    return "\n".join(lines[1:] if lines and lines[0].startswith("%%route") else lines)


def _lines(prompt: str, record: Record) -> Iterator[str]:
    tokens = f"{record['input_tokens']} in, {record['output_tokens']} out"
    cost = _money(record["cost_usd"], record["cost_source"])
    if record["cached"]:
        cost = f"{cost}, cached" if record["cost_usd"] else "$0 (cached)"
    yield _row([prompt, record["tier"], tokens, _time(record["latency_ms"]), cost])
    marks = {
        "simulated": record["provider_kind"] == "simulated",
        "escalated": record["escalated"],
        record["status"]: record["status"] != "ok",
    }
    shown = ", ".join(mark for mark, is_so in marks.items() if is_so)
    yield _below(record["reason"], f"{record['model']}{f' ({shown})' if shown else ''}")


def _time(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= _SHORT_MS else f"{ms:.0f} ms"


def _totals(records: Sequence[Record]) -> Iterator[str]:
    """The session in sum: real money, what was not billed, and what has no known price."""
    calls = [(attempt["model"], _spend(attempt)) for r in records for attempt in r["attempts"]]
    spend = sum((part for _, part in calls), Spend())
    cached = f", {spend.cached_calls} cached" if spend.cached_calls else ""
    answers = counted(len(records), "answer")
    yield f"shown       {answers} from {counted(spend.calls, 'call')}{cached}"
    yield f"spent       {_sources(spend)}"
    if spend.equivalent_usd:
        what = "nothing billed; what the tiers' reference models would have cost"
        yield f"equivalent  {format_usd(spend.equivalent_usd)} ({what})"
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
    fitted = [_fit(cell, width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)]
    return _GAP.join(fitted).rstrip()


def _below(why: str, model: str) -> str:
    """The second line of an answer: why under its prompt and tier, the model under the rest."""
    left = _COLUMNS[0][1] + len(_GAP) + _COLUMNS[1][1]
    return f"{_fit(f'  {why}', left)}{_GAP}{_fit(model, WIDTH - left - len(_GAP))}".rstrip()


def _fit(text: str, width: int) -> str:
    """One line of exactly that width, as a terminal counts it."""
    line = text[: len(text) - len(text.lstrip(" "))] + _one_line(text)
    if _columns(line) > width:
        while _columns(line) > width - 1:
            line = line[:-1]
        line = f"{line.rstrip()}…"
    return line + " " * (width - _columns(line))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
