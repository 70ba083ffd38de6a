"""The file that a batch goes into, new or gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nbroute.batch.about import check_same
from nbroute.batch.batch import Batch
from nbroute.batch.parquet import need_pyarrow, read_parquet, write_parquet
from nbroute.batch.spool import Spool, opened, remove
from nbroute.errors import Interrupted, SettingsError

_NOT_WRITTEN = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx", ".pkl", ".feather")


class Place:
    """Where rows are kept while they come (`spool`), and where they are wanted (`to`)."""

    def __init__(self, to: Path | None, spool: Spool, *, copied: bool = False) -> None:
        self.to = to
        self.spool = spool
        self._copied = copied

    def __str__(self) -> str:
        return repr(str(self.to or self.spool.path))

    def begin(self, about: Mapping[str, str]) -> None:
        """Note down what the batch is made with; SettingsError where it was something else."""
        known = self.spool.about()
        if not known:
            self.spool.describe(about)
            return
        try:
            check_same(known, about, str(self))
        except SettingsError:
            self.spool.close()
            if self._copied:
                remove(self.spool.path)
            raise

    def finish(self, count: int) -> None:
        """Write the Parquet file, where one is wanted."""
        if self.to is not None and _is_parquet(self.to):
            write_parquet(self.spool, self.to, count)
            self.spool.become_temporary()


def find_place(to: str | Path | None, resume: Batch | None, *, fresh: bool) -> Place:
    """The place that the caller names; SettingsError where it cannot be one."""
    if resume is not None:
        if to is not None or fresh:
            raise SettingsError("resume goes on where its batch is kept; leave to and fresh out")
        if not isinstance(resume, Batch):
            raise SettingsError(f"resume is {resume!r:.60}; give the batch that was interrupted")
        return Place(resume.to, resume.spool)
    if to is None:
        return Place(None, Spool())
    path = Path(to).expanduser()
    if path.suffix.lower() in _NOT_WRITTEN:
        raise SettingsError(
            f"to={str(path)!r} is no file that a batch goes into; name a .sqlite or .parquet "
            "file, and write others from batch.frame()"
        )
    return _parquet_place(path, fresh=fresh) if _is_parquet(path) else _plain(path, fresh=fresh)


def _plain(path: Path, *, fresh: bool) -> Place:
    spool = opened(path)
    if fresh:
        spool.close()
        remove(path)
    return Place(path, spool)


def _parquet_place(path: Path, *, fresh: bool) -> Place:
    need_pyarrow()
    if not path.parent.is_dir() or path.is_dir():
        raise SettingsError(f"to={str(path)!r}: there is no such folder, or it is one itself")
    part = path.with_name(f"{path.name}.part")
    if fresh:
        remove(part)
    copied = path.exists() and not part.exists() and not fresh
    spool = opened(part)
    if copied:
        try:
            read_parquet(path, spool)
        except BaseException:
            spool.close()
            remove(part)
            raise
    return Place(path, spool, copied=copied)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def interrupted(what: str, to: Path | None, so_far: object) -> Interrupted:
    """The error of a run that was stopped: what came of it, and how to go on."""
    how = "the same call goes on" if to else "resume=sys.last_value.result goes on"
    error = Interrupted(f"{what}; {how} where it stopped")
    error.result = so_far
    return error
