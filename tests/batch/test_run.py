"""Many prompts: rows in order, a failure is a row, budgets hold, and a stop loses nothing."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest
from loopback import Reply

from nbroute.batch import amap, aroute, map_prompts
from nbroute.engine.attempts import hash_text
from nbroute.errors import Interrupted, PromptError, SettingsError
from nbroute.router import Router
from nbroute.types import Verdict

ROOT = Path(__file__).parents[2]

#: Tiers on the loopback server, as a worker in another process can read them.
TOML = """
[nbroute]
classifier = "ngrams"
budget_usd = {budget}

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


def asked(sent) -> str:
    """The prompt of a request."""
    return sent["messages"][-1]["content"]


def echo(sent) -> Reply:
    return Reply(text=f"about {asked(sent)}")


@pytest.fixture
def file_router(server, tmp_path, monkeypatch):
    """A router that is all settings, with its key in the environment."""
    monkeypatch.setenv("LOOP_API_KEY", "sk-test-0123456789")
    made = []

    def make(budget="100.0"):
        file = tmp_path / "nbroute.toml"
        file.write_text(TOML.format(url=server.url, budget=budget))
        made.append(Router(file))
        return made[-1]

    yield make
    for router in made:
        router.close()


def never_passes(reply) -> Verdict:
    return Verdict(False, "never", "it will not do")


def prompts_of(count: int) -> list[str]:
    return [f"question {number}" for number in range(count)]


def asked_for(server) -> list[str]:
    return [asked(seen.json) for seen in server.requests]


# rows


def test_rows_come_in_the_order_of_the_prompts(router, server):
    server.handler = lambda sent: Reply(
        text=asked(sent), delay=0.02 * (int(asked(sent).split()[1]) % 3)
    )
    prompts = prompts_of(40)

    batch = map_prompts(router, prompts)

    assert prompts == [row.text for row in batch]
    assert list(range(40)) == [row.place for row in batch]


def test_a_row_says_what_the_result_says(router, server):
    server.reply(text="Paris.")

    (row,) = map_prompts(router, ["Capital of France?"], tier="MID")

    (attempt,) = router.ledger.rows(session=router.session)
    assert ("Capital of France?", "Paris.", "MID", "medium") == (
        row.prompt,
        row.text,
        row.tier,
        row.model,
    )
    assert ("ok", None, True, False) == (row.status, row.error, row.passed, row.cached)
    assert (attempt["cost_usd"], "configured") == (row.cost_usd, row.cost_source)
    assert attempt["result"] == row.result


@pytest.mark.parametrize("name", ["b.sqlite", "b.parquet"])
def test_a_row_says_which_model_answered(router, server, tmp_path, name):
    server.handler = lambda sent: Reply(text="x", model=f"vendor/{sent['model']}-2")

    map_prompts(router, ["a"], tier="MID", to=tmp_path / name)
    batch = map_prompts(router, ["a", "b"], tier="MID", to=tmp_path / name)

    assert [("medium", "vendor/medium-2")] * 2 == [(row.model, row.answered_by) for row in batch]
    assert ["vendor/medium-2"] * 2 == list(batch.frame()["answered_by"])


def test_one_failure_is_a_row_and_not_the_end(router, server):
    def handler(sent):
        return Reply(status=400, error="no") if asked(sent) == "question 3" else echo(sent)

    server.handler = handler

    batch = map_prompts(router, prompts_of(10))

    (failed,) = batch.failed()
    assert (3, "error", "") == (failed.place, failed.status, failed.text)
    assert failed.error.startswith("RequestRejected: ")
    assert 9 == sum(row.error is None for row in batch)


def test_what_is_no_prompt_is_a_row_that_says_so(router, server):
    batch = map_prompts(router, ["one", None, "", math.nan, pd.NA, 7, "two"])

    told = [row.error for row in batch]
    assert [None, None] == [told[0], told[-1]]
    assert all(one.startswith("PromptError: ") for one in told[1:-1])
    assert "int: 7" in told[5]
    assert 2 == len(server.requests)


def test_a_generator_is_read_as_it_is_needed(router, server):
    read = []
    held = threading.Event()
    server.handler = lambda sent: held.wait(10) and echo(sent)

    def prompts():
        for number in range(300):
            read.append(number)
            yield f"question {number}"
        held.set()

    def let_go():
        while len(server.requests) < 2:
            held.wait(0.01)
        seen.append(len(read))
        held.set()

    seen: list[int] = []
    watcher = threading.Thread(target=let_go)
    watcher.start()
    batch = map_prompts(router, prompts(), workers=2)
    watcher.join()

    assert 300 == len(batch)
    assert seen[0] <= 8


def test_prompts_whose_iterator_breaks_leave_what_came_before(router, tmp_path):
    def prompts():
        yield "one"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        map_prompts(router, prompts(), to=tmp_path / "batch.sqlite")

    (row,) = map_prompts(router, ["one"], to=tmp_path / "batch.sqlite")
    assert "ok" == row.text
    assert 1 == router.spend().calls


def test_a_column_of_a_frame_is_mapped(router, server):
    server.handler = echo
    frame = pd.DataFrame({"prompt": ["one", "two"], "n": [1, 2]}, index=[7, 3])

    batch = map_prompts(router, frame["prompt"])

    assert ["about one", "about two"] == [row.text for row in batch]


def test_a_batch_is_a_sequence(router, server):
    server.handler = echo
    batch = map_prompts(router, prompts_of(1200))

    assert 1200 == len(batch)
    assert "about question 7" == str(batch[7])
    assert batch[1199] == batch[-1]
    assert [5, 7, 9] == [row.place for row in batch[5:11:2]]
    assert [1199, 1198] == [row.place for row in batch[:1197:-1]]
    with pytest.raises(IndexError, match="row 1200 of a batch of 1,200"):
        batch[1200]


def test_a_frame_has_a_line_a_row_with_numbers_as_numbers(router, server):
    server.handler = lambda sent: (
        Reply(status=400, error="no") if asked(sent) == "question 1" else Reply(text='{"n": 4}')
    )

    frame = map_prompts(router, prompts_of(3), json=True).frame()

    assert [{"n": 4}, None, {"n": 4}] == list(frame["data"])
    assert "float64" == frame["cost_usd"].dtype
    assert [True, False, True] == list(frame["passed"])
    assert float(router.spend().usd) == pytest.approx(frame["cost_usd"].sum())


def test_the_cost_of_a_batch_is_what_the_ledger_says(router, server):
    server.handler = echo
    batch = map_prompts(router, prompts_of(20), tier="TOP")

    assert router.spend() == batch.cost
    assert "20 rows: 20 answered, 0 failed; $0.0" in repr(batch)


def test_a_batch_shows_no_prompt_in_its_repr(router):
    batch = map_prompts(router, ["my secret diary"])

    assert "secret" not in repr(batch) + repr(batch[0])


def test_no_prompts_make_an_empty_batch(router):
    batch = map_prompts(router, [])

    assert [] == list(batch)
    assert 0 == len(batch.frame())
    assert Decimal(0) == batch.cost.usd


def test_halves_of_surrogate_pairs_do_not_stop_a_batch(router):
    batch = map_prompts(router, ["half \ud83d", "whole"])

    assert 2 == len(batch)
    assert "ok" == batch[1].text


# what is refused before anything is sent


@pytest.mark.parametrize(
    ("prompts", "options", "says"),
    [
        ("one text", {}, "give a list of them"),
        (pd.DataFrame({"n": [1], "prompt": ["a"]}), {}, r"router.map\(frame\['prompt'\]\)"),
        (7, {}, "give a list"),
        ({"a": "b"}, {}, "prompts is a dict"),
        (["a"], {"thread": "t"}, "thread is for one conversation"),
        (["a"], {"tear": "LOW"}, "did you mean 'tier'"),
        (["a"], {"tier": "LOWW"}, "did you mean 'LOW'"),
        (["a"], {"workers": 0}, "workers is 0"),
        (["a"], {"workers": True}, "workers is True"),
        (["a"], {"executor": 4}, "executor is 4"),
        (["a"], {"to": "answers.csv"}, "name a .sqlite or .parquet file"),
        (["a"], {"resume": "x"}, "give the batch that was interrupted"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(router, server, prompts, options, says):
    with pytest.raises(SettingsError, match=says):
        map_prompts(router, prompts, **options)

    assert [] == server.requests


@pytest.mark.parametrize("name", ["other.sqlite", "other.parquet"])
def test_a_file_that_is_no_batch_is_left_alone(router, tmp_path, name):
    file = tmp_path / name
    file.write_text("my notes, not a database")

    with pytest.raises(SettingsError, match="is not an nbroute batch"):
        map_prompts(router, ["a"], to=file)

    assert "my notes, not a database" == file.read_text()
    assert [name] == [one.name for one in tmp_path.iterdir() if one.is_file()]


# when there is no use in going on


def test_a_key_that_is_refused_ends_the_sending(router, server):
    server.handler = lambda _: Reply(status=401, error="bad key")

    batch = map_prompts(router, prompts_of(500), workers=4)

    counts = Counter(row.status for row in batch)
    assert 500 == len(batch)
    assert counts["error"] == len(server.requests) < 60
    assert counts["not sent"] == 500 - counts["error"]
    assert "20 calls in a row ended with AuthError" in batch.stopped
    assert batch[499].error.startswith("not sent: 20 calls in a row")


def test_the_rest_of_a_generator_is_not_read_once_it_has_stopped(router, server):
    server.handler = lambda _: Reply(status=401, error="bad key")
    endless = (f"question {number}" for number in iter(int, 1))

    batch = map_prompts(router, endless, workers=4)

    assert len(batch) < 100
    assert batch.stopped


def test_a_budget_is_used_up_and_not_overspent(router, server):
    server.handler = lambda sent: Reply(
        text="word " * 10, usage={"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    )
    router.set_budget("0.01")  # a call is $0.0003 at TOP, and up to about $0.003 is held back

    batch = map_prompts(router, prompts_of(100), tier="TOP", max_tokens=100)

    counts = Counter(row.status for row in batch)
    assert {"ok": 24, "not sent": 76} == dict(counts)
    assert Decimal("0.0072") == router.spend().usd == batch.cost.usd
    assert batch.stopped.startswith("BudgetExceeded: ")
    assert 24 == len(server.requests)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_map_waits_for_what_another_holds_back(file_router, server, processes, pooled):
    server.handler = lambda sent: Reply(text="x", usage=TEN_TOKENS, delay=0.05)
    budget = "100.0\nbudget_usd_per_day = 0.0016"  # one call at a time, seven of them
    routers = [file_router(budget) for _ in range(2)]
    executors = [processes if pooled else None, None]

    with ThreadPoolExecutor(2) as pool:
        maps = pool.map(
            lambda router, executor: map_prompts(router, prompts_of(3), executor=executor),
            *(routers, executors),
        )
        batches = list(maps)

    assert ["", ""] == [batch.stopped for batch in batches]
    assert {"ok": 6} == dict(Counter(row.status for batch in batches for row in batch))


def test_over_budget_goes_on(router, server):
    router.set_budget("0.000001")

    batch = map_prompts(router, prompts_of(5), over_budget=True)

    assert [] == batch.failed()


def test_a_limit_for_each_call_is_a_row_and_not_the_end(router, server):
    long = "word " * 2000

    batch = map_prompts(router, ["short", long, "short again"], tier="LOW", max_cost="0.001")

    assert ["ok", "not sent", "ok"] == [row.status for row in batch]
    assert "" == batch.stopped


# going on


@pytest.mark.parametrize("name", ["batch.sqlite", "batch.parquet"])
def test_the_same_call_does_only_what_has_no_answer(make_router, server, tmp_path, name):
    to = tmp_path / name
    broken = {"question 2", "question 5"}
    server.handler = lambda sent: (
        Reply(status=400, error="no") if asked(sent) in broken else echo(sent)
    )
    first = map_prompts(make_router(), prompts_of(8), to=to)
    assert [2, 5] == [row.place for row in first.failed()]
    del first
    server.requests.clear()
    broken.clear()

    batch = map_prompts(make_router(), [*prompts_of(7), "another"], to=to)

    assert ["another", "question 2", "question 5"] == sorted(asked_for(server))
    assert [f"about {one}" for one in [*prompts_of(7), "another"]] == [row.text for row in batch]


@pytest.mark.parametrize("name", ["batch.sqlite", "batch.parquet"])
def test_a_finished_batch_leaves_one_file(router, tmp_path, name):
    batch = map_prompts(router, prompts_of(5), to=tmp_path / name)

    assert 5 == len(batch)
    assert [name] == [one.name for one in tmp_path.iterdir() if one.is_file()]


@pytest.mark.parametrize("name", ["batch.sqlite", "batch.parquet"])
def test_other_options_do_not_go_into_the_same_file(router, server, tmp_path, name):
    map_prompts(router, ["a"], to=tmp_path / name, tier="LOW")
    server.requests.clear()

    with pytest.raises(SettingsError, match=r"tier was 'LOW' and is 'MID'.*fresh=True"):
        map_prompts(router, ["a"], to=tmp_path / name, tier="MID")

    assert [] == server.requests
    (row,) = map_prompts(router, ["a"], to=tmp_path / name, tier="MID", fresh=True)
    assert "MID" == row.tier


def test_a_refused_parquet_file_stays_alone_and_fresh_keeps_it_until_there_is_a_new_one(
    router, server, tmp_path
):
    to = tmp_path / "batch.parquet"
    map_prompts(router, prompts_of(3), to=to, tier="LOW")
    before = to.read_bytes()

    with pytest.raises(SettingsError, match="fresh=True"):
        map_prompts(router, prompts_of(3), to=to, tier="MID")
    with pytest.raises(SettingsError, match="fresh"):
        map_prompts(router, prompts_of(3), to=to, fresh=True, resume=map_prompts(router, ["a"]))

    assert before == to.read_bytes()
    assert ["batch.parquet"] == [one.name for one in tmp_path.iterdir() if one.is_file()]


def test_a_parquet_file_whose_rows_were_not_taken_in_yet_is_continued(
    make_router, server, tmp_path
):
    to = tmp_path / "batch.parquet"
    map_prompts(make_router(), prompts_of(3), to=to)
    server.requests.clear()
    (tmp_path / "batch.parquet.part").touch()  # as a process leaves it that is killed early

    batch = map_prompts(make_router(), prompts_of(4), to=to)

    assert ["question 3"] == asked_for(server)
    assert 4 == len(batch) == len(pd.read_parquet(to))


def test_a_parquet_file_has_all_rows_in_order_and_typed(router, server, tmp_path):
    server.handler = lambda sent: Reply(text='{"n": 1}')
    map_prompts(router, prompts_of(30), to=tmp_path / "batch.parquet", json=True)

    frame = pd.read_parquet(tmp_path / "batch.parquet")

    assert prompts_of(30) == list(frame["prompt"])
    assert {'{"n": 1}'} == set(frame["data"])
    assert ("float64", "bool") == (frame["cost_usd"].dtype, frame["passed"].dtype)


def test_a_temporary_file_goes_with_its_batch(router):
    batch = map_prompts(router, ["a"])
    file = batch.store.path
    assert file.exists()

    del batch

    assert not file.exists()


PROGRAM = """
import json, sys, threading
from nbroute.router import Router
from nbroute.errors import Interrupted
from nbroute.batch import map_prompts

router = Router(sys.argv[1])
prompts = [f"question {number}" for number in range(200)]
to = sys.argv[2] or None
try:
    batch = map_prompts(router, prompts, to=to, workers=4, progress=False)
except Interrupted as error:
    part = error.result
    print(json.dumps([len(part), len(part.failed()), str(error), str(part.cost.usd)]), flush=True)
    if to is None:
        batch = map_prompts(router, prompts, resume=part, progress=False)
        print(json.dumps([len(batch), len(batch.failed())]), flush=True)
print(json.dumps(str(router.spend().usd)))
"""


def started(server, tmp_path, to=""):
    """A process that maps 200 prompts, once 40 of them have been answered."""
    settings = tmp_path / "nbroute.toml"
    settings.write_text(TOML.format(url=server.url, budget="100.0"))
    answered = threading.Semaphore(0)
    server.handler = lambda sent: Reply(text="x", delay=0.02 * (not answered.release()))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOOP_API_KEY": "sk-test"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(settings), str(to)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    for _ in range(40):
        assert answered.acquire(timeout=30)
    return process


def test_ctrl_c_keeps_what_came_and_the_batch_goes_on(server, tmp_path):
    process = started(server, tmp_path)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    told, whole, spent = map(json.loads, out.splitlines())
    assert "" == err
    assert 36 <= told[0] - told[1] < 150
    assert told[1] >= 1
    assert "resume=sys.last_value.result continues" in told[2]
    assert [200, 0] == whole
    assert Decimal(spent) > Decimal(told[3]) > 0
    again = Counter(asked_for(server))
    assert len(server.requests) - len(again) <= 8


def test_a_killed_process_is_gone_on_with_in_the_same_file(server, tmp_path, file_router):
    to = tmp_path / "batch.sqlite"
    process = started(server, tmp_path, to)
    process.kill()
    process.communicate(timeout=60)
    before = len(server.requests)

    batch = map_prompts(file_router(), prompts_of(200), to=to)

    assert [] == batch.failed()
    assert prompts_of(200) == [row.prompt for row in batch]
    assert len(server.requests) - before < 200


def test_an_event_stops_a_batch_and_what_was_paid_is_not_lost(router, server):
    cancel, answer = threading.Event(), threading.Event()

    def handler(sent):
        cancel.set()
        answer.wait(10)
        return echo(sent)

    server.handler = handler

    with pytest.raises(Interrupted) as stopped:
        map_prompts(router, prompts_of(50), workers=2, cancel=cancel)

    part = stopped.value.result
    assert "interrupted" == part.stopped
    assert {"interrupted"} == {row.status for row in part}
    answer.set()
    while [row.text for row in part[:2]] != ["about question 0", "about question 1"]:
        cancel.wait(0.01)
    assert ["ok", "ok"] == [row["status"] for row in router.ledger.rows()]
    assert 2 == len(server.requests)


def test_a_streamed_answer_stops_at_its_next_piece(router, server):
    cancel = threading.Event()
    server.handler = lambda sent: Reply(chunks=["a "] * 500, pause=0.01, text="a " * 500)

    def look():
        while not server.requests:
            cancel.wait(0.01)
        cancel.wait(0.2)
        cancel.set()

    watcher = threading.Thread(target=look)
    watcher.start()
    with pytest.raises(Interrupted):
        map_prompts(router, prompts_of(4), workers=1, cancel=cancel, stream=True)
    watcher.join()

    (attempt,) = router.ledger.rows()
    assert ("interrupted", "estimated") == (attempt["status"], attempt["cost_source"])


def test_a_long_answer_is_streamed_and_so_not_overdue(make_router, server):
    slow = Reply(chunks=["a "] * 8, pause=0.1, text="a " * 8)
    server.handler = lambda sent: slow
    router = make_router(timeout_s=0.4)

    batch = map_prompts(router, prompts_of(2))
    grid = router.compare(prompts_of(2), tiers=["LOW", "TOP"])

    assert ["ok", "ok"] == [row.status for row in batch]
    assert {"ok"} == {row["status"] for row in router.ledger.rows()}
    assert 2 == len(grid)


# executors


def test_a_thread_pool_shares_the_router(router, server):
    server.handler = echo
    names = set()

    def look(prompt):
        names.add(threading.current_thread().name.split("-")[0])
        return "LOW"

    with ThreadPoolExecutor(3, "mine") as pool:
        batch = map_prompts(router, prompts_of(30), executor=pool, classifier=look)

    assert [] == batch.failed()
    assert {"mine_0", "mine_1", "mine_2"} >= names


@pytest.fixture
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


class OneByOne:
    """A ledger of a user's own, which has no `append_all`."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        if name == "append_all":
            raise AttributeError(name)
        return getattr(self._ledger, name)


@pytest.mark.parametrize("own", [False, True])
def test_processes_answer_in_order_into_one_ledger(file_router, server, processes, own):
    server.handler = echo
    router = file_router()
    if own:
        router.parts = replace(router.parts, ledger=OneByOne(router.ledger))

    batch = map_prompts(router, prompts_of(40), executor=processes)

    assert [f"about {one}" for one in prompts_of(40)] == [row.text for row in batch]
    rows = router.ledger.rows(session=router.session)
    assert 40 == len({row["id"] for row in rows}) == len(rows)
    assert router.spend() == batch.cost
    assert {row.result for row in batch} == {row["result"] for row in rows}


def test_no_key_travels_and_a_worker_without_one_says_so(
    file_router, server, processes, monkeypatch
):
    router = file_router()
    monkeypatch.delenv("LOOP_API_KEY")  # the workers are started with this environment

    batch = map_prompts(router, prompts_of(3), executor=processes)

    assert [] == server.requests
    assert all("has no LOOP_API_KEY)" in row.error for row in batch)


def test_processes_do_not_overspend_together(file_router, server, processes):
    server.handler = lambda sent: Reply(text="x", usage=TEN_TOKENS)
    router = file_router(budget="0.005")  # a call is $0.0001, and up to $0.001 is held back

    batch = map_prompts(router, prompts_of(100), executor=processes)

    assert {"ok": 41, "not sent": 59} == dict(Counter(row.status for row in batch))
    assert Decimal("0.0041") == router.spend().usd
    assert "BudgetExceeded" in batch.stopped


def test_a_worker_that_dies_leaves_rows_that_say_so(file_router, server):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:

        def handler(sent):
            if asked(sent) == "question 20":
                for process in pool._processes:
                    os.kill(process, signal.SIGKILL)
            return echo(sent)

        server.handler = handler
        batch = map_prompts(file_router(), prompts_of(60), executor=pool)

    assert 60 == len(batch)
    assert [None] * 8 == [row.error for row in batch[:8]]
    assert batch[20].error.startswith("the worker died: BrokenProcessPool: ")
    assert batch[59].error.startswith("not sent: the worker died: ")


@pytest.mark.parametrize("options", [{}, {"strategy": "cascade", "checks": (never_passes,)}])
def test_no_thread_sends_before_the_file_has_its_row(router, server, options):
    missing = []

    def handler(sent):
        with closing(sqlite3.connect(router.ledger.path, timeout=10)) as file:
            hashed = hash_text(asked(sent).partition("\n")[0])
            told = "SELECT count(*) FROM attempts WHERE msg_hash = ? AND model = ?"
            (found,) = file.execute(told, (hashed, sent["model"])).fetchone()
        missing.extend([asked(sent)] * (not found))
        return Reply(text="x")

    server.handler = handler
    map_prompts(router, prompts_of(64), **options)

    assert len(server.requests) >= 64
    assert [] == missing


#: A call of these costs $0.0001, and up to $0.001 is held back for it.
TEN_TOKENS = {"prompt_tokens": 2, "completion_tokens": 10, "total_tokens": 12}

POOLED = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from nbroute.router import Router

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        prompts = [f"question {number}" for number in range(int(sys.argv[2]))]
        Router(sys.argv[1]).map(prompts, executor=pool, progress=False)
"""


def pooled(settings, count, tmp_path):
    """A process of its own group that maps so many prompts on a process pool."""
    (tmp_path / "pooled.py").write_text(POOLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOOP_API_KEY": "sk-test"}
    command = [sys.executable, tmp_path / "pooled.py", settings, count]
    return subprocess.Popen(list(map(str, command)), env=environment, start_new_session=True)


@pytest.mark.parametrize("killed", ["worker", "parent"])
def test_what_a_killed_process_was_paid_for_stays_on_the_books(
    file_router, server, tmp_path, killed
):
    server.handler = lambda sent: Reply(text="x", usage=TEN_TOKENS, delay=0.05)
    router = file_router()
    process = pooled(tmp_path / "nbroute.toml", 60, tmp_path)
    requests_arrive(server, 20)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid if killed == "parent" else int(workers[-1]), signal.SIGKILL)
    process.wait(60)
    server.stopping.wait(0.5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

    rows = router.ledger.rows()
    open_ones = [row for row in rows if row["status"] in ("running", "error")]
    spend = router.spend(everything=True)
    assert len(server.requests) <= len(rows) == spend.calls
    assert Decimal("0.0001") * len(server.requests) <= spend.usd
    assert {"estimated"} == {row["cost_source"] for row in open_ones}
    assert all("estimate" in (row["error"] or row["reason"]) for row in open_ones)


def test_two_pools_share_a_days_budget(file_router, server, tmp_path):
    server.handler = lambda sent: Reply(text="x", usage=TEN_TOKENS)
    router = file_router("100.0\nbudget_usd_per_day = 0.02")

    processes = [pooled(tmp_path / "nbroute.toml", 150, tmp_path) for _ in range(2)]
    for process in processes:
        process.wait(60)

    spend = router.spend(everything=True)
    assert Decimal("0.01") < spend.usd <= Decimal("0.02")
    assert len(server.requests) == spend.calls


def test_a_prompt_that_was_not_sent_after_all_leaves_no_call_behind(file_router, server):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(int).result()
        pool.shutdown()
        router = file_router()
        batch = map_prompts(router, prompts_of(4), executor=pool)

    assert all("cannot schedule new futures" in row.error for row in batch)
    assert [] == router.ledger.rows()
    assert 0 == router.spend().calls == router.report().calls


def test_an_object_that_cannot_travel_is_refused_before_anything_is_sent(router, server, processes):
    with pytest.raises(SettingsError, match=r"cannot travel to another process"):
        map_prompts(router, ["a"], executor=processes)

    assert [] == server.requests


def choose_top(_prompt):
    return "TOP"


def test_a_function_of_a_module_travels(file_router, server, processes):
    batch = map_prompts(file_router(), ["a"], executor=processes, classifier=choose_top)

    assert "TOP" == batch[0].tier


@pytest.fixture
def dask_client():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(dashboard_address=None, silence_logs=50, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_dask_cluster_answers_and_survives_the_death_of_a_worker(
    file_router, server, dask_client
):
    killed, paid = [], []

    def handler(sent):
        if asked(sent) == "question 30" and not killed:
            busy, nannies = dask_client.processing(), dask_client.cluster.workers.values()
            killed.extend(one.pid for one in nannies if busy.get(one.worker_address))
            os.kill(killed[0], signal.SIGKILL)
        paid.append(Decimal(len(asked(sent).split()) + 1) / 100_000)
        return echo(sent)

    server.handler = handler
    router = file_router()

    batch = map_prompts(router, prompts_of(64), executor=dask_client.get_executor())

    assert [f"about {one}" for one in prompts_of(64)] == [row.text for row in batch]
    lost = [row for row in router.ledger.rows() if row["status"] == "error"]
    assert killed
    assert len(server.requests) <= 64 + len(lost) == router.spend().calls
    assert sum(paid) <= router.spend().usd
    assert all("worst case" in row["error"] for row in lost)
    assert {"estimated"} == {row["cost_source"] for row in lost}


def test_a_dask_client_is_told_apart_from_its_executor(router, dask_client):
    with pytest.raises(SettingsError, match=r"client.get_executor\(\)"):
        map_prompts(router, ["a"], executor=dask_client)


# memory

FLAT = """
import resource, sys
from nbroute.router import Router
from nbroute.batch import map_prompts

router = Router(profile="simulated")
peaks = []
for count in (1_500, 4_500):
    prompts = (f"What is {n} " + "\\n" * 3_000 for n in range(count))
    batch = map_prompts(router, prompts, progress=False, max_tokens=5)
    assert count == len(batch)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[1] - peaks[0])
"""


def test_memory_is_flat():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FLAT)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) < 6_000  # kB; the prompts alone would be 9,000 more


# progress


def test_the_bar_shows_the_running_cost(router, server, capsys):
    server.handler = lambda sent: Reply(text="x", cost=0.25)

    map_prompts(router, prompts_of(4))

    shown = capsys.readouterr()
    assert "" == shown.out
    assert "4/4" in shown.err
    assert "$1.00 so far" in shown.err


def test_there_is_no_bar_for_one_prompt_or_where_none_is_wanted(router, capsys):
    map_prompts(router, ["a"])
    map_prompts(router, ["a", "b"], progress=False)

    assert "" == capsys.readouterr().err


# event loops


def requests_arrive(server, count):
    while len(server.requests) < count:
        server.stopping.wait(0.01)


def test_aroute_answers_and_tells_on_the_loops_thread(router, server):
    threads = set()

    def look(event):
        threads.add(threading.get_ident())

    async def both():
        return await asyncio.gather(*(aroute(router, f"q{n}", observe=look) for n in range(2)))

    server.handler = echo

    assert ["about q0", "about q1"] == [one.text for one in asyncio.run(both())]
    assert {threading.get_ident()} == threads


def test_a_cancelled_aroute_is_in_the_ledger_when_the_cancellation_goes_on(router, server):
    server.reply(stall_after=0)

    async def stop():
        task = asyncio.create_task(aroute(router, "a"))
        await asyncio.to_thread(requests_arrive, server, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [row["status"] for row in router.ledger.rows()]

    assert ["interrupted"] == asyncio.run(stop())


def test_an_error_of_aroute_is_raised(router):
    with pytest.raises(PromptError):
        asyncio.run(aroute(router, ""))


def test_amap_makes_a_batch_and_stops_with_its_task(router, server, tmp_path):
    server.handler = lambda sent: Reply(text="ok", delay=0.02)
    to = tmp_path / "batch.sqlite"

    async def stop():
        task = asyncio.create_task(amap(router, prompts_of(500), to=to, workers=2))
        await asyncio.to_thread(requests_arrive, server, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop())
    sent = len(server.requests)
    batch = asyncio.run(amap(router, prompts_of(50), to=to))

    assert sent < 500
    assert [] == batch.failed()
    assert len(server.requests) < sent + 50


def test_cancel_is_not_for_tasks(router):
    with pytest.raises(SettingsError, match=r"task.cancel\(\)"):
        asyncio.run(aroute(router, "a", cancel=threading.Event()))
