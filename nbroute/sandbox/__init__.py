"""Code that a model wrote, run against the notebook's own assertions in a separate process.

What holds it back: a fresh Python in an empty temporary folder, with an environment of its own
(no keys), no standard input, and limits on time, memory, processor, files and output; and
inside, an audit hook that refuses sockets, processes, signals, ctypes, tracing, and files
outside the folder, save to read Python's library. At the end the whole process group is killed.

What does not: it is the same user on the same machine, and Python's audit hooks are no boundary
against code that is written to get around them (through a compiled package that opens files or
sockets itself, through the interpreter's own frames, or by forging the tests' outcome). Nor are
threads counted, save by the memory that they take; and the memory limit is not kept by macOS.
It stops accidents and careless code, not an attacker. For that, run the kernel in a container.
"""

from __future__ import annotations

from nbroute.sandbox.check import tests_check
from nbroute.sandbox.runner import Limits, Outcome, run_tests
from nbroute.sandbox.source import assertions_of, code_of

__all__ = ["Limits", "Outcome", "assertions_of", "code_of", "run_tests", "tests_check"]
