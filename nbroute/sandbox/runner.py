"""A job for a child process that is watched, bounded and ended whole, and what its end means."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from nbroute.errors import SettingsError

_CHILD = Path(__file__).with_name("child.py")

#: All that the child has besides its folder: one thread, one arena, as address space is limited.
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What tested code may use; `files` is how often it may open one for writing.

    `seconds` are of wall clock, `file_mb` is for each file, `output_kb` is what is kept of
    what it prints.
    """

    seconds: float = 10.0
    memory_mb: float = 512.0
    file_mb: float = 1.0
    files: int = 64
    output_kb: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise SettingsError(f"The limit {field.name} is {value!r}; give a number above 0.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tests went; `reason` is one line (empty where they passed).

    `traceback` names lines of "<answer>" and "<tests>", and like `reason` is the same in every
    run of the same code. `output` is what the code printed.
    """

    passed: bool
    reason: str
    traceback: str
    output: str
    seconds: float


def run_tests(code: str, assertions: str, limits: Limits | None = None) -> Outcome:
    """Run the code, then the assertions in the same module, in a process that is then killed.

    Passed means that the last assertion was reached: a code that exits or kills itself before
    has failed. Nothing that the code does raises here; SettingsError where processes of this
    kind cannot be had (Windows, a browser).
    """
    require_processes()
    allowed = limits or Limits()
    token = secrets.token_hex(24).encode()
    with tempfile.TemporaryDirectory(prefix="nbroute-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        job = {"answer": code, "assertions": assertions, "folder": str(folder), **asdict(allowed)}
        ended = run_bounded(
            # As -I, but with a hash seed in the environment: sets are always in the same order.
            [sys.executable, "-s", "-P", "-B", "-u", "-X", "utf8", str(_CHILD)],
            json.dumps(job).encode(),
            token,
            folder=folder,
            seconds=allowed.seconds,
            most=int(allowed.output_kb * 1024),
        )
    return _outcome(ended, token, allowed, str(folder))


def require_processes() -> None:
    """SettingsError where code cannot be run apart."""
    if sys.platform in {"win32", "emscripten", "wasi"} or not sys.executable:
        raise SettingsError(
            f"Code cannot be tested on {sys.platform!r}: it takes a Python process with limits, "
            "as Linux and macOS have."
        )


def _outcome(ended: Ended, token: bytes, limits: Limits, folder: str) -> Outcome:
    output = ended.output.decode(errors="replace").replace(folder, ".")
    if ended.report == token:
        return Outcome(True, "", "", output, ended.seconds)
    traceback = ""
    try:
        said = json.loads(ended.report)
        reason, traceback = str(said["reason"]), str(said["traceback"])
    except (ValueError, TypeError, KeyError):
        how = f"exit status {ended.status}"
        if ended.status < 0:
            known = (one.name for one in signal.Signals if one == -ended.status)
            how = next(known, f"signal {-ended.status}")
        reason = f"the process ended before all tests had run ({how})"
    if not ended.in_time:
        reason, traceback = f"did not end within {limits.seconds:g} s", ""
    return Outcome(False, reason, traceback, output, ended.seconds)


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a process: its report, its output (each bounded), its exit status.

    `in_time` is False where it was ended at the limit; `status` is negative for a signal.
    """

    report: bytes
    output: bytes
    status: int
    in_time: bool
    seconds: float


class _Kept:
    """The first `most` bytes of a stream; the rest is read and dropped."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream = stream
        self.most = most
        self.data = bytearray()

    def read(self) -> bool:
        """Take what is there; False at the end of the stream."""
        piece = os.read(self.stream.fileno(), 65_536)
        self.data += piece[: self.most - len(self.data)]
        return bool(piece)


def run_bounded(
    command: Sequence[str], job: bytes, token: bytes, *, folder: Path, seconds: float, most: int
) -> Ended:
    """Run until the report's pipe is closed or the time is up, then end the whole group.

    The job is standard input. The command gets two more arguments: the number of the pipe that
    takes the report, and of one that holds the token. Nothing of the environment is inherited.
    Whatever ends the wait, a Ctrl-C too, ends the group.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as opened:
        report, report_end = _pipe(opened)
        token_end, token_start = _pipe(opened)
        printed, print_end = _pipe(opened)
        token_start.write(token)
        token_start.close()
        told, output = _Kept(report, 65_536), _Kept(printed, most)
        given = [str(end.fileno()) for end in (report_end, token_end)]
        child = _start([*command, *given], job, print_end, folder)
        try:
            for end in (report_end, token_end, print_end):
                end.close()
            in_time = _watch(told, output, began + seconds)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        # What it left in the pipe; something that got away may still be writing.
        os.set_blocking(printed.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(32):
                output.read()
        took = time.monotonic() - began
    return Ended(bytes(told.data), bytes(output.data), child.returncode, in_time, took)


def _pipe(opened: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    out, into = os.pipe()
    return (
        opened.enter_context(os.fdopen(out, "rb", buffering=0)),
        opened.enter_context(os.fdopen(into, "wb", buffering=0)),
    )


def _start(
    command: list[str], job: bytes, output: IO[bytes], folder: Path
) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as source:
        source.write(job)
        source.seek(0)
        return subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            stdin=source,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=_ENVIRONMENT | {"HOME": str(folder), "TMPDIR": str(folder)},
            pass_fds=[int(number) for number in command[-2:]],
            start_new_session=True,
        )


def _watch(report: _Kept, output: _Kept, until: float) -> bool:
    """Read both until the report is at its end; False where the time was up before."""
    with selectors.DefaultSelector() as ready:
        for kept in (report, output):
            ready.register(kept.stream, selectors.EVENT_READ, kept)
        while (left := until - time.monotonic()) > 0:
            # Short waits: an exception sent to this thread is raised between two of them.
            for key, _ in ready.select(min(left, 0.1)):
                if key.data.read():
                    continue
                if key.data is report:
                    return True
                ready.unregister(key.fileobj)
    return False
