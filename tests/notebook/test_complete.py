"""Completion of magic lines, of commands and of the names in a template."""

from __future__ import annotations

import re

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbroute.notebook.complete import make_matcher

WORDS = {
    "options": ("-t", "--tier", "-m", "--model", "--max-tokens", "--max-cost", "-h", "--help"),
    "compare_options": ("--blind", "--diff"),
    "subcommands": ("spend", "tiers", "use", "escalate", "help"),
    "tiers": ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER"),
    "models": ("openai/gpt-4o-mini", "openai/gpt-4.1", "meta-llama/llama-3:free", "gemma3:1b"),
    "profiles": ("openrouter", "ollama", "simulated"),
    "strategies": ("direct", "cascade", "parallel"),
    "classifiers": ("rules", "hybrid"),
    "checks": ("length", "rating", "tests=", "is_short"),
    "variables": ("answer", "article", "is_short"),
    "votes": ("A", "B"),
}


@pytest.fixture(scope="module", params=[True, False], ids=["jedi", "no jedi"])
def shell(request, tmp_path_factory):
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
    config.Completer.use_jedi = request.param
    shell = InteractiveShell(config=config)
    shell.user_ns["article_frame"] = [1]
    yield shell
    shell.history_manager.end_session()


@pytest.fixture
def ip(shell):
    matcher = make_matcher(lambda: WORDS)
    shell.Completer.custom_matchers.append(matcher)
    yield shell
    shell.Completer.custom_matchers.remove(matcher)


def completed(ip, text):
    """The cell's text after each choice, the cursor being at `^` or at the end."""
    before, _, after = text.partition("^")
    with provisionalcompleter():
        found = list(ip.Completer.completions(before + after, len(before)))
    return [before[: one.start] + one.text + before[one.end :] + after for one in found]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("%%route -t si", ["%%route -t SIMPLE"]),
        ("%%route -t ", [f"%%route -t {tier}" for tier in WORDS["tiers"]]),
        ("%%route --max", ["%%route --max-tokens", "%%route --max-cost"]),
        ("%%route ", [f"%%route {option}" for option in WORDS["options"]]),
        ("%%route ans", ["%%route answer"]),
        ("%%route -S ca", ["%%route -S cascade"]),
        ("%%route --check is", ["%%route --check is_short"]),
        ("%%route_compare si", ["%%route_compare SIMPLE"]),
        ("%%route -m meta-llama/llama-3:f", ["%%route -m meta-llama/llama-3:free"]),
        ("%%route_compare SIMPLE gpt-4.", ["%%route_compare SIMPLE openai/gpt-4.1"]),
        ("%route vote b", ["%route vote B"]),
        ("%%route -t si^ -q\nHello", ["%%route -t SIMPLE -q\nHello"]),
        ("%route use o", ["%route use openrouter", "%route use ollama"]),
        ("x = 1\nspent = %route sp", ["x = 1\nspent = %route spend"]),
        ("%%route\nSum up {{ar", ["%%route\nSum up {{article"]),
        ("%%route\nSum up {{ an^ }} now", ["%%route\nSum up {{ answer }} now"]),
        ("%%route\nplease impo", []),
        ("%%route -s imp", []),
        ("%route classify imp", []),
    ],
)
def test_what_fits_the_place_is_offered_and_no_python_in_prose(ip, typed, expected):
    assert expected == completed(ip, typed)


def test_elsewhere_ipython_completes_as_ever(ip):
    ip.register_magic_function(lambda _line, _cell=None: None, "line_cell", "route")
    assert "x = 1\narticle_frame" in completed(ip, "x = 1\nartic")
    assert "%%time\narticle_frame" in completed(ip, "%%time\nartic")
    assert "%%route" in completed(ip, "%%rou")
    assert "%%route" in completed(ip, "%%route")
    with pytest.warns(PendingDeprecationWarning):  # the older call, of terminals
        assert ("si", ["SIMPLE"]) == ip.complete(None, "%%route -t si", 13)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("%route label ", ["good", "bad", "too weak", "overkill", "off"]),
        ("%route spend d", ["day"]),
        ("%route key open", ["openrouter", "openai"]),
        ("%%route --cache re", ["refresh"]),
        ("%%route --check tests=article", ["article_frame"]),
        ("%route classify {{article", ["article_frame"]),
    ],
)
def test_the_words_of_a_command_are_offered(shell, monkeypatch, typed, expected):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    before = re.match(r".*[ ={]", typed)[0]
    shell.run_line_magic("load_ext", "nbroute")
    try:
        assert [before + word for word in expected] == completed(shell, typed)
    finally:
        shell.run_line_magic("unload_ext", "nbroute")
