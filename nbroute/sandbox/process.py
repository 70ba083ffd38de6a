"""A process of its own group that is watched, bounded and ended whole."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


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


def run(
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
            _end(child)
        _read_rest(output)
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
            env=_environment(folder),
            pass_fds=[int(number) for number in command[-2:]],
            start_new_session=True,
        )


def _environment(folder: Path) -> dict[str, str]:
    """All that the child has; one thread and one arena each, as address space is limited."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


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


def _read_rest(kept: _Kept) -> None:
    """What an ended process left in the pipe; something that got away may still be writing."""
    os.set_blocking(kept.stream.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(32):
            if not kept.read():
                return


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
