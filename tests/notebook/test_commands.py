"""What `%route WORD` says and does, as a person would meet it."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from cells import desk_of, error_of, run
from IPython.core.error import StdinNotImplementedError

from nbroute.notebook.commands.base import COMMANDS
from nbroute.router import Router
from nbroute.settings import load
from nbroute.settings.model import ENVIRONMENT
from nbroute.types import Ladder, Tier

KEY = "sk-or-v1-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_keys():
    yield
    ENVIRONMENT.forget()


def test_the_first_help_is_short_and_help_all_lists_each_command_once(shell):
    text, _ = run(shell, "%route help")
    assert len(text.splitlines()) < 25

    text, _ = run(shell, "%route help all")
    for name, one in COMMANDS.items():
        assert 1 == len(re.findall(rf"^  %route {name}(?: |$)", text, re.MULTILINE)), name
        assert one.about in text


def test_one_command_has_its_usage_an_example_and_its_python(shell):
    text, _ = run(shell, "%route tiers -h")

    assert [
        "tiers: show the ladder, or change its models and efforts for this session",
        *("", "usage:   %route tiers [TIER=MODEL ...|TIER:high ...|reset]"),
        "example: %route tiers SIMPLE=openai/gpt-4.1-nano",
        *("Python:  router.ladder", "         (router = %route router)"),
    ] == text.rstrip().split("\n")[1:]
    for asked in ("help tiers", "tiers?"):
        assert text.split()[1:] == run(shell, f"%route {asked}")[0].split()[1:]
    assert "usage: %%route [NAME <<]" in run(shell, "%route help %%route")[0]


def test_each_answer_is_reached_by_its_number(shell):
    run(shell, "%%route -t SIMPLE\nhello")
    run(shell, "%%route -t MEDIUM\nhello again")

    for line, said in (
        ("why 1", "you chose SIMPLE"),
        ("why", "you chose MEDIUM"),
        ("label #2 overkill", "nbroute: labelled overkill (the prompt needs SIMPLE)"),
        ("label 1 good SIMPLE", "nbroute: labelled good (the prompt needs SIMPLE)"),
        ("label 2 off", "nbroute: label removed"),
        ("labels", "of 1 label"),
    ):
        assert said in run(shell, f"%route {line}")[0]
    _, done = run(shell, "%route escalate 1 COMPLEX")
    assert ("hello", "COMPLEX") == (done.result.prompt, done.result.tier)
    assert re.search(r"COMPLEX +claude-sonnet-4 .* ok +escalated", run(shell, "%route log")[0])
    for line in ("why 9", "label 9 good", "escalate 9", "controls 9"):
        assert "no answer has the number 9" in error_of(shell, f"%route {line}")


def test_a_cost_that_is_not_known_is_zero_in_no_table(shell):
    run(shell, "%route tiers")
    tier = Tier("SIMPLE", "simulated", "simulated/gpt-4o-mini", 64)
    desk_of(shell).climb(Ladder("one", (tier,), "SIMPLE"))
    run(shell, "%%route\nhello")

    for words in ("spend", "report text", "dashboard"):
        text, _ = run(shell, f"%route {words}")
        row = next(line for line in text.splitlines() if line.startswith("SIMPLE "))
        assert "1 unknown" in row
        assert "$0" not in row
    dry, _ = run(shell, "%%route --dry-run\nhello")
    assert "costs: unknown: " in dry


def test_a_tier_has_another_model_for_the_session_and_gets_its_own_back(shell):
    before = desk_of(shell).router.ladder
    run(shell, "%route budget 1.00")

    told, _ = run(shell, "%route tiers simple=simulated/claude-haiku-3.5 COMPLEX=simulated/gpt-4o")
    _, done = run(shell, "%%route -t SIMPLE\nhello")

    assert (
        "\nSIMPLE now uses simulated/claude-haiku-3.5: $0.80 in, $4.00 out per million tokens "
        "(was $0.15 in, $0.60 out); a call of 500 tokens in and 300 out costs $0.0016 "
        "(was $0.00026)\nCOMPLEX now uses simulated/gpt-4o: $2.50 in,"
    ) in told
    assert "simulated/claude-haiku-3.5" == done.result.answer.model
    assert "$1.00" in run(shell, "%route budget")[0]
    assert "are back" in run(shell, "%route tiers reset")[0]
    assert before == desk_of(shell).router.ladder
    assert re.search(r"^SIMPLE +simulated/gpt", run(shell, "%route tiers")[0], re.MULTILINE)
    assert "gpt-4o-mini, high effort" in run(shell, "%route tiers SIMPLE:high")[0]


def test_prices_say_how_old_they_are_and_how_to_renew_them(shell):
    text, _ = run(shell, "%route prices")

    assert re.search(r"^SIMPLE +simulated/gpt-4o-mini .* invented", text, re.MULTILINE)
    assert re.search(r"genai-prices [\d.]+, the newest from \d+ \w+ 20\d\d \(\d+ days", text)
    assert "pip install -U genai-prices" in text


def test_a_key_is_kept_in_this_kernel_alone_until_it_is_forgotten(shell, monkeypatch):
    run(shell, "%%route\nhello")
    session = desk_of(shell).router.session
    monkeypatch.setattr(getpass, "getpass", Mock(side_effect=[f" {KEY}\n"]))

    text, _ = run(shell, "%route key openrouter")
    router = desk_of(shell).router

    assert "profile openrouter" in text
    assert session == router.session
    assert "1 call" in run(shell, "%route spend")[0]
    assert KEY == router.settings.providers[0].api_key
    assert KEY not in os.environ.values()
    child = [sys.executable, "-c", "import os; print(os.environ.get('OPENROUTER_API_KEY'))"]
    assert b"None" == subprocess.run(child, capture_output=True, check=True).stdout.strip()
    shown = text + repr(router.settings) + repr(vars(ENVIRONMENT)) + str(shell.user_ns["In"])
    assert KEY not in shown
    assert KEY == Router(profile="openrouter").settings.providers[0].api_key
    assert "OPENROUTER_API_KEY is not set" in run(shell, "%route key off")[0]
    assert desk_of(shell).router.settings.providers[0].api_key is None


def test_a_key_is_never_repeated_and_where_none_can_be_typed_the_line_says_so(shell, monkeypatch):
    typed = ["  ", KeyboardInterrupt(), "two words", StdinNotImplementedError()]
    monkeypatch.setattr(getpass, "getpass", Mock(side_effect=typed))
    told = error_of(shell, f"%route key {KEY}")
    assert KEY not in told
    assert "openrouter, openai, anthropic" in told

    for _ in range(2):
        assert "nothing has changed" in run(shell, "%route key openai")[0]
    told = error_of(shell, "%route key OpenAI")
    assert "copy it again" in told
    assert "two words" not in told
    assert "environment variable OPENAI_API_KEY" in error_of(shell, "%route key OpenAI")
    assert "simulated" == desk_of(shell).router.settings.profile


def test_init_writes_todays_ladder_and_never_over_a_file(shell):
    run(shell, "%route tiers SIMPLE=simulated/claude-haiku-3.5")

    told, _ = run(shell, "%route init")

    assert f"wrote {Path('nbroute.toml').absolute()}" in told
    assert "simulated/claude-haiku-3.5" == load().ladder["SIMPLE"].model
    assert "--force" in error_of(shell, "%route init")
    Path("nbroute.toml").write_text("")
    run(shell, "%route init --force")
    assert "simulated/claude-haiku-3.5" == load().ladder["SIMPLE"].model
