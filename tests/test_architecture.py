"""Holds the table of rooms: imports point up it, in-function ones too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nbroute

ROOT = Path(nbroute.__file__).parent

ROOMS = [
    "errors",
    "types",
    # 1: pure
    "ladders",
    "pricing",
    "budgets",
    "classify",
    "checks",
    "report",
    # 2: edges
    "providers",
    "storage",
    "embedders",
    "sandbox",
    "recording",
    "settings",
    # 3: engine
    "engine",
    "batch",
    "compare",
    # 4: wiring
    "evaluate",
    "router",
    # 5: front ends
    "export",
    "audit",
    "workshop",
    "notebook",
    "cli",
    "__main__",
]
PURE = ROOMS[: ROOMS.index("providers")]
IMPURE_MODULES = {"os", "time", "random", "socket", "subprocess", "sqlite3", "secrets", "uuid"}


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every absolute module name that the file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_of(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("nbroute.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_rooms_above_its_own(path):
    own = room_of(path)

    below = [room for room in rooms_of(path) if ROOMS.index(room) > ROOMS.index(own)]

    assert [] == below


@pytest.mark.parametrize(
    "room",
    [
        "audit",
        "checks",
        "classify",
        "cli",
        "engine",
        "compare",
        "embedders",
        "evaluate",
        "export",
        "storage",
        "batch",
        "notebook",
        "providers",
        "recording",
        "report",
        "sandbox",
        "settings",
        "types",
    ],
)
def test_a_folder_has_no_import_cycle(room):
    graph = {}
    for path in (ROOT / room).glob("*.py"):
        name = f"nbroute.{room}" if path.stem == "__init__" else f"nbroute.{room}.{path.stem}"
        graph[name] = {
            other
            for other in imports_of(path) | {one.rpartition(".")[0] for one in imports_of(path)}
            if other.startswith(f"nbroute.{room}.") and other != name
        }
    seen: list[str] = []

    def visit(name: str) -> None:
        assert name not in seen, " -> ".join([*seen, name])
        seen.append(name)
        for other in graph.get(name, ()):
            visit(other)
        seen.pop()

    for name in graph:
        visit(name)


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if room_of(path) in PURE],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_pure_layer_has_no_clock_no_chance_no_environment(path):
    assert set() == {name.split(".")[0] for name in imports_of(path)} & IMPURE_MODULES


#: litellm takes its switches from the environment alone: set for its import, and taken back.
WRITES_ENVIRONMENT = ROOT / "providers" / "litellm.py"


def reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_only_settings_reads_the_environment():
    others = [path for path in modules() if path != WRITES_ENVIRONMENT]
    readers = {room_of(path) for path in others if reads_environment(path)}

    assert readers <= {"settings", "cli"}


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_nbroute_loads_nothing_heavy():
    heavy = {"openai", "pandas", "altair", "ipywidgets", "IPython", "genai_prices", "numpy"}

    assert set() == loaded_after("import nbroute") & heavy


def test_loading_the_extension_loads_no_openai_pandas_or_altair(tmp_path, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    monkeypatch.setenv("NBROUTE_LEDGER", str(tmp_path / "ledger.sqlite"))
    start = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'nbroute')\n"
        "assert 'route' in shell.magics_manager.magics['cell']"
    )

    assert set() == loaded_after(start) & {"openai", "pandas", "altair"}
