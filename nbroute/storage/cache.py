"""Request -> the reply it got before: in memory, or in a file that can be shared."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path

from nbroute.errors import SettingsError
from nbroute.locks import Lock
from nbroute.storage.database import Migration, SqliteFile
from nbroute.types import Reply, Request


def request_key(request: Request, endpoint: str = "") -> str:
    """A SHA-256 of everything that shapes the answer, so without `stream` and without any key.

    `endpoint` is the address behind the provider's name, which settings can change.
    """
    temperature = request.temperature
    shape = {
        "provider": request.provider,
        "endpoint": endpoint,
        "model": request.model,
        "messages": [[message.role, message.content] for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": None if temperature is None else float(temperature),
        "json": request.json,
    }
    # Only if set, so that answers cached before these existed are still found.
    later = ("schema", "logprobs", "rated", "effort")
    shape |= {name: told for name in later if (told := getattr(request, name))}
    canonical = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


class MemoryCache:
    """Keeps the `entries` most recently used replies until the kernel ends."""

    def __init__(self, entries: int = 1024) -> None:
        if entries < 1:
            raise SettingsError(f"a cache of {entries!r} entries keeps nothing; use cache = 'off'")
        self._entries = entries
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Reply | None:
        """The stored reply, or None."""
        with self._lock:
            if key in self._replies:
                self._replies.move_to_end(key)
            return self._replies.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Keep the reply; if there is no room, drop the least recently used one."""
        with self._lock:
            self._replies[key] = reply
            self._replies.move_to_end(key)
            if len(self._replies) > self._entries:
                self._replies.popitem(last=False)


def m001_replies(connection: sqlite3.Connection) -> None:
    """Replies as JSON, by the key of their request."""
    connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")


MIGRATIONS: list[Migration] = [m001_replies]


class FileCache:
    """Keeps replies in a SQLite file, for other kernels or for a repository.

    Between writes there is no journal file next to it: the one file can be copied, committed,
    and read from a read-only folder. The first `put` creates it. Both methods raise RecordError
    if it cannot be used.
    """

    def __init__(self, path: Path, *, wait_s: float = 5.0) -> None:
        self.path = path
        setting = "cache_file in nbroute.toml"
        self._file = SqliteFile(path, MIGRATIONS, setting=setting, wait_s=wait_s)

    def get(self, key: str) -> Reply | None:
        """The stored reply; None if there is none, or no file yet."""
        if not self._file.exists:
            return None
        with self._file.connection("cannot read the cache") as connection:
            query = "SELECT reply FROM replies WHERE key = ?"
            found = connection.execute(query, (key,)).fetchone()
            if not found:
                return None
            from nbroute.decoding import decode

            reply = decode(json.loads(found[0]), Reply)
            usage = reply.usage
            if min(usage.input_tokens, usage.output_tokens, usage.cached_tokens) < 0:
                raise ValueError("a stored reply has a negative count of tokens")
            return reply

    def put(self, key: str, reply: Reply) -> None:
        """Keep the reply, replacing an older one under that key."""
        row = (key, json.dumps(asdict(reply), default=str))
        with self._file.connection("cannot write the cache") as connection:
            connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", row)

    def close(self) -> None:
        """Close the file; a second call does nothing, and a later use opens it again."""
        self._file.close()
