"""Completion of magic lines, of commands and of the names in a template."""

from __future__ import annotations

import re

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbroute.notebook.complete import complete, make_matcher

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
        ("%%route --tier=CO", ["%%route --tier=COMPLEX"]),
        ("%%route --max", ["%%route --max-tokens", "%%route --max-cost"]),
        ("%%route -t SIMPLE --mo", ["%%route -t SIMPLE --model"]),
        ("%%route -", [f"%%route {option}" for option in WORDS["options"]]),
        ("%%route ", [f"%%route {option}" for option in WORDS["options"]]),
        ("%%route answer << -t f", ["%%route answer << -t FRONTIER"]),
        ("%%route ans", ["%%route answer"]),
        ("%%route -S ca", ["%%route -S cascade"]),
        ("%%route --classifier hy", ["%%route --classifier hybrid"]),
        ("%%route --check is", ["%%route --check is_short"]),
        ("%%route -o ar", ["%%route -o article"]),
        ("%%route_compare si", ["%%route_compare SIMPLE"]),
        ("%%route_compare SIMPLE gpt-4.", ["%%route_compare SIMPLE openai/gpt-4.1"]),
        ("%%route_compare --over ar", ["%%route_compare --over article"]),
        ("%route vote b", ["%route vote B"]),
        ("\n%%route -t si", ["\n%%route -t SIMPLE"]),
        ("%%route -t si^ -q\nHello", ["%%route -t SIMPLE -q\nHello"]),
        ("%route use o", ["%route use openrouter", "%route use ollama"]),
        ("%route escalate m", ["%route escalate MEDIUM"]),
        ("x = 1\nspent = %route sp", ["x = 1\nspent = %route spend"]),
        ("%%route\nSum up {{ar", ["%%route\nSum up {{article"]),
        ("%%route\nSum up {{ an^ }} now", ["%%route\nSum up {{ answer }} now"]),
        ("%%route\nplease impo", []),
        ("%%route\n", []),
        ("%%route -s imp", []),
        ("%%route -t xyzzy", []),
        ("%route classify imp", []),
    ],
)
def test_what_fits_the_place_is_offered_and_no_python_in_prose(ip, typed, expected):
    assert expected == completed(ip, typed)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("openai/gpt-", ["openai/gpt-4o-mini", "openai/gpt-4.1"]),
        ("openai/gpt-4.", ["openai/gpt-4.1"]),
        ("meta-llama/llama-3:f", ["meta-llama/llama-3:free"]),
        ("gemma3:", ["gemma3:1b"]),
        ("llama", ["meta-llama/llama-3:free"]),
    ],
)
def test_a_model_name_is_replaced_as_a_whole(ip, typed, expected):
    for option in ("-m ", "--model ", "--model="):
        whole = [f"%%route {option}{model}" for model in expected]
        assert whole == completed(ip, f"%%route {option}{typed}")


@pytest.mark.parametrize("typed", ["artic", "x = 1\nartic", "%%time\nartic", "%%routes\nartic"])
def test_elsewhere_python_completes_as_ever(ip, typed):
    assert f"{typed}le_frame" in completed(ip, typed)
    assert complete("", 0, "", dict) is None


def test_the_name_of_the_magic_itself_is_left_to_ipython(ip):
    ip.register_magic_function(lambda _line, _cell=None: None, "line_cell", "route")
    assert "%%route" in completed(ip, "%%rou")
    assert "%%route" in completed(ip, "%%route")
    with pytest.warns(PendingDeprecationWarning):  # the older call, of terminals
        assert ("si", ["SIMPLE"]) == ip.complete(None, "%%route -t si", 13)


def test_the_vocabulary_is_asked_for_each_time(ip, monkeypatch):
    monkeypatch.setitem(WORDS, "tiers", ("fast", "power"))
    assert ["%%route -t fast", "%%route -t power"] == completed(ip, "%%route -t ")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("%route label ", ["good", "bad", "too weak", "overkill", "off"]),
        ("%route label #3 o", ["overkill", "off"]),
        ("%route spend d", ["day"]),
        ("%route init -", ["--force"]),
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
