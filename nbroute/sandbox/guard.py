"""The child's guard: an audit hook over what tested code may touch.

`child.py` runs this file by its path, where nothing of nbroute can be imported.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import importlib
import os
import sys
from functools import partial
from typing import Any, NoReturn

# The answer may change the builtins; the functions below keep those of the start.
globals()["__builtins__"] = dict(vars(builtins))

DEVICES = frozenset({"/dev/null", "/dev/urandom", "/dev/random"})
TIME_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/var/db/timezone")

#: Ways around the guard: an interpreter with no hook, memory files, forks without an event.
BARRED_MODULES = frozenset(
    {
        "_interpreters",
        "_posixshmem",
        "_posixsubprocess",
        "_testcapi",
        "_testinternalcapi",
        "_xxsubinterpreters",
    }
)
#: Functions that act outside the process and have no audit event, by module.
WITHOUT_EVENT = {
    "_posixshmem": ("shm_open", "shm_unlink"),
    "_posixsubprocess": ("fork_exec",),
    "posix": ("chroot", "mkfifo", "mknod", "pidfd_open", "setns", "setpriority", "unshare"),
    "os": ("chroot", "mkfifo", "mknod", "pidfd_open", "setns", "setpriority", "unshare"),
    "_signal": ("pidfd_send_signal",),
    "signal": ("pidfd_send_signal",),
}
#: Audit events that are refused whatever they are about.
BARRED = frozenset(
    {
        "cpython.PyInterpreterState_New",
        "os.chown",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "os.link",
        "os.posix_spawn",
        "os.spawn",
        "os.symlink",
        "os.system",
        "pty.spawn",
        "resource.prlimit",
        "resource.setrlimit",
        "signal.pthread_kill",
        "sqlite3.enable_load_extension",
        "sqlite3.load_extension",
        "subprocess.Popen",
        "sys.addaudithook",
        "sys.monitoring.register_callback",
        "sys.remote_exec",
        "sys.setprofile",
        "sys.settrace",
        "webbrowser.open",
    }
)
#: How the names of others begin.
OUTWARD = ("ctypes.", "socket.")
#: Audit events about files: how many of the first arguments are paths.
CHANGES = {
    "os.chdir": 1,
    "os.chflags": 1,
    "os.chmod": 1,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.removexattr": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.setxattr": 1,
    "os.truncate": 1,
    "os.utime": 1,
    "sqlite3.connect": 1,
}
LISTINGS = frozenset({"os.listdir", "os.scandir"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refusal(PermissionError):
    """What code sees that does more than it may; a PermissionError that keeps its words.

    Python words an OSError anew once it has a file name, as `shutil.rmtree` gives it from 3.13 on.
    """

    def __str__(self) -> str:
        return str(self.args[1])


Refusal.__module__, Refusal.__qualname__ = "builtins", "PermissionError"


def refuse(what: str, /, *_: object, **__: object) -> NoReturn:
    """Raise it, whatever other arguments there are."""
    raise Refusal(errno.EACCES, f"not allowed for tested code: {what}")


class Guard:
    """The audit hook: what may not be done raises PermissionError or ImportError.

    ctypes can be imported, as pandas does, and opens libraries, but finds no function in them.
    Paths are compared as text, since links cannot be made and folders elsewhere not opened.
    """

    def __init__(self, folder: str, library: tuple[str, ...], files: int) -> None:
        self.folder = folder
        self.readable = (folder, *library, *TIME_ZONES)
        self.files = files

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Let the event pass, or raise."""
        if event == "open":
            self.opening(*arguments)
        elif event == "import" and arguments[0] in BARRED_MODULES:
            name = arguments[0]
            raise ImportError(f"not allowed for tested code: import {name}", name=name)
        elif event in CHANGES:
            for path in arguments[: CHANGES[event]]:
                stay(event, path, self.folder)
        elif event in LISTINGS:
            stay(event, "." if arguments[0] is None else arguments[0], *self.readable)
        elif event == "socket.__new__":
            # asyncio wakes itself with a local pair: AF_UNIX on Linux and macOS.
            if arguments[1] != 1:
                refuse(event)
        elif event in BARRED or (event.startswith(OUTWARD) and event != "ctypes.dlopen"):
            refuse(event)

    def opening(self, path: Any, mode: str | None, flags: int) -> None:
        """The folder may be written, the library read; `os.open` (no mode) stays inside."""
        place = located(path)
        if place is None or place in DEVICES:
            return
        if set(mode) & set("wax+") if mode else flags & WRITING:
            stay("open", path, self.folder)
            self.files -= 1
            if self.files < 0:
                refuse("so many files")
        elif mode:
            stay("open", path, *self.readable)
        else:
            stay("os.open", path, self.folder)


def stay(event: str, path: Any, *folders: str) -> None:
    """Refuse an event about a path outside the folders; a database in memory has none."""
    place = located(path)
    if place is None or (event == "sqlite3.connect" and path in {":memory:", ""}):
        return
    if not under(place, folders):
        refuse(f"{event} {path!r}")


def located(path: Any) -> str | None:
    """The path in full; None for the number of a file that is open already."""
    if isinstance(path, int):
        return None
    text = os.fsdecode(path)
    return os.path.abspath(text)  # noqa: PTH100 - a Path would resolve with the answer's builtins


def under(place: str, folders: tuple[str, ...]) -> bool:
    """Whether the place is one of the folders or inside one."""
    return any(place == folder or place.startswith(folder + "/") for folder in folders)


def confine(folder: str, files: int) -> tuple[str, ...]:
    """Set the guard, which nothing takes away again; the folders of the library."""
    for module, names in WITHOUT_EVENT.items():
        with contextlib.suppress(ImportError):
            found = importlib.import_module(module)
            for name in names:
                setattr(found, name, partial(refuse, f"{module}.{name}"))
    # Where Python imports from, less what a project added.
    library = tuple(path for path in sys.path if under(path, (sys.prefix, sys.base_prefix)))
    sys.path[:] = library
    sys.addaudithook(Guard(folder, library, files))
    return library
