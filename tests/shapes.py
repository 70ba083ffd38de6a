"""The recorded replies in tests/wire/: a file is an endpoint family, a `[[shape]]` a reply.

`source` says where the shape is documented or was seen. `whole` and `streamed` are the bytes of
the two ways of asking, `body` those of a reply that is the same in both; `headers`, `status` and
`line_end` go with them. `expect` is the right result, not what the code happens to do: of an
answer its text, tokens, bill (`cost`, in dollars), finish_reason, model and id, of a failure the
class (or classes that will do), words that must be passed on, and whether another model may do
better.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "wire"


@dataclass(frozen=True)
class Shape:
    """A reply to one way of asking; `reply` is what `Loopback.reply` is given to play it."""

    family: str
    name: str
    stream: bool
    asked: str
    body: bytes
    expect: Mapping[str, Any]
    reply: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.family}, {'streamed' if self.stream else 'whole'}: {self.name}"


def shapes() -> Iterator[Shape]:
    """All of them."""
    for path in sorted(FOLDER.glob("*.toml")):
        family = tomllib.loads(path.read_text(encoding="utf-8"))
        for one in family["shape"]:
            for way in ("whole", "streamed"):
                text = one.get(way, one.get("body"))
                if text is None:
                    continue
                body = text.replace("\n", one.get("line_end", "\n")).encode()
                reply = {"status": one.get("status", 200), "body": body}
                reply["headers"] = dict(one.get(f"headers_{way}", one.get("headers", {})))
                stream = way == "streamed"
                streams = stream and reply["status"] == 200 and not body.lstrip().startswith(b"{")
                usual = "text/event-stream" if streams else "application/json"
                reply["content_type"] = reply["headers"].pop("content-type", usual)
                asked = one.get("asked", family["asked"])
                yield Shape(
                    family["family"], one["name"], stream, asked, body, one["expect"], reply
                )
