"""Whatever goes wrong in a cell: one clear line, nothing paid for is lost, no key anywhere."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from loopback import Reply
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter

from nbroute import errors
from nbroute.report import Report
from nbroute.settings import load
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import RouteResult

KEY = "sk-test-0123456789abcdef"
SETTINGS = """
[nbroute]
classifier = "ngrams"
static = true
{options}
[providers.loop]
kind = "openai"
base_url = "{url}"
api_key_env = "LOOP_KEY"
timeout_s = {timeout_s}
[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 64
price = {{ input = 1000, output = 2000 }}
{low}
[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 128
price = {{ input = 10000, output = 30000 }}
"""
USAGE = {"prompt_tokens": 10, "completion_tokens": 3}
PAID = Decimal("0.016")  # USAGE on LOW
AT_ONCE = {"Retry-After": "0.01"}


@dataclass(frozen=True)
class Ran:
    """A cell that was run: what it printed, what it displayed, how it ended."""

    printed: str
    outputs: list[tuple[dict[str, Any], dict[str, Any]]]
    result: Any
    error: BaseException | None

    @property
    def plain(self):
        return "\n".join(data["text/plain"] for data, _ in self.outputs)

    @property
    def markdown(self):
        return "\n".join(data.get("text/markdown", "") for data, _ in self.outputs)

    @property
    def html(self):
        """The outputs as nbconvert writes them into a page."""
        shown = [
            nbformat.v4.new_output("display_data", data=data, metadata=metadata)
            for data, metadata in self.outputs
        ]
        shown.append(nbformat.v4.new_output("stream", name="stdout", text=self.printed))
        cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=shown)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        return HTMLExporter(template_name="basic").from_notebook_node(notebook)[0]


@pytest.fixture
def run(monkeypatch):
    """Run a cell in a real shell, as a user would; no key may show, in a cell or in a file."""
    monkeypatch.setenv("LOOP_KEY", KEY)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()

    def run_cell(source):
        with capture_output() as shown:
            done = shell.run_cell(source, store_history=True)
        printed = shown.stdout + shown.stderr
        outputs = [(output.data, output.metadata) for output in shown.outputs]
        if done.result is not None and not isinstance(done.result, RouteResult | Report):
            outputs.append(shell.display_formatter.format(done.result))
        assert KEY not in f"{printed}{outputs}"
        error = done.error_before_exec or done.error_in_exec
        return Ran(printed, outputs, done.result, error)

    run_cell.shell = shell
    yield run_cell
    if "nbroute" in shell.extension_manager.loaded:
        shell.run_line_magic("unload_ext", "nbroute")
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()
    for file in Path.cwd().rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


@pytest.fixture
def load_ext(run, server):
    """Write nbroute.toml into the working folder and load the extension; the cell's outcome."""

    def load_with(options="", *, low="", timeout_s=5.0, url=None):
        text = SETTINGS.format(options=options, low=low, timeout_s=timeout_s, url=url or server.url)
        Path("nbroute.toml").write_text(text, encoding="utf-8")
        return run("%load_ext nbroute")

    return load_with


@pytest.fixture
def cell(run, load_ext):
    """Run a cell with the tiers LOW and TOP on the loopback server."""
    load_ext()
    return run


def one_line(ran, kind):
    """The one line of a cell that failed; nothing else is shown."""
    assert kind is type(ran.error)
    assert [] == ran.outputs
    return last_line(ran, kind)


def last_line(ran, kind):
    """The one line that is printed; what had been answered is displayed above it."""
    (line,) = (line for line in ran.printed.split("\n") if line.strip())
    assert line.startswith(f"{kind.__name__}: ")
    return line


def rows():
    """The ledger's rows as another kernel reads them."""
    with SqliteLedger(Path("ledger.sqlite")) as ledger:
        return ledger.rows()


def only_row():
    (row,) = rows()
    return row


def cost(row):
    return row["status"], row["cost_usd"], row["cost_source"]


# Prompts


@pytest.mark.parametrize("body", ["\x00", " \t\x1b\n\x07"])
def test_a_cell_with_nothing_that_can_be_sent_is_blank(cell, server, body):
    assert "empty" in one_line(cell(f"%%route\n{body}\n"), errors.PromptError)
    assert [] == server.requests
    assert [] == rows()


@pytest.mark.parametrize("body", ["x" * 2**20, "{{long}}"])
@pytest.mark.parametrize("options", ["", "-n"])
def test_a_megabyte_is_refused_with_its_size_its_cost_and_the_cure(cell, server, body, options):
    cell.shell.user_ns["long"] = "x" * 2**20

    line = one_line(cell(f"%%route {options}\n{body}"), errors.PromptError)

    assert "1,048,576 characters" in line
    assert "$262.15 on LOW" in line
    assert "on TOP" in line
    assert "raise max_prompt_chars in nbroute.toml" in line
    assert len(line) < 300
    assert [] == server.requests


def test_a_megabyte_is_sent_where_the_limit_was_raised(run, load_ext, server):
    load_ext("max_prompt_chars = 2_000_000")

    assert run("%%route\n" + "x" * 2**20).error is None
    assert 2**20 == len(server.requests[0].json["messages"][-1]["content"])


@pytest.mark.parametrize(
    "prompt", ["🧮👩‍🔬 π", "مرحبا بالعالم", "שלום 123", "e\u0301tude", "日本語"]
)
def test_any_script_goes_there_and_comes_back_as_it_was_written(cell, server, prompt):
    server.handler = lambda sent: Reply(text=sent["messages"][-1]["content"])

    ran = cell(f"%%route\n{prompt}")

    assert prompt == server.requests[0].json["messages"][-1]["content"]
    assert prompt in ran.plain
    assert prompt in ran.markdown


def test_control_characters_of_a_prompt_are_taken_out_and_the_card_says_so(cell, server):
    ran = cell("%%route\na\x00b\x1b[31m c")

    assert "ab[31m c" == server.requests[0].json["messages"][-1]["content"]
    assert "note: 2 control characters were taken out of the prompt" in ran.plain
    assert "2 control characters" in ran.markdown


def test_control_characters_of_an_answer_are_not_shown(cell, server):
    server.reply(text="a\x00b \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eright\x9b2J end")

    ran = cell("%%route\nhello")

    shown = ran.plain + ran.markdown + ran.printed
    assert "end" in ran.plain
    assert set() == {c for c in shown if c != "\n" and not c.isprintable()}


# Names


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("%%route --max-tokns 5\nx", errors.SettingsError, "did you mean '--max-tokens'"),
        ("%%route -t LOWW\nx", errors.SettingsError, "'LOWW'.*did you mean 'LOW'"),
        ("%%route\nof {{cty}}", errors.PromptError, "'cty'.*did you mean 'city'"),
        ("%route use lop", errors.SettingsError, "'lop'.*did you mean 'loop'"),
    ],
)
def test_an_unknown_name_sends_nothing_and_records_nothing(cell, server, source, kind, says):
    cell.shell.user_ns["city"] = "Paris"

    assert re.search(says, one_line(cell(source), kind))
    assert [] == server.requests
    assert [] == rows()


def test_an_unknown_model_is_named_and_recorded_at_no_cost(cell, server):
    server.reply(status=404, error="The model `smal` does not exist")

    line = one_line(cell("%%route -t LOW -m smal\nx"), errors.UnknownModel)

    assert "'smal'" in line
    assert "Check the model's name" in line
    assert ("smal", "error", 0) == tuple(only_row()[k] for k in ("model", "status", "cost_usd"))


def test_an_unknown_profile_at_loading_is_one_line(run, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "opnai")

    line = one_line(run("%load_ext nbroute"), errors.SettingsError)

    assert "NBROUTE_PROFILE = 'opnai'" in line
    assert "did you mean 'openai'" in line


@pytest.mark.parametrize("text", ["[nbroute\n", '[nbroute]\nclasifier = "rules"\n'])
def test_a_settings_file_that_breaks_while_in_use_leaves_the_old_settings_in_force(cell, text):
    Path("nbroute.toml").write_text(text, encoding="utf-8")

    assert "nbroute.toml" in one_line(cell("%route use loop"), errors.SettingsError)
    assert "small" == cell("%%route -t LOW\nhello").result.model


def test_a_profile_that_does_not_answer_leaves_the_old_one_in_force(cell, server):
    server.reply(status=403, error="no", headers={"Connection": "close"})
    dead = f"[providers.dead]\nbase_url = '{server.url}'"
    Path("nbroute.toml").write_text(Path("nbroute.toml").read_text() + dead, encoding="utf-8")

    one_line(cell("%route use dead"), errors.AuthError)
    assert "small" == cell("%%route -t LOW\nhello").result.model


# Keys


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "LOOP_KEY is not set"),
        ("", "LOOP_KEY is set but empty"),
        (" \n", "LOOP_KEY is set but empty"),
    ],
)
def test_a_missing_key_is_told_at_loading_and_sends_nothing(
    run, load_ext, server, monkeypatch, *, key, said
):
    monkeypatch.delenv("LOOP_KEY")
    if key is not None:
        monkeypatch.setenv("LOOP_KEY", key)

    assert said in load_ext().printed
    line = one_line(run("%%route -t LOW\nhello"), errors.AuthError)
    assert "set the environment variable LOOP_KEY" in line
    assert [] == server.requests
    assert ("error", 0) == cost(only_row())[:2]


def test_a_key_that_cannot_be_sent_is_told_and_not_shown(run, load_ext, server, monkeypatch):
    monkeypatch.setenv("LOOP_KEY", f"{KEY} schlüssel")
    load_ext()

    assert "LOOP_KEY again" in one_line(run("%%route -t LOW\nhello"), errors.AuthError)
    assert [] == server.requests


@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_a_wrong_key_that_the_server_repeats_is_in_no_line_and_no_row(cell, server, status):
    server.reply(status=status, error=f"Incorrect API key provided: {KEY}, or Bearer {KEY}")

    ran = cell("%%route -t LOW\nhello")

    assert "[key]" in last_line(ran, type(ran.error))
    assert "[key]" in only_row()["error"]
    assert KEY not in (told := repr(cell("%route log").result))
    assert "error" in told


# Endpoints


def test_no_network_is_said_with_the_address_and_the_cure(run, load_ext):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    load_ext(url=f"http://{host}/v1")

    line = one_line(run("%%route -t LOW\nhello"), errors.Unavailable)

    assert f"no connection to {host}" in line
    assert "is there a network?" in line
    assert ("error", 0) == cost(only_row())[:2]


@pytest.mark.parametrize(
    ("status", "kind", "cure", "asked"),
    [
        (400, errors.RequestRejected, "Change the prompt or the option", 1),
        (401, errors.AuthError, "Set the environment variable LOOP_KEY", 1),
        (404, errors.UnknownModel, "Check the model's name", 1),
        (429, errors.RateLimited, "Wait a little, or name a fallback model", 3),
        (500, errors.Unavailable, "try again later", 3),
        (503, errors.Unavailable, "try again later", 3),
    ],
)
def test_an_error_status_is_one_line_with_a_cure_and_a_row_at_no_cost(
    cell, server, *, status, kind, cure, asked
):
    server.handler = lambda _: Reply(status=status, error="the server's words", headers=AT_ONCE)

    line = one_line(cell("%%route -t LOW\nhello"), kind)

    assert "'small'" in line
    assert str(status) in line
    assert "the server's words" in line
    assert cure in line
    assert asked == len(server.requests)
    assert ("error", 0) == cost(only_row())[:2]
    assert "the server's words" in only_row()["error"]


ANSWERS_THAT_ARE_NONE = {
    "a gateway's page": ({"html": True}, "a web page (HTML)", 0),
    "no choices": ({"body": {"choices": []}}, "no choices", 0),
    "no JSON": ({"body": b"{half"}, "cut off or damaged", 0),
    "an error with status 200": ({"error": "overloaded"}, "overloaded", 0),
    "empty text": ({"text": "", "usage": USAGE}, "empty answer", PAID),
    "blank text": ({"text": " \n ", "usage": USAGE}, "empty answer", PAID),
    "all budget and no text": (
        {"text": "", "usage": USAGE, "finish_reason": "length"},
        "budget of 64 tokens",
        PAID,
    ),
}


@pytest.mark.parametrize(
    ("reply", "says", "paid"), ANSWERS_THAT_ARE_NONE.values(), ids=ANSWERS_THAT_ARE_NONE
)
@pytest.mark.parametrize("option", ["", "--no-stream"])
def test_an_answer_that_is_none_is_one_line_and_what_it_cost_is_kept(
    cell, server, *, reply, says, paid, option
):
    server.reply(**reply)

    line = last_line(cell(f"%%route -t LOW {option}\nhello"), errors.BadReply)

    assert says in line
    assert ("error", paid) == cost(only_row())[:2]


def test_an_answer_with_no_usage_is_shown_at_an_estimate(cell, server):
    server.reply(text="Paris.", usage=None)

    ran = cell("%%route -t LOW\nhello")

    assert "Paris." in ran.plain
    assert "estimate" in ran.plain
    assert ("ok", "estimated") == cost(only_row())[::2]
    assert only_row()["cost_usd"] > 0


def test_an_answer_that_the_token_budget_cut_off_is_shown_and_marked(cell, server):
    server.reply(text="and then", finish_reason="length", usage=USAGE)

    ran = cell("%%route -t LOW\nhello")

    for shown in (ran.plain, ran.markdown):
        assert "and then" in shown
        assert "cut off by the token budget" in shown
    assert ("ok", PAID) == cost(only_row())[:2]


@pytest.mark.parametrize(
    ("broken", "kind", "says"),
    [
        ({"cut_after": 2}, errors.Unavailable, "broke off half-way"),
        ({"stall_after": 2}, errors.TimedOut, "within 0.3 s"),
        ({"finish_reason": None}, errors.Unavailable, "broke off half-way"),
    ],
)
def test_half_an_answer_is_shown_kept_and_paid_for(run, load_ext, server, *, broken, kind, says):
    load_ext(low='fallbacks = ["never-asked"]', timeout_s=0.3)
    server.reply(text="one two", usage=None, **broken)

    ran = run("%%route -t LOW -o half\nhello")

    assert says in last_line(ran, kind)
    for shown in (ran.plain, ran.markdown, run.shell.user_ns["half"].text):
        assert "one two" in shown
    assert "broke off: a partial answer" in ran.plain
    assert 1 == len(server.requests)
    assert ("error", "estimated") == cost(only_row())[::2]
    assert only_row()["cost_usd"] > 0


@pytest.mark.parametrize("option", ["", "--no-stream"])
def test_a_server_that_never_answers_times_out_and_may_have_cost(run, load_ext, server, option):
    load_ext(timeout_s=0.3)
    server.reply(delay=30)

    ran = run(f"%%route -t LOW {option}\nhello")

    line = last_line(ran, errors.TimedOut)
    assert "estimate" in ran.outputs[0][0]["text/plain"]
    assert "within 0.3 s" in line
    assert "raise timeout_s" in line
    assert 1 == len(server.requests)
    assert ("error", "estimated") == cost(only_row())[::2]
    assert only_row()["cost_usd"] > 0


def test_a_time_out_is_60_seconds_unless_it_is_set(load_ext):
    load_ext()
    assert [5.0] == [provider.timeout_s for provider in load().providers]

    text = Path("nbroute.toml").read_text().replace("timeout_s = 5.0", "")
    Path("nbroute.toml").write_text(text, encoding="utf-8")
    assert [60.0] == [provider.timeout_s for provider in load().providers]


def test_when_eleven_models_fail_one_line_names_each(run, load_ext, server):
    names = [f"model-{number}" for number in range(10)]
    load_ext(low=f"fallbacks = {names}")
    server.handler = lambda _: Reply(status=404, error="the model does not exist")

    line = one_line(run("%%route -t LOW\nhello"), errors.AllModelsFailed)

    assert "each of the 11 models of tier LOW failed" in line
    assert all(f"{name}: UnknownModel" in line for name in names)
    assert ["small", *names] == [row["model"] for row in rows()]


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "ten", "completion_tokens": [3]},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 1.5, "completion_tokens": 2.5},
        USAGE | {"cost": "NaN"},
        USAGE | {"cost": float("nan")},
        USAGE | {"cost": float("inf")},
        USAGE | {"cost": -1},
        USAGE | {"cost": {"usd": 1}},
        USAGE | {"prompt_tokens_details": {"cached_tokens": "many"}},
        "none",
        [1],
    ],
    ids=str,
)
def test_usage_that_is_none_costs_no_answer_and_no_sum(cell, server, usage):
    choice = {"message": {"content": "Paris."}, "finish_reason": "stop"}
    server.reply(body={"choices": [choice], "usage": usage})

    ran = cell("%%route -t LOW --no-stream\nhello")

    assert "Paris." in ran.plain
    assert "session $0.0" in ran.plain
    assert "ok" == only_row()["status"]
    assert 0 < only_row()["cost_usd"] < 1


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -7},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": None, "completion_tokens": 3},
        {"prompt_tokens": 10**30, "completion_tokens": 3},
        USAGE | {"prompt_tokens_details": {"cached_tokens": 10**30}},
        USAGE | {"cost": "1e400"},
        USAGE | {"cost": 10**30},
    ],
    ids=str,
)
def test_usage_that_cannot_be_true_is_not_believed(cell, server, usage):
    choice = {"message": {"content": "Paris."}, "finish_reason": "stop"}
    server.reply(body={"choices": [choice], "usage": usage})

    ran = cell("%%route -t LOW --no-stream\nhello")

    assert ran.error is None
    assert "Paris." in ran.plain
    assert "ok" == only_row()["status"]
    assert 0 < only_row()["cost_usd"] < 1
    assert 0 < only_row()["input_tokens"] < 100


@pytest.mark.parametrize(
    "piece", ["word ", "<b>$x$ `y` [l](http://e) ", "\n- ![a](http://e/x.png)"]
)
def test_an_answer_of_200_000_characters_is_shown_whole(cell, server, piece):
    text = piece * (200_000 // len(piece))
    server.reply(text=text, chunks=[text])

    ran = cell("%%route -t LOW\nhello")

    assert text.strip() in ran.plain
    assert len(ran.markdown) >= len(text)


def test_an_escalation_that_failed_leaves_the_answer_and_says_why(cell, server):
    cell("%%route -t LOW -o answer\nhello")
    server.reply(status=400, error="not today")

    ran = cell("%route escalate")

    assert "not today" in last_line(ran, errors.RequestRejected)
    assert "ok" in ran.plain
    assert "ok" == cell.shell.user_ns["answer"].text
    assert ["ok", "error"] == [row["status"] for row in rows()]


def test_an_escalation_after_a_failed_cell_is_of_that_cells_prompt(cell, server):
    cell("%%route -t LOW\nthe first")
    server.reply(status=500, error="down", headers={"x-should-retry": "false"})
    cell("%%route -t LOW\nthe second")

    cell("%route escalate")

    assert "the second" == server.requests[-1].json["messages"][-1]["content"]


def test_an_escalation_that_failed_can_be_tried_again(cell, server):
    cell("%%route -t LOW\nhello")
    server.reply(status=400, error="not today")
    cell("%route escalate")

    assert "large" == cell("%route escalate").result.model


# Files


def on_a_full_disk(_):
    return Path("/dev/full")


def in_a_read_only_folder(_):
    return Path("/proc/nbroute/record.sqlite")


def a_folder(folder):
    (folder / "record").mkdir()
    return folder / "record"


def corrupt(folder):
    (folder / "record").write_bytes(b"this is no database, though it is long enough" * 100)
    return folder / "record"


UNUSABLE = [on_a_full_disk, in_a_read_only_folder, a_folder, corrupt]


@pytest.mark.parametrize("make", UNUSABLE)
def test_an_answer_that_cannot_be_recorded_is_shown_with_a_warning_and_counts(
    run, load_ext, tmp_path, monkeypatch, make
):
    path = make(tmp_path)
    monkeypatch.setenv("NBROUTE_LEDGER", str(path))
    load_ext()

    ran = run("%%route -t LOW\nhello")

    assert ran.error is None
    for shown in (ran.plain, ran.markdown):
        assert "ok" in shown
        assert "could not be recorded" in shown
        assert "NBROUTE" in shown
    assert 1 == ran.plain.count("could not be recorded")
    assert str(path) in ran.plain
    assert "session $0.003 · 1 call" in ran.plain
    for source in ("%route spend", "%route log", "%route why", "%route report"):
        assert run(source).error is None
    assert "$0.003" in run("%route spend").plain


def spoil(_):
    for file in Path.cwd().glob("ledger.sqlite*"):
        file.write_bytes(b"this is no database, though it is long enough" * 100)


def replace_by_a_folder(_):
    for file in Path.cwd().glob("ledger.sqlite*"):
        file.unlink()
    Path("ledger.sqlite").mkdir()


@pytest.mark.parametrize("breaks", [spoil, replace_by_a_folder])
def test_a_ledger_that_breaks_while_in_use_costs_no_answer(cell, server, breaks):
    cell("%%route -t LOW\nhello")
    breaks(Path.cwd())
    server.reply(text="Paris.")

    ran = cell("%%route -t LOW -o answer\nWhere?")

    assert "Paris." in ran.plain
    assert "could not be recorded" in ran.plain
    assert "Paris." == cell.shell.user_ns["answer"].text


def test_a_broken_ledger_does_not_hide_why_a_call_failed(cell, server):
    cell("%%route -t LOW\nhello")
    spoil(Path.cwd())
    server.reply(status=401, error="wrong key")

    assert errors.AuthError is type(cell("%%route -t LOW\nWhere?").error)


def test_a_ledger_that_is_deleted_while_in_use_is_made_anew(cell):
    cell("%%route -t LOW\nhello")
    for file in Path.cwd().glob("ledger.sqlite*"):
        file.unlink()

    assert cell("%%route -t LOW\nhello again").error is None
    assert ("ok", Decimal("0.004")) == cost(only_row())[:2]


@pytest.mark.parametrize("make", UNUSABLE)
def test_a_cache_that_cannot_be_used_costs_no_answer(run, load_ext, server, tmp_path, make):
    path = make(tmp_path)
    load_ext(f'cache_file = "{path}"')

    for calls in (1, 2):
        ran = run("%%route -t LOW\nhello")

        assert ran.error is None
        assert "cannot write the cache" in ran.plain
        assert "cache_file in nbroute.toml" in ran.plain
        assert f"session $0.00{3 * calls}" in ran.plain
        assert calls == len(server.requests)
        assert ["ok"] * calls == [row["status"] for row in rows()]


TOKENS = {"input_tokens": 1, "output_tokens": 1, "billed_usd": None}


def stored_with(name, value):
    whole = {"text": "ok", "model": "small", "usage": TOKENS, "finish_reason": "stop"}
    return json.dumps(whole | {"latency_ms": 1.0, "ttft_ms": 1.0} | {name: value})


@pytest.mark.parametrize(
    "stored",
    [
        "{half",
        "{}",
        "[]",
        b"\xff\x00",
        "null",
        "7",
        stored_with("text", 7),
        stored_with("latency_ms", "soon"),
        stored_with("usage", TOKENS | {"input_tokens": "x"}),
        stored_with("usage", TOKENS | {"output_tokens": -4}),
    ],
)
def test_a_stored_reply_that_is_damaged_is_asked_for_anew(run, load_ext, server, stored):
    load_ext('cache_file = "cache.sqlite"')
    run("%%route -t LOW\nhello")
    with sqlite3.connect("cache.sqlite") as connection:
        connection.execute("UPDATE replies SET reply = ?", (stored,))
    connection.close()

    ran = run("%%route -t LOW\nhello")

    assert ran.error is None
    assert "cannot read the cache" in ran.plain
    assert 2 == len(server.requests)
    assert run("%%route -t LOW\nhello").result.cached


def test_a_replay_from_a_corrupt_file_says_that_the_file_is_corrupt(
    run, load_ext, server, tmp_path
):
    path = corrupt(tmp_path)
    load_ext(f'cache_file = "{path}"\ncache = "only"')

    assert str(path) in run("%%route -t LOW\nhello").printed
    assert [] == server.requests


# Markup

ATTACKS = {
    "script": "<script>alert(1)</script>",
    "onerror": "<img src=x onerror=alert(1)>",
    "remote image": "![x](http://evil.example/x.png)",
    "remote image by reference": "![x][r]\n\n[r]: http://evil.example/x.png",
    "broken out of code": "```\n</code></pre><script>alert(1)</script>",
    "link": "[x](javascript:alert(1))",
    "frame": '<iframe src="http://evil.example"></iframe><svg onload=alert(1)>',
    "style": "<style>@import 'http://evil.example/x.css';</style>",
}


class Harm(HTMLParser):
    """What in a page runs, loads or leads astray."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "img", "iframe", "svg", "style", "link", "object", "embed"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or ""):
                self.found.append(f"{tag} {name}={value}")


def test_this_files_eye_sees_harm():
    assert ["script", "img", "img onerror=y", "a href=javascript:z"] == Harm(
        "<script></script><img src=x onerror=y><a href='javascript:z'>a</a>"
    ).found


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_markup_in_an_answer_is_words_in_the_output_and_in_the_exported_page(cell, server, attack):
    server.reply(text=f"before {attack} after")

    ran = cell("%%route -t LOW\nhello")

    assert "before" in ran.plain
    assert "![" not in ran.markdown
    assert [] == Harm(MarkdownIt().render(ran.markdown)).found
    assert "before" in ran.html
    assert [] == Harm(ran.html).found


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_markup_in_a_servers_error_is_words_on_the_card_and_in_the_line(
    run, load_ext, server, attack
):
    load_ext(low='fallbacks = ["second"]')
    server.reply(status=404, error=f"{attack} a model")
    ran = run("%%route -t LOW\nhello")
    server.reply(status=400, error=attack)
    failed = run("%%route -t LOW\nhello again")

    assert "tried small" in ran.plain
    assert [] == Harm(ran.html).found
    assert [] == Harm(failed.html).found
    assert [] == Harm(run("%route why").html).found


def test_markup_in_the_names_of_the_settings_is_words_wherever_they_are_shown(run, server):
    name = "<img src=x onerror=alert(1)>|`$x$`"
    Path("nbroute.toml").write_text(
        f"""
        [nbroute]
        static = true
        [providers.loop]
        base_url = "{server.url}"
        [tiers.'{name}']
        provider = "loop"
        model = "a\\nb<script>alert(1)</script>|c"
        system = "<script>alert(1)</script>"
        """,
        encoding="utf-8",
    )
    run("%load_ext nbroute")

    for source in (
        "%%route --feature '<script>x</script>'\nhello",
        "%%route -n\nhello",
        "%route tiers",
        "%route spend",
        "%route spend feature",
        "%route spend model",
        "%route log",
        "%route why",
        "%route report",
        "%route classify <script>alert(1)</script>",
    ):
        ran = run(source)
        assert ran.error is None
        assert {"style"} >= set(Harm(ran.html).found)  # pandas brings one of its own
        assert [] == Harm(MarkdownIt().render(ran.markdown)).found


# Options


@pytest.mark.parametrize(
    "source",
    [
        "%%route --max-tokens 0\nx",
        "%%route --max-tokens -5\nx",
        "%%route --max-tokens 1e3\nx",
        "%%route --max-cost nan\nx",
        "%%route --max-cost -1\nx",
        "%%route -t\nx",
        "%%route -t ''\nx",
        "%%route LOW\nx",
        "%%route -t 'LOW\x00'\nx",
        "%%route -S paralel\nx",
        "%%route --check print\nx",
        "%route spend colour",
        '%route spend "',
        "%route use",
    ],
)
def test_an_option_that_cannot_be_used_is_one_line_and_sends_nothing(cell, server, source):
    one_line(cell(source), errors.SettingsError)

    assert [] == server.requests
    assert isinstance(cell("%%route -t LOW\nhello").result, RouteResult)


@pytest.mark.parametrize("option", ["--zz{}", "-t {}", "-c {}", "-S {}", "--max-tokens {}"])
def test_a_value_of_ten_thousand_characters_is_not_repeated_whole(cell, option):
    line = one_line(cell(f"%%route {option.format('9' * 10_000)}\nx"), errors.SettingsError)

    assert len(line) < 1_000


@pytest.mark.parametrize(
    "name",
    [
        "class",
        "None",
        "get_ipython",
        "__builtins__",
    ],
)
def test_a_result_cannot_be_kept_under_a_name_that_would_break_the_notebook(cell, name):
    before = cell.shell.user_ns.get(name)

    ran = cell(f"%%route -o {name}\nhello")

    cell.shell.user_ns[name] = before
    one_line(ran, errors.SettingsError)


def test_a_key_that_is_set_before_the_first_call_is_used(run, load_ext, monkeypatch):
    monkeypatch.delenv("LOOP_KEY")
    assert "set it before the first call" in load_ext().printed

    os.environ["LOOP_KEY"] = KEY

    assert run("%%route -t LOW\nhello").error is None


def test_a_key_in_the_query_of_an_address_is_not_shown(load_ext, server):
    ran = load_ext(url=f"{server.url}?api_key=sk-in-the-query")

    assert "sk-in-the-query" not in ran.printed
