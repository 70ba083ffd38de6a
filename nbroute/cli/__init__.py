"""The command line: `nbroute pull`, `run`, `costs`, `doctor`, `trust` and `check-endpoint`."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

import nbroute
from nbroute.costs import GROUPS, Costs, Place, costs
from nbroute.decoding import decode
from nbroute.errors import NbrouteError, SettingsError, did_you_mean
from nbroute.pricing import describe, format_usd, read_usd
from nbroute.report import Spend
from nbroute.report.table import GAP, columns, counted, one_line, seconds, text_table
from nbroute.settings import known_profiles, trust
from nbroute.settings.model import named_path
from nbroute.storage import content
from nbroute.types import Cost, CostSource
from nbroute.workshop import solved

WIDTH = 120
_INTERRUPTED, _PIPE_CLOSED, _OVER_BUDGET = 130, 141, 3
_COLUMNS = {"prompt": 38, "tier": 9, "tokens": 18, "latency": 7, "cost": 40}
_MOST_WARNINGS = 20
_NAME_WIDTH = 56
#: Characters of the reason why a file is not a notebook.
_LONGEST_REASON = 200
#: The first characters of what a spreadsheet takes for a formula.
_FORMULA = tuple("=+-@\t\r")
#: How the beginning of a notebook's cure is typed in a shell.
_TYPED = {
    "!": "",
    "%pip ": "pip ",
    "%env ": "export ",
    "%route doctor --send": "nbroute doctor --send",
    "%route trust": "nbroute trust",
    "%": "in a notebook: %",
}
_ABOUT_COSTS = """\
Reads the records that nbroute's cards leave in the outputs of saved notebooks. Nothing is run
and nothing is sent. A cell that was run again or cleared has no trace of its earlier calls;
the ledger has every call.

exit codes: 0 done, 1 a file could not be read (the others are counted), 2 wrong usage,
3 more real money than --max-usd"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 for an error, 2 for wrong usage (as SystemExit).

    `costs --max-usd` adds 3.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if words[:1] == ["audit"]:  # the old name
        words[0] = "costs"
        _say("`nbroute audit` is now called `nbroute costs`")
    options = _parser().parse_args(words)
    try:
        code: int = options.command(options)
        print(end="", flush=True)
    except NbrouteError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("stopped")
        return _INTERRUPTED
    except BrokenPipeError:
        # Otherwise the interpreter flushes into the closed pipe at exit, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code


def _say(words: str) -> None:
    print(f"nbroute: {one_line(words)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbroute", description="Model routing in notebooks.")
    parser.add_argument("--version", nargs=0, action=_Version, help="show which nbroute this is")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    words = commands.add_parser("pull", help="download a model file for the local profile")
    words.add_argument("source", nargs="?", help="address of a GGUF file (default: SmolLM2)")
    words.add_argument("--sha256", metavar="HEX", help="the checksum of the file")
    words.add_argument("--folder", metavar="DIR", type=_path, help="where to keep the file")
    words.set_defaults(command=_pull)

    words = commands.add_parser("run", help="run a notebook and show what its prompts cost")
    words.add_argument("notebook", type=Path, help="the .ipynb file; it is not changed")
    words.add_argument("--out", metavar="DIR", type=_path, default="out", help="default: out")
    words.add_argument("--profile", metavar="NAME", help="the profile to run it on")
    file = words.add_mutually_exclusive_group()
    file.add_argument("--record", metavar="FILE", type=_path, help="record the answers in it")
    file.add_argument("--replay", metavar="FILE", type=_path, help="take the answers from it")
    words.add_argument("--solved", action="store_true", help="run a workshop's solutions as well")
    words.set_defaults(command=_run)

    words = commands.add_parser(
        "costs",
        help="total what saved notebooks spent, without a kernel",
        description=_ABOUT_COSTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = "notebooks, folders or patterns (default: this folder and its subfolders)"
    words.add_argument("paths", nargs="*", default=["."], metavar="PATH", help=where)
    words.add_argument("--by", choices=GROUPS, help="one table instead of all four")
    form = words.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, as JSON")
    form.add_argument("--csv", action="store_true", help="a row for each call, or as --by says")
    words.add_argument("--max-usd", type=_usd, metavar="X", help="exit with 3 if more was spent")
    words.set_defaults(command=_costs)

    words = commands.add_parser("doctor", help="what is wrong with the set-up, and how to fix it")
    words.add_argument("--send", action="store_true", help="also ask each model for one word")
    words.add_argument("--yes", action="store_true", help="do not ask before sending")
    words.set_defaults(command=_doctor)

    words = commands.add_parser(
        "trust",
        help="use a settings file that came with a folder",
        description="Shows what an nbroute.toml asks for beyond what is built in and, if you "
        "agree, trusts it until it changes.",
    )
    words.add_argument("path", nargs="?", metavar="PATH", help="the file (default: the nearest)")
    act = words.add_mutually_exclusive_group()
    act.add_argument("--yes", action="store_true", help="do not ask")
    act.add_argument("--list", action="store_true", help="the files that you trust")
    act.add_argument("--revoke", action="store_true", help="stop trusting the file")
    words.set_defaults(command=_trust)

    words = commands.add_parser(
        "check-endpoint",
        help="try out an endpoint with a few tiny calls",
        description="Says what a few tiny prompts to one model may cost and, if you agree, sends "
        "them. Shows what the endpoint accepts and reports: whole and streamed answers, a schema, "
        "a system prompt, an unknown model, token counts and costs.",
    )
    words.add_argument("provider", metavar="PROVIDER", help="from nbroute.toml, or built in")
    words.add_argument("model", nargs="?", metavar="MODEL", help="default: its lowest tier's")
    words.add_argument("--cached", action="store_true", help="also try cached input (2 long calls)")
    words.add_argument("--max-tokens", type=int, default=64, metavar="N", help="default: 64")
    words.add_argument("--yes", action="store_true", help="do not ask")
    words.set_defaults(command=_check_endpoint)
    return parser


class _Version(argparse.Action):
    """Print the version and end; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"nbroute {nbroute.__version__}")
        parser.exit()


def _path(text: str) -> Path:
    try:
        return named_path("PATH", text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _usd(text: str) -> Decimal:
    amount = read_usd(text)
    if amount is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of US dollars")
    return amount


def _pull(options: argparse.Namespace) -> int:
    from nbroute.providers.pull import pull

    pull(options.source, options.folder, sha256=options.sha256)
    return 0


def _trust(options: argparse.Namespace) -> int:
    if options.list or options.revoke:
        print(trust.listed() if options.list else trust.revoke(options.path))
        return 0
    document = trust.review(options.path)
    print(trust.described(document))
    if trust.asks(document):
        if not options.yes and not _agreed("Trust it? [y/N] "):
            print("not trusted; with --yes, nothing is asked")
            return 1
        print(trust.trust(document))
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError):  # nobody answers, or there is no input at all
        print()
        return False


def _check_endpoint(options: argparse.Namespace) -> int:
    from nbroute.cli.check_endpoint import findings, plan, router_for

    failed = False
    router = router_for(options.provider, options.model, options.max_tokens)
    with contextlib.closing(router):
        print(plan(router, cached=options.cached))
        if not options.yes and not _agreed("Send them? [y/N] "):
            print("nothing was sent")
            return 1
        for found in findings(router, cached=options.cached):
            print(f"{found.verdict:<5}  {found.check:<15}  {one_line(found.says)}", flush=True)
            failed |= found.verdict == "fails"
        unpriced = f"{router.ladder.tiers[0].model}, or for the name that does not exist"
        print(*_sums(router.spend(), [unpriced]), sep="\n")
    return 1 if failed else 0


def _doctor(options: argparse.Namespace) -> int:
    from nbroute.evaluate.doctor import foreseen
    from nbroute.router import Router

    with contextlib.closing(Router(announce=_say)) as router:
        if options.send and not options.yes:
            print(foreseen(router, router.settings, router.classifier))
            if not _agreed("Send them? [y/N] "):
                print("nothing was sent")
                return 1
        found = router.doctor(send=options.send)
        typed = tuple(replace(one, cure=_typed(one.cure)) for one in found.findings)
        print(replace(found, findings=typed, note=_typed(found.note)))
    return int(found.worst == "red")


def _typed(cure: str) -> str:
    """A notebook's cure as typed in a shell; a magic with no such command says where to run it."""
    for word, typed in _TYPED.items():
        if cure.startswith(word):
            return f"{typed}{cure.removeprefix(word)}"
    return cure


def _run(options: argparse.Namespace) -> int:
    path, out = options.notebook, options.out
    notebook = _read(path)
    target = out / path.name
    if target.resolve() == path.resolve():
        raise SettingsError(
            f"the executed notebook would overwrite {str(path)!r}: name another folder with --out"
        )
    if options.profile:
        _check_profile(options.profile, path.absolute().parent)
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    if options.solved:
        notebook.update(solved(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "code":  # after a failure, saved outputs would pass for this run's
            cell.update(outputs=[], execution_count=None)
    environment = os.environ | {"NBROUTE_STATIC": "1"}
    if options.profile:
        environment["NBROUTE_PROFILE"] = options.profile
    if options.record or options.replay:
        # The kernel runs in the notebook's folder; a file on the command line comes first.
        for name, file in ("RECORD", options.record), ("REPLAY", options.replay):
            environment[f"NBROUTE_{name}"] = str(file.absolute()) if file else ""
    try:
        failure = _execute(notebook, path.absolute().parent, environment)
    finally:
        page = _write(notebook, target)
        cached = "replayed" if environment.get("NBROUTE_REPLAY") else "cached"
        print("", *cost_table(notebook, cached), sep="\n")
        print(f"notebook    {one_line(str(target))}\npage        {one_line(str(page))}")
    if failure:
        _say(failure)
    return 1 if failure else 0


def _check_profile(name: str, folder: Path) -> None:
    """SettingsError for a profile that the kernel, which runs in that folder, would not know."""
    with contextlib.chdir(folder):
        known, aside = known_profiles()
    if name not in known:
        hint = f"{did_you_mean(name, known)}{f' ({aside})' if aside else ''}"
        raise SettingsError(f"--profile {name!r:.80} is not a profile; {hint}")


def _read(path: Path) -> Any:
    for name in ("ipykernel", "nbclient", "nbconvert", "nbformat"):
        if find_spec(name) is None:
            raise SettingsError(f"running a notebook needs {name}: pip install 'nbroute[lab]'")
    import nbformat

    try:
        text = content(path).decode("utf-8-sig")
        notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook, relax_add_props=True)
    except OSError as error:
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {error.strerror}") from None
    except Exception as error:
        why = one_line(getattr(error, "message", "") or str(error))[:_LONGEST_REASON]
        raise SettingsError(f"{str(path)!r} is not a notebook: {why}") from error
    return notebook


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"cannot write to {str(folder)!r}: {error.strerror}; name another folder with --out"
        ) from None


def _execute(notebook: Any, folder: Path, environment: dict[str, str]) -> str | None:
    """Run all cells; the first failure as one line, or None."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm

    cells = [i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    with tqdm(total=len(cells), bar_format="{desc} |{bar:40}| {elapsed}", desc="kernel") as bar:

        def started(cell_index: int, **_: Any) -> None:
            bar.set_description_str(f"cell {cells.index(cell_index) + 1} of {len(cells)}")

        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=started,
            on_cell_executed=lambda **_: bar.update(),
        )
        ended = threading.Event()

        def tick() -> None:
            """Keep the bar's clock going while a cell runs."""
            while not ended.wait(1):
                bar.refresh()

        if sys.stderr.isatty():
            threading.Thread(target=tick, daemon=True).start()
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            return f"{bar.desc} failed: {error.ename}: {one_line(error.evalue)}"
        except DeadKernelError:
            return f"{bar.desc} failed: the kernel died"
        finally:
            ended.set()
    return None


def _write(notebook: Any, target: Path) -> Path:
    """Write the notebook first, as the page may fail, then the page; returns the page's path."""
    import nbformat
    from nbconvert import HTMLExporter

    page = target.with_suffix(".html")
    with _writing(target.parent):
        nbformat.write(notebook, target)  # type: ignore[no-untyped-call]
        exporter = HTMLExporter()  # type: ignore[no-untyped-call]
        html, _ = exporter.from_notebook_node(notebook)
        page.write_text(html, encoding="utf-8")
    return page


def cost_table(notebook: Any, cached: str = "cached") -> list[str]:
    """What the notebook's prompts cost, from the records in its outputs' metadata.

    `cached` is the word for answers for which nothing was sent.
    """
    found = list(_found(notebook))
    calls = [call for _, answer in found for call in answer.attempts]
    spend = sum((call.spend for call in calls), Spend())
    cached_calls = f", {spend.cached_calls} {cached}" if spend.cached_calls else ""
    shown = counted(len(found), "answer")
    totals = [f"shown       {shown} from {counted(spend.calls, 'call')}{cached_calls}"]
    totals += _sums(spend, {call.model for call in calls if call.spend.unknown_calls})
    if not found:
        return totals
    rule = "-" * WIDTH
    table = [*_two_lines(list(_COLUMNS), "why", "model"), rule]
    for prompt, answer in found:
        tokens = f"{answer.input_tokens} in, {answer.output_tokens} out"
        cost = _money(answer.cost_usd, answer.cost_source)
        if answer.cached:
            cost = f"{cost}, {cached}" if answer.cost_usd else f"$0 ({cached})"
        marks = {
            "simulated": answer.provider_kind == "simulated",
            "escalated": answer.escalated,
            answer.status: answer.status != "ok",
        }
        shown = ", ".join(mark for mark, is_so in marks.items() if is_so)
        model = f"{answer.model}{f' ({shown})' if shown else ''}"
        cells = [prompt, answer.tier, tokens, seconds(answer.latency_ms), cost]
        table += _two_lines(cells, answer.reason, model)
    return [*table, rule, *totals]


def _found(notebook: Any) -> Iterator[tuple[str, _Answer]]:
    """Each recorded answer once, with its prompt, oldest first in each cell.

    An escalated answer has the prompt of the answer below it.
    """
    prompts: dict[str, str] = {}
    for cell in notebook.cells:
        found: list[_Answer] = []
        for output in cell.get("outputs", []):
            told = output.get("metadata", {}).get("nbroute")
            if isinstance(told, Mapping):
                others = (told.get(name) for name in ("earlier", "compared"))
                more = (one for each in others if isinstance(each, list) for one in each)
                for record in (told, *more):
                    with contextlib.suppress(ValueError):  # another program's, or damaged
                        found.append(decode(record, _Answer))
        first, *rest = cell.source.strip().splitlines() or [""]
        own = "\n".join(rest if first.startswith("%%route") else [first, *rest])
        for answer in sorted(found, key=lambda answer: answer.ts):
            if answer.id not in prompts:
                prompts[answer.id] = prompts.get(answer.parent or "") or own
                yield prompts[answer.id], answer


class _Call(msgspec.Struct):
    """What the table shows of a call; anybody can have written it."""

    model: str
    cost_usd: Annotated[float, Meta(ge=0, le=1e6)] | None
    cost_source: CostSource
    cached: bool

    @property
    def spend(self) -> Spend:
        return Spend.of_source(
            self.cost_source, self.cost_usd or 0, 1, self.cached, self.cost_usd is None
        )


class _Answer(_Call, kw_only=True):
    id: str
    parent: str | None = None
    ts: float
    tier: str
    status: str
    reason: str
    provider_kind: str
    escalated: bool
    input_tokens: int
    output_tokens: int
    latency_ms: Annotated[float, Meta(ge=0, le=1e12)]
    attempts: list[_Call]
    schema: Literal[1]


def _two_lines(cells: Sequence[str], why: str, model: str) -> list[str]:
    """An answer: its figures, then the reason below prompt and tier, the model below the rest."""
    left = _COLUMNS["prompt"] + len(GAP) + _COLUMNS["tier"]
    below = [f"  {one_line(why)}", one_line(model)]
    return [
        *text_table([list(map(one_line, cells))], widths=list(_COLUMNS.values())),
        *text_table([below], widths=[left, WIDTH - left - len(GAP)]),
    ]


def _sums(spend: Spend, unpriced: Iterable[str]) -> Iterator[str]:
    """Real money, what was not billed, and the models without a known price."""
    real = {source: usd for source, usd in spend.by_source.items() if source != "equivalent"}
    parts = " + ".join(_money(usd, cast("CostSource", source)) for source, usd in real.items())
    total = f"{format_usd(spend.usd)}{' = ' if real else ''}{parts}"
    yield f"spent       {parts if len(real) == 1 else total}"
    if spend.equivalent_usd:
        why = "what the tiers' reference models would have cost"
        yield f"not billed  {format_usd(spend.equivalent_usd)} ({why})"
    if spend.unknown_calls:
        models = one_line(", ".join(sorted(unpriced)))
        yield f"unknown     what {counted(spend.unknown_calls, 'call')} cost: no price for {models}"


def _money(usd: float | Decimal | None, source: CostSource) -> str:
    return describe(Cost(None if usd is None else Decimal(str(usd)), source))


def _costs(options: argparse.Namespace) -> int:
    found = costs(options.paths)
    groups = [options.by] if options.by else list(GROUPS)
    if options.json:
        everything = {
            "schema": 1,
            "notebooks": list(found.notebooks),
            "answers": found.answers,
            "total": found.total.row,
            "by": {group: found.rows(group) for group in groups},
            "repeated": [{"result": result, **place._asdict()} for result, place in found.repeated],
            "skipped": [{**place._asdict(), "why": why} for place, why in found.skipped],
            "unread": list(found.unread),
        }
        print(json.dumps(everything, indent=2))
    elif options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(found.columns(options.by))
        for row in found.rows(options.by):
            writer.writerow(
                f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
                for cell in row.values()
            )
    else:
        tables = [line for group in groups for line in _group_table(found, group)]
        print("\n".join([*tables, *_summary(found)]))
    return _warn(found, options.max_usd)


def _warn(found: Costs, most: Decimal | None) -> int:
    """Say what was not read or counted, or overspent; returns the exit code."""
    warnings = list(found.unread)
    if not found.notebooks and not found.unread:
        warnings.append("no notebook found")
    warnings += map(str, found.skipped[:_MOST_WARNINGS])
    if (more := len(found.skipped) - _MOST_WARNINGS) > 0:
        warnings.append(f"{more:,} more records are not counted")
    spend = found.spend
    if most is not None and spend.unknown_calls:
        warnings.append(f"{counted(spend.unknown_calls, 'call')} of unknown cost: not included")
    over = most is not None and spend.usd > most
    if over:
        spent, limit = format_usd(spend.usd), format_usd(most)
        warnings.append(f"{spent} spent, more than --max-usd {limit}")
    for warning in warnings:
        _say(warning)
    return _OVER_BUDGET if over else int(bool(found.unread))


def _group_table(found: Costs, group: str) -> list[str]:
    """Aligned columns, the total last; the two amounts are never added."""
    heads = [group, "calls", "cached", "tokens in", "tokens out", "spent", "not billed", "unknown"]
    rows = [heads]
    for line in (*found.by(group), found.total):
        key = tuple(line.key.values()) or ("total",)
        name = one_line(str(Place(*key) if group == "cell" and line.key else key[0]))
        while columns(name) > _NAME_WIDTH:  # the end tells one path from another
            name = f"…{name[2:]}"
        spend = line.spend
        counts = [f"{count:,}" for count in (spend.calls, spend.cached_calls, *line.tokens)]
        amounts = [format_usd(spend.usd), format_usd(spend.equivalent_usd)]
        rows.append([name or "(none)", *counts, *amounts, f"{spend.unknown_calls:,}"])
    head, *lines, total = text_table(rows, "<>")
    rule = "-" * columns(head)
    return [head, rule, *lines, rule, total, ""] if lines else []


def _summary(found: Costs) -> Iterator[str]:
    """The totals in words."""
    spend = found.spend
    read = counted(len(found.notebooks), "notebook")
    cached = f" ({spend.cached_calls:,} cached)" if spend.cached_calls else ""
    calls = f"{counted(spend.calls, 'call')}{cached}"
    yield f"read        {read}: {counted(found.answers, 'answer')} from {calls}"
    yield from _sums(spend, {call.model for call in found.calls if call.spend.unknown_calls})
    if found.repeated:
        again = counted(len(found.repeated), "answer")
        yield f"repeated    {again} shown again in another cell or notebook: counted once"
    if found.skipped:
        yield f"skipped     {counted(len(found.skipped), 'record')}; stderr says which and why"
    if found.unread:
        yield f"not read    {counted(len(found.unread), 'file')}; stderr says which and why"
