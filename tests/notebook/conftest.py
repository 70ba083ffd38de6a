"""What is shared here: one JupyterLab, and a folder whose tiers are on a loopback server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import lab
import pytest
from cells import SETTINGS, run
from loopback import Loopback


@pytest.fixture(scope="module")
def looped(tmp_path_factory):
    """The folder, its server, and the environment that has nothing of the machine's user in it."""
    home = tmp_path_factory.mktemp("looped")
    folder = home / "nbroute"  # the user's configuration folder, so that its settings are trusted
    folder.mkdir()
    ledger = folder / "ledger.sqlite"
    env = lab.environment(home, XDG_CONFIG_HOME=str(home), NBROUTE_LEDGER=str(ledger))
    with Loopback() as server:
        # No cache, so that tests that share a kernel may ask the same prompt.
        text = SETTINGS.format(url=server.url, options='cache = "off"', loop="", low="")
        (folder / "nbroute.toml").write_text(text)
        yield SimpleNamespace(folder=folder, server=server, env=env, ledger=ledger)


@pytest.fixture
def asked(looped):
    """The server, which has seen nothing yet and has nothing queued."""
    looped.server.forget()
    return looped.server


@pytest.fixture
def slow(static):
    """A shell on simulated models that take as long as real ones."""
    Path("nbroute.toml").write_text('[providers.simulated]\nkind = "simulated"\npace = 1.0\n')
    run(static, "%reload_ext nbroute")
    return static


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The folder of JupyterLab; each module has one in it."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def url(root):
    """One JupyterLab for every module; its address."""
    with lab.jupyterlab(root) as address:
        yield address


@pytest.fixture(scope="module")
def page():
    """A page of headless Chromium; its event loop must not outlive the module."""
    with lab.chromium() as opened:
        opened.set_default_timeout(30_000)
        yield opened


@pytest.fixture(scope="module")
def notebooks(request, page, url, root):
    """Notebooks of this module, on simulated models of its `PACE`."""
    folder = root / request.module.__name__.split(".")[-1]
    folder.mkdir(exist_ok=True)
    lab.simulated(folder, getattr(request.module, "PACE", 0.0))
    return lab.Notebooks(page, url, root, folder)
