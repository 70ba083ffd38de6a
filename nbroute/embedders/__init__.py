"""Texts -> vectors, and what is kept of them; this file prepares texts for an embedder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from nbroute.errors import ProviderError
from nbroute.pricing import estimate_tokens
from nbroute.types import Usage


def sendable(text: str) -> str:
    """The text without lone surrogates, which no encoder takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def within(text: str, tokens: int) -> str:
    """The text, or, if it is over the limit, its beginning and end (three parts to one)."""
    count = estimate_tokens(text)
    if count <= tokens:
        return text
    room = len(text) * tokens // count
    return f"{text[: room * 3 // 4]}\n{text[-(room // 4) - 1 :]}"


def content_key(text: str) -> bytes:
    """The SHA-256 of the text, under which its vector is kept without the text."""
    return hashlib.sha256(sendable(text).encode()).digest()


def summed(usages: Iterable[Usage | None]) -> Usage | None:
    """The known usages added up: billed if all are, estimated if any is."""
    known = [usage for usage in usages if usage is not None]
    billed = [usage.billed_usd for usage in known if usage.billed_usd is not None]
    if not known:
        return None
    return Usage(
        sum(usage.input_tokens for usage in known),
        billed_usd=sum(billed, Decimal(0)) if len(billed) == len(known) else None,
        estimated=any(usage.estimated for usage in known),
    )


@contextlib.contextmanager
def telling(counted: Callable[[], Usage | None]) -> Iterator[None]:
    """Add what was counted so far to the usage of a ProviderError that passes through."""
    try:
        yield
    except ProviderError as error:
        error.usage = summed((counted(), error.usage))
        raise
