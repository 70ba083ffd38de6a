"""What a user keeps can be pickled and copied, and a forked process finds no lock taken."""

import contextlib
import copy
import multiprocessing
import pickle
import sys
import threading

import pytest
from loopback import Reply

from nbroute.errors import SettingsError
from nbroute.types import Verdict

COPIES = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),  # noqa: S301 - our own
    "copy": copy.deepcopy,
}


@pytest.fixture(params=COPIES.values(), ids=list(COPIES))
def copied(request):
    return request.param


def test_a_result_keeps_all_but_functions_that_cannot_travel(router, copied):
    found = router.route(
        "Hi",
        strategy="cascade",
        checks=["truncation", lambda reply: Verdict(reply.text != "", "own")],
    )
    again = copied(found)

    assert (again.text, again.attempts, again.cost) == (found.text, found.attempts, found.cost)
    assert again.options.checks == ("truncation", "<lambda>")
    with pytest.raises(SettingsError, match="<lambda>"):
        router.escalate(again)


def test_comparisons_batches_and_reports_keep_their_rows_and_cannot_be_voted_in(router, copied):
    one = router.compare("Hi", tiers=["LOW", "TOP"])
    grid = router.compare(["Hi", "Ho"], tiers=["LOW", "TOP"])
    batch, report = router.map(["Hi", "Ho"]), router.report()
    one.vote("TOP")
    grid.vote(0, "TOP")
    one_again, grid_again, rows = copied(one), copied(grid), copied(batch)

    assert (str(one), one.cost) == (str(one_again), one_again.cost)
    assert ("TOP", None) == (one.voted, one_again.voted)
    with pytest.raises(SettingsError, match=r"no ledger for votes; use router\.compare"):
        one_again.vote("LOW")
    assert str(grid_again[0]) == str(grid[0])
    assert grid_again.costs().equals(grid.costs())
    assert grid_again.frame().drop(columns="voted").equals(grid.frame().drop(columns="voted"))
    assert grid_again.frame()["voted"].isna().all()
    with pytest.raises(SettingsError, match="has no router to ask for its ledger: make a Router"):
        grid_again.votes()
    assert (list(rows), rows.cost, len(rows)) == (list(batch), batch.cost, 2)
    assert copied(report) == report


def test_a_router_out_of_a_pickle_says_what_it_lacks(router, copied):
    with pytest.raises(SettingsError, match="pickled or copied and has no router to ask for its r"):
        copied(router).route("Hi")
    assert not hasattr(copied(router), "_repr_html_")
    with pytest.raises(SettingsError, match=r"its ledger, cache, providers.* keep its results"):
        copied(router.ledger)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_while_calls_run_can_make_calls(router, server, tmp_path):
    server.handler = lambda sent: Reply(text="yes")
    router.record(tmp_path / "talk.rec")
    ended = threading.Event()

    def work():
        while not ended.is_set():
            router.route("Hi", cache="refresh")

    def child():
        with contextlib.closing(router):
            sys.exit(0 if router.route("Ho", cache="refresh").text == "yes" else 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        forked = [multiprocessing.get_context("fork").Process(target=child) for _ in range(8)]
        for process in forked:
            process.start()
        for process in forked:
            process.join(30)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        hung = [process for process in forked if process.is_alive()]
        for process in hung:
            process.kill()
    assert ([], {0}) == (hung, {process.exitcode for process in forked})
