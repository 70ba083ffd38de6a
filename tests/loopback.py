"""A real HTTP server on 127.0.0.1 that speaks the OpenAI chat API and does as it is told.

    with Loopback() as server:
        server.reply(text="Paris.", cost=0.000012)
        ...                                # point a client at server.url
        assert "gpt-4o-mini" == server.requests[0].json["model"]

Replies are served in the order in which they were queued. With none left it asks `handler`,
a function of the request's JSON, and without one it answers "ok" with its usage, or the least
JSON that has the schema asked for. `server.refuse("json_schema", "logprobs")` makes it refuse
those as OpenAI words it. GET /generation answers from `server.generations`, POST /embeddings
makes vectors of words (see `Loopback`). `server.answer("ok", large="Paris.")` has each model
give its own text or `Reply`; `server.prompts` and `server.asked` are what models were asked.
From a shell: `python tests/loopback.py --port 8000`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import socket
import sys
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

CHUNKED = {"Transfer-Encoding": "chunked"}


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    `usage`: "count" counts words, None sends none. `cost` is `usage.cost`, as OpenRouter
    sends it. `error` is the message of an OpenAI-style error body, `body` is sent as it is
    (bytes, text, or something to make JSON of). `content_type` overrides that of `body`;
    `bytes_each` has it sent in HTTP chunks of so many bytes.
    `chunks` are the pieces of text when streaming (default: words).
    `id` is the answer's. `logprobs` are those of the pieces (default: -0.1 each),
    sent where they are asked for; an empty list sends none.
    `delay` is in seconds, before the first byte; `pause` between pieces. After `cut_after`
    pieces the connection breaks, after `stall_after` nothing more comes until the client leaves.
    """

    text: str = "ok"
    status: int = 200
    usage: Mapping[str, Any] | Literal["count"] | None = "count"
    cost: float | None = None
    model: str | None = None
    finish_reason: str | None = "stop"
    id: str = "chatcmpl-loopback"
    logprobs: Sequence[float] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    body: Any = None
    content_type: str | None = None
    bytes_each: int | None = None
    chunks: Sequence[str] | None = None
    delay: float = 0.0
    pause: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None


@dataclass
class Seen:
    """A request that arrived; `left` is set once the client has gone from a stalled reply."""

    path: str
    headers: dict[str, str]
    json: Any
    left: threading.Event = field(default_factory=threading.Event)


class Loopback(ThreadingHTTPServer):
    """The server; it runs in a thread from the first line of its `with` to the last.

    `url` is the base URL for a client. `models` is what GET /models lists (names, or
    tables; None is JSON's null), `lists` what GET answers at other paths. `generations` maps ids
    to what GET /generation?id= says of them (OpenRouter's `data`). Embeddings have `dimension`
    numbers: a text's words, counted by their hash; replies to them have a queue of their own
    (`embedding_reply`).
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, handler: Callable[[Any], Reply] | None = None, *, port: int = 0, models=("loopback",)
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.handler = handler
        self.models = models
        self.lists: dict[str, Any] = {}
        self.requests: list[Seen] = []
        self.stopping = threading.Event()
        self.generations: dict[str, Mapping[str, Any]] = {}
        self.dimension = 16
        self._refused: tuple[str, ...] = ()
        self._queue: deque[Reply] = deque()
        self._embedding_queue: deque[Reply] = deque()
        self._connections: set[socket.socket] = set()

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The base URL, ending in /v1."""
        return f"http://{self.host}/v1"

    def reply(self, **parts: Any) -> None:
        """Queue a `Reply` made of these parts."""
        self._queue.append(Reply(**parts))

    def forget(self) -> None:
        """Take out what is queued and what was asked."""
        self._queue.clear()
        self.requests.clear()

    def embedding_reply(self, **parts: Any) -> None:
        """Queue a `Reply` to a request for embeddings: an `error` or a `body`."""
        self._embedding_queue.append(Reply(**parts))

    def answer(self, other: str | Reply = "ok", /, **models: str | Reply) -> None:
        """Have each of these models give its own text or `Reply` from now on, the rest `other`."""

        def handler(sent: Any) -> Reply:
            said = models.get(sent["model"], other)
            return Reply(text=said) if isinstance(said, str) else said

        self.handler = handler

    @property
    def prompts(self) -> list[str]:
        """The last message of each request for an answer, in the order of their arrival."""
        return [prompt_of(seen.json) for seen in self._chats()]

    @property
    def asked(self) -> list[str]:
        """The models that were asked for answers, in the order of their arrival."""
        return [seen.json["model"] for seen in self._chats()]

    def _chats(self) -> list[Seen]:
        return [seen for seen in self.requests if seen.path.endswith("/chat/completions")]

    def refuse(self, *names: str) -> None:
        """Refuse from now on: json_schema, json_object, or a parameter of that name."""
        self._refused = names

    def next_reply(self, sent: Any) -> Reply:
        """The reply to this request: queued, a refusal, the handler's, or the plain one."""
        with contextlib.suppress(IndexError):
            return self._queue.popleft()
        words = _refusal(sent or {}, self._refused)
        if words:
            return Reply(status=400, error=words)
        return self.handler(sent) if self.handler else Reply(text=_example(sent or {}))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop, break open connections off and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection, and know of it until it is shut."""
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Shut a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Loopback

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self._seen(None)
        server, road = self.server, urlsplit(self.path)
        lists = {"/v1/models": {"object": "list", "data": _listed(server.models)}} | server.lists
        if server._queue and road.path in ("/v1/generation", "/v1/models"):
            self._answer(server.next_reply(None), {})
        elif road.path == "/v1/generation":
            name = parse_qs(road.query)["id"][0]
            if name not in server.generations:
                self._send(404, {"error": {"message": f"Generation {name} not found", "code": 404}})
            else:
                self._send(200, {"data": {"id": name, **server.generations[name]}})
        elif self.path in lists:
            self._send(200, lists[self.path])
        else:
            self._send(404, "404 page not found")

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._seen(sent)
        if self.path == "/v1/chat/completions":
            self._answer(self.server.next_reply(sent), sent)
        elif self.path == "/v1/embeddings" and self.server._embedding_queue:
            self._answer(self.server._embedding_queue.popleft(), sent)
        elif self.path == "/v1/embeddings":
            self._send(200, _embeddings(sent, self.server.dimension))
        else:
            self._send(404, "404 page not found")

    def log_message(self, *args: object) -> None:
        pass

    def _seen(self, sent: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_seen = Seen(self.path, headers, sent)
        self.server.requests.append(self.request_seen)

    def _answer(self, reply: Reply, sent: Any) -> None:
        self.server.stopping.wait(reply.delay)
        body = reply.body
        if reply.error is not None:
            body = {"error": {"message": reply.error, "type": "error", "code": None}}
        if body is not None:
            self._send(reply.status, body, reply.headers, reply.content_type, reply.bytes_each)
        elif sent.get("stream"):
            self._stream(reply, sent)
        elif reply.cut_after is not None or reply.stall_after is not None:
            self._break_off(reply)
        else:
            self._send(reply.status, _completion(reply, sent), reply.headers)

    def _send(
        self,
        status: int,
        body: Any,
        headers: Mapping[str, str] = {},
        content_type: Any = None,
        bytes_each: int | None = None,
    ) -> None:
        data, guessed = _encoded(body)
        length = {"Content-Length": str(len(data))}
        if bytes_each:
            length = CHUNKED
            starts = range(0, len(data) + bytes_each, bytes_each)
            pieces = [data[start : start + bytes_each] for start in starts]
            data = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
        self._begin(status, {"Content-Type": content_type or guessed} | length | headers)
        self.wfile.write(data)
        self.wfile.flush()

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, reply: Reply, sent: Any) -> None:
        self._begin(reply.status, {"Content-Type": "text/event-stream"} | CHUNKED | reply.headers)
        for count, event in enumerate(_events(reply, sent)):
            if count in (reply.cut_after, reply.stall_after):
                self._break_off(reply)
                return
            self.server.stopping.wait(reply.pause)
            data = b"data: %b\n\n" % _encoded(event)[0]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _break_off(self, reply: Reply) -> None:
        self.wfile.flush()
        if reply.stall_after is not None:
            self.connection.recv(1)  # comes back when the client leaves or the server stops
            self.request_seen.left.set()
        self.close_connection = True


def prompt_of(sent: Any) -> str:
    """The last message of a request."""
    return sent["messages"][-1]["content"]


def prompts_of(count: int) -> list[str]:
    """So many prompts that differ."""
    return [f"question {number}" for number in range(count)]


def echo(sent: Any) -> Reply:
    """The model and the prompt again."""
    return Reply(text=f"{sent['model']} on {prompt_of(sent)}")


def _listed(models: Any) -> Any:
    return models and [
        {"id": one, "object": "model"} if isinstance(one, str) else one for one in models
    ]


def _encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/json"
    if isinstance(body, str):
        return body.encode(), "text/html" if body.startswith("<") else "text/plain"
    return json.dumps(body).encode(), "application/json"


def _completion(reply: Reply, sent: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    choice |= _logprobs(_pieces(reply), reply, sent)
    whole = _envelope("chat.completion", reply, sent) | {"choices": [choice]}
    return whole | {"usage": usage} if (usage := _usage(reply, sent)) else whole


def _events(reply: Reply, sent: Any) -> Iterator[Any]:
    envelope = _envelope("chat.completion.chunk", reply, sent)
    pieces = _pieces(reply)
    rated = _logprobs(pieces, reply, sent).get("logprobs", {}).get("content", [])
    for place, piece in enumerate(pieces):
        known = {"logprobs": {"content": [rated[place]]}} if rated else {}
        yield envelope | {"choices": [_delta({"content": piece}, None) | known]}
    if reply.finish_reason:
        yield envelope | {"choices": [_delta({}, reply.finish_reason)]}
    asked = (sent.get("stream_options") or {}).get("include_usage")
    if (asked or reply.cost is not None) and (usage := _usage(reply, sent)):
        yield envelope | {"choices": [], "usage": usage}
    yield "[DONE]"


def _delta(delta: Mapping[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _envelope(kind: str, reply: Reply, sent: Any) -> dict[str, Any]:
    model = reply.model or sent["model"]
    return {"id": reply.id, "object": kind, "created": 0, "model": model}


def _pieces(reply: Reply) -> Sequence[str]:
    return re.findall(r"\S+\s*|\s+", reply.text) if reply.chunks is None else reply.chunks


def _logprobs(pieces: Sequence[str], reply: Reply, sent: Any) -> dict[str, Any]:
    values = [-0.1] * len(pieces) if reply.logprobs is None else reply.logprobs
    if not sent.get("logprobs") or not values:
        return {}
    told = zip(pieces, values, strict=True)
    return {"logprobs": {"content": [{"token": t, "logprob": v} for t, v in told]}}


def _usage(reply: Reply, sent: Any) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    asked = sum(len(message["content"].split()) for message in sent["messages"])
    answered = len(reply.text.split())
    counted = {"prompt_tokens": asked, "completion_tokens": answered}
    counted["total_tokens"] = asked + answered
    usage = counted if reply.usage == "count" else dict(reply.usage)
    return usage if reply.cost is None else usage | {"cost": reply.cost}


def _refusal(sent: Any, refused: Sequence[str]) -> str:
    """The words that refuse the first refused thing in the request; empty where there is none."""
    kind = (sent.get("response_format") or {}).get("type")
    for name in refused:
        if name == kind:
            return (
                f"Invalid parameter: 'response_format' of type '{name}' is not supported with "
                "this model."
            )
        if name in sent:
            return f"Unsupported parameter: '{name}' is not supported with this model."
    return ""


def _example(sent: Any) -> str:
    """The plain answer: JSON with the schema asked for, an object in JSON mode, else "ok"."""
    asked = sent.get("response_format") or {}
    if asked.get("type") == "json_schema":
        return json.dumps(_instance(asked["json_schema"]["schema"]))
    return '{"answer": "ok"}' if asked.get("type") == "json_object" else "ok"


def _instance(schema: Any) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _instance(inner) for name, inner in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_instance(schema.get("items", {}))] * schema.get("minItems", 1)
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(
        schema.get("type"), "ok"
    )


def _embeddings(sent: Any, dimension: int) -> dict[str, Any]:
    """The answer to POST /embeddings: each text's words counted by their hash, of length 1."""
    texts = [sent["input"]] if isinstance(sent["input"], str) else sent["input"]
    size = sent.get("dimensions") or dimension
    vectors = [_vector(text, size) for text in texts]
    rows = [
        {"object": "embedding", "index": place, "embedding": v} for place, v in enumerate(vectors)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": sent["model"], "usage": usage}


def _vector(text: str, size: int) -> list[float]:
    counts = [0.0] * size
    for word in text.lower().split() or [""]:
        counts[zlib.crc32(word.encode()) % size] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    with Loopback(port=parser.parse_args().port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.stopping.wait()


if __name__ == "__main__":
    main()
