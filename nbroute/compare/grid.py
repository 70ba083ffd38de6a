"""Many prompts on several tiers or models: a batch for each contender, side by side."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, overload

from nbroute import errors
from nbroute.batch import Batch, Row
from nbroute.batch.jobs import Job, described, read_prompts, text_of
from nbroute.batch.rows import attempt_of
from nbroute.batch.run import Bar, Progress, interrupted, run
from nbroute.batch.store import Store, check_resume, open_store
from nbroute.batch.workers import ThreadWorkers, checked_workers
from nbroute.classify.registry import forced
from nbroute.compare.comparison import (
    VOTE,
    Column,
    Comparison,
    NotSent,
    column_of,
    unpicked,
    votes_of,
)
from nbroute.compare.contenders import Contender, Systems, find_contenders
from nbroute.compare.one_prompt import CLASSIFYING, checked_options, fresh_answers
from nbroute.compare.over import Filled
from nbroute.engine.attempts import hash_text, new_id
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.engine.plan import make_plan, read_options
from nbroute.errors import BudgetExceeded, NbrouteError, SettingsError
from nbroute.providers.simulated import unanswered
from nbroute.report import Spend
from nbroute.types import Decision, Label, RouteResult, Status

if TYPE_CHECKING:
    import pandas as pd

#: The file of routing's picks.
ROUTING = "_routing"
#: Calls out at once by default.
_AT_ONCE = 16
#: Stands for the prompts when the options are tried, with nothing sent.
_ANY = "Hello"
#: Characters of a file's name: file systems take 255 bytes, of which a character may be four.
_LONGEST = 50
_FILES = (".sqlite", ".db", ".parquet", ".csv", ".json", ".jsonl", ".txt", ".xlsx")
#: The columns of a grid's frame.
_FIELDS = [
    *("row", "prompt", "contender", "tier", "model", "text", "status", "error", "input_tokens"),
    *("output_tokens", "cost_usd", "cost_source", "latency_ms", "cached", "picked", "voted"),
    *("answered_by", "passed", "judged"),
]
#: What a spreadsheet takes for a formula at the beginning of a cell, some even after blanks.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


class Judged(NamedTuple):
    """What a judge says about an answer next to that of the contender `against`.

    `share` is 1.0 if it is preferred, 0.5 for a tie, 0.0 if the other one is, and None without
    a verdict; `why` has the judge's reasons, or why there is none.
    """

    share: float | None
    against: str
    why: str = ""

    @property
    def told(self) -> str:
        """`as good as FRONTIER`; "" without a verdict."""
        words = {1.0: "better than", 0.5: "as good as", 0.0: "worse than"}
        return "" if self.share is None else f"{words[self.share]} {self.against}"


@dataclass(frozen=True, eq=False)
class Grid(Sequence[Comparison]):
    """Prompts x contenders; `grid[i]` is the `Comparison` of the prompt at place i.

    The answers stay in files (in the folder `to`, or temporary ones) and are read when they are
    needed: what a row does not keep (the time to first token, rejected attempts) is in the
    ledger. `batches` has the rows by contender, `routing` those of the picks, if any. All its
    comparisons have the grid's `id`. Votes are in the ledger, those of earlier kernels, too.
    """

    id: str
    prompts: Sequence[Any] = field(repr=False)
    contenders: tuple[Contender, ...]
    batches: Mapping[str, Batch] = field(repr=False)
    routing: Batch | None = field(repr=False)
    router: Engine = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)
    index: Any = field(default=None, repr=False)
    to: Path | None = None
    #: What a template was filled with, one for each row; empty if there was no template.
    rows: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    #: Contender -> place -> what a judge says about that answer: see `router.judge`.
    judged: dict[str, dict[int, Judged]] = field(default_factory=dict, repr=False)
    #: The rows of judging, two for each pair.
    judging: dict[str, Batch] = field(default_factory=dict, repr=False)
    #: Remarks about the judge.
    notes: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, place: int) -> Comparison: ...
    @overload
    def __getitem__(self, place: slice) -> list[Comparison]: ...
    def __getitem__(self, place: int | slice) -> Comparison | list[Comparison]:
        if isinstance(place, slice):
            return [self._comparison(one) for one in range(len(self))[place]]
        if not -len(self) <= place < len(self):
            raise IndexError(f"row {place} of a grid of {len(self):,} prompts")
        return self._comparison(place % len(self))

    @property
    def stopped(self) -> str:
        """Why prompts were left out (the budget, a refused key, Ctrl-C); empty otherwise."""
        found = {name: batch.stopped for name, batch in self.batches.items() if batch.stopped}
        return "; ".join(f"{name}: {why}" for name, why in found.items())

    @property
    def cost(self) -> Spend:
        """What all of it cost, with classifying and judging; real and equivalent money apart."""
        batches = [*self.batches.values(), *self.judging.values()]
        batches += [self.routing] if self.routing else []
        return sum((batch.cost for batch in batches), Spend())

    @property
    def checked(self) -> bool:
        """Whether each answer was checked, so that it passed or failed."""
        return any(self.options.get(name) for name in ("checks", "json", "schema"))

    def vote(self, place: int, name: str, feedback: str = VOTE) -> Label:
        """Say which contender's answer is the cheapest acceptable one: see `Comparison.vote`."""
        return self[place].vote(name, feedback)

    def frame(self) -> pd.DataFrame:
        """One line for each answer, by prompt and contender, with the prompts' own index.

        Money is in floats, NaN if unknown; `picked` is NA if routing's pick is unknown; `voted`
        says whether the answer has its prompt's vote (None in a copy or a pickle, which has no
        ledger). `judged` is 1.0 if `router.judge` found the answer better than that of the most
        expensive contender, 0.5 if as good (as its own is), 0.0 if worse; else NaN.
        """
        import pandas as pd

        picks = self.picks()
        voted = self.voted() if isinstance(self.router, Engine) else None
        found = []
        for one in self.contenders:
            frame = self.batches[one.name].frame().rename(columns={"place": "row"})
            frame["contender"] = one.name
            frame["tier"] = frame["tier"].mask(frame["tier"] == "", one.tier)
            frame["model"] = frame["model"].mask(frame["model"] == "", one.model)
            first = self.router.ladder[one.tier].model == one.model
            known = frame["row"].map(picks)
            picked = ((known == one.tier) & first).astype("boolean")
            frame["picked"] = picked.mask(known.isna())
            silent = list(map(unanswered, frame["model"], frame["text"]))
            frame["passed"] &= ~pd.Series(silent, index=frame.index, dtype=bool)
            frame["voted"] = None if voted is None else frame["row"].map(voted) == one.name
            judged = self.judged.get(one.name, {})
            shares = [judged[row].share if row in judged else None for row in frame["row"]]
            frame["judged"] = pd.Series(shares, index=frame.index, dtype=float)
            found.append(frame)
        every = pd.concat(found).sort_values("row", kind="stable")[_FIELDS]
        return every.set_axis(self._index().take(every["row"]), axis=0)

    def export(self, path: str | Path) -> Path:
        """Write `frame`, with what the template was filled with, as `.csv` or `.jsonl`; its path.

        In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.
        SettingsError for any other name, and if it cannot be written.
        """
        target = Path(path).expanduser()
        kind = target.suffix.lower()
        if kind not in (".csv", ".jsonl"):
            raise SettingsError(f"{str(path)!r:.200} is neither .csv nor .jsonl; name one of these")
        frame = self.frame()
        places = [int(row) for row in frame["row"]]
        for place, name in enumerate(self.rows[0] if self.rows else ()):
            column = f"over_{name}" if name in _FIELDS else name
            frame.insert(place, column, [self.rows[row][name] for row in places])
        try:
            if kind == ".jsonl":
                frame.to_json(target, orient="records", lines=True, force_ascii=False)
            else:
                texts = frame.select_dtypes(exclude=["number", "bool", "boolean"]).columns
                frame[texts] = frame[texts].map(_harmless)
                frame.to_csv(target, index=False)
        except OSError as error:
            told = error.strerror or error
            raise SettingsError(f"{str(target)!r:.200} cannot be written: {told}") from None
        return target

    def costs(self) -> pd.DataFrame:
        """Prompts x contenders: US dollars each, NaN if unknown or never asked.

        `totals` adds them up, and keeps what was billed apart from what was not.
        """
        import pandas as pd

        costs = {n: {row.place: row.cost_usd for row in one} for n, one in self.batches.items()}
        wide = pd.DataFrame(costs, dtype="float64").reindex(range(len(self)))
        return wide.set_axis(self._index(), axis=0)

    def totals(self) -> pd.DataFrame:
        """One line for each contender: answers, failures, US dollars billed and not billed.

        `unknown` counts calls whose cost is in neither. The last line is what picking cost.
        """
        import pandas as pd

        batches = {**self.batches, **({"(routing)": self.routing} if self.routing else {})}
        rows = {}
        for name, batch in batches.items():
            spend, failed = batch.cost, len(batch.failed())
            money = (float(spend.usd), float(spend.equivalent_usd), spend.unknown_calls)
            rows[name] = (len(batch) - failed, failed, *money)
        names = ["answered", "failed", "usd", "equivalent_usd", "unknown"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
        return frame.rename_axis("contender")

    def votes(self) -> pd.DataFrame:
        """One line for each prompt: the tier that routing picks, the contender voted for, its tier.

        None if the pick is unknown, or nobody has voted.
        """
        import pandas as pd

        voted, tiers = self.voted(), {one.name: one.tier for one in self.contenders}
        picked = self.picks()
        rows = [
            (text_of(prompt), picked.get(at), voted.get(at), tiers.get(voted.get(at, "")))
            for at, prompt in enumerate(self.prompts)
        ]
        names = ["prompt", "picked", "voted", "needed"]
        return pd.DataFrame(rows, columns=names, index=self._index(), dtype=object)

    def labels(self) -> pd.DataFrame:
        """The votes as `router.fit` takes them: `prompt` and `tier`, the last word on each."""
        votes = self.votes().dropna(subset=["needed"])
        return votes.rename(columns={"needed": "tier"})[["prompt", "tier", "picked", "voted"]]

    def __repr__(self) -> str:
        """How it went, in a line: no prompts, no answers."""
        told = ", ".join(f"{name} {ended(batch)}" for name, batch in self.batches.items())
        place = f"; in {str(self.to)!r}" if self.to else ""
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"<Grid of {len(self):,} prompts: {told}; {self.cost}{place}{stopped}>"

    def _comparison(self, place: int) -> Comparison:
        row = None if self.routing is None else self.routing.store.row(place)
        if row is None:
            decision = unpicked("not known: it was not asked for")
        elif row.error is not None:
            decision = unpicked(f"not known: {row.error}")
        else:
            decision = Decision(row.tier, row.model, row.reason, row.confidence)
        columns = tuple(self._column(one, place, decision) for one in self.contenders)
        return Comparison(self.id, text_of(self.prompts[place]), decision, columns, self.router)

    def _column(self, contender: Contender, place: int, decision: Decision) -> Column:
        """The contender's column, with what its row keeps of the result."""
        column = column_of(contender, decision, self.router.ladder)
        row = self.batches[contender.name].store.row(place)
        if row is None:
            return replace(column, error=NotSent("stopped before it was sent"))
        result = self._result(contender, row) if row.result else None
        if row.error is None:
            return replace(column, result=result)
        name, _, message = row.error.partition(": ")
        found = getattr(errors, name, None)
        error = NbrouteError(row.error)
        if row.status == "not sent":
            error = BudgetExceeded(row.error)
        elif isinstance(found, type) and issubclass(found, NbrouteError):
            error = found(message)
        return replace(column, result=result, error=error)

    def _result(self, contender: Contender, row: Row) -> RouteResult:
        ladder = self.router.ladder
        asked = read_options({**self.options, "comparison": self.id, **contender.options})
        tier = ladder[row.tier if row.tier in ladder.names else contender.tier]
        answer = attempt_of(
            row,
            session=self.router.session,
            provider=tier.provider,
            provider_kind=self.router.parts.kind(tier),
            msg_hash=hash_text(row.prompt),
            status=row.status if row.status in get_args(Status) else "error",
            feature=asked.feature,
            comparison=asked.comparison,
        )
        made = forced(contender.tier, ladder)
        plan = make_plan(made, ladder, asked, self.router.parts.agreement)
        told = (row.result, row.prompt, row.text)
        return RouteResult(*told, made, plan, asked, (answer,), data=row.data)

    def picks(self) -> dict[int, str]:
        """The tier that routing picks for each prompt, by place."""
        return {row.place: row.tier for row in self.routing or () if row.error is None}

    def voted(self) -> dict[int, str]:
        """The contender that each prompt's last vote is for, by place."""
        votes = votes_of(self.router, self.id)
        if not votes:
            return {}
        answers = {
            row.result: (row.place, name) for name, batch in self.batches.items() for row in batch
        }
        return dict(answers[result] for result in votes if result in answers)

    def _index(self) -> Any:
        import pandas as pd

        return pd.RangeIndex(len(self)) if self.index is None else self.index


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    readable = cell.replace("\0", "\ufffd")  # a NUL ends the file for some readers
    return f"'{readable}" if _FORMULA.match(readable) else readable


def ended(batch: Batch) -> str:
    """`17 answered, 1 failed`."""
    failed = len(batch.failed())
    answered = f"{len(batch) - failed:,} answered"
    return f"{answered}, {failed:,} failed" if failed else answered


def compare_prompts(
    router: Engine,
    prompts: Iterable[str],
    tiers: Sequence[str] | None = None,
    *,
    systems: Systems | None = None,
    to: str | Path | None = None,
    resume: Grid | None = None,
    fresh: bool = False,
    picks: bool = True,
    progress: bool | Progress | None = None,
    workers: int | None = None,
    cancel: threading.Event | None = None,
    classifier: Spec | None = None,
    **options: Any,
) -> Grid:
    """The answers of several contenders to many prompts: a `Grid`, prompts x contenders.

    `tiers`, `systems` and the options are as in `compare_prompt`, prompts and failures as in
    `router.map`: a prompt that fails is a row with its error. The contenders are asked one
    after the other, `workers` prompts at once. Before them every prompt is classified, which
    costs what the classifier costs; `picks` false leaves that out. Instead of a bar,
    `progress(done, total, cost)` may be a function that is called after each call.

    `to` is a folder, with a file for each contender. The same call continues where it stopped,
    after Ctrl-C or a crash, for rows that failed, and with new contenders: what it has is not
    asked again. `fresh` starts over. Without `to`, `resume` takes the interrupted grid.

    Raises SettingsError before anything is sent, and Interrupted on Ctrl-C or once `cancel` is
    set, whose `result` is the grid so far.
    """
    index = getattr(prompts, "index", None)  # a Series' own; a list has a method of that name
    index = None if callable(index) else index
    items = list(read_prompts(prompts, "router.compare"))
    contenders = find_contenders(router.ladder, tiers, systems)
    options = checked_options(options, systems)
    at_once = checked_workers(workers, _AT_ONCE)
    for one in contenders:
        router.explain(_ANY, **{**options, **one.options})
    if picks:
        router.parts.classifier_for(classifier, None)
    names = [*([ROUTING] if picks else []), *(one.name for one in contenders)]
    folder, stores = _find_stores(names, to, resume, fresh=fresh)
    known = (store.about().get("comparison") for store in stores.values())
    name = next((one for one in known if one), None) or new_id()
    told = {**options, "comparison": name}
    anew = fresh_answers(router, told)
    asked = {key: told[key] for key in CLASSIFYING if key in told}
    asked |= {} if classifier is None else {"classifier": classifier}
    jobs: dict[str, Job] = {ROUTING: Job(asked, classify_only=True)} if picks else {}
    jobs |= {one.name: Job({**anew, **one.options}) for one in contenders}
    for key, job in jobs.items():
        about = {**described(router, job.options), "comparison": name}
        # The classifier makes no difference to the contenders.
        stores[key].begin(about if key == ROUTING else {**about, "classifier": "not asked"})
    batches: dict[str, Batch] = {}
    total = len(items) * len(jobs)
    with Bar(router, total, shown=progress, unit="step") as bar, suppress(KeyboardInterrupt):
        for key, job in jobs.items():
            batches[key] = run(items, ThreadWorkers(router, job, at_once), stores[key], bar, cancel)
    stopped = [key for key in jobs if key not in batches]
    batches |= {key: Batch(stores[key], len(items), stopped="interrupted") for key in stopped}
    routing = batches.pop(ROUTING, None)
    found = (name, items, contenders, batches, routing, router, options, index, folder)
    grid = Grid(*found, prompts.rows if isinstance(prompts, Filled) else ())
    if stopped:
        raise interrupted("stopped", folder, grid)
    return grid


def _find_stores(
    names: Sequence[str], to: str | Path | None, resume: Any, *, fresh: bool
) -> tuple[Path | None, dict[str, Store]]:
    """Where each is kept: in a file of the folder `to`, in an earlier grid, in a temporary file.

    The folder comes first. SettingsError if it cannot be one, and for a file of something else.
    """
    held: Mapping[str, Batch | None] = {}
    if resume is not None:
        check_resume(resume, Grid, to, fresh=fresh)
        held, folder = {**resume.batches, ROUTING: resume.routing}, resume.to
    else:
        folder = None if to is None else _folder(to)
    stores = {}
    for name in names:
        batch, path = held.get(name), file_in(folder, name)
        stores[name] = open_store(path, None, fresh=fresh) if batch is None else batch.store
    return folder, stores


def file_in(folder: Path | None, name: str) -> Path | None:
    """The file of that name, as every file system takes it; None if there is no folder."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:_LONGEST]
    if plain != name:  # told apart where it had to be changed
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        plain = f"{plain}-{digest[:6]}"
    return folder / f"{plain}.sqlite" if folder else None


def _folder(to: str | Path) -> Path:
    try:
        folder = Path(to).expanduser()
        is_file = folder.suffix.lower() in _FILES or folder.is_file()
        if not is_file:
            folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"to={str(to)!r:.200} cannot be made: {reason}") from error
    if is_file:
        raise SettingsError(
            f"to={str(folder)!r} names a file; a grid goes into a folder, one file per contender"
        )
    return folder
