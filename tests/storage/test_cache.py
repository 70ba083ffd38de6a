from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute.errors import RecordError, SettingsError
from nbroute.storage.cache import FileCache, MemoryCache, request_key
from nbroute.types import Message, Reply, Request, Usage

ROOT = Path(__file__).parents[2]
REQUEST = Request("openai", "gpt", (Message("system", "Be brief."), Message("user", "Hi")), 256)
REPLY = Reply(
    text="Hello \U0001f44b \u05e9\u05dc\u05d5\u05dd \x00 \ud83d",
    model="gpt-2026",
    usage=Usage(21, 9, 4, billed_usd=Decimal("0.0000120"), estimated=True),
    finish_reason="stop",
    latency_ms=412.5,
    ttft_ms=0.1 + 0.2,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "cache.sqlite"


@pytest.fixture
def cache(path):
    with closing(FileCache(path, wait_s=0.05)) as opened:
        yield opened


def test_the_key_is_the_same_for_the_same_request_and_in_every_release():
    canonical = (
        '{"endpoint":"","json":false,"max_tokens":256,'
        '"messages":[["system","Be brief."],["user","Hi"]],'
        '"model":"gpt","provider":"openai","temperature":null}'
    )

    assert hashlib.sha256(canonical.encode()).hexdigest() == request_key(REQUEST)
    assert request_key(REQUEST) == request_key(replace(REQUEST))


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "openrouter"},
        {"model": "gpt-mini"},
        {"messages": (Message("system", "Be brief."), Message("user", "Hi!"))},
        {"messages": (Message("user", "Be brief."), Message("user", "Hi"))},
        {"messages": (Message("system", "Be brief.Hi"),)},
        {"max_tokens": 257},
        {"temperature": 0.0},
        {"json": True},
    ],
)
def test_whatever_shapes_the_answer_changes_the_key(change):
    assert request_key(REQUEST) != request_key(replace(REQUEST, **change))


def test_streaming_or_not_is_the_same_request():
    assert request_key(REQUEST) == request_key(replace(REQUEST, stream=False))


def test_a_temperature_of_0_and_of_0_point_0_is_the_same_request():
    assert request_key(replace(REQUEST, temperature=0)) == request_key(
        replace(REQUEST, temperature=0.0)
    )


@given(text=st.text(st.characters(), max_size=50))
def test_any_text_has_a_key(text):
    request = replace(REQUEST, messages=(Message("user", text),))

    assert request_key(request) != request_key(replace(request, json=True))


@pytest.mark.parametrize("billed", [None, Decimal(0), Decimal("1E-9"), Decimal("0.10")])
def test_a_stored_reply_comes_back_equal(cache, path, billed):
    reply = replace(REPLY, usage=replace(REPLY.usage, billed_usd=billed))
    cache.put("key", reply)

    with closing(FileCache(path)) as other:
        assert reply == other.get("key")


def test_a_reply_without_times_and_reason_comes_back_equal(cache):
    bare = Reply("", "m", Usage(), None, 0.0, None)
    cache.put("key", bare)

    assert bare == cache.get("key")


@pytest.mark.parametrize("make", [MemoryCache, lambda: FileCache(Path("/nonexistent/cache"))])
def test_a_reply_that_was_never_stored_is_none(make):
    assert make().get("key") is None


def test_a_newer_reply_takes_the_place_of_the_older(cache):
    memory = MemoryCache()
    for either in (cache, memory):
        either.put("key", REPLY)
        either.put("key", replace(REPLY, text="newer"))

        assert "newer" == either.get("key").text


def test_a_memory_cache_drops_what_was_not_used_for_longest():
    memory = MemoryCache(2)
    memory.put("a", REPLY)
    memory.put("b", REPLY)
    memory.get("a")
    memory.put("c", REPLY)

    assert [True, False, True] == [memory.get(key) is not None for key in "abc"]


def test_a_memory_cache_of_nothing_is_refused():
    with pytest.raises(SettingsError, match="0 entries keeps nothing"):
        MemoryCache(0)


def test_threads_share_a_cache(path):
    memory = MemoryCache(1000)
    with closing(FileCache(path)) as file:

        def work(name):
            for number in range(20):
                for cache in (memory, file):
                    cache.put(f"{name}-{number}", replace(REPLY, text=f"{name}-{number}"))
                    assert f"{name}-{number}" == cache.get(f"{name}-{number}").text

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        keys = [f"{name}-{number}" for name in range(8) for number in range(20)]
        assert keys == [memory.get(key).text for key in keys]
        assert keys == [file.get(key).text for key in keys]


PUT_MANY = """
    import sys
    from contextlib import closing
    from pathlib import Path
    from nbroute.storage.cache import FileCache
    from nbroute.types import Reply, Usage
    with closing(FileCache(Path(sys.argv[1]))) as cache:
        for number in range(20):
            key = f"{sys.argv[2]}-{number}"
            cache.put(key, Reply(key, "m", Usage(), None, 1.0, None))
            assert cache.get(key).text == key
"""


def test_processes_share_a_file(path):
    command = [sys.executable, "-c", textwrap.dedent(PUT_MANY), str(path)]
    kernels = [
        subprocess.Popen([*command, str(n)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    errors = [kernel.communicate(timeout=60)[1] for kernel in kernels]

    with closing(FileCache(path)) as cache:
        found = [cache.get(f"{n}-{number}") for n in range(4) for number in range(20)]

    assert ["", "", "", ""] == errors
    assert all(found)


def test_the_cache_is_one_file_without_the_prompt_in_it(cache, path):
    request = replace(REQUEST, messages=(Message("user", "a private question"),))
    cache.put(request_key(request), REPLY)

    assert [path] == list(path.parent.iterdir())
    assert b"private" not in path.read_bytes()


def test_reading_makes_no_file(cache, path):
    cache.get("key")

    assert not path.parent.exists()


def test_a_file_that_is_no_cache_is_an_error_that_says_the_cure(cache, path):
    path.parent.mkdir()
    path.write_text("this is no database, though it is long enough" * 100)

    cure = "file is not a database; move the file away, or set cache_file in nbroute.toml"
    with pytest.raises(RecordError, match=f"cannot read the cache.*{cure}"):
        cache.get("key")
    with pytest.raises(RecordError, match=f"cannot write the cache.*{cure}"):
        cache.put("key", REPLY)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"usage": {"billed_usd": "dear"}}'])
def test_a_damaged_reply_is_an_error_and_not_an_answer(cache, path, damage):
    cache.put("key", REPLY)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE replies SET reply = ?", (damage,))
    connection.commit()
    connection.close()

    with pytest.raises(RecordError, match=r"cannot read the cache.*move the file away"):
        cache.get("key")


def test_a_damaged_page_is_an_error_and_not_a_miss(cache, path):
    for number in range(200):
        cache.put(f"key {number}", REPLY)
    cache.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    with pytest.raises(RecordError, match="malformed; move the file away"):
        cache.get("key 7")


def test_a_folder_that_cannot_be_made_is_an_error_on_writing_alone(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with closing(FileCache(tmp_path / "file" / "cache.sqlite")) as cache:
        assert cache.get("key") is None
        with pytest.raises(RecordError, match=r"set cache_file in nbroute.toml to a writable file"):
            cache.put("key", REPLY)


def test_a_cache_of_a_newer_nbroute_is_left_alone(cache, path):
    cache.put("key", REPLY)
    cache.close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO migrations VALUES ('m999_later')")
    connection.commit()
    connection.close()

    with pytest.raises(RecordError, match=r"'m999_later'.*upgrade nbroute"):
        cache.get("key")
