"""Time of `router.route` against the bare openai SDK, and LiteLLM's Router, on one server.

The classifier ngrams, a cache miss at every call, a ledger on disk. The three take turns, so that
the machine's other work affects them alike. LiteLLM's side runs with `--peer`, in its own virtual
environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import ask, started

CALLS, ROUNDS, WARM_UP = 100, 5, 20
MESSAGES = [{"role": "system", "content": "Be brief."}]


def timed(call: Callable[[int], Any], first: int) -> float:
    """Median milliseconds of a call."""
    times = []
    for number in range(first, first + CALLS):
        began = time.perf_counter()
        call(number)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def prompt(number: int) -> str:
    return f"What is the capital of country number {number}?"


def bare_sdk(url: str) -> tuple[Callable[[int], Any], Callable[[int], float]]:
    """The SDK alone: a whole answer, and milliseconds to the first token of a stream."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="sk-bench")

    def call(number: int, *, stream: bool = False) -> Any:
        messages = [*MESSAGES, {"role": "user", "content": prompt(number)}]
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return client.chat.completions.create(
            model="m", messages=messages, max_tokens=256, **options
        )

    def first_token(number: int) -> float:
        began = time.perf_counter()
        found = 0.0
        for event in call(number, stream=True):
            if not found and event.choices and event.choices[0].delta.content:
                found = (time.perf_counter() - began) * 1000
        return found

    return call, first_token


def nbroute_router(url: str, folder: Path) -> tuple[Callable[[int], Any], Callable[[int], float]]:
    """The same two through nbroute."""
    from decimal import Decimal

    from nbroute import Ladder, Price, Router, Tier
    from nbroute.providers.openai_compatible import OpenAICompatible
    from nbroute.types import Text

    price = Price(Decimal("0.15"), Decimal("0.6"), "configured")
    tiers = tuple(Tier(n, "loop", "m", 256, "Be brief.", price=price) for n in ("LOW", "HIGH"))
    router = Router(
        profile="simulated",
        provider=OpenAICompatible("loop", url, "sk-bench"),
        ladder=Ladder("bench", tiers, "LOW"),
        classifier="ngrams",
        ledger=folder / "ledger.sqlite",
    )

    def first_token(number: int) -> float:
        began = time.perf_counter()
        found: list[float] = []

        def look(event: object) -> None:
            if isinstance(event, Text) and not found:
                found.append((time.perf_counter() - began) * 1000)

        router.route(prompt(number), observe=look)
        return found[0]

    return lambda number: router.route(prompt(number), stream=False), first_token


def litellm_router(url: str) -> Callable[[int], Any]:
    """LiteLLM's Router on the same server."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm import Router

    deployment = {"model": "openai/m", "api_base": url, "api_key": "sk-bench"}
    router = Router(model_list=[{"model_name": "cheap", "litellm_params": deployment}])

    def call(number: int) -> Any:
        messages = [*MESSAGES, {"role": "user", "content": prompt(number)}]
        return router.completion(model="cheap", messages=messages, max_tokens=256)

    return call


def serve_rounds(url: str) -> None:
    """The peer's side: one round for each line on standard input, its median on standard output."""
    call = litellm_router(url)
    for number in range(WARM_UP):
        call(number)
    for first in sys.stdin:
        print(json.dumps(timed(call, int(first))), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=".venv-peers/bin/python")
    parser.add_argument("--peer", metavar="URL")
    chosen = parser.parse_args()
    if chosen.peer:
        serve_rounds(chosen.peer)
        return
    here = Path(__file__).resolve()
    server = (sys.executable, str(here.parent.parent / "loopback.py"), "--port", "0")
    has_peer = Path(chosen.peers).exists()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(started(*server)).stdout.readline().strip()
        peer = (chosen.peers, str(here), "--peer", url)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sdk, sdk_first = bare_sdk(url)
        ours, ours_first = nbroute_router(url, folder)
        theirs = stack.enter_context(started(*peer)) if has_peer else None
        report(measure(sdk, ours, theirs), measure_first(sdk_first, ours_first), has_peer)


def measure(sdk: Any, ours: Any, theirs: Any) -> list[tuple[float, float, float | None]]:
    for number in range(-WARM_UP, 0):
        sdk(number)
        ours(number)
    rounds = []
    for turn in range(ROUNDS):
        first = turn * CALLS
        rounds.append(
            (timed(sdk, first), timed(ours, first), ask(theirs, first) if theirs else None)
        )
    return rounds


def measure_first(sdk: Any, ours: Any) -> tuple[float, float]:
    pairs = [(sdk(10_000 + n), ours(10_000 + n)) for n in range(CALLS)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def report(rounds: Any, first: tuple[float, float], has_peer: bool) -> None:
    sdk, ours = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    print(f"bare openai SDK        {sdk:7.2f} ms a call")
    print(f"nbroute Router.route   {ours:7.2f} ms a call: {ours / sdk:.2f} times the bare SDK")
    if has_peer:
        peer = statistics.median(r[2] for r in rounds)
        print(f"LiteLLM Router         {peer:7.2f} ms a call: {peer / sdk:.2f} times the bare SDK")
    else:
        print("LiteLLM Router         not measured: make bench makes .venv-peers")
    print(
        f"first shown token      {first[1]:7.2f} ms, bare SDK's stream {first[0]:.2f} ms: "
        f"{first[1] - first[0]:+.2f} ms, {first[1] / first[0]:.2f} times"
    )


if __name__ == "__main__":
    main()
