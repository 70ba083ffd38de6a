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
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from loopback_bodies import completion, embeddings, encoded, events, example, refusal

HTML = "<!DOCTYPE html><html><head><title>Gateway</title></head><body>Sign in</body></html>"


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    `usage`: "count" counts words, None sends none. `cost` is `usage.cost`, as OpenRouter
    sends it. `error` is the message of an OpenAI-style error body, `body` is sent as it is
    (bytes, text, or something to make JSON of), `html` a gateway's page. `content_type`
    overrides that of `body`; `bytes_each` has it sent in HTTP chunks of so many bytes.
    `chunks` are the pieces of text when streaming (default: words).
    `id` is the answer's, None sends none. `logprobs` are those of the pieces (default: -0.1 each),
    sent where they are asked for; an empty list sends none.
    `delay` is in seconds, before the first byte; `pause` between pieces. After `cut_after`
    pieces the connection breaks, after `stall_after` nothing more comes until the client
    leaves. `done=False` leaves out `[DONE]`.
    """

    text: str = "ok"
    status: int = 200
    usage: Mapping[str, Any] | Literal["count"] | None = "count"
    cost: float | None = None
    model: str | None = None
    finish_reason: str | None = "stop"
    id: str | None = "chatcmpl-loopback"
    logprobs: Sequence[float] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    body: Any = None
    html: bool = False
    content_type: str | None = None
    bytes_each: int | None = None
    chunks: Sequence[str] | None = None
    delay: float = 0.0
    pause: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None
    done: bool = True


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
    to what GET /generation?id= says of them (OpenRouter's `data`), after `generation_misses`
    answers of 404. Embeddings have `dimension` numbers: a text's words, counted by their hash;
    replies to them have a queue of their own (`embedding_reply`).
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
        self.generation_misses = 0
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
        """Queue a `Reply` to a request for embeddings: an `error`, a `body` or `html`."""
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
        words = refusal(sent or {}, self._refused)
        if words:
            return Reply(status=400, error=words)
        return self.handler(sent) if self.handler else Reply(text=example(sent or {}))

    def generation(self, name: str) -> tuple[int, Any]:
        """Status and body of GET /generation."""
        self.generation_misses -= 1
        if self.generation_misses >= 0 or name not in self.generations:
            return 404, {"error": {"message": f"Generation {name} not found", "code": 404}}
        return 200, {"data": {"id": name, **self.generations[name]}}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, break open connections off and wait for their threads; twice does nothing."""
        if self.stopping.is_set():
            return
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
        road = urlsplit(self.path)
        if road.path == "/v1/generation" and not self.server._queue:
            self._send(*self.server.generation(parse_qs(road.query)["id"][0]))
        elif road.path == "/v1/generation":
            self._answer(self.server.next_reply(None), {})
        elif self.path == "/v1/models" and not self.server._queue:
            listed = self.server.models and [
                {"id": one, "object": "model"} if isinstance(one, str) else one
                for one in self.server.models
            ]
            self._send(200, {"object": "list", "data": listed})
        elif self.path in self.server.lists:
            self._send(200, self.server.lists[self.path])
        elif self.path == "/v1/models":
            self._answer(self.server.next_reply(None), {})
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
            self._send(200, embeddings(sent, self.server.dimension))
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
        body = _fixed_body(reply)
        if body is not None:
            self._send(reply.status, body, reply.headers, reply.content_type, reply.bytes_each)
        elif sent.get("stream"):
            self._stream(reply, sent)
        elif reply.cut_after is not None or reply.stall_after is not None:
            self._break_off(reply)
        else:
            self._send(reply.status, completion(reply, sent), reply.headers)

    def _send(
        self,
        status: int,
        body: Any,
        headers: Mapping[str, str] = {},
        content_type: Any = None,
        bytes_each: int | None = None,
    ) -> None:
        data, guessed = encoded(body)
        self.send_response_only(status)
        self.send_header("Content-Type", content_type or guessed)
        length = ("Transfer-Encoding", "chunked") if bytes_each else ("Content-Length", len(data))
        self.send_header(length[0], str(length[1]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if bytes_each:
            starts = range(0, len(data) + bytes_each, bytes_each)
            pieces = [data[start : start + bytes_each] for start in starts]
            data = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
        self.wfile.write(data)
        self.wfile.flush()

    def _stream(self, reply: Reply, sent: Any) -> None:
        self.send_response_only(reply.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for count, event in enumerate(events(reply, sent)):
            if count in (reply.cut_after, reply.stall_after):
                self._break_off(reply)
                return
            self.server.stopping.wait(reply.pause)
            self._event(event)
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _event(self, event: Any) -> None:
        line = event if isinstance(event, str) else json.dumps(event)
        data = f"data: {line}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
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


def _fixed_body(reply: Reply) -> Any:
    if reply.error is not None:
        return {"error": {"message": reply.error, "type": "error", "code": None}}
    return HTML if reply.html else reply.body


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
