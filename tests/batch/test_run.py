"""Many prompts: rows in order, a failure is a row, budgets hold, and a stop loses nothing."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import Counter
from decimal import Decimal

import pandas as pd
import pytest
from loopback import Reply, echo, prompt_of, prompts_of
from pydantic import BaseModel
from waiting import until

from nbroute.batch import Row, amap, aroute, map_prompts
from nbroute.errors import Interrupted, SettingsError


class Town(BaseModel):
    name: str


def test_rows_come_in_the_order_of_the_prompts_and_are_a_sequence(router, server):
    server.handler = lambda sent: Reply(text=prompt_of(sent), delay=0.02 * (len(server.asked) % 3))
    frame = pd.DataFrame({"prompt": prompts_of(40)}, index=range(40, 0, -1))

    batch = map_prompts(router, frame["prompt"])

    assert prompts_of(40) == [row.text for row in batch]
    assert router.spend() == batch.cost
    assert "40 rows: 40 answered, 0 failed; $0.0" in repr(batch)
    assert "question" not in repr(batch) + repr(batch[0])
    assert [5, 7, 9, 39] == [row.place for row in (*batch[5:11:2], batch[-1])]
    with pytest.raises(IndexError, match="row 40 of a batch of 40"):
        batch[40]


def test_a_row_says_what_the_result_says_and_an_object_as_json_says_it(router, server):
    server.reply(text='{"name": "Lima"}', model="vendor/medium-2")

    (row,) = map_prompts(router, ["Capital of Peru?"], tier="MID", schema=Town)

    (attempt,) = router.ledger.rows(session=router.session)
    assert row == Row(
        *(0, "Capital of Peru?", '{"name": "Lima"}', "MID", "medium"),
        cost_usd=attempt["cost_usd"],
        cost_source="estimated",
        input_tokens=attempt["input_tokens"],
        output_tokens=2,
        latency_ms=row.latency_ms,
        reason=row.reason,
        data={"name": "Lima"},
        result=attempt["result"],
        answered_by="vendor/medium-2",
    )


def test_one_that_fails_or_is_no_prompt_is_a_row_that_says_so(router, server):
    server.handler = lambda sent: (
        Reply(status=400, error="no") if prompt_of(sent) == "fails" else Reply(text='{"n": 4}')
    )

    batch = map_prompts(router, ["one", None, math.nan, 7, "half \ud83d", "fails"], json=True)

    frame = batch.frame()
    assert [True, False, False, False, True, False] == list(frame["passed"])
    assert {"n": 4} == frame["data"].iloc[0]
    assert float(router.spend().usd) == pytest.approx(frame["cost_usd"].sum())
    wrong = batch.failed()
    assert all(row.error.startswith("PromptError: ") for row in wrong[:-1])
    assert "int: 7" in wrong[2].error
    assert (5, "error", "") == (wrong[-1].place, wrong[-1].status, wrong[-1].text)
    assert wrong[-1].error.startswith("RequestRejected: ")
    assert 3 == len(server.requests)


def test_prompts_whose_iterator_breaks_leave_what_came_before(router, tmp_path):
    def prompts():
        yield "one"
        raise OSError("the disk is gone")

    to = tmp_path / "batch.sqlite"
    with pytest.raises(OSError, match="the disk is gone"):
        map_prompts(router, prompts(), to=to)

    (row,) = map_prompts(router, ["one"], to=to)
    assert ("ok", 1) == (row.text, router.spend().calls)
    assert 0 == len(map_prompts(router, []).frame())


def test_bad_input_is_refused_before_anything_is_sent(router, server):
    for prompts, options, says in (
        ("one text", {}, "give a list of them"),
        (pd.DataFrame({"n": [1], "prompt": ["a"]}), {}, r"router.map\(frame\['prompt'\]\)"),
        (["a"], {"thread": "t"}, "thread is for one conversation"),
        (["a"], {"repeat": 2}, "repeat is for one prompt"),
        (["a"], {"tier": "LOWW"}, "did you mean 'LOW'"),
        (["a"], {"workers": 0}, "workers is 0"),
        (["a"], {"to": "answers.csv"}, "name a .sqlite or .parquet file"),
        (["a"], {"to": "."}, "is a folder; name a file in it"),
        (["a"], {"to": "nowhere/b.parquet"}, "there is no such folder"),
        (["a"], {"resume": "x"}, "give the batch that was interrupted"),
    ):
        with pytest.raises(SettingsError, match=says):
            map_prompts(router, prompts, **options)
    assert [] == server.requests


def test_a_key_that_is_refused_ends_the_sending_and_the_reading(router, server):
    server.answer(Reply(status=401, error="bad key"))

    batch = map_prompts(router, prompts_of(500), workers=4)

    counts = Counter(row.status for row in batch)
    assert counts["error"] == len(server.requests) < 60
    assert counts["not sent"] == 500 - counts["error"]
    assert "20 calls in a row ended with AuthError" in batch.stopped
    assert batch[-1].error.startswith("not sent: 20 calls in a row")
    assert len(map_prompts(router, (f"question {n}" for n in iter(int, 1)), workers=4)) < 100


def test_a_budget_ends_a_batch_and_is_not_overspent_and_a_limit_for_each_call_is_a_row(
    router, server
):
    server.handler = lambda _: Reply(usage={"prompt_tokens": 3, "completion_tokens": 9})
    router.set_budget("0.01")  # a call is $0.0003 at TOP, and up to about $0.003 is held back

    batch = map_prompts(router, prompts_of(100), tier="TOP", max_tokens=100)

    assert {"ok": 24, "not sent": 76} == dict(Counter(row.status for row in batch))
    assert Decimal("0.0072") == router.spend().usd == batch.cost.usd
    assert batch.stopped.startswith("BudgetExceeded: ")
    assert 24 == len(server.requests)
    router.set_budget(None)
    prompts = ["short", "word " * 2000, "short again"]
    limited = map_prompts(router, prompts, tier="LOW", max_cost="0.001")
    assert ["ok", "not sent", "ok"] == [row.status for row in limited]
    assert "" == limited.stopped


def test_an_event_stops_a_batch_and_what_was_paid_is_not_lost(router, server):
    cancel, answer = threading.Event(), threading.Event()
    server.handler = lambda sent: cancel.set() or (answer.wait(10) and echo(sent))

    with pytest.raises(Interrupted) as stopped:
        map_prompts(router, prompts_of(50), workers=2, cancel=cancel)

    part = stopped.value.result
    assert "interrupted" == part.stopped
    assert {"interrupted"} == {row.status for row in part}
    answer.set()
    until(lambda: ["small on question 0", "small on question 1"] == [row.text for row in part[:2]])
    assert ["ok", "ok"] == [row["status"] for row in router.ledger.rows()]
    assert 2 == len(server.requests)


def test_the_bar_shows_the_running_cost_where_there_is_one(router, server, capsys):
    server.handler, told = (lambda _: Reply(text="x", cost=0.25)), []

    map_prompts(router, ["a", "b"], progress=lambda *one: told.append(one[:2]))
    assert ([(1, 2), (2, 2)], "") == (told, capsys.readouterr().err)
    map_prompts(router, prompts_of(4))

    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "$1.00 so far" in shown


def test_aroute_answers_tells_and_raises_on_the_loops_thread(router, server):
    server.handler, threads = echo, set()

    def look(event):
        threads.add(threading.get_ident())

    async def both():
        return await asyncio.gather(*(aroute(router, f"q{n}", observe=look) for n in range(2)))

    assert ["small on q0", "small on q1"] == [one.text for one in asyncio.run(both())]
    assert {threading.get_ident()} == threads


def test_a_cancelled_aroute_has_its_row_in_the_ledger_before_the_cancellation_goes_on(
    router, server
):
    server.reply(stall_after=0)

    async def stop():
        task = asyncio.create_task(aroute(router, "a"))
        await asyncio.to_thread(until, lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [row["status"] for row in router.ledger.rows()]

    assert ["interrupted"] == asyncio.run(stop())


def test_amap_makes_a_batch_and_stops_with_its_task(router, server, tmp_path):
    server.handler = lambda _: Reply(text="ok", delay=0.02)
    to = tmp_path / "batch.sqlite"

    async def stop():
        task = asyncio.create_task(amap(router, prompts_of(500), to=to, workers=2))
        await asyncio.to_thread(until, lambda: len(server.requests) >= 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop())
    sent = len(server.requests)
    batch = asyncio.run(amap(router, prompts_of(50), to=to))

    assert sent < 500
    assert [] == batch.failed()
    assert len(server.requests) < sent + 50
