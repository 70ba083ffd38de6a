"""The child's side: limits on itself, the last of the box, the answer, the tests, the report.

Run as a script in a process of its own, where nothing of nbroute is imported:
`python child.py REPORT_FD`, with the job as JSON on standard input.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import linecache
import os
import re
import resource
import runpy
import signal
import site
import sys
import traceback
import types
from pathlib import Path
from typing import NoReturn

# The answer may change the builtins; the functions below keep the original ones.
globals()["__builtins__"] = dict(vars(builtins))

HERE = Path(__file__).parent
ANSWER, TESTS = "<answer>", "<tests>"
TRACEBACK = 8_000  # characters, the end of it


def limit(seconds: float, memory_mb: float, file_mb: float) -> None:
    """Set the resource limits that the system has, and an alarm in case the parent dies."""
    wanted = {
        # Linux counts threads as processes: there the kernel's filter refuses to start one.
        **({} if sys.platform == "linux" else {"RLIMIT_NPROC": 1}),
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(seconds) + 2,
        "RLIMIT_FSIZE": int(file_mb * 2**20),
        "RLIMIT_NOFILE": 64,
        "RLIMIT_AS": int(memory_mb * 2**20),
    }
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))
    signal.setitimer(signal.ITIMER_REAL, seconds + 2)


class Values(ast.NodeTransformer):
    """`assert a == b` with no message gets the two values as its message."""

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        """The assertion with both sides remembered; each is evaluated once, in the same order."""
        if node.msg or not isinstance(node.test, ast.Compare) or len(node.test.ops) > 1:
            return node
        compare = node.test
        left, right = ast.Name("_left_", ast.Load()), ast.Name("_right_", ast.Load())
        shown = ast.unparse(ast.Compare(left, compare.ops, [right]))
        node.msg = ast.JoinedStr(
            [
                ast.FormattedValue(left, ord("r")),
                ast.Constant(shown.removeprefix("_left_").removesuffix("_right_")),
                ast.FormattedValue(right, ord("r")),
                ast.Constant(" does not hold"),
            ]
        )
        compare.left = ast.NamedExpr(ast.Name("_left_", ast.Store()), compare.left)
        compare.comparators = [
            ast.NamedExpr(ast.Name("_right_", ast.Store()), compare.comparators[0])
        ]
        return node


def run(answer: str, tests: types.CodeType) -> BaseException | None:
    """What the answer or the tests raised; None if nothing."""
    module = types.ModuleType("answer")
    sys.modules["answer"] = module
    space = module.__dict__
    pristine = dict(vars(builtins))
    space["__builtins__"] = vars(builtins)
    try:
        exec(compile(answer, ANSWER, "exec", dont_inherit=True), space)  # noqa: S102 - what this process is for
        space["__builtins__"] = pristine
        exec(tests, space)  # noqa: S102 - as above
    except BaseException as error:  # noqa: BLE001 - SystemExit must not end it
        return error
    return None


def told(error: BaseException, roots: tuple[str, ...]) -> dict[str, str]:
    """The error as a line and as a traceback, without this machine's paths and addresses."""
    report = traceback.TracebackException.from_exception(error, limit=-1200)
    shorten(report)
    places = [(f.filename, f.lineno) for f in report.stack if f.filename in {ANSWER, TESTS}]
    if isinstance(error, SyntaxError) and error.filename == ANSWER:
        line, places = f"{type(error).__name__}: {error.msg}", [(ANSWER, error.lineno)]
    else:
        line = "".join(report.format_exception_only())[:TRACEBACK]
    where = f" ({places[-1][0]}, line {places[-1][1]})" if places else ""
    return {
        "reason": " ".join(stable(line, roots).split())[:300] + where,
        "traceback": stable("".join(report.format())[-TRACEBACK:], roots),
    }


def shorten(report: traceback.TracebackException | None) -> None:
    """Leave out this file's frames, along the chain of causes."""
    seen: set[int] = set()
    while report is not None and id(report) not in seen:
        seen.add(id(report))
        report.stack = traceback.StackSummary.from_list(
            [f for f in report.stack if not f.filename.startswith((f"{HERE}/", "<frozen "))]
        )
        report = report.__cause__ or report.__context__


def stable(text: str, roots: tuple[str, ...]) -> str:
    """The same text in every run."""
    for root in sorted(roots, key=len, reverse=True):
        text = text.replace(root + "/", "").replace(root, ".")
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def main() -> NoReturn:
    """Run the job; the token goes into the report only when every test has run and passed."""
    report_fd = int(sys.argv[1])
    write, leave = os.write, os._exit
    job = json.loads(sys.stdin.buffer.read())
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for name, source in ((ANSWER, job["answer"]), (TESTS, job["assertions"])):
        # Here tracebacks find the lines.
        lines = io.StringIO(source, newline=None).readlines()  # at the line ends that Python knows
        linecache.cache[name] = (len(source), None, lines, name)
    tree = ast.fix_missing_locations(Values().visit(ast.parse(job["assertions"], TESTS)))
    tests = compile(tree, TESTS, "exec", dont_inherit=True)
    limit(job["seconds"], job["memory_mb"], job["file_mb"])
    sys.path[:] = job["libraries"]
    site.setquit()
    try:
        if sys.platform == "linux":
            kernel = runpy.run_path(str(HERE / "kernel.py"))
            kernel["confine"](job["box"], job["folder"], job["readable"], job["devices"])
    except (OSError, ImportError) as missing:
        if job["box"]:
            write(report_fd, json.dumps({"reason": f"{missing}", "traceback": ""}).encode())
            leave(0)
    sys.argv[:] = [ANSWER]
    ballast = [bytearray(8 << 20)]
    error = run(job["answer"], tests)
    ballast.clear()
    # Whatever goes wrong from here on, leave without waiting for the answer's threads.
    with contextlib.suppress(BaseException):
        if error is None:
            write(report_fd, job["token"].encode())
        else:
            folder = (job["folder"], repr(job["folder"])[1:-1])
            write(report_fd, json.dumps(told(error, (*folder, *job["libraries"]))).encode())
    leave(0)


if __name__ == "__main__":
    main()
