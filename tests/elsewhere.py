"""Which tests use what only Linux, or only POSIX, has: they are skipped on other systems."""

from __future__ import annotations

import inspect
import re
import sys
from types import ModuleType

LINUX = r"/proc/|/dev/full|bwrap|[Ll]andlock|seccomp"
POSIX = (
    LINUX + r"|os\.(?:fork|kill|killpg|mkfifo|umask|getuid|getpgid|symlink|setsid)\b|symlink_to"
    r"|signal\.(?:SIGKILL|SIGALRM|SIGINT|pthread_kill|setitimer)|[\"']fork[\"']|\.chmod\(|/dev/|/etc/"
    r"|import (?:resource|pty|fcntl|pexpect)\b|pexpect|allow_code|tests=|interrupt"
)
PATTERN = {"linux": None, "win32": POSIX}.get(sys.platform, LINUX)
#: Rooms and modules of which nothing works there.
WITHOUT = {"win32": ("sandbox", "test_terminal"), "linux": ()}.get(sys.platform, ())


def missing(path: str, function: object, module: ModuleType) -> str:
    """What the test uses that is not there; "" where it can run."""
    if any(name in path for name in WITHOUT):
        return "no sandbox and no terminal"
    if PATTERN is None:
        return ""
    source = inspect.getsource(inspect.unwrap(function))
    used = [value for name, value in vars(module).items() if re.search(rf"\b{name}\b", source)]
    own = [one for one in used if getattr(one, "__module__", "") == module.__name__]
    helpers = [inspect.getsource(one) for one in own if inspect.isfunction(one)]
    scripts = [one for one in used if isinstance(one, str)]
    found = re.search(PATTERN, "\n".join([source, *helpers, *scripts]))
    return f"uses {found[0]}" if found else ""
