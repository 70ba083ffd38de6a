"""Many prompts on executors: one ledger, one budget, and nothing lost where a worker dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
from loopback import Reply, echo, prompt_of, prompts_of
from waiting import until

from nbroute.batch import map_prompts
from nbroute.errors import SettingsError

ROOT = Path(__file__).parents[2]


#: A call of these costs $0.0001, and up to $0.001 is held back for it.
TEN = Reply(text="x", usage={"prompt_tokens": 2, "completion_tokens": 10})


def pool_of(count):
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


@pytest.fixture(scope="module")
def processes():
    """Two workers, started with a key in their environment."""
    with pytest.MonkeyPatch.context() as patch, pool_of(2) as pool:
        patch.setenv("LOOP_API_KEY", "sk-test-0123456789")
        pool.submit(int).result()
        yield pool


def choose_top(_prompt):
    return "TOP"


def test_processes_answer_in_order_into_one_ledger(file_router, server, processes):
    server.handler, router = echo, file_router()

    batch = map_prompts(router, prompts_of(40), executor=processes, classifier=choose_top)

    assert {"TOP"} == {row.tier for row in batch}
    assert [f"large on {one}" for one in prompts_of(40)] == [row.text for row in batch]
    rows = router.ledger.rows(session=router.session)
    assert 40 == len({row["id"] for row in rows}) == len(rows)
    assert router.spend() == batch.cost
    assert {row.result for row in batch} == {row["result"] for row in rows}


def test_what_cannot_travel_to_a_process_is_refused_and_is_no_matter_to_threads(
    router, server, processes
):
    with pytest.raises(SettingsError, match=r"cannot travel to another process"):
        map_prompts(router, ["a"], executor=processes)

    assert [] == server.requests
    with ThreadPoolExecutor(3) as pool:  # which shares the router
        assert [] == map_prompts(router, prompts_of(30), executor=pool).failed()


class AtOnce(Executor):
    """Its calls have ended when `submit` comes back."""

    def submit(self, function, /, *args, **options):
        done = Future()
        done.set_result(function(*args, **options))
        return done


def test_a_call_that_ends_while_it_is_handed_out_does_not_end_the_batch(file_router, server):
    server.answer(replace(TEN, delay=0.2))

    batch = map_prompts(file_router(), prompts_of(3), executor=AtOnce(), workers=1)

    assert ["ok"] * 3 == [row.status for row in batch]


def test_no_key_travels_and_a_worker_without_one_says_so(file_router, server, monkeypatch):
    router = file_router()
    monkeypatch.delenv("LOOP_API_KEY")  # the worker is started with this environment

    with pool_of(1) as pool:
        batch = map_prompts(router, prompts_of(3), executor=pool)

    assert [] == server.requests
    assert all("has no LOOP_API_KEY)" in row.error for row in batch)


def test_processes_do_not_overspend_a_days_budget_together(file_router, server, processes):
    server.answer(TEN)
    router = file_router("budget_usd_per_day = 0.005")

    batch = map_prompts(router, prompts_of(100), executor=processes)

    assert {"ok": 41, "not sent": 59} == dict(Counter(row.status for row in batch))
    assert Decimal("0.0041") == router.spend().usd
    assert "BudgetExceeded" in batch.stopped


def test_a_map_waits_for_what_another_holds_back(file_router, server, processes):
    server.answer(replace(TEN, delay=0.05))
    budget = "budget_usd_per_day = 0.0016"  # one call at a time, seven of them
    routers = [file_router(budget) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(map_prompts, routers[0], prompts_of(3), executor=processes)
        batches = [map_prompts(routers[1], prompts_of(3)), other.result()]

    assert ["", ""] == [batch.stopped for batch in batches]
    assert {"ok": 6} == dict(Counter(row.status for batch in batches for row in batch))


def test_a_worker_that_dies_leaves_rows_that_say_so(file_router, server):
    with pool_of(1) as pool:

        def handler(sent):
            if prompt_of(sent) == "question 20":
                for process in pool._processes:
                    os.kill(process, signal.SIGKILL)
            return echo(sent)

        server.handler = handler
        batch = map_prompts(file_router(), prompts_of(60), executor=pool)

    assert 60 == len(batch)
    assert [None] * 8 == [row.error for row in batch[:8]]
    assert batch[20].error.startswith("the worker died: BrokenProcessPool: ")
    assert batch[59].error.startswith("not sent: the worker died: ")


POOLED = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from nbroute.router import Router

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        prompts = [f"question {number}" for number in range(60)]
        Router("nbroute.toml").map(prompts, executor=pool, progress=False)
"""


@pytest.mark.parametrize("killed", ["worker", "parent"])
def test_what_a_killed_process_was_paid_for_stays_on_the_books(file_router, server, killed):
    server.answer(replace(TEN, delay=0.05))
    router = file_router()
    Path("pooled.py").write_text(POOLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "pooled.py"]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    until(lambda: len(server.requests) >= 20)
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


@pytest.fixture
def dask_client(file_router):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(silence_logs=50, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_dask_cluster_answers_and_survives_the_death_of_a_worker(
    file_router, server, dask_client
):
    killed, paid = [], []

    def handler(sent):
        if prompt_of(sent) == "question 30" and not killed:
            busy, nannies = dask_client.processing(), dask_client.cluster.workers.values()
            killed.extend(one.pid for one in nannies if busy.get(one.worker_address))
            os.kill(killed[0], signal.SIGKILL)
        paid.append(Decimal(len(prompt_of(sent).split()) + 1) / 100_000)
        return echo(sent)

    server.handler = handler
    router = file_router()
    with pytest.raises(SettingsError, match=r"client.get_executor\(\)"):
        map_prompts(router, ["a"], executor=dask_client)

    batch = map_prompts(router, prompts_of(64), executor=dask_client.get_executor())

    assert prompts_of(64) == [row.text.partition(" on ")[2] for row in batch]
    lost = [row for row in router.ledger.rows() if row["status"] == "error"]
    assert killed
    assert len(server.requests) <= 64 + len(lost) == router.spend().calls
    assert sum(paid) <= router.spend().usd
    assert all("worst case" in row["error"] for row in lost)
    assert {"estimated"} == {row["cost_source"] for row in lost}
