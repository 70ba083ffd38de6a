"""Prints the figures that keep the house small: `python tools/figures.py`.

Lines and files are those of `nbroute/*.py` outside `notebook/`, which has a row of its own. A
function is private and used once where its name begins with one underscore and stands twice
in its file: once defined, once used. A module has one importer where one other file of
`nbroute/` names it in an import. The last rows follow one simulated prompt, in a fresh process.
"""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent / "nbroute"

FOLLOWED = """
import sys, collections
import nbroute
router = nbroute.Router(profile="simulated")
files, functions = set(), set()
def follow(frame, event, arg):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(sys.argv[1]):
        files.add(code.co_filename)
        functions.add((code.co_filename, code.co_qualname))
sys.setprofile(follow)
router.route("What is the capital of France?")
sys.setprofile(None)
print(len(files), len(functions))
"""

COUNTED = """
asked = []
ledger = get_ipython().run_line_magic("route", "router").ledger
rows = ledger.report_rows
ledger.report_rows = lambda **of: (asked.append(1), rows(**of))[1]
"""
CELLS = [
    "%load_ext nbroute",
    "%route use simulated",
    "%%route\nName a colour.",
    "%route dashboard",
    COUNTED,
    "%%route\nWhat is the capital of France?",
    "import time; time.sleep(1); print(len(asked))",
]


def module_of(path: Path) -> str:
    """The dotted name that the file is imported by."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def importers(path: Path, texts: dict[Path, str]) -> list[Path]:
    """The other files that name the module in an import."""
    name = re.escape(module_of(path))
    parent, _, leaf = module_of(path).rpartition(".")
    named = re.compile(
        rf"(from|import) {name}\b|from {re.escape(parent)} import [^\n]*\b{leaf}\b"
        if parent
        else rf"(from|import) {name}\b"
    )
    return [other for other, text in texts.items() if other != path and named.search(text)]


def lengths(text: str) -> list[int]:
    """The lines of each function in the file, decorators left out."""
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def used_once(text: str) -> int:
    """How many functions are private and used once in their own file."""
    private = re.findall(r"^\s*(?:async )?def (_[a-z]\w*)\(", text, re.MULTILINE)
    return sum(len(re.findall(rf"\b{name}\b", text)) == 2 for name in private)


def ran(code: str) -> list[str]:
    """The last line that the code prints, in words, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NBROUTE_LEDGER": f"{folder}/ledger.sqlite"}
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT.parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT)],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
            env=env,
        )
    return done.stdout.splitlines()[-1].split()


def reports_of_a_cell() -> str:
    """How often a cell with a card, its meter and a dashboard has the session summed up."""
    from jupyter_client.manager import start_new_kernel

    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NBROUTE_LEDGER": f"{folder}/ledger.sqlite"}
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT.parent), os.environ.get("PYTHONPATH", "")])
        manager, client = start_new_kernel(kernel_name="python3", cwd=folder, env=env)
        said = [""]

        def hear(message: dict[str, Any]) -> None:
            said.append(message["content"].get("text", ""))

        for cell in CELLS:
            client.execute_interactive(cell, allow_stdin=True, output_hook=hear, timeout=60)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return said[-1].strip() or said[-2].strip()


def main() -> None:
    """Print the table."""
    texts = {path: path.read_text() for path in sorted(ROOT.rglob("*.py"))}
    own = {path: text for path, text in texts.items() if ROOT / "notebook" not in path.parents}
    counts = {path: text.count("\n") for path, text in texts.items()}
    largest = max(own, key=counts.__getitem__)
    sizes = sorted(size for text in own.values() for size in lengths(text))
    total, once = len(sizes), sum(map(used_once, own.values()))
    single = sum(len(importers(path, texts)) == 1 for path in own)
    files, functions = ran(FOLLOWED)
    rows = [
        ("lines outside notebook/", sum(counts[path] for path in own), "21,000"),
        ("files outside notebook/", len(own), "120"),
        ("largest file", f"{largest.relative_to(ROOT)} {counts[largest]}", ""),
        ("private functions used once", f"{once} of {total}: {once / total:.1%}", "18%"),
        ("modules with one importer", single, "45"),
        ("function lines, median", statistics.median(sizes), "7 to 12"),
        ("function lines, 95th percentile", sizes[int(0.95 * total)], "45"),
        ("function lines, longest", sizes[-1], "90"),
        ("entries in nbroute/", len([p for p in ROOT.iterdir() if p.name != "__pycache__"]), "28"),
        ("files that one prompt passes", files, "30"),
        ("functions that one prompt passes", functions, "200"),
        ("whole-session reports a cell", reports_of_a_cell(), "1"),
        ("lines of notebook/", sum(counts[path] for path in texts if path not in own), ""),
    ]
    for name, value, limit in rows:
        print(f"{name:34} {value!s:>28}  {f'at most {limit}' if limit else ''}")


if __name__ == "__main__":
    main()
