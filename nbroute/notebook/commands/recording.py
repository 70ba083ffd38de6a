"""Record a session, and answer from a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError
from nbroute.notebook import tables
from nbroute.notebook.commands.base import Command
from nbroute.report.table import counted

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

_QUOTES = "\"'"


def record(desk: Desk, rest: str) -> tables.Said:
    """Keep each answer from here on in a file, or end that, or say how it stands."""
    if not rest:
        return tables.Said(f"nbroute: {_recording(desk.router.recorder)}")
    if rest.lower() in ("off", "stop"):
        return _ended(desk)
    recorder = desk.router.record(_file(rest))
    desk.refresh()
    has = f" (which has {counted(len(recorder), 'answer')})" if len(recorder) else ""
    told = (
        f"nbroute: recording to {recorder.path}{has}: each answer from here on, also those out of "
        "the cache; keys are left out, prompts and answers are not. `%route record off` ends it."
    )
    return tables.Said(f"{told}\n{recorder.note}" if recorder.note else told)


def replay(desk: Desk, rest: str) -> tables.Said:
    """Answer from a recording from here on, or end that, or say how it stands."""
    if rest.lower() in ("off", "stop"):
        return tables.Said(f"nbroute: {desk.end_replay()}")
    if rest:
        desk.replay(_file(rest))
    recording = desk.router.replaying
    if recording is None:
        return tables.Said("nbroute: not replaying; `%route replay FILE` answers from a recording")
    return tables.Said(
        f"nbroute: {desk.router.settings.origin}; {counted(len(recording), 'answer')}, each at $0. "
        "`%route use PROFILE` switches to models."
    )


def _ended(desk: Desk) -> tables.Said:
    recorder = desk.router.recorder
    desk.router.record(None)
    desk.refresh()
    if recorder is None:
        return tables.Said("nbroute: nothing was being recorded")
    return tables.Said(
        f"nbroute: recording has ended: {recorder.path} has {counted(len(recorder), 'answer')}. "
        f"`%route replay {recorder.path}` answers from it, with no key and no network."
    )


def _recording(recorder: Any) -> str:
    if recorder is None:
        return "not recording; `%route record FILE` keeps each answer from then on"
    told = f"{counted(len(recorder), 'answer')}, {recorder.added} written since it began"
    return f"recording to {recorder.path}: {told}; `%route record off` ends it"


def _file(rest: str) -> str:
    """The file's name, which may stand in quotes."""
    quoted = len(rest) > 1 and rest[0] == rest[-1] and rest[0] in _QUOTES
    name = rest[1:-1] if quoted else rest
    if not name.strip():
        raise SettingsError("the file has no name; give one, such as `talk.rec`")
    return name


COMMANDS = {
    "record": Command(
        record, "keep each answer in a text file, to be replayed with no key", "[FILE|off]"
    ),
    "replay": Command(
        replay, "answer from a recording: nothing is sent, nothing is paid", "[FILE|off]"
    ),
}
