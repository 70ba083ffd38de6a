"""A real HTTP server on 127.0.0.1 that speaks the OpenAI chat API and does as it is told.

    with Loopback() as server:
        server.reply(text="Paris.", cost=0.000012)
        ...                                # point a client at server.url
        assert "gpt-4o-mini" == server.requests[0].json["model"]

Replies are served in the order in which they were queued. With none left it asks `handler`,
a function of the request's JSON, and without one it answers "ok" with its usage.
From a shell: `python tests/loopback.py --port 8000`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

HTML = "<!DOCTYPE html><html><head><title>Gateway</title></head><body>Sign in</body></html>"


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    `usage`: "count" counts words, None sends none. `cost` is `usage.cost`, as OpenRouter
    sends it. `error` is the message of an OpenAI-style error body, `body` is sent as it is
    (bytes, text, or something to make JSON of), `html` a gateway's page. `content_type`
    overrides that of `body`. `chunks` are the pieces of text when streaming (default: words).
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
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    body: Any = None
    html: bool = False
    content_type: str | None = None
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

    `url` is the base URL for a client. `models` is what GET /models lists.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, handler: Callable[[Any], Reply] | None = None, *, port: int = 0, models=("loopback",)
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.handler = handler
        self.models = models
        self.requests: list[Seen] = []
        self.stopping = threading.Event()
        self._queue: deque[Reply] = deque()
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

    def next_reply(self, sent: Any) -> Reply:
        """The reply to this request: queued, the handler's, or the plain one."""
        try:
            return self._queue.popleft()
        except IndexError:
            return self.handler(sent) if self.handler else Reply()

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
        if self.path == "/v1/models" and not self.server._queue:
            listed = [{"id": name, "object": "model"} for name in self.server.models]
            self._send(200, {"object": "list", "data": listed})
        elif self.path == "/v1/models":
            self._answer(self.server.next_reply(None), {})
        else:
            self._send(404, "404 page not found")

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._seen(sent)
        if self.path == "/v1/chat/completions":
            self._answer(self.server.next_reply(sent), sent)
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
            self._send(reply.status, body, reply.headers, reply.content_type)
        elif sent.get("stream"):
            self._stream(reply, sent)
        elif reply.cut_after is not None or reply.stall_after is not None:
            self._break_off(reply)
        else:
            self._send(reply.status, _completion(reply, sent), reply.headers)

    def _send(
        self, status: int, body: Any, headers: Mapping[str, str] = {}, content_type: Any = None
    ) -> None:
        data, guessed = _encoded(body)
        self.send_response_only(status)
        self.send_header("Content-Type", content_type or guessed)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _stream(self, reply: Reply, sent: Any) -> None:
        self.send_response_only(reply.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for count, event in enumerate(_events(reply, sent)):
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


def _fixed_body(reply: Reply) -> Any:
    if reply.error is not None:
        return {"error": {"message": reply.error, "type": "error", "code": None}}
    return HTML if reply.html else reply.body


def _encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/json"
    if isinstance(body, str):
        return body.encode(), "text/html" if body.startswith("<") else "text/plain"
    return json.dumps(body).encode(), "application/json"


def _completion(reply: Reply, sent: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    whole = _envelope("chat.completion", reply, sent) | {"choices": [choice]}
    return whole | {"usage": usage} if (usage := _usage(reply, sent)) else whole


def _events(reply: Reply, sent: Any) -> Iterator[Any]:
    envelope = _envelope("chat.completion.chunk", reply, sent)
    pieces = re.findall(r"\S+\s*|\s+", reply.text) if reply.chunks is None else reply.chunks
    for piece in pieces:
        yield envelope | {"choices": [_delta({"content": piece}, None)]}
    if reply.finish_reason:
        yield envelope | {"choices": [_delta({}, reply.finish_reason)]}
    asked = (sent.get("stream_options") or {}).get("include_usage")
    if (asked or reply.cost is not None) and (usage := _usage(reply, sent)):
        yield envelope | {"choices": [], "usage": usage}
    if reply.done:
        yield "[DONE]"


def _delta(delta: Mapping[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _envelope(kind: str, reply: Reply, sent: Any) -> dict[str, Any]:
    model = reply.model or sent["model"]
    return {"id": "chatcmpl-loopback", "object": kind, "created": 0, "model": model}


def _usage(reply: Reply, sent: Any) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    counted = _counted(reply, sent) if reply.usage == "count" else dict(reply.usage)
    return counted if reply.cost is None else counted | {"cost": reply.cost}


def _counted(reply: Reply, sent: Any) -> dict[str, int]:
    asked = sum(len(message["content"].split()) for message in sent["messages"])
    answered = len(reply.text.split())
    total = asked + answered
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": total}


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
