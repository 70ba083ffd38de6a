"""Do the tests notice when the code is wrong?

Changes places of the code at random, one at a time, and runs the tests on each change:

    python tests/mutants.py                      # 100 places, the seed that CONTRIBUTING.md names
    python tests/mutants.py engine --places 20   # one room
    python tests/mutants.py engine --near        # with the tests of the module and its room alone
    python tests/mutants.py --show               # lists the places and runs nothing

The tests of the changed module run first, then those of its room, then all that need no browser.
A change is noticed when a test fails, or when the tests hang. The wording of errors, annotations
and docstrings are left alone.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "pricing.py", "budgets.py", "checks", "providers", "storage")
AIM = 0.92
HANGS_AFTER_S = 900
SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip

# What no user can notice, by path, line and change, and why.
HARMLESS = {
    "checks/confidence.py: self._before = \"x\" ['x' -> ('x!')]": "only its last letter is read",
    "checks/learned.py: return 1 / (1 + math.exp( [60.0 -> (61.0)]": "a chance of 1 in 10^26",
    "checks/named.py: yes_or_no = can_take(getattr(more, ['reply' -> ('reply!')]": "any value does",
    "checks/named.py: numbered = can_take(getattr(more, ['reply' -> ('reply!')]": "any value does",
    "checks/text.py: fenced = len(lines) > 1 and [len(lines) > 1 -> (len(lines) >= 1)]": "an "
    "answer of nothing but ``` is empty instead",
    "providers/keys.py: kept, done, longest [min(len(key), 64) + 1 -> (min(len(key), 64) - 1)]": ""
    "one letter of a key may stay in front of its mark",
    "providers/llama_cpp.py: self.name, server.url [1 -> (2)]": "a server on this machine is tried "
    "once more",
    "providers/refusals.py: words = words.replace(quoted [1 -> (2)]": "a letter stays of a quote "
    "that is taken out",
    "providers/connection.py: **options, follow_redirects=False, headers= "
    "['Accept-Encoding' -> ('Accept-Encoding!')]": "httpx asks for the same, without brotli here",
    "providers/retries.py: _FIRST, _MOST, _LONGEST = [120.0 -> (121.0)]": "a second of two minutes",
    "providers/retries.py: budget -= wait or 0 [0 -> (1)]": "a wait of 0 s counts as one of 1 s",
    "providers/served.py: _UNITS = [1000000000.0 -> (1000000001.0)]": "0.1 millionth of a size",
    "providers/simulated_answers.py: if request.max_tokens > 16 "
    "[request.max_tokens > 16 -> (request.max_tokens >= 16)]": "an invented class name",
    "providers/simulated_answers.py: height += "
    "[(1 - skill) * 0.1 * noise(request, 'class') -> ((1 - skill) * 0.1 / noise(request, 'class'))]"
    "": "an invented class name",
    "providers/wire.py: if len(read) > _MOST_WORDS [len(read) > _MOST_WORDS -> "
    "(len(read) >= _MOST_WORDS)]": "the same bytes are kept",
    "engine/dispatch.py: if time.perf_counter() - noted > PROGRESS_EVERY: "
    "[time.perf_counter() - noted > PROGRESS_EVERY -> "
    "(time.perf_counter() - noted >= PROGRESS_EVERY)]": "no clock is that exact",
    "providers/openai_compatible.py: if not all( ['~' -> ('~!')]": "no character is between them",
    "providers/retries.py: return seconds if seconds > 0 else None [seconds > 0 -> (seconds >= 0)]"
    "": "a wait of 0 s is not taken for one either way",
    "providers/simulated_answers.py: told = listed[1] ['.' -> ('.!')]": "an invented answer",
    "storage/database.py: opened[:] = [one for one in opened if one[0] [0 -> (1)]": "what is "
    "closed is closed again",
    "checks/values.py: sentence = re.split( "
    "[' .*_`$)]}\\\\' -> (' .*_`$)]}\\\\!')]": "a mark at the end of a sentence",
    "checks/values.py: bounded = ['\\u3040' -> ('\\u3040!')]": "no word begins with it",
    "storage/cache.py: return hashlib.sha256( ['ascii' -> ('ascii!')]": "Python reads it as ascii",
    "storage/database.py: return () [return () -> return None]": "only compared with itself",
    "storage/database.py: weakref.finalize(self, _close_own "
    "[weakref.finalize(self, _close_own, self._opened) -> pass]": "Python closes what nobody uses",
    "storage/database.py: _PAGE = 5_000 [5000 -> (5001)]": "rows that are checked together",
    "storage/ledger.py: stale_after_s: float = 900.0 [900.0 -> (901.0)]": "a second of 15 minutes",
    'storage/schema.py: connection.execute("CREATE INDEX attempts_by_id '
    "[connection.execute('CREATE INDEX attempts_by_id ON attempts (session, id)') -> pass]": ""
    "the migration after it makes the index",
    'storage/schema.py: connection.execute("CREATE INDEX IF NOT EXISTS attempts_by_id '
    "[connection.execute('CREATE INDEX IF NOT EXISTS attempts_by_id ON attempts (session, id)') "
    "-> pass]": "the migration before it has made the index",
}


@dataclass(frozen=True)
class Place:
    """One change: the bytes of `path` from `start` to `end` become `after`."""

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str
    source: str

    def drawn(self, seed: int) -> bytes:
        """Its place in the draw: the same while its own line is, whatever changes elsewhere."""
        what = (seed, self.path, self.source, self.before, self.after)
        return hashlib.sha256(repr(what).encode()).digest()

    @property
    def harmless(self) -> str:
        """Why no user can notice it; "" if that is not known."""
        changed = f" [{self.before} -> {self.after}]"
        for place, why in HARMLESS.items():
            known = place.removesuffix(changed)
            if known != place and f"{self.path}: {self.source}".startswith(known):
                return why
        return ""


def changed(node: ast.AST) -> ast.AST | None:  # noqa: C901, PLR0911, a table of cases
    """The node that stands for `node` in the changed code; None where it is left alone."""
    match node:
        case ast.Compare(left, [op], right) if type(op) in SWAPPED:
            return ast.Compare(left, [SWAPPED[type(op)]()], right)
        case ast.BoolOp(op, values):
            return ast.BoolOp(SWAPPED[type(op)](), values)
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            return ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.UnaryOp(ast.Not(), operand):
            return operand
        case ast.Constant(bool(value)):
            return ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            return ast.Constant(value + 1)
        case ast.Constant(str(value)) if value:
            return ast.Constant(value + "!")
        case ast.IfExp(test, body, orelse):
            return ast.IfExp(test, orelse, body)
        case ast.Return(value) if value is not None and not isinstance(value, ast.Constant):
            return ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()):
            return ast.Pass()
        case ast.Continue():
            return ast.Break()
    return None


def nodes_of(node: ast.AST):
    """The nodes whose change is a change of behaviour, from the top down."""
    for name, field in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "exc"}:
            continue
        for child in field if isinstance(field, list) else [field]:
            match child:
                case ast.Expr(ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                    pass
                case ast.If(ast.Name("TYPE_CHECKING")):
                    pass
                case ast.AST():
                    yield child
                    yield from nodes_of(child)


def places_of(path: Path) -> list[Place]:
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in nodes_of(ast.parse(source)):
        if (after := changed(node)) is None:
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = ast.unparse(after)
        text = text if isinstance(after, ast.stmt) else f"({text})"
        found.append(
            Place(
                path.relative_to(ROOT / "nbroute").as_posix(),
                node.lineno,
                start,
                end,
                ast.unparse(node),
                text,
                source.splitlines()[node.lineno - 1].decode().strip(),
            )
        )
    return found


def chosen(rooms: list[str], number: int, seed: int) -> list[Place]:
    files = [
        file
        for room in rooms
        for file in sorted((ROOT / "nbroute" / room).rglob("*.py")) or [ROOT / "nbroute" / room]
    ]
    found = [place for file in files for place in places_of(file)]
    return sorted(found, key=lambda place: place.drawn(seed))[:number]


def stages(place: Place, copy: Path, near: bool) -> list[list[str]]:
    """The tests to run on a change, nearest first."""
    room, module = Path(place.path).parts[0], Path(place.path).stem
    folder = copy / "tests" / room
    nearest = [str(one) for one in (copy / "tests").rglob(f"test_{module.strip('_')}.py")]
    listed = [nearest] if nearest else []
    if folder.is_dir():
        listed.append([str(folder)])
    return listed if near else [*listed, [str(copy / "tests")]]


def failing_test(place: Place, copy: Path, near: bool) -> str | None:
    """What fails with the change in `copy`: a test's name, `hangs`, or None if nothing does."""
    file = copy / "nbroute" / place.path
    source = file.read_bytes()
    file.write_bytes(source[: place.start] + place.after.encode() + source[place.end :])
    try:
        for tests in stages(place, copy, near):
            done = run_tests(copy, tests)
            if done is None:
                return "hangs"
            if done.returncode not in {0, 5}:  # 5: no test was chosen
                failed = [x for x in done.stdout.splitlines() if x.startswith(("FAILED", "ERROR"))]
                return failed[0][:110] if failed else (done.stdout + done.stderr)[-200:]
    finally:
        file.write_bytes(source)
    return None


def run_tests(copy: Path, tests: list[str]) -> subprocess.CompletedProcess[str] | None:
    """pytest's end, or None where it does not come to one."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    paths = f"{copy}{os.pathsep}{copy / 'tests'}"
    try:
        return subprocess.run(
            [*command, "-m", "not browser", *tests],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS_AFTER_S,
        )
    except subprocess.TimeoutExpired:
        return None


def copies(number: int, folder: str) -> Queue[Path]:
    """Copies of the project that changes can be made to."""
    made: Queue[Path] = Queue()
    for index in range(number):
        copy = Path(folder) / str(index)
        ignored = shutil.ignore_patterns(".venv*", ".git", "__pycache__", "out", "site", ".*_cache")
        shutil.copytree(ROOT, copy, ignore=ignored)
        made.put(copy)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rooms", nargs="*", default=ROOMS, help="rooms or modules of nbroute/")
    parser.add_argument("--places", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--near", action="store_true", help="leave out the tests of other rooms")
    parser.add_argument("--show", action="store_true", help="list the places, run nothing")
    options = parser.parse_args()
    for room in options.rooms:
        if not (ROOT / "nbroute" / room).exists():
            parser.error(f"nbroute/ has no {room!r}: name a room (engine) or a module (pricing.py)")
    if min(options.places, options.jobs) < 1:
        parser.error("--places and --jobs are 1 or more")
    places = chosen(options.rooms, options.places, options.seed)
    if options.show:
        for place in places:
            print(f"{place.path}:{place.line}  {place.before} -> {place.after}  {place.harmless}")
        return 0
    number = count(1)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        free = copies(options.jobs, folder)

        def tried(place: Place) -> bool:
            copy = free.get()
            try:
                failed = failing_test(place, copy, options.near)
            finally:
                free.put(copy)
            said = failed or f"NOT NOTICED; harmless: {place.harmless or 'not known to be'}"
            print(f"{next(number)}  {place.path}:{place.line}  {place.before} -> {place.after}")
            print(f"     {said}", flush=True)
            return failed is not None

        noticed = list(pool.map(tried, places))
    harmless = sum(
        bool(place.harmless) for place, found in zip(places, noticed, strict=True) if not found
    )
    share = sum(noticed) / (len(places) - harmless)
    print(f"{sum(noticed)} of {len(places)} changes noticed, {harmless} of the others harmless")
    print(f"without those: {share:.0%}; aim {AIM:.0%}")
    return share < AIM


if __name__ == "__main__":
    sys.exit(main())
