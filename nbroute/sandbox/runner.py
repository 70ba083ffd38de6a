"""Runs a job in a child process with limits, ends all of it, and says what the end means."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from nbroute.decoding import parse
from nbroute.errors import SettingsError
from nbroute.sandbox import boxes
from nbroute.sandbox.boxes import Box

_CHILD = Path(__file__).with_name("child.py")
_CLEARING_S = 5.0
_LARGEST_LIMIT = 10**9
#: The box that works here, once tried; None if the user lets code run without one.
_KNOWN: list[Box | None] = []
#: What every box must refuse; `../job` is next to the folder that the box opens.
_TRIAL = """
import os, socket
held = {}
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("127.0.0.1", 9))
for name, attempt in {
    "reading": lambda: open("../job"),
    "writing": lambda: open("../job", "a"),
    "the network": datagram,
    "processes": lambda: os.fork() or os._exit(0),
}.items():
    try:
        attempt()
    except OSError:
        continue
    held[name] = "let through"
"""

#: The child's environment: one thread and one arena, as address space is limited.
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONNODEBUGRANGES": "1",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What tested code may use; `files` is the most files and folders at any time.

    `seconds` is wall-clock time, `file_mb` is per file, and `output_kb` is how much of what it
    prints is kept. There is one process; its threads share the memory.
    """

    seconds: float = 10.0
    memory_mb: float = 512.0
    file_mb: float = 1.0
    files: int = 64
    output_kb: int = 64

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value <= _LARGEST_LIMIT:
                raise SettingsError(
                    f"The limit {name} is {value!r}; give a number above 0, "
                    f"at most {_LARGEST_LIMIT:,}."
                )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tests went; `reason` is one line (empty if they passed).

    `traceback` refers to "<answer>" and "<tests>". It and `reason` are the same in every run of
    the same code. `output` is what the code printed.
    """

    passed: bool
    reason: str
    traceback: str
    output: str


def run_tests(code: str, assertions: str, limits: Limits | None = None) -> Outcome:
    """Run the code, then the assertions in the same module, in a box that is emptied afterwards.

    Passed means that the last assertion was reached: code that exits or kills itself before that
    has failed. Nothing that the code does raises here. SettingsError if there is no box, unless
    `require_box` was told to do without.
    """
    return _run(require_box(), code, assertions, limits or Limits())


def require_box(*, unconfined: bool = False) -> Box | None:
    """The box that works here; SettingsError if none does.

    A trial decides, once per process. With `unconfined`, this process may do without from then on,
    and None is returned if there is no box.
    """
    if sys.platform in {"win32", "emscripten", "wasi"} or not sys.executable:
        raise SettingsError(
            f"Code cannot be tested on {sys.platform!r}: it takes a Python process with limits, "
            "as Linux and macOS have."
        )
    failed: list[str] = []
    for box in () if _KNOWN else boxes.candidates():
        tried = _run(box, _TRIAL, "assert not held, f'lets through {list(held)}'", Limits())
        if tried.passed:
            _KNOWN.append(box)
            break
        # The words of a program that could not make the box.
        why = " ".join(tried.output.strip().splitlines()[-1:] or [tried.reason])[:200]
        failed.append(f"{box.name}: {why}")
    if not _KNOWN and unconfined:
        _KNOWN.append(None)
    if _KNOWN:
        return _KNOWN[0]
    raise SettingsError(
        "There is no box here for code that a model wrote "
        f"({'; '.join(failed) or 'none was found'}), so nothing would keep it from "
        "your files, your keys and your network: install bubblewrap (Linux; or pip install "
        "'nbroute[sandbox]'), or allow it anyway with `%route allow code --unconfined` "
        "(in Python: router.allow_code(unconfined=True))"
    )


def _run(box: Box | None, code: str, assertions: str, limits: Limits) -> Outcome:
    token = secrets.token_hex(24)
    # Like -I, but with a hash seed in the environment, so that sets keep their order.
    command = [boxes.python(), "-s", "-P", "-S", "-B", "-u", "-X", "utf8", str(_CHILD)]
    try:
        closed = Path(tempfile.mkdtemp(prefix="nbroute-")).resolve()
        try:
            # Whatever the code does to its own folder, other users cannot enter this one.
            folder = closed / "answer"
            folder.mkdir(0o700)
            job = asdict(limits) | {
                "answer": code,
                "assertions": assertions,
                "token": token,
                "folder": str(folder),
                "box": box.name if box else "",
                "libraries": boxes.libraries(),
                "readable": boxes.readable(),
                "devices": boxes.DEVICES,
            }
            (closed / "job").write_text(json.dumps(job))
            ended = run_bounded(box.wrapped(command, folder) if box else command, folder, limits)
        finally:
            clear(closed, time.monotonic() + _CLEARING_S)
    except OSError as error:
        raise SettingsError(
            f"Code cannot be tested here now: {error}. It takes a folder for temporary files "
            "and a process of its own."
        ) from None
    return _outcome(ended, token, str(folder))


def _outcome(ended: Ended, token: str, folder: str) -> Outcome:
    output = ended.output.decode(errors="replace").replace(folder, ".")
    if ended.stopped:
        return Outcome(False, ended.stopped, "", output)
    if ended.report == token.encode():
        return Outcome(True, "", "", output)
    try:
        said = parse(ended.report)  # it may have been forged
        texts = [str(said[name]).encode(errors="replace") for name in ("reason", "traceback")]
        reason, traceback = (text.decode() for text in texts)
        reason = " ".join(reason.split())[:400]
    except (ValueError, TypeError, KeyError):
        how = f"exit status {ended.status}"
        # Bubblewrap reports a signal as a shell does.
        number = ended.status - 128 if ended.status > 128 else -ended.status
        if number > 0:
            known = (one.name for one in signal.Signals if one == number)
            how = next(known, f"signal {number}")
        reason, traceback = f"the process ended before all tests had run ({how})", ""
    return Outcome(False, reason, traceback, output)


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a process: its report, its output (both limited), its exit status.

    `stopped` says which limit ended it; `status` is negative for a signal.
    """

    report: bytes
    output: bytes
    status: int
    stopped: str


class _Kept:
    """The first `most` bytes of a stream; the rest is read and dropped."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream = stream
        self.most = most
        self.data = bytearray()

    def read(self) -> bool:
        """Read what is available; False at the end of the stream."""
        piece = os.read(self.stream.fileno(), 65_536)
        self.data += piece[: self.most - len(self.data)]
        return bool(piece)


def run_bounded(command: list[str], folder: Path, limits: Limits) -> Ended:
    """Run until the report's pipe is closed or a limit is reached, then end the whole group.

    Standard input is the file `job` next to the folder. The command gets one more argument, the
    number of the pipe for the report, and none of our environment. However the wait ends, even by
    Ctrl-C, the group ends too.
    """
    with contextlib.ExitStack() as opened:
        told, report_end = _pipe(opened)
        printed, print_end = _pipe(opened)
        report, output = _Kept(told, 65_536), _Kept(printed, int(limits.output_kb * 1024))
        child = subprocess.Popen(  # noqa: S603 - the command is our own
            [*command, str(report_end.fileno())],
            stdin=opened.enter_context((folder.parent / "job").open("rb")),
            stdout=print_end,
            stderr=print_end,
            cwd=folder,
            env=_ENVIRONMENT | {"HOME": str(folder), "TMPDIR": str(folder)},
            pass_fds=[report_end.fileno()],
            start_new_session=True,
        )
        try:
            report_end.close()
            print_end.close()
            stopped = _watch(report, output, folder, limits)
            if not (stopped or report.data):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(1)  # bubblewrap passes on how it ended
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        stopped = stopped or crowded(folder, limits.files)
        # What it left in the pipe; an escaped process may still be writing.
        os.set_blocking(printed.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(32):
                output.read()
    return Ended(bytes(report.data), bytes(output.data), child.returncode, stopped)


def _pipe(opened: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    out, into = os.pipe()
    return (
        opened.enter_context(os.fdopen(out, "rb", buffering=0)),
        opened.enter_context(os.fdopen(into, "wb", buffering=0)),
    )


def _watch(report: _Kept, output: _Kept, folder: Path, limits: Limits) -> str:
    """Read both until the report ends; return the limit that was reached first, if any."""
    until = time.monotonic() + limits.seconds
    with selectors.DefaultSelector() as ready:
        for kept in (report, output):
            ready.register(kept.stream, selectors.EVENT_READ, kept)
        counted = 0.0
        while (now := time.monotonic()) < until:
            if now > counted + 0.1:
                if too_many := crowded(folder, limits.files):
                    return too_many
                counted = now
            # Short waits: an exception sent to this thread is raised between them.
            for key, _ in ready.select(min(until - now, 0.1)):
                if key.data.read():
                    continue
                if key.data is report:
                    return ""
                ready.unregister(key.fileobj)
    return f"did not end within {limits.seconds:g} s"


# The folder that the code may write to: nothing here follows a link, recurses or builds a long
# path.


def crowded(folder: Path, most: float) -> str:
    """Why it is too full; empty if it is not."""
    waiting, count = [str(folder)], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    count += 1
                    if count > most:
                        return f"made more than {most:g} files and folders"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed meanwhile
        except OSError as error:
            return f"made a folder whose files cannot be counted ({error.strerror})"
    return ""


def clear(folder: Path, until: float) -> None:
    """Remove the folder; what is left when the time is up stays."""
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            while folder.exists() and time.monotonic() < until:
                with os.scandir(top) as found:
                    entries = list(itertools.islice(found, 1000))
                for entry in entries:
                    with contextlib.suppress(OSError):
                        _take_away(top, entry, until)
                with contextlib.suppress(OSError):
                    folder.rmdir()  # a dying process may still write
        finally:
            os.close(top)


def _take_away(top: int, entry: os.DirEntry[str], until: float) -> None:
    """Remove one entry; the folders in it are moved up for the next round."""
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.name, dir_fd=top)
        return
    os.chmod(entry.name, 0o700, dir_fd=top)
    inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        with os.scandir(inner) as found:
            for one in itertools.takewhile(lambda _: time.monotonic() < until, found):
                if one.is_dir(follow_symlinks=False):
                    os.chmod(one.name, 0o700, dir_fd=inner)
                    os.rename(one.name, secrets.token_hex(16), src_dir_fd=inner, dst_dir_fd=top)
                else:
                    os.unlink(one.name, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(entry.name, dir_fd=top)
