"""What `%route WORD` says and does, as a person would meet it."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from decimal import localcontext
from pathlib import Path

import pytest
from cells import desk_of, error_of, run
from IPython.core.error import StdinNotImplementedError

from nbroute.notebook.commands.base import COMMANDS
from nbroute.report.table import columns
from nbroute.router import Router
from nbroute.settings import load, writing
from nbroute.settings.model import ENVIRONMENT
from nbroute.types import Ladder, Tier

MODEL = "simulated/gpt-4o-mini"
KEY = "sk-or-v1-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_keys():
    yield
    ENVIRONMENT.forget()


# Help


def test_the_first_help_is_short_and_leads_to_the_rest(shell):
    text, _ = run(shell, "%route help")

    assert len(text.splitlines()) < 25
    for line in ("%route why 1", "%route escalate", "%route help all", "%route help WORD"):
        assert line in text


def test_all_commands_are_told_by_theme_each_once(shell):
    text, _ = run(shell, "%route help all")

    for name, one in COMMANDS.items():
        assert 1 == len(re.findall(rf"^  %route {name}(?: |$)", text, re.MULTILINE)), name
        assert one.about in text


@pytest.mark.parametrize("asked", ["help tiers", "tiers -h", "tiers?", "help %route tiers"])
def test_one_command_has_its_usage_an_example_and_its_python(shell, asked):
    text, _ = run(shell, f"%route {asked}")

    for line in (
        "usage:   %route tiers [TIER=MODEL ...|TIER:high ...|reset]",
        "example: %route tiers SIMPLE=",
        "router.ladder",
        "router = %route router",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("asked", "usage"),
    [
        ("help %%route", "usage: %%route [NAME <<]"),
        ("help %%route_compare", "usage: %%route_compare [NAME <<]"),
        ("why?", "usage:   %route why"),
        ("why??", "usage:   %route why"),
        ("why --help", "usage:   %route why"),
        ("help why?", "usage:   %route why"),
    ],
)
def test_help_is_asked_for_with_a_word_an_option_or_a_question_mark(shell, asked, usage):
    assert usage in run(shell, f"%route {asked}")[0]


# Numbers


def test_each_answer_is_reached_by_its_number(shell):
    run(shell, "%%route -t SIMPLE\nhello")
    run(shell, "%%route -t MEDIUM\nhello again")

    assert "you chose SIMPLE" in run(shell, "%route why 1")[0]
    assert "you chose MEDIUM" in run(shell, "%route why")[0]
    assert (
        "labelled overkill (the prompt needs SIMPLE)" in run(shell, "%route label #2 overkill")[0]
    )
    assert "the prompt needs SIMPLE" in run(shell, "%route label 1 good SIMPLE")[0]
    assert "label removed" in run(shell, "%route label 2 off")[0]
    assert "of 1 label" in run(shell, "%route labels")[0]
    _, done = run(shell, "%route escalate 1 COMPLEX")
    assert ("hello", "COMPLEX") == (done.result.prompt, done.result.tier)
    for line in ("why 9", "label 9 good", "escalate 9", "controls 9"):
        said = error_of(shell, f"%route {line}")
        assert "no answer has the number 9" in said
        assert "1" in said.partition("9")[2]  # those that there are


# The log


def test_the_log_fits_a_terminal_and_says_where_the_whole_frame_is(shell):
    run(shell, "%%route -t FRONTIER\nhello")
    run(shell, "%%route -t FRONTIER\nhello")

    text, _ = run(shell, "%route log")

    head, *rows = [line for line in text.splitlines() if "FRONTIER" in line or "model" in line]
    assert re.search(r"time \(\w+\) ", head)
    assert all(row.index("claude-opus-4") < row.index("$") < 80 for row in rows)
    assert "cached" in rows[1]
    assert all(len(line) < 80 for line in text.splitlines())
    assert "router.ledger.frame()" in text


@pytest.mark.parametrize(
    "words",
    [
        *("tiers", "prices", "log", "spend model", "labels", "threads", "versions", "why"),
        *("dashboard", "whatif threshold=0.9", "classify Prove it.", "playground Prove it."),
    ],
)
def test_a_table_is_no_wider_than_a_terminal_and_loses_no_letter(shell, words):
    model = "a-provider/a-model-with-a-name-that-goes-on-and-on-2026-11-21"
    run(shell, f"%route tiers SIMPLE={model}")
    said = "--feature a_feature_with_a_name -t FRONTIER --thread a_conversation_about_logs"
    run(shell, f"%%route {said}\nWrite a short summary of this 日本語の長いテキスト {'word ' * 20}")
    run(shell, "%route label too weak")

    _, done = run(shell, f"%route {words}")

    table = done.result
    beside = {*table.above, *table.below, *table.code.splitlines()}
    lines = [line for line in repr(table).splitlines() if line not in beside]
    assert max(map(columns, lines), default=0) <= 80
    cells = "".join(map("".join, [table.head, *table.rows] if table.rows else []))
    assert sorted("".join(cells.split())) == sorted("".join("".join(lines).split()))


def test_a_cost_that_is_not_known_is_no_zero_in_any_table(shell):
    run(shell, "%route tiers")
    desk_of(shell).climb(Ladder("one", (Tier("SIMPLE", "simulated", MODEL, 64),), "SIMPLE"))
    run(shell, "%%route\nhello")

    for words in ("spend", "report text", "dashboard"):
        text, _ = run(shell, f"%route {words}")
        row = next(line for line in text.splitlines() if line.startswith("SIMPLE "))
        assert "1 unknown" in row
        assert "$0" not in row
    dry, _ = run(shell, "%%route --dry-run\nhello")
    assert "costs: unknown: " in dry


# Tiers and prices


def test_a_tier_has_another_model_for_the_session_and_gets_its_own_back(shell):
    before = desk_of(shell).router.ladder
    run(shell, "%route budget 1.00")

    told, _ = run(shell, "%route tiers simple=simulated/claude-haiku-3.5 COMPLEX=simulated/gpt-4o")
    _, done = run(shell, "%%route -t SIMPLE\nhello")

    assert "SIMPLE now uses simulated/claude-haiku-3.5: $0.80 in, $4.00 out per million" in told
    assert "(was $0.15 in, $0.60 out)" in told
    assert "simulated/claude-haiku-3.5" == done.result.answer.model
    assert "$1.00" in run(shell, "%route budget")[0]
    assert "are back" in run(shell, "%route tiers reset")[0]
    assert before == desk_of(shell).router.ladder
    told, _ = run(shell, "%route tiers SIMPLE=simulated/gpt4o")
    assert "there is no such simulated model" in told
    assert "did you mean 'simulated/gpt-4o'" in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("help spned", "did you mean 'spend'?"),
        ("tiers SIMPEL=gpt-4o", "did you mean 'SIMPLE'?"),
        *((f"tiers {change}", "write TIER=MODEL") for change in ("SIMPLE", "SIMPLE=", "restet")),
    ],
)
def test_a_command_that_cannot_be_read_says_how(shell, line, says):
    assert says in error_of(shell, f"%route {line}")


def test_prices_say_how_old_they_are_and_how_to_renew_them(shell):
    text, _ = run(shell, "%route prices")

    assert "simulated/gpt-4o-mini" in text
    assert re.search(r"genai-prices [\d.]+, the newest from \d+ \w+ 20\d\d \(\d+ days", text)
    assert "pip install -U genai-prices" in text


# Keys


@pytest.fixture
def typed(monkeypatch):
    """Has a person type that where nobody sees it."""

    def set_to(answer):
        def ask(prompt=""):
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(getpass, "getpass", ask)

    return set_to


def test_a_key_is_kept_in_this_kernel_alone_until_it_is_forgotten(shell, typed):
    run(shell, "%%route\nhello")
    session = desk_of(shell).router.session
    typed(f" {KEY}\n")

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


def test_a_key_typed_on_the_line_is_not_repeated(shell):
    told = error_of(shell, f"%route key {KEY}")

    assert KEY not in told
    assert "openrouter, openai, anthropic" in told


@pytest.mark.parametrize("answer", ["", "  ", KeyboardInterrupt()])
def test_no_key_changes_nothing(shell, typed, answer):
    typed(answer)

    assert "nothing has changed" in run(shell, "%route key openai")[0]
    assert "simulated" == desk_of(shell).router.settings.profile


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        *((key, "copy it again") for key in ("two words", '"sk-quoted"', "sk-clé")),
        *(
            (problem, "set the environment variable OPENAI_API_KEY")
            for problem in (StdinNotImplementedError(), EOFError(), getpass.GetPassWarning())
        ),
    ],
)
def test_what_cannot_be_a_key_is_not_repeated_and_who_cannot_be_asked_sets_it(
    shell, typed, answer, says
):
    typed(answer)

    told = error_of(shell, "%route key OpenAI")

    assert says in told
    assert not str(answer) or str(answer) not in told


# The settings file


OWN = """\
[nbroute]
classifier = "model"
classifier_provider = "corp"
classifier_model = "tiny"
[providers.corp]
base_url = "https://llm.corp.example/v1"
api_key_env = "CORP_KEY"
[tiers."erste Stufe"]
provider = "corp"
model = "tiny"
max_tokens = 99
system = "Sag \\"ja\\"\\nund \\\\ 🙂 \\u007f"
price = { input = 0.15, output = 0.60, cached_input = 0.07 }
fallbacks = ["other", { provider = "openai", model = "gpt-4o-mini" }]
[tiers.top]
provider = "corp"
model = "big"
context = 8000
"""


LADDERS = [
    (f'[nbroute]\nladder = "{ladder}"\n', profile)
    for profile in ("openrouter", "openai", "anthropic", "simulated", "local")
    for ladder in ("two-tier", "three-tier", "four-tier")
]


@pytest.mark.parametrize(("chosen", "profile"), [*LADDERS, (OWN, None)])
def test_what_init_writes_loads_to_the_same_ladder(tmp_path, chosen, profile):
    (tmp_path / "chosen.toml").write_text(chosen, encoding="utf-8")
    before = load(tmp_path / "chosen.toml", profile=profile)

    writing.write(tmp_path / "new.toml", writing.text_of(before, before.ladder), force=False)
    after = load(tmp_path / "new.toml")

    assert (before.ladder, before.providers) == (after.ladder, after.providers)
    assert (before.classifier, before.baseline) == (after.classifier, after.baseline)


def test_init_writes_todays_ladder_and_never_over_a_file(shell):
    run(shell, "%route tiers SIMPLE=simulated/claude-haiku-3.5")

    told, _ = run(shell, "%route init")

    assert f"wrote {Path('nbroute.toml').absolute()}" in told
    assert "simulated/claude-haiku-3.5" == load().ladder["SIMPLE"].model
    assert "--force" in error_of(shell, "%route init")
    Path("nbroute.toml").write_text("")
    run(shell, "%route init --force")
    assert "simulated/claude-haiku-3.5" == load().ladder["SIMPLE"].model


# Plain words


def test_a_cell_that_got_no_answer_takes_no_number(shell):
    run(shell, "%%route\nhello")
    run(shell, "%%route -t SIMPEL\nhello")
    run(shell, "%%route --max-cost 0.0000000001\nWrite a haiku about a lighthouse.")

    told, _ = run(shell, "%%route\nWhat is the capital of France?")

    assert "#2" in told


def test_money_is_counted_in_full_whatever_the_users_decimals_are_and_days_are_utc(shell):
    with localcontext() as users:
        users.prec = 1
        run(shell, "%%route\nhello")
        text, _ = run(shell, "%route spend day")

    assert "$0.0000087" in text
    assert "day (UTC)" in text
    assert "would have cost" in text
    assert "unknown" not in text


@pytest.mark.parametrize(
    "line",
    [
        "%%route -n --schema lazy\nhello",
        "%%route -n --check tests=typeless\nhello",
        "%%route_compare -n --over lazy\nsay {{a}}",
        "%route whatif ladder=lazy",
    ],
)
def test_an_object_that_cannot_be_looked_at_is_told_in_a_line(shell, line):
    class Lazy:
        def __getattr__(self, name):
            raise RuntimeError(name)

    class Typeless:
        @property
        def __class__(self):
            raise RuntimeError

    shell.user_ns |= {"lazy": Lazy(), "typeless": Typeless()}

    assert re.search("lazy|typeless", error_of(shell, line))
