"""Peers in their own processes: told to begin, they answer with a figure."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def started(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def ask(peer: subprocess.Popen[str], first: int) -> float:
    peer.stdin.write(f"{first}\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline())
