"""What is asked again, how long that waits, and that the wait is seen and can be stopped."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from conftest import LADDER
from loopback import Reply

from nbroute import errors
from nbroute.notebook.card import Card
from nbroute.notebook.screens import Screen
from nbroute.providers import retries
from nbroute.router import Router
from nbroute.types import Notice


def date(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.fixture
def slept(monkeypatch):
    """How long was waited in all; no time goes by."""
    spent = [0.0]
    monkeypatch.setattr(retries.time, "sleep", lambda s: spent.__setitem__(0, spent[0] + s))
    monkeypatch.setattr(retries.time, "monotonic", lambda: spent[0])
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


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        *(({"Retry-After": one}, (0.37, 0.5)) for one in ("-5", -60, "nan", "soon", None)),
        ({"Retry-After": "120"}, (120, 120)),
        ({"Retry-After": 100}, (98, 101)),
        ({"retry-after-ms": "1500"}, (1.5, 1.5)),
        *(({"Retry-After": one}, None) for one in ("121", "9" * 400)),
        ({"x-should-retry": "false"}, None),
    ],
)
def test_the_wait_is_what_the_server_says_within_reason(router, server, slept, headers, waits):
    # Seconds from now, as a date.
    dated = {k: date(v) if isinstance(v, int) else v for k, v in headers.items() if v is not None}
    server.reply(status=429, error="slow down", headers=dated)
    if waits is None:
        with pytest.raises(errors.RateLimited):
            router.route("hello")
        assert 0 == slept[0]
        return

    result = router.route("hello")

    assert "ok" == result.text
    assert waits[0] <= slept[0] + 0.01
    assert slept[0] <= waits[1] + 0.01
    waited = f"waited {slept[0]:.0f} s: the endpoint was busy (429)"
    assert result.notices == ((waited,) if slept[0] >= 1 else ())


def test_a_connection_that_was_closed_without_a_word_is_opened_again_at_once(router, server, slept):
    def hang_up_once(_):
        if len(server.requests) == 1:
            raise ConnectionAbortedError
        return Reply()

    server.handler = hang_up_once

    assert "ok" == router.route("hello").text
    assert (2, 0) == (len(server.requests), slept[0])


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        ({"status": 503, "error": "down"}, 3),
        ({"status": 400, "error": "no", "headers": {"x-should-retry": "true"}}, 3),
        ({"status": 429, "error": "You exceeded your current quota"}, 1),
        ({"status": 401, "error": "no"}, 1),
    ],
)
def test_only_what_may_pass_is_asked_again(router, server, slept, reply, asked):
    server.handler = lambda _: Reply(**reply)
    with pytest.raises(errors.ProviderError):
        router.route("hello")
    assert asked == len(server.requests)


def test_with_another_model_ready_there_is_no_long_wait(router, server, slept):
    server.reply(status=429, error="slow down", headers={"Retry-After": "60"})
    result = router.route("hello", tier="LOW")

    assert (0, 2) == (slept[0], len(result.attempts))
    assert "RateLimited" in result.attempts[0].error
    assert "Wait 60 s" in result.attempts[0].error


def test_a_wait_that_nobody_sees_is_short(server, provider, slept):
    busy = {"status": 429, "error": "slow down", "headers": {"Retry-After": "5"}}
    server.embedding_reply(**busy)
    assert provider.post("/embeddings", {"model": "e", "input": ["a"]})["data"]
    assert 5 <= slept[0] <= 5.01

    for _ in range(2):
        server.reply(**busy)
    with pytest.raises(errors.RateLimited):
        provider.models()
    assert slept[0] <= 10.01


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
