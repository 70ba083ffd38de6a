"""All prompts asked in one way, and the file that its rows go into."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbroute.batch import Batch
from nbroute.batch.jobs import ClassifyJob, RouteJob
from nbroute.batch.store import Store, open_store
from nbroute.compare.asking import ASKING
from nbroute.compare.columns import Contender
from nbroute.compare.grid import Grid
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError

#: What the pass is called that asks for routing's picks.
ROUTING = "_routing"
#: Characters of a file's name: file systems take 255 bytes, of which a character may be four.
_LONGEST = 50
_FILES = (".sqlite", ".db", ".parquet", ".csv", ".json", ".jsonl", ".txt", ".xlsx")


@dataclass(frozen=True)
class Pass:
    """All prompts asked of one contender, or (where it is None) for routing's pick.

    `about` is what its rows are made with.
    """

    contender: Contender | None
    options: Mapping[str, Any]
    about: Mapping[str, str]
    store: Store

    @property
    def name(self) -> str:
        """What its rows go by."""
        return self.contender.name if self.contender else ROUTING

    def batch(self, count: int, stopped: str) -> Batch:
        """The rows that are there, of the first so many prompts."""
        return Batch(self.store, count, stopped=stopped)


@dataclass(frozen=True)
class Home:
    """Where the files are: in a folder, in an earlier grid, or (both None) temporary ones."""

    folder: Path | None
    resume: Grid | None
    fresh: bool

    def store(self, name: str) -> Store:
        """The store for the pass of that name; SettingsError for a file that is another's."""
        held = {} if self.resume is None else {**self.resume.batches, ROUTING: self.resume.routing}
        batch = held.get(name)
        if batch is not None:
            return batch.store
        to = self.folder / _file_name(name) if self.folder else None
        return open_store(to, None, fresh=self.fresh)


def find_home(to: str | Path | None, resume: Any, *, fresh: bool) -> Home:
    """The home that the caller names; SettingsError where it cannot be one."""
    if resume is None:
        return Home(None if to is None else _made(to), None, fresh)
    if to is not None or fresh:
        raise SettingsError("resume goes on where its grid is kept; leave to and fresh out")
    if not isinstance(resume, Grid):
        raise SettingsError(f"resume is {resume!r:.60}; give the grid that was interrupted")
    return Home(resume.to, resume, fresh)


def plan_passes(
    router: Engine,
    asked: Sequence[Contender | None],
    options: Mapping[str, Any],
    classifier: Spec | None,
    home: Home,
) -> list[Pass]:
    """A pass for each that is asked; what a classifier is makes no difference to contenders."""
    passes = []
    for one in asked:
        if one is None:
            said = {name: options[name] for name in ASKING if name in options}
            about = ClassifyJob(classifier, said).about(router)
        else:
            said = {**options, **one.options}
            about = RouteJob(said).about(router) | {"classifier": "not asked"}
        passes.append(Pass(one, said, about, home.store(one.name if one else ROUTING)))
    return passes


def begin(passes: Sequence[Pass], new: str) -> str:
    """Note down what the passes are made with; the id of the grid, `new` where it had none.

    SettingsError where they were made with something else.
    """
    known = (one.store.about().get("comparison") for one in passes)
    name = next((one for one in known if one), new)
    for one in passes:
        one.store.begin({**one.about, "comparison": name})
    return name


def _made(to: str | Path) -> Path:
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
            f"to={str(folder)!r} names a file; a grid goes into a folder, a file a contender"
        )
    return folder


def _file_name(name: str) -> str:
    """The name as one that every file system takes, told apart where it had to be changed."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:_LONGEST]
    if plain == name:
        return f"{name}.sqlite"
    told_apart = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain}-{told_apart}.sqlite"
