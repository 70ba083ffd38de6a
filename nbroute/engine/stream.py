"""A reply as its pieces come in, from the wire to a whole."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from nbroute.checks.confidence import RatingFilter
from nbroute.decoding import Halves
from nbroute.engine.attempts import believed
from nbroute.errors import BadReply, NbrouteError, SettingsError
from nbroute.locks import thread_for
from nbroute.pricing import estimate_tokens, fewest_tokens
from nbroute.types import Chunk, Done, Observer, Reply, Request, RouteResult, Text, Usage

Item = TypeVar("Item")


#: What begins a thought at the head of an answer, and what ends it: local servers pass a
#: reasoning model's output on as it is. After the reasoning parsers of vLLM and SGLang and the list
#: of Open WebUI (https://docs.openwebui.com/features/chat-features/reasoning-models).
_MARKS = {
    **{
        f"<{tag}>": f"</{tag}>"
        for word in ("think", "thinking", "thought", "reason", "reasoning")
        for tag in (word, word.title(), word.upper())
    },
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
#: What may yet become one of the marks.
_BEGUN = {begin[:size] for begin in _MARKS for size in range(len(begin))}
#: Tokens of thought, more than any model is given by default.
_THINKING = 100_000
#: Bytes of a token of plain English, and about as many of Chinese.
_DENSE = 6


class ReplyBuilder:
    """A reply as its pieces come in.

    A thought at the head of its text goes to the reasoning, and a rating that was asked for is
    taken out. `began` is when the request was sent (`time.perf_counter`), `shown` whether any text
    was handed out to be shown, `doubt` what the user should know about the endpoint's count.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.shown = False
        self.doubt = ""
        self.began = 0.0
        self._model = request.model
        self._effort = request.effort
        self._usage: Usage | None = None
        self._filter = RatingFilter() if request.rated else None
        self._rating: float | None = None
        self._parts: list[str] = []
        self._reasoning: list[str] = []
        self._thoughts = _ThoughtFilter()
        self._halves, self._halves_thought = Halves(), Halves()
        self._content: list[str] = []
        self._received = 0
        self._look_at = 0.0
        self._logprobs: list[float] = []
        self._finish: str | None = None
        self._id: str | None = None
        self._ttft_ms: float | None = None
        self._clock_ms: float | None = None

    @property
    def text(self) -> str:
        """What has come in of the answer so far."""
        return "".join(self._parts)

    @property
    def reasoning(self) -> str:
        """What has come in of its reasoning so far."""
        return "".join(self._reasoning)

    @property
    def thinks(self) -> bool:
        """Whether some of its reasoning has come in and nothing of the answer."""
        return bool(self.reasoning.strip()) and not self.text.strip()

    def add(self, chunk: Chunk) -> str:
        """Take the piece in; the text that can be shown now, if the request streams."""
        received = chunk.text or chunk.reasoning
        self._clock_ms = chunk.clock_ms if chunk.clock_ms is not None else self._clock_ms
        if received and self._ttft_ms is None:
            self._ttft_ms = self._elapsed_ms()
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish_reason or self._finish
        self._model = chunk.model or self._model
        self._id = chunk.id or self._id
        self._effort = None if chunk.effortless else self._effort
        said = self._halves.feed(chunk.text)
        text, thought = self._thoughts.feed(said)
        self._reasoning += [self._halves_thought.feed(chunk.reasoning), thought]
        # White space at the head, and a rating, are held back.
        self._content.append(text if thought else said)
        self._received += len(chunk.text) + len(chunk.reasoning)
        if text or not received:
            self._logprobs.extend(filter(math.isfinite, chunk.logprobs))
        if self._filter and text:
            text = self._filter.feed(text)
        if not text:
            return ""
        self._parts.append(text)
        self.shown = self.request.stream
        return text if self.shown else ""

    def overrun(self, *, reserved: bool) -> str:
        """Why the rest of the answer is not read; empty if it may continue.

        Its tokens are counted low, as a needless stop costs an answer. Some endpoints let a model
        think outside its budget (Alibaba's `thinking_budget`,
        https://www.alibabacloud.com/help/en/model-studio/deep-thinking): that is allowed if
        no money was `reserved` for the budget's tokens alone.
        """
        budget = self.request.max_tokens
        most = budget if reserved else budget * 1.1 + 8
        if self._received < self._look_at:
            return ""
        text, thought = "".join(self._content), self.reasoning
        beyond = max(0, len(thought.encode()) / _DENSE - _THINKING)
        counted = fewest_tokens(text) + (fewest_tokens(thought) if reserved else beyond)
        if counted <= most:
            # A token has at least one character.
            self._look_at = self._received + max(most - counted, most / 16)
            return ""
        self._finish = "length"
        taken = estimate_tokens(thought + text)
        return (
            f"{self.request.model!r} went on past its budget of {budget:,} tokens and was stopped "
            f"after about {taken:,}: raise max_tokens if you want more of it"
        )

    def end(self) -> str:
        """Nothing more comes; the text that has not been shown yet."""
        self._reasoning.append(self._halves_thought.end())
        text, thought = self._thoughts.feed(self._halves.end())
        rest, more = self._thoughts.end()
        rest, thought = text + rest, thought + more
        if self._filter is not None:
            rest = self._filter.feed(rest)
            last, self._rating = self._filter.end()
            rest += last
        self._reasoning.append(thought)
        self._parts.append(rest)
        if not self.reasoning:
            text, thought = _thought_before(self.text)
            self._parts, self._reasoning = [text], [thought]
        return rest if self.request.stream else self.text

    def whole(self) -> str:
        """The answer has ended; the text that has not been shown yet.

        BadReply if the model only reasoned, or wrote nothing but white space up to its limit.
        """
        rest = self.end()
        said = f"{self.request.model!r} gave no answer"
        said += ", only its reasoning" if self.thinks else ""
        if self._finish == "length" and not self.text.strip():
            used = f"its budget of {self.request.max_tokens} tokens is used up"
            raise BadReply(f"{said}: {used}, raise max_tokens")
        if self.thinks:
            raise BadReply(
                f"{said} (finish_reason {self._finish!r}): ask again, raise max_tokens, or see "
                "whether the server's reasoning parser takes the answer for a thought"
            )
        return rest

    def reply(self) -> Reply:
        """What has come in; if the endpoint did not count the tokens, we did."""
        text, reasoning = self.text, self.reasoning.strip()
        usage, self.doubt = believed(self._usage, self.request, reasoning + text)
        known = self._logprobs
        return Reply(
            text,
            self._model,
            usage,
            self._finish,
            self._elapsed_ms(),
            self._ttft_ms,
            rating=self._rating,
            logprob=sum(known) / len(known) if known else None,
            id=self._id,
            reasoning=reasoning,
            effort=self._effort,
        )

    def _elapsed_ms(self) -> float:
        if self._clock_ms is not None:
            return self._clock_ms
        return (time.perf_counter() - self.began) * 1000


class _ThoughtFilter:
    """Takes the thoughts out of the head of an answer that comes in pieces.

    It holds back only what may yet turn out to be a mark.
    """

    def __init__(self) -> None:
        self._held = ""
        self._end = ""
        self._after = False
        self._answering = False

    def feed(self, piece: str) -> tuple[str, str]:
        """What is known by now of the answer's text and of the thought's."""
        self._held += piece
        thought = ""
        while not self._answering:
            if self._end:
                more, ended = self._thought()
                thought += more
                if not ended:
                    return "", thought
                continue
            head = self._held.lstrip()
            if self._after:
                self._held = head
            begun = next((begin for begin in _MARKS if head.startswith(begin)), "")
            if begun:
                self._held, self._end = head[len(begun) :].lstrip(), _MARKS[begun]
            elif head in _BEGUN:
                return "", thought
            else:
                self._answering = True
        text, self._held = self._held, ""
        return text, thought

    def end(self) -> tuple[str, str]:
        """What was held back, as text and as thought; a thought may have no end."""
        rest, self._held = self._held, ""
        return ("", rest) if self._end else (rest, "")

    def _thought(self) -> tuple[str, bool]:
        """The thought so far, and whether it has ended."""
        thought, ended, rest = self._held.partition(self._end)
        if ended:
            self._held, self._end, self._after = rest, "", True
            return thought, True
        # The last characters may be the beginning of the mark.
        sizes = range(min(len(self._end) - 1, len(thought)), 0, -1)
        kept = next((size for size in sizes if thought.endswith(self._end[:size])), 0)
        self._held = thought[len(thought) - kept :]
        return thought[: len(thought) - kept], False


def _thought_before(text: str) -> tuple[str, str]:
    """The answer, and the thought before it whose beginning is missing.

    The chat templates of DeepSeek-R1 and Qwen begin the thought themselves, in the prompt. Its
    end is on a line of its own.
    """
    thought, ended, answer = text.partition("</think>")
    alone = thought.rstrip(" \t")[-1:] in ("", "\n") and answer.lstrip(" \t")[:1] in ("", "\n")
    if not (ended and alone) or thought.count("```") % 2:
        return text, ""
    return answer.lstrip(), thought


def _handed_on(
    produce: Callable[[Callable[[Item], None]], object], cancel: threading.Event | None = None
) -> Generator[Item, None, None]:
    """What `produce` hands on from a thread of its own; raises what it raises.

    KeyboardInterrupt once `cancel` is set, even while nothing comes.
    """
    inbox: queue.SimpleQueue[Item | Future[Any]] = queue.SimpleQueue()
    outcome, thread = thread_for(lambda: produce(inbox.put))
    outcome.add_done_callback(inbox.put)
    thread.start()
    while cancel is None or not cancel.is_set():
        try:
            item = inbox.get(timeout=0.05)
        except queue.Empty:
            continue
        if isinstance(item, Future):
            item.result()
            return
        yield item
    raise KeyboardInterrupt


def until(cancel: threading.Event | None, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    """The chunks until `cancel` is set, even while none arrives; then KeyboardInterrupt.

    Only a cancellable call pays for the second thread: in the main thread Ctrl-C interrupts
    the wait by itself.
    """
    if cancel is None:
        try:
            yield from chunks
        finally:
            _close(chunks)
        return
    left = threading.Event()

    def pump(put: Callable[[Chunk], None]) -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if left.is_set():
                    return
        finally:
            _close(chunks)

    try:
        yield from _handed_on(pump, cancel)
    finally:
        left.set()


def _close(chunks: Iterator[Chunk]) -> None:
    if hasattr(chunks, "close"):
        chunks.close()


class TextStream:
    """The pieces of an answer; `result` is the `RouteResult` once it has ended.

    Leaving the loop early stops the call, and so does `close()`.
    """

    def __init__(self, route: Callable[..., RouteResult]) -> None:
        self.result: RouteResult | None = None
        self._route = route
        self._cancel = threading.Event()
        self._started = False

    def __iter__(self) -> Iterator[str]:
        if self._started:
            raise SettingsError("a stream is read once; its text is in .result.text")
        self._started = True

        def route(put: Observer) -> None:
            self._route(observe=put, cancel=self._cancel)

        try:
            for event in _handed_on(route):
                if isinstance(event, Text):
                    yield event.text
                if isinstance(event, Done):
                    self.result = event.result
        except NbrouteError as error:
            self.result = error.result
            raise
        finally:
            self._cancel.set()

    def close(self) -> None:
        """Stop the call; what had arrived is in the ledger."""
        self._cancel.set()
