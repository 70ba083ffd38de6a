"""A job for the child process, and what its end means."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nbroute.errors import SettingsError
from nbroute.sandbox import process
from nbroute.sandbox.process import Ended

_CHILD = Path(__file__).with_name("child.py")


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
        ended = process.run(
            # As -I, but for the hash seed that `process` sets: sets are in the same order always.
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
    if not ended.in_time:
        reason, traceback = f"did not end within {limits.seconds:g} s", ""
    else:
        reason, traceback = _told(ended.report) or (_death(ended.status), "")
    return Outcome(False, reason, traceback, output, ended.seconds)


def _told(report: bytes) -> tuple[str, str] | None:
    """The child's own account; None where it gave none that can be read."""
    try:
        said = json.loads(report)
        return str(said["reason"]), str(said["traceback"])
    except (ValueError, TypeError, KeyError):
        return None


def _death(status: int) -> str:
    how = f"exit status {status}"
    if status < 0:
        how = next((one.name for one in signal.Signals if one == -status), f"signal {-status}")
    return f"the process ended before all tests had run ({how})"
