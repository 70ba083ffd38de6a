"""What is asked again, how long that waits, and that the wait is seen and can be stopped."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from calls import asking
from conftest import LADDER
from loopback import Reply

from nbroute import errors
from nbroute.notebook.card import Card
from nbroute.notebook.screens import Screen
from nbroute.providers import retries
from nbroute.router import Router
from nbroute.types import Chunk, Notice


def date(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.fixture
def slept(monkeypatch):
    """How long was waited in all; no time goes by, and the jitter is always the same."""
    spent = [0.0]
    monkeypatch.setattr(retries.time, "sleep", lambda s: spent.__setitem__(0, spent[0] + s))
    monkeypatch.setattr(retries.time, "monotonic", lambda: spent[0])
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: (low + high) / 2)
    return spent


@pytest.fixture
def provider(connect):
    return connect(max_retries=2)


@pytest.fixture
def router(provider):
    ladder = replace(LADDER, tiers=tuple(replace(t, provider="test") for t in LADDER.tiers))
    made = Router(profile="simulated", provider=provider, ladder=ladder, classifier=lambda _: "MID")
    yield made
    made.close()


def chunks_of(provider, **parts):
    """The chunks, as far as they come, and the error at the end."""
    chunks = []
    try:
        chunks.extend(provider.send(asking(**parts)))
    except errors.ProviderError as error:
        return chunks, type(error)
    return chunks, None


def test_the_wait_is_what_the_server_says_within_reason(connect, server, slept):
    for parts, waits in (
        *(({"Retry-After": one}, 0.4375) for one in ("-5", -60, "nan", "soon", None, "0")),
        *(({"Retry-After": one}, float(one)) for one in ("0.5", "120")),
        ({"Retry-After": 100}, 100),
        ({"retry-after-ms": "1500", "Retry-After": "3"}, 1.5),
        ({"error": '"retryDelay": "34.07s"'}, 34.07),
        *(({"Retry-After": one}, None) for one in ("120.5", "9" * 400)),
        ({"x-should-retry": "false"}, None),
        ({"x-should-retry": "true", "status": 400}, 0.4375),
        ({"x-should-retry": "true", "error": "You exceeded your current quota"}, None),
        ({"status": 401}, None),
    ):
        # Seconds from now, as a date.
        told = {k: date(v) if isinstance(v, int) else v for k, v in parts.items() if v is not None}
        reply = Reply(status=parts.get("status", 429), error=told.pop("error", "slow down"))
        server.answer(replace(reply, headers=told))
        _, failed = chunks_of(connect(max_retries=1))
        assert issubclass(failed, errors.ProviderError)
        assert 1 + (waits is not None) == len(server.requests)
        assert pytest.approx(waits or 0, abs=1.5 if waits == 100 else 1e-9) == slept[0]
        server.forget()
        slept[0] = 0.0


def test_the_waits_double_are_told_and_end(connect, slept, server):
    server.handler = lambda _: Reply(status=503, error="down")
    chunks, failed = chunks_of(connect(max_retries=6))
    waits = [0.4375, 0.875, 1.75, 3.5, 7, 7]
    told = [f"{wait:.0f} s: the endpoint failed (503)" for wait in waits[2:]]

    assert errors.Unavailable is failed
    assert [7, sum(waits)] == [len(server.requests), pytest.approx(slept[0])]
    each = [[f"waiting {one}; Stop or Ctrl-C gives up", f"waited {one}"] for one in told]
    assert [*itertools.chain(*each)] == [one.notice for one in chunks if one.notice]
    assert [True, False] * 4 == [one.waits for one in chunks if one.notice]
    assert 100 < sum(one == Chunk() for one in chunks) < 110  # at each it can be stopped

    chunks, _ = chunks_of(connect("http://127.0.0.1:9/v1", max_retries=3))
    assert "waited 2 s: no connection to the endpoint" == chunks[-1].notice


def test_a_connection_that_was_closed_without_a_word_is_opened_again_at_once(
    provider, server, slept
):
    def hang_up_twice(_):
        if len(server.requests) < 3:
            raise ConnectionAbortedError
        return Reply()

    server.handler = hang_up_twice
    assert None is chunks_of(provider)[1]
    assert [3, 0.875] == [len(server.requests), pytest.approx(slept[0])]


def test_a_wait_that_nobody_sees_or_beside_another_model_is_short(server, provider, slept):
    busy = {"status": 429, "error": "slow down"}
    for seconds, asked in (("2", 2), ("2.01", 1)):
        server.reply(**busy, headers={"Retry-After": seconds})
        chunks_of(provider, patient=False)
        assert asked == len(server.requests)
        server.forget()
    for seconds, failed in (("8", False), ("8.01", True)):
        server.embedding_reply(**busy, headers={"Retry-After": seconds})
        with pytest.raises(errors.RateLimited) if failed else contextlib.nullcontext():
            assert provider.post("/embeddings", {"model": "e", "input": ["a"]})["data"]
    assert 10 == pytest.approx(slept[0])


def test_with_another_model_ready_there_is_no_long_wait(router, server, slept):
    server.reply(status=429, error="slow down", headers={"Retry-After": "60"})
    result = router.route("hello", tier="LOW")

    assert (0, 2) == (slept[0], len(result.attempts))
    assert "RateLimited" in result.attempts[0].error
    assert "Wait 60 s" in result.attempts[0].error


def test_a_wait_is_seen_while_it_lasts_and_can_be_stopped(router, server):
    server.handler = lambda _: Reply(status=429, error="slow", headers={"Retry-After": "60"})
    cancel = threading.Event()

    def stop(event):
        if isinstance(event, Notice) and "waiting 60 s" in event.text:
            cancel.set()

    with pytest.raises(errors.Interrupted):
        router.route("hello", observe=stop, cancel=cancel)

    assert 1 == len(server.requests)  # not stopped, it would ask again after a minute


def test_a_wait_is_drawn_at_once_even_on_a_fresh_card(router, server, slept, monkeypatch):
    drawn = []

    def draw(data, **_):
        drawn.append(data["text/plain"])
        return SimpleNamespace(update=draw)

    monkeypatch.setattr("IPython.display.display", draw)
    server.reply(status=429, error="slow down", headers={"Retry-After": "5"})
    Card(router, Screen("live")).route("hello")

    assert any("waiting 5 s: the endpoint was busy (429); Stop" in view for view in drawn)
    assert "waiting 5 s" not in drawn[-1]
    assert "note: waited 5 s: the endpoint was busy (429)" in drawn[-1]
