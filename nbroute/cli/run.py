"""`nbroute run`: executes a notebook and shows what its prompts cost."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbroute.cli.table import table
from nbroute.cli.terminal import folder
from nbroute.errors import SettingsError
from nbroute.report.table import one_line
from nbroute.workshop import solved

_KERNEL = "python3"


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    words = commands.add_parser("run", help="execute a notebook and show what its prompts cost")
    words.add_argument("notebook", type=Path, help="the .ipynb file; it is not changed")
    words.add_argument(
        "--out", metavar="DIR", type=folder, default=Path("out"), help="default: out"
    )
    words.add_argument("--profile", metavar="NAME", help="the profile to run on (NBROUTE_PROFILE)")
    file = words.add_mutually_exclusive_group()
    file.add_argument("--record", metavar="FILE", type=Path, help="record its answers in the file")
    file.add_argument("--replay", metavar="FILE", type=Path, help="answer from a recording")
    words.add_argument("--solved", action="store_true", help="run a workshop's solutions, too")
    words.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    notebook = _read(options.notebook)
    target = _target(options.notebook, options.out)
    if options.solved:
        notebook.update(solved(notebook))
    environment = _environment(options)
    failure = None
    try:
        failure = _execute(notebook, options.notebook.absolute().parent, environment)
    finally:
        page = _write(notebook, target)
        print("\n".join(["", *table(notebook), f"notebook    {target}", f"page        {page}"]))
    if failure:
        print(f"nbroute: {failure}", file=sys.stderr)
    return 1 if failure else 0


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """That of the kernel, in the notebook's folder; a file on the command line comes first."""
    files = {"NBROUTE_RECORD": options.record, "NBROUTE_REPLAY": options.replay}
    told = {name: str(file.absolute()) if file else "" for name, file in files.items()}
    told = told if any(told.values()) else {}
    told |= {"NBROUTE_PROFILE": options.profile} if options.profile else {}
    return {**os.environ, "NBROUTE_STATIC": "1", **told}


def _read(path: Path) -> Any:
    try:
        import ipykernel  # noqa: F401 - asked for before anything is done
        import nbclient  # noqa: F401 - as above
        import nbconvert  # noqa: F401 - as above
        import nbformat
    except ImportError as error:
        raise SettingsError(
            f"running a notebook needs {error.name}: pip install 'nbroute[lab]'"
        ) from None
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise SettingsError(f"cannot read the notebook {str(path)!r}: {error.strerror}") from None
    except Exception as error:
        raise SettingsError(f"{str(path)!r} is no notebook: {one_line(str(error))}") from error


def _target(notebook: Path, out: Path) -> Path:
    target = out / notebook.name
    if target.resolve() == notebook.resolve():
        raise SettingsError(
            f"the executed notebook would overwrite {str(notebook)!r}: "
            "name another folder with --out"
        )
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return target


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"cannot write to {str(folder)!r}: {error.strerror}; name another folder with --out"
        ) from None


def _execute(notebook: Any, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Run all cells; the first failure as one line, None where there is none."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm

    cells = [i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    with tqdm(total=len(cells), bar_format="{desc} |{bar:40}| {elapsed}", desc="kernel") as bar:

        def started(cell_index: int, **_: Any) -> None:
            bar.set_description_str(f"cell {cells.index(cell_index) + 1} of {len(cells)}")

        def ended(**_: Any) -> None:
            bar.update()

        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name=_KERNEL,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=started,
            on_cell_executed=ended,
        )
        try:
            with _ticking(bar):
                client.execute(env=dict(environment))
        except CellExecutionError as error:
            return f"{bar.desc} failed: {error.ename}: {one_line(error.evalue)}"
        except DeadKernelError:
            return f"{bar.desc} failed: the kernel died"
    return None


@contextlib.contextmanager
def _ticking(bar: Any) -> Iterator[None]:
    """Let the seconds go on while a cell takes its time; only a terminal shows that well."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(1):
            bar.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()


def _write(notebook: Any, target: Path) -> Path:
    """Write the notebook first, as the page may fail, and the page beside it; its path."""
    import nbformat
    from nbconvert import HTMLExporter

    page = target.with_suffix(".html")
    with _writing(target.parent):
        nbformat.write(notebook, target)  # type: ignore[no-untyped-call]
    exporter = HTMLExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook)
    with _writing(target.parent):
        page.write_text(html, encoding="utf-8")
    return page
