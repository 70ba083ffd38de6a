"""Holds the table of rooms: imports point up it, in-function ones too."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import nbroute

ROOT = Path(nbroute.__file__).parent

#: The rooms from top to bottom: pure ones, edges, the engine, wiring, front ends.
LAYERS = """
    errors locks additions decoding types
    ladders pricing budgets interpolate classify checks report
    providers storage embedders sandbox recording settings
    engine batch compare
    evaluate router
    export costs workshop notebook cli __main__"""
ROOMS = LAYERS.split()
#: A lock has to know of forks.
PURE = [room for room in ROOMS[: ROOMS.index("providers")] if room != "locks"]
IMPURE = {"os", "time", "random", "socket", "subprocess", "sqlite3", "secrets", "uuid"}


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


def test_a_module_imports_only_rooms_above_its_own():
    imports = [(path, room) for path in modules() for room in rooms_of(path)]

    assert [] == [
        f"{path} imports {room}"
        for path, room in imports
        if ROOMS.index(room) > ROOMS.index(room_of(path))
    ]


def test_the_import_graph_has_no_cycle():
    """Over the whole package: type-checking and in-function imports, `__init__` too."""
    names = {name_of(path): path for path in ROOT.rglob("*.py")}
    graph = {
        name: {module_in(other, names) for other in imports_of(path)} - {None, name}
        for name, path in names.items()
    }

    graphlib.TopologicalSorter(graph).prepare()  # raises an error that names the cycle


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def module_in(imported: str, names: dict[str, Path]) -> str | None:
    """The module of the package that `imported` is, or is a name in."""
    found = imported if imported in names else imported.rpartition(".")[0]
    return found if found in names else None


#: What reads or writes a file; package data is read through `importlib.resources.files`.
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink"}


def file_calls(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    found = {ast.unparse(call.func) for call in calls}
    return {
        name
        for name in found
        if name.rpartition(".")[2] in FILE_CALLS and not name.startswith(("files(", "resources."))
    }


def test_a_pure_layer_has_no_clock_no_chance_no_environment_and_no_file_but_package_data():
    pure = [path for path in modules() if room_of(path) in PURE]
    impure = {path: {name.split(".")[0] for name in imports_of(path)} for path in pure}
    files = {path for path in pure if file_calls(path)}

    assert {} == {path: names & IMPURE for path, names in impure.items() if names & IMPURE}
    assert files <= {ROOT / "report" / "figure.py"}  # writes the one file that its caller names


#: litellm takes its switches from the environment alone: set for its import, and taken back.
#: And the SDK takes its proxies from there: which variable is to blame can only be looked up.
EXCEPTED = (ROOT / "providers" / "litellm.py", ROOT / "providers" / "connection.py")


def test_only_settings_reads_the_environment():
    for path in modules():
        nodes = ast.walk(ast.parse(path.read_text()))
        used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        if path not in EXCEPTED and used & {"environ", "getenv"}:
            assert room_of(path) in {"settings", "cli"}, path


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_nbroute_loads_nothing_heavy_and_loading_the_extension_nothing_slow(monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    heavy = {"openai", "pandas", "altair", "ipywidgets", "IPython", "genai_prices", "numpy"}
    slow = {"openai", "pandas", "pydantic", "altair", "msgspec"}
    start = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'nbroute')\n"
        "assert 'route' in shell.magics_manager.magics['cell']"
    )

    assert set() == loaded_after("import nbroute") & heavy
    assert set() == loaded_after(start) & slow
