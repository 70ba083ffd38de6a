"""A real JupyterLab or Notebook 7 in headless Chromium, for the tests and the README's picture."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
SETTINGS = {
    # A cell that is scrolled out of sight must still be there for a test to look at.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
#: A cell that is run before the kernel is connected is not run at all.
KERNEL_READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
#: What a command gives, such as a notebook with all that belongs to it, is not passed on.
COMMAND = "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }"
#: The notebook replaces those before it and goes on with their kernel.
OPEN_NEXT = """async path => {
  const app = window.jupyterapp;
  await app.restored;
  [...app.shell.widgets('main')].forEach(one => one.dispose());
  await app.serviceManager.kernels.refreshRunning();
  const [kernel] = app.serviceManager.kernels.running();
  if (kernel?.execution_state === 'busy')
    await fetch(`/api/kernels/${kernel.id}/interrupt`, {method: 'POST'});
  await app.commands.execute('docmanager:open', {path, factory: 'Notebook', kernel});
}"""
#: Leaves nothing of the notebook before in the kernel.
FRESH = """%reset -f
import os, ipywidgets
shell = get_ipython()
if "nbroute" in shell.extension_manager.loaded:
    shell.run_line_magic("unload_ext", "nbroute")
    del shell.magics_manager.registry["RouteMagics"]  # the session
ipywidgets.Widget.close_all()
os.chdir({folder!r})
for name in [name for name in os.environ if name.startswith("NBROUTE_")]:
    del os.environ[name]
os.environ |= {environment}
%load_ext nbroute"""


def in_browser() -> list[Any]:
    """The marks of a module of browser tests, which is skipped where there is no browser."""
    import pytest

    if not Path(CHROMIUM).exists() and not os.environ.get("NBROUTE_REQUIRE_BROWSER"):
        why = f"no browser at {CHROMIUM}: apt-get install chromium"
        pytest.skip(why, allow_module_level=True)
    return [
        pytest.mark.browser,
        # playwright's driver and its event loop are shut down by the interpreter's exit
        pytest.mark.filterwarnings("ignore::ResourceWarning"),
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ]


def simulated(folder: Path, pace: float = 0.0) -> None:
    """Have notebooks there use the simulated models; `pace` 1 takes the time that they tell."""
    (folder / "nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\n'
        f'[providers.simulated]\nkind = "simulated"\npace = {pace}\n'
    )


def write(folder: Path, name: str, *cells: str) -> None:
    """Write a notebook of these code cells."""
    import nbformat

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata["kernelspec"] = kernel
    nbformat.write(made, folder / name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder: Path, **extra: str) -> dict[str, str]:
    """The environment of a server whose settings and kernels are its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBROUTE"))}
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "NBROUTE_LEDGER": str(folder / "ledger.sqlite"),
        "PYTHONWARNINGS": "",
    }
    return kept | own | extra


@contextlib.contextmanager
def jupyterlab(folder: Path, **extra: str) -> Iterator[str]:
    """JupyterLab and Notebook 7 over `folder`; their address. `extra` is for the environment."""
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    port = free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.port={port}", "--IdentityProvider.token=", "--LabApp.news_url=None"),
        *("--expose-app-in-browser", "--JupyterNotebookApp.expose_app_in_browser=True"),
        f"--ServerApp.root_dir={folder}",
    ]
    with (folder / "jupyterlab.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment(folder, **extra), stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: server.poll() is not None or _answers(url))
            yield url
        finally:
            server.terminate()
            server.wait(timeout=20)


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{url}/api", timeout=1).close()  # noqa: S310 - our own server
        return True
    return False


@contextlib.contextmanager
def chromium(width: int = 1400, height: int = 1000) -> Iterator[Any]:
    """A page of a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


@contextlib.contextmanager
def another(page: Any, width: int = 1400, height: int = 1000) -> Iterator[Any]:
    """A page of the same browser, of its own size."""
    opened = page.context.browser.new_page(viewport={"width": width, "height": height})
    opened.set_default_timeout(60_000)
    try:
        yield opened
    finally:
        opened.close()


def open_notebook(page: Any, url: str, name: str) -> None:
    """Open the notebook and wait until its kernel is connected."""
    open_page(page, f"{url}/lab/tree/{name}?reset")


def open_page(page: Any, address: str) -> None:
    """The same by the address of a page; in Notebook 7, a notebook is one."""
    page.goto(address)
    page.wait_for_selector(".jp-NotebookPanel-notebook .jp-Cell", timeout=60_000)
    page.evaluate(KERNEL_READY)


def open_next(page: Any, url: str, name: str) -> None:
    """Open the notebook instead of the one before, in the same page and kernel."""
    if not page.url.startswith(f"{url}/lab"):
        page.goto(f"{url}/lab?reset")
        page.wait_for_function("() => window.jupyterapp?.restored")
    page.evaluate(OPEN_NEXT, name)
    page.wait_for_selector(".jp-NotebookPanel-notebook .jp-Cell", timeout=60_000)
    page.evaluate(KERNEL_READY)


def command(page: Any, name: str, arguments: dict[str, Any] | None = None) -> None:
    """Run one of JupyterLab's own commands, and wait for it."""
    page.evaluate(COMMAND, [name, arguments or {}])


def run_all(page: Any) -> None:
    """Run All Cells, to the end."""
    command(page, "notebook:run-all-cells")


def dark(page: Any, *, name: str = "Dark") -> None:
    """Switch to the dark theme."""
    command(page, "apputils:change-theme", {"theme": f"JupyterLab {name}"})
    light = str(name != "Dark").lower()
    page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")


def save(page: Any) -> None:
    """Save the notebook."""
    command(page, "docmanager:save")


@dataclass
class Notebooks:
    """Notebooks in one page, one after another, each with a session and a ledger of its own."""

    page: Any
    url: str
    root: Path
    folder: Path
    open: Any = open_next
    number: int = 0
    paces: dict[float, Notebooks] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / f"{self.number}.ipynb"

    @property
    def ledger(self) -> Path:
        return self.path.with_suffix(".sqlite")

    def run(self, *cells: str, waiting: bool = True, **environment: str) -> Any:
        """Run a notebook that loads nbroute and then has these cells; the first of them."""
        self.number += 1
        environment = {"NBROUTE_LEDGER": str(self.ledger)} | environment
        load = FRESH.format(folder=str(self.folder), environment=environment)
        write(self.folder, self.path.name, load, *cells)
        self.open(self.page, self.url, str(self.path.relative_to(self.root)))
        if waiting:
            run_all(self.page)
        else:
            self.page.evaluate(
                "() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }"
            )
        return self.cell(1)

    def cell(self, number: int) -> Any:
        return self.page.locator(".jp-Cell").nth(number)

    def saved(self, cell: int = 1) -> list[Any]:
        """Save the notebook; the outputs of that cell in its file."""
        save(self.page)
        return json.loads(self.path.read_text())["cells"][cell]["outputs"]

    def rows(self, query: str) -> list[Any]:
        """What the ledger answers."""
        with closing(sqlite3.connect(self.ledger)) as file:
            return file.execute(query).fetchall()

    def slow(self, pace: float) -> Notebooks:
        """The same with simulated models that take their time."""
        if pace not in self.paces:
            folder = self.folder / f"pace_{pace}"
            folder.mkdir()
            simulated(folder, pace)
            self.paces[pace] = replace(self, folder=folder, number=0)
        return self.paces[pace]
