"""Completion of magic lines, of commands and of the names in a template."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import run
from IPython.core.completer import provisionalcompleter

TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
OFFERED = [
    ("%%route -t si", ["%%route -t SIMPLE"]),
    ("%%route -t ", [f"%%route -t {tier}" for tier in TIERS]),
    ("%%route --max", ["%%route --max-tokens", "%%route --max-cost"]),
    ("%%route ans", ["%%route answer"]),
    ("%%route --check is", ["%%route --check is_short"]),
    ("%%route -s @re", ["%%route -s @reviewer"]),
    ("%%route -m simulated/gpt-4o-m", ["%%route -m simulated/gpt-4o-mini"]),
    ("%%route_compare si", ["%%route_compare SIMPLE"]),
    ("%route vote me", ["%route vote MEDIUM"]),
    ("%%route -t si^ -q\nHello", ["%%route -t SIMPLE -q\nHello"]),
    ("%route use simu", ["%route use simulated"]),
    ("x = 1\nspent = %route sp", ["x = 1\nspent = %route spend"]),
    ("%route label o", ["%route label overkill", "%route label off"]),
    ("%route teach forget Sort my", ["%route teach forget Sort my mail"]),
    ("%route threads forget t", ["%route threads forget trip"]),
    ("%route key open", ["%route key openrouter", "%route key openai"]),
    ("%%route\nSum up {{arti", ["%%route\nSum up {{article"]),
    ("%%route\nSum up {{ answ^ }} now", ["%%route\nSum up {{ answer }} now"]),
    ("%route classify {{arti", ["%route classify {{article"]),
    ("%%route\nplease impo", []),
    ("%%route -s imp", []),
]


def completed(shell, text):
    """The cell's text after each choice, the cursor being at `^` or at the end."""
    before, _, after = text.partition("^")
    with provisionalcompleter():
        found = list(shell.Completer.completions(before + after, len(before)))
    return [before[: one.start] + one.text + before[one.end :] + after for one in found]


@pytest.mark.parametrize("jedi", [True, False])
def test_what_fits_the_place_is_offered_and_no_python_in_prose(shell, jedi):
    Path("nbroute.toml").write_text('[prompts]\nreviewer = "You review code."\n')
    run(shell, "%%route_compare SIMPLE MEDIUM\nhello")
    run(shell, "%%route --thread trip\nhello")
    run(shell, "%route teach SIMPLE Sort my mail")
    run(shell, "answer = article = 1\nimport math\nfrom textwrap import dedent")
    run(shell, "class Kind:\n    pass\ndef is_short(answer):\n    return True")
    shell.Completer.use_jedi = jedi

    for typed, expected in OFFERED:
        assert expected == completed(shell, typed), typed
    checks = {one.split()[-1] for one in completed(shell, "%%route --check ")}
    assert not {"math", "dedent", "Kind", "exit", "quit", "get_ipython", "open"} & checks


@pytest.mark.parametrize("jedi", [True, False])
def test_elsewhere_ipython_completes_as_ever(shell, jedi):
    shell.user_ns["article_frame"] = [1]
    shell.Completer.use_jedi = jedi
    assert "x = 1\narticle_frame" in completed(shell, "x = 1\nartic")
    assert "%%time\narticle_frame" in completed(shell, "%%time\nartic")
    assert "%%route" in completed(shell, "%%rou")
    with pytest.warns(PendingDeprecationWarning):  # the older call, of terminals
        assert ("si", ["SIMPLE"]) == shell.complete(None, "%%route -t si", 13)
