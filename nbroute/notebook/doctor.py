"""The doctor in a notebook: what this front end can show, and the findings as a table."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nbroute.evaluate.findings import Examination, Finding
from nbroute.notebook import look
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.screens import front_end
from nbroute.settings.model import ENVIRONMENT

#: The packages that widgets need, and the oldest version of each that will do.
_NEEDS = {"ipywidgets": (8, 1), "anywidget": (0, 9)}
_CODE = '<code style="white-space:pre-wrap">'
#: For the edge of a badge, whose word says the same.
_TINTS = {"green": "#2e8540", "amber": "#a8690a", "red": "#d13438"}


def here(shell: Any, *, static: bool) -> Iterator[Finding]:
    """What can be found out about the front end, the widgets and the kernel."""
    yield _front_end(shell, static=static)
    yield from _widgets(shell)
    yield from _kernel()


def _front_end(shell: Any, *, static: bool) -> Finding:
    kind, name = front_end(shell, static=static), "a notebook"
    if "google.colab" in sys.modules or "VSCODE_PID" in ENVIRONMENT:
        name = "Colab" if "google.colab" in sys.modules else "VS Code"
    words = {
        "live": f"{name}: answers as they come, controls, charts",
        "terminal": "a terminal: answers are printed as they come; each button has a command "
        "(`%route help all`), and charts are tables",
        "once": "nobody can type here, as when a whole notebook is run: answers are shown once "
        "they are complete, without controls, and --send needs --yes",
    }
    if static:
        words["once"] = "static (NBROUTE_STATIC, or static = true): plain answers, no controls"
    return Finding("front end", "green", words[kind])


def _widgets(shell: Any) -> Iterator[Finding]:
    """Whether the widgets' packages are installed, and new enough."""
    if not hasattr(shell, "kernel"):
        return
    found = {name: _version(name) for name in _NEEDS}
    for name, least in _NEEDS.items():
        needed = ".".join(map(str, least))
        cure = f"%pip install -U '{name}>={needed}'"
        if not found[name]:
            yield Finding("widgets", "red", f"{name} is not installed: there are no controls", cure)
        elif _numbers(found[name]) < least:
            words = f"{name} is {found[name]}, and controls need {needed}"
            yield Finding("widgets", "red", words, cure)
    if all(found[name] and _numbers(found[name]) >= _NEEDS[name] for name in _NEEDS):
        words = ", ".join(f"{name} {number}" for name, number in found.items())
        yield Finding("widgets", "green", words)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split(".")[:2] if part.isdecimal())


def _kernel() -> Iterator[Finding]:
    """The kernel's Python, and that of its notebook server."""
    words = f"Python {platform.python_version()}, IPython {version('ipython')}"
    server = _server()
    if server and Path(server).parent.resolve() != Path(sys.executable).parent.resolve():
        told = f"{words} at {sys.executable}; the notebook's server runs in {server}"
        cure = f"!{server} -m pip install jupyterlab_widgets anywidget"
        yield Finding("kernel", "amber", f"{told}: controls need their packages there, too", cure)
        return
    yield Finding("kernel", "green", words)


def _server() -> str:
    """The Python of the Jupyter server that started this kernel; "" if it cannot be found out."""
    with contextlib.suppress(Exception):  # psutil comes with ipykernel, and may refuse to say
        python, *rest = import_module("psutil").Process(os.getppid()).cmdline()
        if Path(python).is_absolute() and any("jupyter" in Path(one).name for one in rest):
            return str(python)
    return ""


def bundle(found: Examination) -> dict[str, str]:
    """The findings as plain text and as a table, the colour of each as a word and an edge."""
    rows = []
    for one in found.findings:
        tint = "" if not one.known else f";border-left:4px solid {_TINTS[one.colour]}"
        state = f'<span class="nbr-badge" style="padding:0 6px{tint}">{look.text(one.state)}</span>'
        cure = f"<br>{_CODE}{look.text(one.cure)}</code>" if one.cure else ""
        rows.append([state, look.text(one.what), f"{look.text(one.words)}{cure}"])
    below = "".join(
        f'<p class="nbr-note">{look.text(line)}</p>'
        for line in (found.told, *found.note.split("\n"))
        if line
    )
    heads = ("state", "about", "finding and cure")
    page = look.page(look.table("what the doctor found", heads, rows), below)
    return {"text/plain": safe_plain(repr(found)), "text/html": page}
