"""The Markdown around an answer that is meant for a program."""

from __future__ import annotations


def without_fence(text: str) -> str:
    """The text without the Markdown code fence that models like to put around JSON."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text.strip()
