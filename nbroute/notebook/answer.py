"""A model's answer as HTML, Markdown and plain text that nothing in can run or load."""

from nbroute.notebook.answer_html import (
    LONGEST_MARKDOWN,
    answer_html,
    marked_html,
    plain_html,
    safe_html,
)
from nbroute.notebook.markdown_inline import DOLLAR
from nbroute.notebook.untrusted import escape_markdown, safe_markdown, safe_plain

__all__ = [
    "DOLLAR",
    "LONGEST_MARKDOWN",
    "answer_html",
    "escape_markdown",
    "marked_html",
    "plain_html",
    "safe_html",
    "safe_markdown",
    "safe_plain",
]
