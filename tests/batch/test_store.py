"""Batches in files: what is there already is not asked again, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from loopback import Reply, prompt_of

from nbroute.batch import map_prompts
from nbroute.errors import SettingsError

ROOT = Path(__file__).parents[2]


def prompts_of(count):
    return [f"question {number}" for number in range(count)]


@pytest.fixture(params=["batch.sqlite", "batch.parquet"])
def to(request, tmp_path):
    return tmp_path / request.param


def files(to):
    return [one.name for one in to.parent.iterdir() if one.is_file()]


def test_the_same_call_does_only_what_has_no_answer(make_router, server, to):
    broken = {"question 2", "question 5"}
    server.handler = lambda sent: (
        Reply(status=400, error="no")
        if prompt_of(sent) in broken
        else Reply(text=f"about {prompt_of(sent)}", model="vendor/small-2")
    )
    first = map_prompts(make_router(), prompts_of(8), to=to)
    assert [2, 5] == [row.place for row in first.failed()]
    assert [to.name] == files(to)
    del first
    server.requests.clear()
    broken.clear()

    prompts = [*prompts_of(7), "another"]
    batch = map_prompts(make_router(), prompts, to=to)

    assert ["another", "question 2", "question 5"] == sorted(server.prompts)
    assert [f"about {one}" for one in prompts] == [row.text for row in batch]
    assert {"vendor/small-2"} == set(batch.frame()["answered_by"])
    assert f"; in {str(to)!r}" in repr(batch)


def test_other_options_do_not_go_into_the_same_file_and_fresh_begins_anew(router, server, to):
    map_prompts(router, ["a"], to=to, tier="LOW")
    before = to.read_bytes()
    server.requests.clear()

    with pytest.raises(SettingsError, match=r"tier was 'LOW' and is 'MID'.*fresh=True"):
        map_prompts(router, ["a"], to=to, tier="MID")
    with pytest.raises(SettingsError, match="fresh"):
        map_prompts(router, ["a"], to=to, fresh=True, resume=object())

    assert [] == server.requests
    assert (before, [to.name]) == (to.read_bytes(), files(to))
    (row,) = map_prompts(router, ["a"], to=to, tier="MID", fresh=True)
    assert "MID" == row.tier


def test_a_file_that_is_not_a_batch_is_left_alone(router, to):
    to.write_text("my notes, not a database")

    with pytest.raises(SettingsError, match="is not an nbroute batch"):
        map_prompts(router, ["a"], to=to)

    assert ("my notes, not a database", [to.name]) == (to.read_text(), files(to))


def test_a_parquet_file_has_all_rows_in_order_and_typed_and_is_continued(
    make_router, server, tmp_path
):
    server.handler = lambda _: Reply(text='{"n": 1}')
    to = tmp_path / "batch.parquet"
    map_prompts(make_router(), prompts_of(30), to=to, json=True)
    frame = pd.read_parquet(to)
    server.requests.clear()
    (tmp_path / "batch.parquet.part").touch()  # as a process leaves it that is killed early

    batch = map_prompts(make_router(), prompts_of(31), to=to, json=True)

    assert prompts_of(30) == list(frame["prompt"])
    assert {'{"n": 1}'} == set(frame["data"])
    assert ("float64", "bool") == (frame["cost_usd"].dtype, frame["passed"].dtype)
    assert ["question 30"] == server.prompts
    assert 31 == len(batch) == len(pd.read_parquet(to))


def test_a_temporary_file_goes_with_its_batch(router):
    batch = map_prompts(router, ["a"])
    file = batch.store.path
    assert file.exists()

    del batch

    assert not file.exists()


PROGRAM = """
import json, sys
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


@pytest.fixture
def start(server, file_router):
    """Start a process that maps 200 prompts; 40 of them have been answered when it comes back."""
    file_router()
    answered = threading.Semaphore(0)
    server.handler = lambda _: Reply(text="x", delay=0.02 * (not answered.release()))

    def started(to=""):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "nbroute.toml", str(to)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(40):
            assert answered.acquire(timeout=30)
        return process

    return started


def test_ctrl_c_keeps_what_came_and_the_batch_goes_on(server, start):
    process = start()

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    told, whole, spent = map(json.loads, out.splitlines())
    assert "" == err
    assert 36 <= told[0] - told[1] < 150
    assert told[1] >= 1
    assert "resume=sys.last_value.result continues" in told[2]
    assert [200, 0] == whole
    assert Decimal(spent) > Decimal(told[3]) > 0
    assert len(server.requests) - len(Counter(server.prompts)) <= 8


def test_a_killed_process_is_continued_in_the_same_file(server, start, file_router, tmp_path):
    to = tmp_path / "batch.sqlite"
    process = start(to)
    process.kill()
    process.communicate(timeout=60)
    before = len(server.requests)

    batch = map_prompts(file_router(), prompts_of(200), to=to)

    assert [] == batch.failed()
    assert prompts_of(200) == [row.prompt for row in batch]
    assert len(server.requests) - before < 200
