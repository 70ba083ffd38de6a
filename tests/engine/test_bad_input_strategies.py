"""What goes wrong with strategies, checks, schemas, threads, budgets: one line, nothing lost."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from cells import Row, run
from conftest import LADDER
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from loopback import Reply

from nbroute import errors
from nbroute.notebook.lines import headline, remarks, step_lines
from nbroute.router import Router
from nbroute.storage.ledger import SqliteLedger

GOOD = "Water boils at 100 degrees Celsius at sea level, and lower up a mountain."
OTHER = "Bananas are rich in potassium, and monkeys like them very much."
SHORT = "At a hundred."
HARD = "Explain, step by step, how heat moves through the walls of an old house in winter."
SETTINGS = """
[nbroute]
classifier = "ngrams"
static = true
check_timeout_s = {check_timeout_s}
{options}
[providers.loop]
kind = "openai"
base_url = "{url}"
api_key_env = "LOOP_KEY"
timeout_s = 5
[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 64
price = {{ input = 1000, output = 2000 }}
[tiers.MID]
provider = "loop"
model = "medium"
max_tokens = 96
price = {{ input = 3000, output = 6000 }}
[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 128
price = {{ input = 10000, output = 30000 }}
"""


class Cells:
    """A real shell: `cells(source)` runs a cell, `cells.error(source)` is its one line."""

    def __init__(self, shell):
        self.shell = shell
        self.outputs = []

    def __call__(self, source):
        with capture_output() as shown:
            self.done = self.shell.run_cell(source, store_history=True)
        self.outputs = [output.data for output in shown.outputs]
        self.printed = shown.stdout + shown.stderr
        return self.done.result

    def error(self, source):
        self(source)
        error = self.done.error_before_exec or self.done.error_in_exec
        assert isinstance(error, errors.NbrouteError), error
        (line,) = (line for line in self.printed.split("\n") if line.strip())
        assert line.startswith(f"{type(error).__name__}: ")
        assert len(line) < 400
        return line

    @property
    def plain(self):
        return "\n".join(data.get("text/plain", "") for data in self.outputs)


@pytest.fixture
def shell(monkeypatch):
    monkeypatch.setenv("LOOP_KEY", "sk-test-0123456789abcdef")
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
def load(shell, server):
    def load_with(options="", check_timeout_s=0.3):
        text = SETTINGS.format(options=options, check_timeout_s=check_timeout_s, url=server.url)
        Path("nbroute.toml").write_text(text, encoding="utf-8")
        shell.run_line_magic("load_ext", "nbroute")
        return Cells(shell)

    return load_with


@pytest.fixture
def cell(load):
    return load()


def by_model(server, **texts):
    server.handler = lambda body: Reply(text=texts.get(body["model"], GOOD))


def rows():
    with SqliteLedger(Path("ledger.sqlite")) as ledger:
        return ledger.rows()


def paid(found):
    return sum((row["cost_usd"] for row in found), Decimal(0))


def statuses(result):
    return [(a.tier, a.status) for a in result.attempts]


# Options


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("%%route -S cascade --tiers ''\nx", "tiers"),
        ("%%route -S cascade --tiers ,\nx", "tiers"),
        ("%%route -S parallel --tiers LOW\nx", "takes two"),
        ("%%route -S parallel --tiers LOW,MID,TOP\nx", "takes two"),
        ("%%route -S cascade --tiers LOW,NOPE\nx", "NOPE"),
        ("%%route -S cascade --start ''\nx", "unknown tier ''"),
        ("%%route -S parallel --agreement nan\nx", "from 0 to 1"),
        ("%%route -S parallel --agreement 1.1\nx", "from 0 to 1"),
        ("%%route -S both\nx", "'cascade'"),
        ("%%route --check ''\nx", "''"),
        ("%%route --check rating=\nx", "from 1 to 10"),
        ("%%route --check rating=11\nx", "from 1 to 10"),
        ("%%route --check latency\nx", "latency=2000"),
        ("%%route --check tests=\nx", "not defined"),
        ("%%route --check tests=undefined\nx", "'undefined'"),
        ("%%route --check tests=number\nx", "number"),
        ("%%route --check number\nx", "not a function"),
        ("%%route --schema undefined\nx", "'undefined'"),
        ("%%route --schema number\nx", "is 5, not a schema"),
        ("%%route --schema instance\nx", "not a schema"),
        ("%%route --schema wrong\nx", "strng"),
        ("%%route --schema endless\nx", "without end"),
        ("%%route --schema remote\nx", "nothing is fetched"),
        ("%%route --schema deep\nx", "deep"),
        ("%%route --thread ''\nx", "thread"),
        ("%%route --thread ' '\nx", "thread"),
        ("%%route -c leanred\nx", "did you mean 'learned'"),
        ("%%route -c learned\nx", "no learned classifier"),
        ("%%route --max-cost nan\nx", "dollars"),
        ("%route teach", "takes a tier"),
        ("%route teach LOW", "nothing has been routed yet"),
        ("%route teach NOPE hello", "NOPE"),
        ("%route allow", "code"),
        ("%route allow everything", "code"),
        ("%route budget nonsense", "nonsense"),
        ("%route budget 0", "above 0"),
        ("%route budget -1", "above 0"),
        ("%route budget inf", "above 0"),
        ("%route threads forget", "forget NAME"),
        ("%route threads forget nobody", "nobody"),
        ("%route threads drop x", "forget NAME"),
        ("%route escalate", "nothing has been routed yet"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_sent(cell, server, source, says):
    deep = {"type": "string"}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    cell.shell.user_ns |= {
        "number": 5,
        "instance": datetime(2026, 11, 21, tzinfo=UTC),
        "wrong": {"type": "strng"},
        "endless": {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        "remote": {"$ref": "https://example.org/huge.json"},
        "deep": deep,
    }

    assert says in cell.error(source)
    assert [] == server.requests
    assert [] == rows()


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "cascade", "tiers": [1]},
        {"strategy": "cascade", "tiers": [None, "LOW"]},
        {"checks": [None]},
        {"checks": [5]},
        {"checks": [""]},
        {"schema": 5},
        {"schema": lambda: None},
        {"classifier": 5},
        {"strategy": None},
        {"cache": 5},
        {"agreement": "much", "strategy": "parallel"},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": 10**400},
        {"max_cost": "much"},
        {"thread": 5},
        {"feature": 5},
        {"nonsense": 1},
    ],
)
def test_an_option_of_a_wrong_kind_is_refused_before_anything_is_sent(router, server, options):
    with pytest.raises(errors.SettingsError) as caught:
        router.route("hello", **options)

    assert "\n" not in str(caught.value)
    assert [] == server.requests


def test_empty_names_between_commas_are_left_out(cell, server):
    by_model(server)

    result = cell("%%route -S cascade --tiers LOW,,TOP\nhello")

    assert ["LOW", "TOP"] == [step.tier.name for step in result.plan.steps]


@pytest.mark.parametrize("name", ["поездка 🧳", "日本", "a\u202eb", "<b>x</b>", "it's", "n" * 5000])
def test_threads_and_features_may_have_any_name(cell, server, name):
    quoted = shlex.quote(name)

    cell(f"%%route --thread {quoted} --feature {quoted}\nhello")
    cell(f"%%route --thread {quoted}\nand now?")

    assert cell.done.success
    said = [one["content"] for one in server.requests[1].json["messages"]]
    assert ["hello", "ok", "and now?"] == said[-3:]
    assert {name} == {row["thread"] for row in rows()}
    cell("%route threads")
    assert cell.done.success
    cell("%route spend feature")
    assert cell.done.success
    cell(f"%route threads forget {name}")
    assert cell.done.success


def test_half_a_surrogate_pair_in_a_name_costs_no_answer(router, server):
    result = router.route("hello", feature="a\ud800", thread="b\ud800")

    assert "ok" == result.text
    assert 1 == len(router.ledger.rows())


def test_tiers_may_have_unicode_names_in_any_case(make_router, server):
    named = zip(LADDER.tiers, ("Größe", "日本", "🚀"), strict=True)
    tiers = tuple(replace(tier, name=name) for tier, name in named)
    router = make_router(ladder=replace(LADDER, tiers=tiers, default="Größe"), classifier="ngrams")
    by_model(server, small=SHORT)

    result = router.route(HARD, strategy="cascade", start="GRÖSSE")

    assert ("日本", True) == (result.tier, result.escalated)
    assert "🚀" == router.escalate(result).tier
    assert "Größe" == router.teach("hello", "GRÖSSE")


def test_a_model_named_for_a_cascade_is_asked_on_every_tier(router, server):
    server.handler = lambda _: Reply(text=SHORT)

    result = router.route(HARD, strategy="cascade", model="mine", max_tokens=5)

    assert {"mine"} == {seen.json["model"] for seen in server.requests}
    assert not result.passed
    assert len(server.requests) == sum(not a.cached for a in result.attempts)


def test_a_cascade_with_a_forced_tier_begins_there(router, server):
    by_model(server, medium=SHORT)

    result = router.route(HARD, strategy="cascade", tier="MID")

    assert [("MID", "rejected"), ("TOP", "ok")] == statuses(result)


# Labels and what was learned

LINES = "".join(f"{word} {word[::-1]} {word * 3},LOW\n" for word in map(chr, range(0x4E00, 0x4E3C)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "CSV"),
        ("prompt,tier\n", "too few"),
        ("\x00\x01\x02", "prompt"),
        ("prompt,tier\n" + LINES.replace(",LOW", ",NOPE"), "NOPE"),
        ("prompt,tier\n" + LINES, "every row has the tier 'LOW'"),
        ("text,label\n" + "hello,LOW\n" * 60, "'prompt'"),
    ],
)
def test_labels_that_cannot_be_learnt_from_are_one_line(router, server, text, says):
    Path("labels.csv").write_text(text, encoding="utf-8")

    with pytest.raises(errors.SettingsError, match=says) as caught:
        router.fit("labels.csv")

    assert "\n" not in str(caught.value)
    assert [] == server.requests


def labels():
    """Three tasks of much the same length, each about things of its own."""
    asked = {
        "LOW": "name a town where {0} {1} and {2} {3} {4} are to be had",
        "MID": "summarise notes on {0} and {1}, {2}, {3} and {4} for us",
        "TOP": "prove that {0} {1} holds, and derive {2} {3} {4} fully",
    }
    letters = "bcdfghjklmnpqrstvwxz"
    lines = []
    for one in letters:
        for other in letters[:5]:
            things = [f"{one}{vowel}{other}{vowel}{one}" for vowel in "aeiou"]
            tier = ("LOW", "MID", "TOP")[len(lines) % 3]
            lines.append({"prompt": asked[tier].format(*things), "tier": tier})
    return pd.DataFrame(lines)


def test_labels_as_a_spreadsheet_writes_them_are_read(make_router):
    pytest.importorskip("sklearn")
    labels().to_csv("labels.csv", index=False, encoding="utf-8-sig")
    router = make_router(classifier="ngrams")

    assert router.fit("labels.csv").figures


def test_a_file_to_keep_in_that_cannot_be_written_is_one_line(make_router):
    pytest.importorskip("sklearn")
    Path("file").write_text("")
    router = make_router(classifier=lambda _: "TOP")

    with pytest.raises(errors.NbrouteError, match=r"learned\.npz") as caught:
        router.fit(labels(), to="file/learned.npz")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x00" * 100])
def test_a_corrupt_learned_classifier_is_one_line_and_sends_nothing(cell, server, content):
    Path("learned.npz").write_bytes(content)

    assert "learned.npz" in cell.error("%%route -c learned\nhello")
    assert [] == server.requests
    assert "small" == cell("%%route -t LOW\nhello").model


@pytest.mark.parametrize(
    ("prompt", "tier"), [("", "LOW"), (" \n", "LOW"), ("x", "NOPE"), ("x", "")]
)
def test_what_cannot_be_taught_is_an_error_and_not_kept(router, prompt, tier):
    with pytest.raises(errors.NbrouteError):
        router.teach(prompt, tier)

    assert not Path("examples.sqlite3").exists()


@pytest.mark.parametrize(("prompt", "tier"), [(None, "LOW"), (5, "LOW"), ("x", None), ("x", 5)])
def test_what_is_no_text_cannot_be_taught(router, prompt, tier):
    with pytest.raises(errors.NbrouteError):
        router.teach(prompt, tier)


def test_a_tier_that_nobody_taught_is_told_and_one_of_another_ladder_is_left_out(
    make_router, server
):
    router = make_router(classifier="embedding")
    router.teach("What is the capital of Peru?", "TOP")
    other = replace(LADDER, tiers=LADDER.tiers[:2], default="LOW")

    assert "TOP" == router.route("What is the capital of Peru?").tier
    assert make_router(ladder=other, classifier="embedding").route("What is this?").tier in (
        "LOW",
        "MID",
    )


def test_examples_in_a_corrupt_file_are_announced_and_the_answer_comes(cell, server):
    Path("examples.sqlite3").write_bytes(b"no database" * 100)

    result = cell("%%route -c embedding\nhello")

    assert "ok" == result.text
    assert "examples" in cell.printed
    assert "examples.sqlite3" in cell.error("%route teach LOW hello there")


def test_an_endpoint_that_embeds_in_another_dimension_than_yesterday_is_asked_anew(load, server):
    cell = load('embedder = "loop"')
    assert "ok" == cell("%%route -c embedding --cache off\nhello you").text
    before = len(server.requests)
    server.dimension = 24

    result = cell("%%route -c embedding --cache off\nanother prompt altogether")

    assert "ok" == result.text
    assert before < len(server.requests)
    assert "dimension" in cell.printed
    embedded = [row for row in rows() if row["purpose"] == "embed"]
    asked = [seen for seen in server.requests if seen.path.endswith("/embeddings")]
    words = sum(len(text.split()) for seen in asked for text in seen.json["input"])
    assert words == sum(row["input_tokens"] for row in embedded)


# Checks


def test_a_check_that_exits_is_a_verdict(cell, server):
    cell.shell.user_ns["leaves"] = lambda text: sys.exit(3)

    result = cell("%%route -t LOW --check leaves\nhello")

    assert cell.done.success
    assert not result.passed
    assert "SystemExit" in result.verdicts[-1].reason


@pytest.mark.parametrize(
    "raised",
    [SystemExit(1), GeneratorExit(), RecursionError("deep"), MemoryError(), StopIteration()],
)
def test_whatever_a_check_raises_is_a_verdict(router, server, raised):
    def broken(reply):
        raise raised

    result = router.route("hello", checks=[broken])

    assert not result.passed
    assert type(raised).__name__ in result.verdicts[-1].reason


def test_a_verdict_of_a_check_is_a_line_even_where_its_error_is_a_page(cell, server):
    def broken(text):
        raise ValueError("first\nsecond\n" + "x" * 10_000)

    cell.shell.user_ns["broken"] = broken

    cell("%%route -t LOW --check broken\nhello")

    assert cell.done.success
    assert max(map(len, cell.plain.split("\n"))) < 1000


@pytest.mark.parametrize("kind", ["loop", "sleep", "stubborn"])
def test_a_check_that_never_ends_is_given_up(cell, server, kind):
    ended = threading.Event()

    def loop(text):
        while not ended.is_set():
            pass

    def sleep(text):
        time.sleep(3)

    def stubborn(text):
        while not ended.is_set():
            with contextlib.suppress(BaseException):
                time.sleep(0.01)

    cell.shell.user_ns["endless"] = {"loop": loop, "sleep": sleep, "stubborn": stubborn}[kind]

    result = cell("%%route -t LOW --check endless\nhello")

    assert "did not end within 0.3 s" in result.verdicts[-1].reason
    assert "ok" == cell("%%route -t LOW\nhello again").text
    ended.set()


def test_a_plain_function_from_python_that_never_ends_is_given_up_too(router, server):
    router.parts = replace(router.parts, check_timeout_s=0.2)
    ended = threading.Event()

    def endless(reply):
        ended.wait(20)
        return True

    result = router.route("hello", checks=[endless])
    ended.set()

    assert "did not end within 0.2 s" in result.verdicts[-1].reason


def test_ctrl_c_in_a_check_that_never_ends_keeps_what_was_paid_for(load, server):
    cell = load(check_timeout_s=20)
    ended = threading.Event()

    def endless(text):
        os.kill(os.getpid(), signal.SIGINT)
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.set()

    cell.shell.user_ns["endless"] = endless

    cell("%%route -t LOW --check endless\nhello")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    assert ["ok"] == [row["status"] for row in rows()]
    assert ended.wait(10)
    assert "ok" == cell("%%route -t LOW\nhello again").text


def test_ctrl_c_while_an_answer_is_tested_leaves_no_process(cell, server):
    server.handler = lambda _: Reply(text="```python\nimport time\ntime.sleep(60)\n```")
    cell.shell.user_ns["asserted"] = "assert True"
    cell("%route allow code")
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    assert "" == children.read_text()

    def interrupt():
        while not children.read_text():
            time.sleep(0.01)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()

    cell("%%route -t LOW --check tests=asserted\nwrite a function")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    assert ["ok"] == [row["status"] for row in rows()]
    assert "" == children.read_text()


def test_code_of_an_answer_is_not_run_before_the_users_word(cell, server):
    cell.shell.user_ns["asserted"] = "assert True"

    assert "%route allow code" in cell.error("%%route --check tests=asserted\nwrite a function")
    assert [] == server.requests


def test_an_error_that_cannot_be_shown_is_a_verdict_too(router, server):
    class SilentError(Exception):
        def __str__(self):
            raise ValueError

    def broken(reply):
        raise SilentError

    assert "SilentError" in router.route("hello", checks=[broken]).verdicts[-1].reason


def test_a_classifier_that_exits_is_one_line_and_sends_nothing(cell, server):
    cell.shell.user_ns["leaves"] = lambda prompt: sys.exit(3)

    assert "SystemExit" in cell.error("%%route -c leaves\nhello")
    assert [] == server.requests


# Money


def test_tiers_that_fail_in_a_cascade_leave_the_answer_below_them(cell, server):
    server.handler = lambda body: (
        Reply(text=SHORT) if body["model"] == "small" else Reply(status=401, error="no")
    )

    result = cell(f"%%route -S cascade --start LOW\n{HARD}")

    assert (SHORT, False) == (result.text, result.passed)
    assert ["LOW", "MID", "TOP"] == [row["tier"] for row in rows()]
    assert ["error", "error"] == [row["status"] for row in rows()][1:]
    assert paid(rows()) == result.cost_usd
    assert all(any(tier in told for told in result.notices) for tier in ("MID", "TOP"))


def test_a_tier_that_could_not_answer_is_a_step_of_the_ladder(cell, server):
    server.handler = lambda body: (
        Reply(status=500, error="down") if body["model"] == "small" else Reply(text=GOOD)
    )

    text, done = run(cell.shell, f"%%route -S cascade --start LOW\n{HARD}")

    assert (GOOD, "MID") == (done.result.text, done.result.tier)
    assert "2 steps: LOW could not answer, MID used" in text
    assert "could not answer: Unavailable: 127.0.0.1" in text
    assert "no charge" in text
    assert "source unknown" not in text


def test_where_no_tier_answered_none_is_called_the_answer(cell, server):
    server.handler = lambda body: Reply(text="")

    text, done = run(cell.shell, f"%%route -S cascade --start LOW\n{HARD}")

    assert not done.success
    assert "3 steps: LOW could not answer, MID could not answer" in text
    assert "· failed" in text
    assert "the answer" not in text
    assert "checks not passed" not in text


def test_each_model_of_a_tier_that_could_not_answer_is_told_once(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOP_KEY", "sk-test-0123456789abcdef")
    settings = SETTINGS.format(url=server.url, check_timeout_s=5, options="")
    low = 'model = "small"\n'
    file = tmp_path / "my.toml"
    file.write_text(settings.replace(low, f'{low}fallbacks = ["other"]\n'))
    server.handler = lambda body: (
        Reply(status=500, error=f"{body['model']} is down")
        if body["model"] == "small"
        else Reply(text="")
        if body["model"] == "other"
        else Reply(text=GOOD)
    )
    with contextlib.closing(Router(file)) as router:
        result = router.route(HARD, strategy="cascade", start="LOW")

    told = headline(result) + "\n".join(remarks(result)) + "\n".join(step_lines(result))
    assert 1 == told.count("small is down")
    assert 1 == told.count("empty answer from 'other'")
    assert "unknown (what other cost is not known)" in told


def test_an_endless_climb_stops_at_max_cost_with_what_was_paid(router, server):
    server.handler = lambda _: Reply(text=SHORT)

    with pytest.raises(errors.BudgetExceeded, match="max-cost") as caught:
        router.route(HARD, strategy="cascade", start="LOW", max_cost="0.0003")

    result = caught.value.result
    assert SHORT == result.text
    assert result.cost_usd == router.spend().usd
    assert result.cost_usd <= Decimal("0.0003")


@pytest.mark.parametrize("most", ["0", "0.0001", "0.031"])
@pytest.mark.parametrize(
    "asked",
    [{"strategy": "parallel", "tiers": ("LOW", "TOP")}, {"strategy": "consensus"}],
    ids=lambda asked: asked["strategy"],
)
def test_with_room_for_less_than_all_of_them_none_is_sent_as_the_dry_run_says(
    router, server, asked, most
):
    server.handler = lambda _: Reply(text=GOOD)
    asked = {**asked, "max_cost": most}

    with pytest.raises(errors.BudgetExceeded) as caught:
        router.route(HARD, **asked)

    assert router.explain(HARD, **asked).refusal == str(caught.value)
    assert [] == server.requests == router.ledger.rows()


def test_parallel_with_one_answer_in_the_cache_needs_room_for_the_other_alone(router, server):
    by_model(server)
    router.route(HARD, tier="TOP")

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"), max_cost="0.031")

    assert {"LOW", "TOP"} == {one.tier for one in result.attempts}


def test_parallel_over_the_budget_with_cheaper_keeps_the_one_that_fits(router, server):
    by_model(server)
    router.set_budget("0.001")
    router.limits = replace(router.limits, on_limit="cheaper")

    result = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    assert ("LOW", GOOD) == (result.tier, result.text)
    assert any("only LOW answered" in notice for notice in result.notices)


def test_many_in_parallel_cannot_overspend_together(router, server):
    by_model(server, small=OTHER)
    router.set_budget("0.07")

    def work(number):
        with contextlib.suppress(errors.BudgetExceeded):
            router.route(f"{HARD} {number}", strategy="parallel", tiers=("LOW", "TOP"))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert router.spend().usd <= Decimal("0.07")
    assert len(server.requests) <= len(router.ledger.rows())
    assert "running" not in {row["status"] for row in router.ledger.rows()}


def test_a_refusal_by_budget_does_not_set_the_callers_event(router, server):
    server.handler = lambda body: Reply(text=GOOD)
    cancel = threading.Event()

    with pytest.raises(errors.BudgetExceeded):
        router.route(HARD, strategy="parallel", max_cost="0", cancel=cancel)

    assert not cancel.is_set()


def test_a_rejected_answer_from_the_cache_is_counted_once_and_costs_nothing(router, server):
    by_model(server, small=SHORT)
    first = router.route(HARD, strategy="cascade", start="LOW")
    spent = router.spend()

    again = router.route(HARD, strategy="cascade", start="LOW")

    assert [("LOW", "rejected"), ("MID", "ok")] == statuses(again) == statuses(first)
    assert all(attempt.cached for attempt in again.attempts)
    assert 0 == again.cost_usd
    assert spent.usd == router.spend().usd
    assert 4 == len(router.ledger.rows())
    assert 2 == len(server.requests)


def test_a_rating_is_kept_with_the_cached_answer(router, server):
    by_model(server, small=f"{GOOD}\n\nConfidence: 5", medium=f"{GOOD}\n\nConfidence: 9")
    router.route(HARD, strategy="cascade", start="LOW", checks=["rating"])

    again = router.route(HARD, strategy="cascade", start="LOW", checks=["rating"])

    assert [5.0, 9.0] == [attempt.rating for attempt in again.attempts]
    assert ("MID", 0, GOOD) == (again.tier, again.cost_usd, again.text)


def test_a_cascade_over_the_budget_with_cheaper_ends_with_what_it_has(router, server):
    by_model(server, medium=SHORT)
    router.set_budget("0.004")
    router.limits = replace(router.limits, on_limit="cheaper")

    result = router.route(HARD, strategy="cascade", start="MID")

    assert ("MID", SHORT, False) == (result.tier, result.text, result.passed)
    assert any("TOP" in notice and "session budget" in notice for notice in result.notices)
    assert result.cost_usd == router.spend().usd


def test_answers_from_the_cache_in_parallel_cost_nothing(router, server):
    by_model(server, small=OTHER)
    first = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    again = router.route(HARD, strategy="parallel", tiers=("LOW", "TOP"))

    assert first.text == again.text
    assert 0 == again.cost_usd
    assert 2 == len(server.requests)
    assert first.cost_usd == router.spend().usd


def test_a_replayed_cascade_sends_nothing_and_costs_nothing(router, server):
    by_model(server, small=SHORT)
    router.route(HARD, strategy="cascade", start="LOW")

    again = router.route(HARD, strategy="cascade", start="LOW", cache="only")

    assert ("MID", GOOD, 0) == (again.tier, again.text, again.cost_usd)
    with pytest.raises(errors.ReplayMiss):
        router.route("something else", strategy="cascade", start="LOW", cache="only")
    with pytest.raises(errors.ReplayMiss):
        router.route("something else", strategy="parallel", cache="only")
    assert 2 == len(server.requests)


def test_a_replay_with_an_embedder_at_an_endpoint_sends_nothing(load, server):
    cell = load('embedder = "loop"')
    by_model(server, small=OTHER)
    cell(f"%%route -S parallel --tiers LOW,TOP\n{HARD}")
    before = len(server.requests)

    cell(f"%%route -S parallel --tiers LOW,TOP --cache only\n{HARD}")
    assert cell.done.success
    cell("%%route -c embedding --cache only\nnever seen")

    assert before == len(server.requests)


def test_a_feature_budget_holds_for_its_feature_alone(load, server):
    cell = load("[nbroute.budget_usd_per_feature]\nsearch = 0.01")

    assert cell("%%route -t LOW\nhello") is not None
    assert cell("%%route -t LOW --feature other\nhello you") is not None
    assert "search" in cell.error("%%route -t LOW --feature search\nhello there")


def test_a_days_budget_begins_anew_at_midnight_utc(make_router, server):
    router = make_router()
    now = [datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC).timestamp()]
    router.parts = replace(router.parts, clock=lambda: now[0])
    router.limits = replace(router.limits, budget_usd_per_day=Decimal("0.00016"))

    def after_midnight(body):
        now[0] += 2
        return Reply(usage={"prompt_tokens": 10, "completion_tokens": 60})

    server.handler = after_midnight
    first = router.route("hello", cache="off")  # sent before midnight, answered after it
    server.handler = None
    second = router.route("hello", cache="off")

    assert ["2026-11-21", "2026-11-22"] == list(router.spend("day"))
    assert "ok" == second.text
    now[0] = datetime(2026, 11, 21, 23, 0, tzinfo=UTC).timestamp()
    with pytest.raises(errors.BudgetExceeded, match="2026-11-21"):
        router.route("hello", cache="off")
    assert first.cost_usd == router.spend("day")["2026-11-21"].usd


def test_a_ledger_that_cannot_be_written_still_holds_the_budget(make_router, server, tmp_path):
    folder = tmp_path / "file"
    folder.write_text("")
    router = make_router(ledger=folder / "ledger.sqlite")
    router.set_budget("0.0004")
    server.handler = lambda _: Reply(usage={"prompt_tokens": 10, "completion_tokens": 60})

    first = router.route("hello", cache="off")
    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(router.route("hello", cache="off").status)
        except errors.BudgetExceeded:
            outcomes.append("refused")

    assert any("could not be recorded" in notice for notice in first.notices)
    assert "refused" == outcomes[-1]
    assert router.spend().usd <= Decimal("0.0004")


def test_settling_that_fails_half_way_keeps_what_was_settled(cell, server):
    for number in range(3):
        server.reply(text="fine", id=f"gen-{number}")
        cell(f"%%route -t LOW\nhello {number}")
    known = {"total_cost": 0.5, "native_tokens_prompt": 7, "native_tokens_completion": 9}
    server.generations = {"gen-0": known}
    server.reply(body={"data": {"id": "gen-0", **known}})
    server.reply(status=503, error="books are closed", headers={"Retry-After": "0.01"})
    server.reply(status=503, error="books are closed", headers={"Retry-After": "0.01"})
    server.reply(status=503, error="books are closed", headers={"Retry-After": "0.01"})

    cell("%route settle")

    assert cell.done.success
    settled = {row["generation"]: row for row in rows()}
    assert ("billed", Decimal("0.5")) == (
        settled["gen-0"]["cost_source"],
        settled["gen-0"]["cost_usd"],
    )
    assert "configured" == settled["gen-1"]["cost_source"]
    assert 3 == len(rows())
    told = str(cell.done.result)
    assert "1 of 3" in told
    assert "\n" not in told.strip()


# Interruptions


def interrupt_at(server, moment):
    """Press Ctrl-C shortly after the server's requests are such."""

    def pressed():
        for _ in range(1000):
            if moment(server.requests):
                time.sleep(0.1)
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.01)

    threading.Thread(target=pressed, daemon=True).start()


def test_ctrl_c_stops_both_of_parallel_and_records_both(cell, server):
    server.reply(text=GOOD, stall_after=2)
    server.reply(text=GOOD, stall_after=2)
    interrupt_at(server, lambda seen: len(seen) == 2)

    cell(f"%%route -S parallel --tiers LOW,TOP\n{HARD}")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    assert {("LOW", "interrupted"), ("TOP", "interrupted")} == {
        (row["tier"], row["status"]) for row in rows()
    }
    assert all(row["cost_usd"] > 0 for row in rows())
    assert "ok" == cell("%%route -t LOW\nhello again").text


def test_ctrl_c_stops_both_of_consensus_and_asks_no_third(cell, server):
    server.handler = lambda _: Reply(text=GOOD, stall_after=2)
    interrupt_at(server, lambda seen: len(seen) == 2)

    cell(f"%%route -S consensus\n{HARD}")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    assert [("LOW", "interrupted"), ("MID", "interrupted")] == sorted(
        (row["tier"], row["status"]) for row in rows()
    )


def test_ctrl_c_before_the_second_thread_of_parallel_has_begun_ends_the_call(
    router, server, monkeypatch
):
    begin = threading.Thread.start
    ended = []

    def route():
        with pytest.raises(errors.Interrupted) as caught:
            router.route("hello", strategy="parallel", tiers=("LOW", "TOP"))
        ended.append(caught.value)

    def start(thread):
        if threading.current_thread() is caller:
            raise KeyboardInterrupt
        begin(thread)

    caller = threading.Thread(target=route, daemon=True)
    monkeypatch.setattr(threading.Thread, "start", start)
    caller.start()
    caller.join(10)

    assert ["stopped"] == list(map(str, ended))
    assert [] == server.requests


def test_ctrl_c_while_the_second_of_parallel_is_waited_for_records_both(cell, server):
    server.handler = lambda body: (
        Reply(text=GOOD, stall_after=2) if body["model"] == "large" else Reply(text=GOOD)
    )
    interrupt_at(server, lambda seen: len(seen) == 2)

    cell(f"%%route -S parallel --tiers LOW,TOP\n{HARD}")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    assert {("LOW", "ok"), ("TOP", "interrupted")} == {
        (row["tier"], row["status"]) for row in rows()
    }


def test_ctrl_c_while_answers_are_compared_keeps_both(load, server):
    cell = load('embedder = "loop"')
    by_model(server)
    server.embedding_reply(text="", delay=5, body={"data": []})
    interrupt_at(server, lambda seen: any(s.path.endswith("/embeddings") for s in seen))

    cell(f"%%route -S parallel --by cosine --tiers LOW,TOP\n{HARD}")

    assert isinstance(cell.done.error_in_exec, errors.Interrupted)
    answers = [row["status"] for row in rows() if row["purpose"] == "answer"]
    assert ["ok", "ok"] == answers
    assert GOOD in cell.plain


def test_a_slow_network_can_be_cancelled_in_every_strategy(router, server):
    for strategy in ("cascade", "parallel", "consensus"):
        server.handler = lambda _: Reply(text=GOOD, delay=8)
        cancel = threading.Event()
        threading.Timer(0.3, cancel.set).start()
        began = time.monotonic()

        with pytest.raises(errors.Interrupted):
            router.route(f"{HARD} {strategy}", strategy=strategy, cancel=cancel)

        assert time.monotonic() - began < 4
    assert {"interrupted"} == {row["status"] for row in router.ledger.rows()}


# Parallel


def test_answers_that_cannot_be_compared_leave_the_better_one_and_say_why(load, server):
    cell = load('embedder = "loop"')
    by_model(server)
    server.embedding_reply(status=404, error="no such model")

    result = cell(f"%%route -S parallel --by cosine --tiers LOW,TOP\n{HARD}")

    assert ("TOP", GOOD) == (result.tier, result.text)
    assert "could not be compared" in result.rungs[0].failed.reason
    answers = [row["status"] for row in rows() if row["purpose"] == "answer"]
    assert ["ok", "rejected"] == sorted(answers)


def test_a_parallel_result_can_be_escalated(router, server):
    by_model(server)
    result = router.route(HARD, strategy="parallel", tiers=("LOW", "MID"))

    above = router.escalate(result)
    top = router.escalate(above)

    assert ["LOW", "MID", "TOP"] == [result.tier, above.tier, top.tier]
    assert (True, 0) == (above.cached, above.cost_usd)
    with pytest.raises(errors.SettingsError, match="top tier"):
        router.escalate(top)


def test_both_failing_is_one_error_with_both_recorded(cell, server):
    server.handler = lambda body: Reply(status=400, error=f"no {body['model']}")

    cell.error(f"%%route -S parallel --tiers LOW,TOP\n{HARD}")

    assert ["error", "error"] == [row["status"] for row in rows()]


NO_WORDLLAMA = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "wordllama":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
import nbroute
router = nbroute.Router(profile="simulated")
for options in ({"strategy": "parallel", "by": "cosine"}, {"classifier": "embedding"}):
    try:
        router.route("hello", **options)
    except nbroute.errors.SettingsError as error:
        print(error)
print(len(router.ledger.rows()))
"""


def test_with_no_embedder_nothing_is_sent_and_the_line_says_what_to_install():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NO_WORDLLAMA)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    *lines, count = done.stdout.splitlines()
    assert "" == done.stderr
    assert "0" == count
    assert 2 == len(lines)
    assert all("nbroute[embeddings]" in line for line in lines)


# Conversations


def test_a_history_of_a_megabyte_is_trimmed_or_sent_and_never_hangs(cell, server):
    server.reply(chunks=["word " * 20_000] * 10)
    cell("%%route -t LOW --thread long\ntell me all")
    began = time.monotonic()

    result = cell("%%route --thread long\nand why is that?")

    assert result is not None
    assert time.monotonic() - began < 5


def test_a_turn_of_a_forgotten_thread_can_be_escalated(cell, server):
    cell("%%route -t LOW --thread trip\nname a town")
    cell("%%route -t LOW --thread trip\nand another?")
    cell("%route threads forget trip")

    cell("%route escalate")

    assert cell.done.success


def test_two_threads_on_one_conversation_lose_no_turn(router, server):
    def work(number):
        router.route(f"hello {number}", thread="shared")

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert {f"hello {n}" for n in range(8)} == {t.prompt for t in router.threads.turns("shared")}


# Buttons


def test_a_hundred_clicks_in_a_second_are_one_answer(router, server):
    server.handler = lambda body: Reply(delay=0.0 if body["model"] == "small" else 1.0)
    row, started = Row(router), []

    def click():
        started.extend(row.controls.start(None) for _ in range(10))

    threads = [threading.Thread(target=click) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (answering,) = filter(None, started)
    answering.join()

    assert 1 == len(row.kept)
    assert 2 == len(server.requests)
    assert ["LOW", "MID"] == [one["tier"] for one in router.ledger.rows()]
    assert not row.is_off("Escalate to TOP")
    assert "Stop" not in row.buttons
    row.controls.start(None).join()
    assert "TOP" == row.kept[-1].tier


def test_a_click_while_the_ledger_breaks_leaves_the_controls_usable(router, server):
    row = Row(router)
    file = Path("ledger.sqlite")
    router.ledger.close()
    for beside in file.parent.glob("ledger.sqlite*"):
        beside.write_bytes(b"no database at all" * 500)

    row.controls.start(None).join()

    assert "MID" == row.kept[-1].tier
    assert not row.is_off("Escalate to TOP")
    assert "Error" not in row.words


def test_an_escalation_that_is_stopped_can_be_tried_again(router, server):
    row = Row(router)
    server.handler = lambda _: Reply(delay=20)

    answering = row.controls.start("MID")
    while len(server.requests) < 2:
        time.sleep(0.01)
    row.controls.redraw()
    row.click("Stop")
    answering.join()
    server.handler = None
    row.controls.start("MID").join()

    assert ["ok", "interrupted", "ok"] == [one["status"] for one in router.ledger.rows()]
    assert ["MID"] == [result.tier for result in row.kept]
