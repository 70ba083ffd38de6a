"""Every test runs with no key, in an empty folder, on a ledger of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import os
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from loopback import Loopback

from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.router import Router
from nbroute.types import Ladder, Price, Tier

# A shell that starts the tests in the background has them ignore Ctrl-C, and their children too.
signal.signal(signal.SIGINT, signal.default_int_handler)


#: What only Linux, or only POSIX, has: a test that uses it is skipped on other systems.
LINUX = r"/proc/|/dev/full|bwrap|[Ll]andlock|seccomp"
POSIX = (
    LINUX + r"|os\.(?:fork|kill|killpg|mkfifo|umask|getuid|getpgid|symlink|setsid)\b|symlink_to"
    r"|signal\.(?:SIGKILL|SIGALRM|SIGINT|pthread_kill|setitimer)|[\"']fork[\"']|\.chmod\(|/dev/|/etc/"
    r"|import (?:resource|pty|fcntl|pexpect)\b|pexpect|allow_code|tests=|interrupt"
)
PATTERN = {"linux": None, "win32": POSIX}.get(sys.platform, LINUX)
#: Rooms and modules of which nothing works there.
WITHOUT = {"win32": ("sandbox", "test_terminal"), "linux": ()}.get(sys.platform, ())


def missing(path, function, module):
    """What the test uses that is not there; "" where it can run."""
    if any(name in path for name in WITHOUT):
        return "no sandbox and no terminal"
    if PATTERN is None:
        return ""
    source = inspect.getsource(inspect.unwrap(function))
    used = [value for name, value in vars(module).items() if re.search(rf"\b{name}\b", source)]
    own = [one for one in used if getattr(one, "__module__", "") == module.__name__]
    helpers = [inspect.getsource(one) for one in own if inspect.isfunction(one)]
    scripts = [one for one in used if isinstance(one, str)]
    found = re.search(PATTERN, "\n".join([source, *helpers, *scripts]))
    return f"uses {found[0]}" if found else ""


#: These files take longest, and begin first: no worker is left alone with one at the end.
LONGEST = ("test_workshop_notebooks", "test_accessibility", "test_browser_", "test_terminal")


def pytest_configure(config):
    config.option.loadscopereorder = False  # xdist would begin with the files of most tests


def pytest_collection_modifyitems(items):
    numbered = [*enumerate(LONGEST), (len(LONGEST), "")]
    items.sort(key=lambda item: next(number for number, name in numbered if name in item.nodeid))
    for item in items:
        function = getattr(item, "function", None)
        why = function and missing(item.nodeid, function, item.module)
        if why:
            item.add_marker(pytest.mark.skip(reason=f"not on {sys.platform}: {why}"))


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """An environment that has nothing of the machine's user in it."""
    for name in list(os.environ):
        if name.startswith("NBROUTE_") and name != "NBROUTE_REQUIRE_BROWSER":
            monkeypatch.delenv(name)
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    # The user's configuration folder, so that a settings file there is trusted.
    home = tmp_path / "nbroute"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("NBROUTE_LEDGER", str(home / "ledger.sqlite"))


@pytest.fixture
def server():
    with Loopback() as running:
        yield running


@pytest.fixture(scope="module")
def event_loop():
    """What litellm would make an event loop for, and never close: pytest tells of it much later."""
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        yield
        asyncio.set_event_loop(None)


@pytest.fixture
def connect(server):
    """Makes providers over the loopback server."""
    made = []

    def make(base_url=None, api_key="sk-test-0123456789abcdef", **options):
        options = {"max_retries": 0, "timeout_s": 5.0, "api_key_env": "TEST_KEY"} | options
        made.append(OpenAICompatible("test", base_url or server.url, api_key, **options))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def provider(connect):
    return connect()


def priced(name, model, max_tokens, *usd, **more):
    price = Price(*map(Decimal, usd), "configured")
    return Tier(name, "loop", model, max_tokens, price=price, **more)


LOW = priced("LOW", "small", 64, 1, 2, system="Be brief.", fallbacks=("small-2",))
TIERS = (LOW, priced("MID", "medium", 256, 3, 6), priced("TOP", "large", 1024, 10, 30))
LADDER = Ladder("test", TIERS, default="LOW")
#: Two answers that pass every check and do not agree, and one that is too short.
GOOD = "Water boils at 100 degrees Celsius at sea level, and lower up a mountain."
OTHER = "Bananas are rich in potassium, and monkeys like them very much."
SHORT = "At a hundred."
HARD = "Explain, step by step, how heat moves through the walls of an old house in winter."
TWO = {"strategy": "parallel", "tiers": ("LOW", "TOP")}


@pytest.fixture
def make_router(server):
    """A router over the loopback server, with three priced tiers: LOW, MID and TOP."""
    made = []

    def make(*, timeout_s=5.0, url=None, api_key="sk-test-0123456789", **options):
        reached = {"timeout_s": timeout_s, "max_retries": 0, "api_key_env": "LOOP_API_KEY"}
        provider = OpenAICompatible("loop", url or server.url, api_key, **reached)
        options = {"ladder": LADDER, "classifier": lambda _: "LOW"} | options
        made.append(Router(profile="simulated", provider=provider, **options))
        return made[-1]

    yield make
    for router in made:
        router.close()


@pytest.fixture
def router(make_router):
    return make_router()


@pytest.fixture
def opened():
    """Makes routers, and closes them."""
    with contextlib.ExitStack() as made:
        yield lambda *arguments, **options: made.enter_context(
            contextlib.closing(Router(*arguments, **options))
        )


@pytest.fixture
def simulated(opened):
    """A router on the simulated models."""
    return opened(profile="simulated")


#: Settings that a worker in another process can read, too.
SETTINGS = """
[nbroute]
classifier = "ngrams"
{options}
[providers.loop]
base_url = "{url}"
api_key_env = "LOOP_API_KEY"
timeout_s = 30
[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 100
price = {{ input = 0.0, output = 10.0 }}
[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 100
price = {{ input = 0.0, output = 10.0 }}
"""


@pytest.fixture
def file_router(server, monkeypatch):
    """A router over the loopback server that is all in nbroute.toml, with its key set."""
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    with contextlib.ExitStack() as made:

        def make(options="", **given):
            file = Path("nbroute.toml")
            file.write_text(SETTINGS.format(url=server.url, options=options), encoding="utf-8")
            return made.enter_context(contextlib.closing(Router(file, **given)))

        yield make


@pytest.fixture
def plain_shell():
    """A shell in which nbroute is not loaded yet."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    yield made
    if "nbroute" in made.extension_manager.loaded:
        made.run_line_magic("unload_ext", "nbroute")
    made.history_manager.end_session()
    made.history_manager.save_thread.stop()
    made.history_manager.db.close()
    atexit.unregister(made.atexit_operations)
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(plain_shell, monkeypatch):
    """A shell on the simulated profile, with nbroute loaded."""
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    with capture_output():
        plain_shell.run_line_magic("load_ext", "nbroute")
    return plain_shell


@pytest.fixture
def static(shell, monkeypatch):
    """The same shell, with one plain output at the end of a cell."""
    monkeypatch.setenv("NBROUTE_STATIC", "1")
    with capture_output():
        shell.run_line_magic("unload_ext", "nbroute")
        shell.run_line_magic("load_ext", "nbroute")
    return shell
