"""Batches in files: what is there already is not asked again, and nothing else is touched."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from ledgers import python
from loopback import Reply, prompt_of, prompts_of

from nbroute.batch import map_prompts
from nbroute.errors import SettingsError


@pytest.fixture(params=["batch.sqlite", "batch.parquet"])
def to(request, tmp_path):
    return tmp_path / request.param


def test_the_same_call_does_only_what_has_no_answer_and_the_file_has_all_rows_typed(
    make_router, server, to
):
    broken = {"question 2", "question 5"}

    def handler(sent):
        if prompt_of(sent) in broken:
            return Reply(status=400, error="no")
        return Reply(text=f"about {prompt_of(sent)}", model="vendor/small-2")

    server.handler = handler
    first = map_prompts(make_router(), prompts_of(8), to=to)
    assert [2, 5] == [row.place for row in first.failed()]
    server.requests.clear()
    broken.clear()

    prompts = [*prompts_of(7), "another"]
    batch = map_prompts(make_router(), prompts, to=to)

    assert ["another", "question 2", "question 5"] == sorted(server.prompts)
    assert [f"about {one}" for one in prompts] == [row.text for row in batch]
    assert {"vendor/small-2"} == set(batch.frame()["answered_by"])
    if to.suffix == ".parquet":
        frame = pd.read_parquet(to)
        assert prompts == list(frame["prompt"])
        assert ("float64", "bool") == (frame["cost_usd"].dtype, frame["passed"].dtype)


def test_other_options_do_not_go_into_the_same_file_and_fresh_begins_anew(router, server, to):
    map_prompts(router, ["a"], to=to, tier="LOW")
    before = to.read_bytes()
    server.requests.clear()

    with pytest.raises(SettingsError, match=r"tier was 'LOW' and is 'MID'.*fresh=True"):
        map_prompts(router, ["a"], to=to, tier="MID")

    assert [] == server.requests
    assert before == to.read_bytes()
    (row,) = map_prompts(router, ["a"], to=to, tier="MID", fresh=True)
    assert "MID" == row.tier
    (notes := Path("notes.sqlite")).write_text("my notes, not a database")
    for foreign in (notes, router.ledger.path):
        before = foreign.read_bytes()
        with pytest.raises(SettingsError, match="is not an nbroute batch"):
            map_prompts(router, ["a"], to=foreign, fresh=True)
        assert before == foreign.read_bytes()


PROGRAM = """
import json
from nbroute.batch import map_prompts
from nbroute.errors import Interrupted
from nbroute.router import Router

router, prompts = Router("nbroute.toml"), [f"question {number}" for number in range(200)]
to = "batch.sqlite" if WITH_FILE else None
try:
    map_prompts(router, prompts, to=to, workers=4, progress=False)
except Interrupted as error:
    part = error.result
    told = [len(part), len(part.failed()), str(error), str(part.cost.usd)]
    whole = map_prompts(router, prompts, resume=part, progress=False)
    print(json.dumps([*told, len(whole.failed()), str(router.spend().usd)]))
"""


@pytest.fixture
def start(server, file_router):
    """Start a process that maps 200 prompts; 40 of them have been answered when it comes back."""
    file_router()
    answered = threading.Semaphore(0)
    server.handler = lambda _: Reply(text="x", delay=0.02 * (not answered.release()))

    def started(*, with_file):
        process = python(PROGRAM.replace("WITH_FILE", str(with_file)))
        for _ in range(40):
            assert answered.acquire(timeout=30)
        return process

    return started


def test_ctrl_c_keeps_what_came_and_the_batch_goes_on(server, start):
    process = start(with_file=False)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    rows, failed, said, part, failed_later, spent = json.loads(out)
    assert "" == err
    assert 36 <= rows - failed < 150
    assert "resume=sys.last_value.result continues" in said
    assert 0 == failed_later
    assert Decimal(spent) > Decimal(part) > 0
    assert len(server.requests) - len(Counter(server.prompts)) <= 8


def test_a_killed_process_is_continued_in_the_same_file(server, start, file_router):
    process = start(with_file=True)
    process.kill()
    process.communicate(timeout=60)
    before, router = len(server.requests), file_router()
    assert before <= len(router.ledger.rows())  # the row of a call is written before it is sent

    batch = map_prompts(router, prompts_of(200), to="batch.sqlite")

    assert [] == batch.failed()
    assert prompts_of(200) == [row.prompt for row in batch]
    assert len(server.requests) - before < 200
