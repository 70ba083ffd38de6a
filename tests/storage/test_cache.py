"""Answers that are kept: the same request gets the same reply, from memory or from a file."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest
from ledgers import attempt, database

from nbroute.errors import RecordError, SettingsError
from nbroute.storage.cache import FileCache, MemoryCache, request_key
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Message, Reply, Request, Usage

BRIEF, HI = Message("system", "Be brief."), Message("user", "Hi")
REQUEST = Request("openai", "gpt", (BRIEF, HI), 256)
REPLY = Reply(
    text="Hello \U0001f44b \u05e9\u05dc\u05d5\u05dd \x00 \ud83d",
    model="gpt-2026",
    usage=Usage(21, 9, 4, billed_usd=Decimal("0.0000120"), estimated=True),
    finish_reason="stop",
    latency_ms=412.5,
    ttft_ms=0.1 + 0.2,
)
BARE = Reply("", "m", Usage(), None, 0.0, None)


@pytest.fixture
def cache(path):
    with closing(FileCache(path, wait_s=0.05)) as opened:
        yield opened


def test_the_key_has_all_that_shapes_the_answer_and_is_the_same_in_every_release():
    all_set = {"temperature": 0, "json": True, "schema": {"type": "object"}, "logprobs": True}
    everything = replace(REQUEST, stream=False, rated=True, effort="low", **all_set)
    messages = '"messages":[["system","Be brief."],["user","Hi"]],"model":"gpt","provider":"openai"'
    plain = f'{{"endpoint":"","json":false,"max_tokens":256,{messages},"temperature":null}}'
    whole = (
        '{"effort":"low","endpoint":"https://example.com/v1","json":true,"logprobs":true,'
        f'"max_tokens":256,{messages},"rated":true,"schema":{{"type":"object"}},"temperature":0.0}}'
    )

    assert hashlib.sha256(plain.encode()).hexdigest() == request_key(REQUEST)
    key = request_key(everything, "https://example.com/v1")
    assert hashlib.sha256(whole.encode()).hexdigest() == key
    assert request_key(replace(REQUEST, messages=(Message("user", "\u05e9 \ud83d"),)))


def test_a_stored_reply_comes_back_equal_and_a_newer_one_takes_its_place(cache, path):
    cache.put("key", BARE)
    cache.put("bare", BARE)
    for billed in (None, Decimal(0), Decimal("1E-9"), Decimal("0.10")):
        reply = replace(REPLY, usage=replace(REPLY.usage, billed_usd=billed))
        cache.put("key", reply)
        with database(path) as file, closing(FileCache(path, wait_s=0)) as other:
            file.execute("BEGIN IMMEDIATE")  # as others do while they write
            assert (reply, BARE, None) == tuple(map(other.get, ("key", "bare", "never")))
    assert [path] == list(path.parent.iterdir())  # to be copied, or committed
    cache.close()
    path.unlink()
    assert cache.get("key") is None
    assert not path.exists()


def test_a_memory_cache_drops_what_was_not_used_for_longest():
    memory, least = MemoryCache(2), MemoryCache(1)
    for key in "abac":
        memory.put(key, REPLY)
    memory.get("a")
    for cache in (memory, least):
        cache.put("d", REPLY)

    assert [REPLY, None, None, REPLY] == [memory.get(key) for key in "abcd"]
    assert REPLY == least.get("d")
    with pytest.raises(SettingsError, match="0 entries keeps nothing"):
        MemoryCache(0)


def test_a_file_that_cannot_be_used_is_an_error_that_says_the_cure(cache, path, tmp_path):
    assert cache.get("key") is None
    assert not path.parent.exists()  # reading makes no file
    path.parent.mkdir(parents=True)
    path.write_text("this is not a database, though it is long enough" * 100)

    below = FileCache(path / "cache.sqlite")
    assert below.get("key") is None
    garbage = "file is not a database; move the file away, or set {} to another one."
    no_folder = "File exists; set {} to a writable file."
    ours = FileCache(path.parent / "ledger.sqlite")
    with SqliteLedger(ours.path) as ledger:
        ledger.append(attempt())
    ledgers = "it seems to be an nbroute ledger; set {} to another file."
    for use, lead, why in (
        (lambda: cache.get("key"), f"cannot read the cache {str(path)!r}", garbage),
        (lambda: cache.put("key", REPLY), f"cannot write the cache {str(path)!r}", garbage),
        (lambda: below.put("key", REPLY), f"cannot write the cache {str(below.path)!r}", no_folder),
        (lambda: ours.get("key"), f"cannot read the cache {str(ours.path)!r}", ledgers),
    ):
        with pytest.raises(RecordError) as caught:
            use()
        assert f"{lead}: {why.format('cache_file in nbroute.toml')}" == str(caught.value)


NEGATIVE = """{"text": "", "model": "m", "usage": {"output_tokens": -1}, "finish_reason": null,
    "latency_ms": 1.0, "ttft_ms": null}"""


def test_a_damaged_reply_is_an_error_and_not_an_answer(cache, path):
    cache.put("key", REPLY)
    damages = ("", "[]", "\x00", '{"usage": {"billed_usd": "dear"}}', '{"text": 1}', NEGATIVE)
    for damage in (*damages, "[" * 100_000, '{"text": ' + "9" * 5_000 + "}"):
        with database(path) as file:
            file.execute("UPDATE replies SET reply = ?", (damage,))

        with pytest.raises(RecordError, match=r"cannot read the cache.*sqlite.*move the file"):
            cache.get("key")
