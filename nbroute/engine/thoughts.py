"""What a model thinks before it answers, told apart from the answer.

Local servers hand on a reasoning model's output as it is. Which marks there are is after the
reasoning parsers of vLLM and SGLang and the list of Open WebUI
(https://docs.openwebui.com/features/chat-features/reasoning-models).
"""

from __future__ import annotations

#: What begins a thought at the head of an answer, and what ends it.
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


class ThoughtFilter:
    """Takes the thoughts out of the head of an answer that comes in pieces.

    It holds back what may yet turn out to be a mark, no more.
    """

    def __init__(self) -> None:
        self._held = ""
        self._end = ""
        self._after = False
        self._answering = False

    def feed(self, piece: str) -> tuple[str, str]:
        """The answer's text and the thought's that are known by now."""
        self._held += piece
        thought = ""
        while not self._answering:
            if self._end:
                more, ended = self._thought()
                thought += more
            else:
                ended = self._begun()
            if not ended:
                return "", thought
        text, self._held = self._held, ""
        return text, thought

    def end(self) -> tuple[str, str]:
        """What was held back, as text and as thought; a thought may have no end."""
        rest, self._held = self._held, ""
        return ("", rest) if self._end else (rest, "")

    def _begun(self) -> bool:
        """Whether it is known what comes: a thought, or the answer."""
        head = self._held.lstrip()
        if self._after:
            self._held = head
        for begin, end in _MARKS.items():
            if head.startswith(begin):
                self._held, self._end = head[len(begin) :].lstrip(), end
                return True
        self._answering = head not in _BEGUN
        return self._answering

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


def thought_before(text: str) -> tuple[str, str]:
    """The answer, and the thought before it that ends and never began.

    The chat templates of DeepSeek-R1 and Qwen begin the thought themselves, in the prompt. Its
    end has a line of its own.
    """
    thought, ended, answer = text.partition("</think>")
    alone = thought.rstrip(" \t")[-1:] in ("", "\n") and answer.lstrip(" \t")[:1] in ("", "\n")
    if not (ended and alone) or thought.count("```") % 2:
        return text, ""
    return answer.lstrip(), thought
