"""Whatever goes wrong in a cell: one clear line, nothing paid for is lost, no key anywhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from cells import SETTINGS, error_of, run
from IPython.utils.capture import capture_output
from loopback import Reply
from markdown_it import MarkdownIt
from markup import Rendered

from nbroute.storage.ledger import SqliteLedger

KEY = "sk-test-0123456789abcdef"
DAMAGED = b"not a database, though it is long enough" * 100


@pytest.fixture
def load(plain_shell, server, monkeypatch):
    """Writes nbroute.toml and loads the extension; no key may be in a file afterwards."""
    monkeypatch.setenv("LOOP_KEY", KEY)

    def load_with(options="", *, low="", timeout_s=5.0, url=None):
        loop = f'api_key_env = "LOOP_KEY"\ntimeout_s = {timeout_s}'
        options = f"static = true\n{options}"
        text = SETTINGS.format(options=options, low=low, loop=loop, url=url or server.url)
        Path("nbroute.toml").write_text(text, encoding="utf-8")
        return plain_shell, run(plain_shell, "%load_ext nbroute")[0]

    yield load_with
    for file in Path.cwd().rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


@pytest.fixture
def cell(load):
    return load()[0]


def rows():
    """The ledger's rows as another kernel reads them."""
    with SqliteLedger(Path("ledger.sqlite")) as ledger:
        return ledger.rows()


# What is typed

LINES = [
    ("\n%%route -t LOW\n", "the cell has no prompt; write it below the %%route"),
    ("%%route -s 'open\nx", "the quote ' is not closed; close the quote"),
    ('%%route -s "half”\nx', 'the quote " is not closed; write a plain " at both ends'),
    ("%%route\n{{long}}", "raise max_prompt_chars in nbroute.toml"),
    ("%%route\nof {{nubmer}}", "did you mean 'number'"),
    ("%%route -n\n{{x:.2f}}", "{{x:.2f}} is not a look-up"),
    ("%%route --max-tokns 5\nx", "did you mean '--max-tokens'"),
    ("%%route --max-cost free\nx", "'free' is not an amount"),
    ("%%route --max-cost 0.0000001\nx", "BudgetExceeded"),
    ("%%route --temperature 2.5\nx", "from 0 to 2"),
    ("%%route -t LOWW\nx", "did you mean 'LOW'"),
    ("%%route -c leaves\nx", "SystemExit"),
    ("%%route --repeat 3 -S cascade\nx", "asks one tier several times"),
    ("%%route --check latency\nx", "latency=2000"),
    ("%%route --check tests=asserted\nx", "%route allow code"),
    ("%%route --check print\nx", "print"),
    ("%%route --schema Wxyz\nx", "'Wxyz' is not defined in this notebook"),
    ("%route spnd", "did you mean 'spend'"),
    ("%route escalate", "nothing has been routed yet"),
    ("%route budget inf", "above 0"),
    ("%route tiers LOW=", "write TIER=MODEL"),
    ("%route label", "%route label takes good, bad, too weak or overkill"),
    ("%route classify", "takes a text"),
    ("%route teach LOW", "nothing has been routed yet"),
    ("%route teach forget hello", "'hello' was never taught; nothing has been taught"),
    ("%route threads forget", "forget NAME"),
    ("%route tiers LOW=a low=b", "has LOW twice"),
    ("%%route --repeat 1\nx", "give one from 2 to 20"),
    ("%%route --max-tokens 0\nx", "token"),
    ("%route spend colour", "colour"),
    ("%route audit --max-cost lots", "'lots'"),
    ("%%route -o 'not a name'\nx", "is not a variable name"),
]


@pytest.mark.parametrize(("source", "says"), LINES)
def test_a_mistake_is_one_line_with_its_cure_before_anything_is_sent(cell, server, source, says):
    cell.user_ns |= {
        "number": 5,
        "long": "x" * 2**20,
        "asserted": "assert True",
        "leaves": lambda prompt: sys.exit(3),
    }

    assert says in error_of(cell, source)
    assert [] == server.requests == rows()


def test_a_session_with_no_calls_is_described_in_plain_words(shell):
    for command in (
        *("report", "report text", "report all", "charts", "dashboard", "whatif", "labels"),
        *("labels all", "spend", "whatif cache=on", "playground", "export page.html", "help"),
        *("help all", "budget", "threads", "record", "replay", "settle", "prices"),
    ):
        text, done = run(shell, f"%route {command}")
        assert done.success, text
        assert not re.search("Traceback|`", text), command


# Settings and keys


def test_settings_that_do_not_do_leave_the_old_ones_in_force(cell):
    Path("nbroute.toml").write_text('[nbroute]\nclasifier = "rules"\n', encoding="utf-8")

    assert "nbroute.toml" in error_of(cell, "%route use dead")
    assert "small" == run(cell, "%%route -t LOW\nhello")[1].result.model


def test_a_key_that_cannot_be_sent_is_named_and_sends_nothing(load, server, monkeypatch):
    monkeypatch.delenv("LOOP_KEY")
    cell, told = load()

    assert "LOOP_KEY is not set" in told
    assert "set the environment variable LOOP_KEY" in error_of(cell, "%%route -t LOW\nhello")
    monkeypatch.setenv("LOOP_KEY", f"{KEY} schlüssel")
    run(cell, "%reload_ext nbroute")
    assert "LOOP_KEY again" in error_of(cell, "%%route -t LOW\nhello")
    assert [] == server.requests
    assert [("error", 0)] * 2 == [(row["status"], row["cost_usd"]) for row in rows()]


def test_an_unknown_profile_or_a_key_in_an_address_at_loading_is_one_safe_line(
    load, plain_shell, server, monkeypatch
):
    assert "sk-in-the-query" not in load(url=f"{server.url}?api_key=sk-in-the-query")[1]
    Path("nbroute.toml").unlink()
    monkeypatch.setenv("NBROUTE_PROFILE", "opnai")

    line = error_of(plain_shell, "%load_ext nbroute")

    assert "NBROUTE_PROFILE = 'opnai'" in line
    assert "did you mean 'openai'" in line


# What endpoints do


@pytest.mark.parametrize(
    ("reply", "kept", "says"),
    [
        ({"text": "Paris.", "usage": None}, "Paris.", "estimate"),
        ({"text": "and then", "finish_reason": "length"}, "and then", "cut off by the token"),
        ({"text": "one two", "stall_after": 2}, "one two", "broke off: a partial answer"),
        ({"delay": 30}, "", "estimate"),
    ],
)
def test_what_came_of_an_answer_is_shown_and_kept_and_says_so(load, reply, server, kept, says):
    cell, _ = load(timeout_s=0.3)
    server.reply(**reply)

    text, _ = run(cell, "%%route -t LOW -o half\nhello")

    assert kept in text
    assert says in text
    assert kept == (cell.user_ns["half"].text.strip() if kept else "")
    assert 1 == len(server.requests) == len(rows())
    assert rows()[0]["cost_usd"] > 0


def test_an_escalation_that_failed_leaves_the_answer_and_can_be_tried_again(cell, server):
    run(cell, "%%route -t LOW -o answer\nthe first")
    server.reply(status=400, error="not today")

    text, done = run(cell, "%route escalate")

    assert not done.success
    assert "not today" in text
    assert "ok" == cell.user_ns["answer"].text
    assert ["ok", "error"] == [row["status"] for row in rows()]
    assert "large" == run(cell, "%route escalate")[1].result.model


def test_tiers_that_could_not_answer_are_steps_shown_once(load, server):
    cell, _ = load(low='fallbacks = ["other"]')
    empty = Reply(text="", usage={"prompt_tokens": 10, "completion_tokens": 3})
    server.answer("Heat moves.", small=Reply(status=404, error="small is ill"), other=empty)

    text, done = run(cell, "%%route -S cascade --start LOW --check no-length\nhow?")

    assert ("Heat moves.", "TOP") == (done.result.text, done.result.tier)
    why = "empty answer from 'other' (finish_reason 'stop'): ask again, or name a fallback model"
    assert text.startswith("TOP · large · unknown (what other cost is not known) · ")
    assert (
        f"""
2 steps: LOW could not answer, TOP used
- LOW · other · could not answer: BadReply: {why} · unknown (no price for this model) · """
        in text
    )
    assert [1, 1] == [text.count(one) for one in ("small is ill", "empty answer from")]
    assert (
        "session $0.00007 · 3 calls · 1 of unknown cost · saving against all on TOP unknown" in text
    )


def test_a_ledger_that_cannot_be_used_is_a_note_and_costs_no_answer(load, monkeypatch):
    monkeypatch.setenv("NBROUTE_LEDGER", "/dev/full")

    text, done = run(load()[0], "%%route -t LOW\nhello")

    assert "ok" == done.result.text
    assert 1 == text.count("could not be recorded")
    assert "/dev/full" in text
    assert "session $0.000003 · 1 call" in text


def test_a_damaged_cache_is_a_note_unless_it_alone_may_answer(load, server):
    Path("cache.sqlite").write_bytes(DAMAGED)
    cell, _ = load('cache_file = "cache.sqlite"')

    text, done = run(cell, "%%route -t LOW\nhello")

    assert "ok" == done.result.text
    assert "cannot write the cache" in text
    assert "cache.sqlite" in run(cell, "%%route -t LOW --cache only\nhello")[0]
    assert 1 == len(server.requests) == len(rows())


def test_what_was_learned_or_taught_in_a_corrupt_file_is_one_line(cell, server):
    Path("learned.npz").write_bytes(b"PK\x03\x04 not a zip file")
    assert "learned.npz" in error_of(cell, "%%route -c learned\nhello")
    Path("examples.sqlite3").write_bytes(DAMAGED)

    assert "examples.sqlite3" in error_of(cell, "%route teach LOW hello there")
    assert [] == server.requests
    text, done = run(cell, "%%route -c embedding\nhello")
    assert "ok" == done.result.text
    assert "without the examples you taught" in text


def test_markup_in_answers_errors_and_the_names_of_the_settings_is_words(plain_shell, server):
    hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> ![x](http://e.example/x.png)"
    name = '<img src=x onerror=alert(1)>|`$x$`" onfocus="alert(1)'
    Path("nbroute.toml").write_text(
        f"""
        nbroute.static = true
        providers.loop.base_url = "{server.url}"
        [tiers.'{name}']
        provider = "loop"
        model = "a\\nb<script>alert(1)</script>|c"
        system = "<script>alert(1)</script>"
        """,
        encoding="utf-8",
    )
    run(plain_shell, "%load_ext nbroute")

    server.reply(text=hostile)
    server.reply(status=400, error=hostile)
    for source in (
        "%%route --feature '<script>x</script>'\nhello",
        "%%route\nhello again",
        "%%route_compare -s x -s y\nhello",
        *(f"%route {word}" for word in ("tiers", "spend feature", "log", "why", "report")),
    ):
        with capture_output() as shown:
            done = plain_shell.run_cell(source, store_history=True)
        made = [output.data for output in shown.outputs]
        made += [plain_shell.display_formatter.format(done.result)[0]]
        pages = [data.get("text/html", "") for data in made]
        pages += [MarkdownIt().render(data.get("text/markdown", "")) for data in made]
        found = Rendered("".join(pages))
        assert set() == {"script", "img", "iframe", "svg", "link", "object"} & found.tags, source
        assert [] == [one for one in found.attributes if one.startswith(("on", "src"))], source
        assert "javascript:" not in "".join(found.harm)
