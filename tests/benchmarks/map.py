"""Requests a second of `router.map`, the bare openai SDK and LiteLLM's Router at 16 workers.

One loopback server in its own process; the classifier ngrams, a cache miss at every call, a
ledger on disk. The three take turns, so that the machine's other work affects them alike. Then
the memory for 1,000 and for 100,000 prompts on the simulated provider. LiteLLM's side runs with
`--peer`, in its own virtual environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from peers import ask, started

WORKERS, CALLS, ROUNDS, WARM_UP = 16, 800, 7, 100
SIZES = (1_000, 100_000)
MESSAGES = [{"role": "system", "content": "Be brief."}]

MEMORY = """
import resource, sys, tempfile, time
from pathlib import Path
from nbroute import Router
from nbroute.batch import map_prompts

count = int(sys.argv[1])
router = Router(profile="simulated", ledger=Path(tempfile.mkdtemp()) / "ledger.sqlite")
began = time.perf_counter()
prompts = (f"What is the capital of country number {n}?" for n in range(count))
batch = map_prompts(router, prompts, progress=False)
assert len(batch) == count and not batch.stopped
took = time.perf_counter() - began
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, count / took)
"""


def prompt(number: int) -> str:
    return f"What is the capital of country number {number}?"


def in_pool(call: Callable[[int], Any], first: int, count: int) -> float:
    """Calls a second of `call` in a thread pool."""
    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(call, range(first, first + count)):
            pass
    return count / (time.perf_counter() - began)


def bare_sdk(url: str) -> Callable[[int, int], float]:
    """The SDK alone in a pool."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="sk-bench")

    def call(number: int) -> Any:
        messages = [*MESSAGES, {"role": "user", "content": prompt(number)}]
        return client.chat.completions.create(model="m", messages=messages, max_tokens=256)

    return lambda first, count: in_pool(call, first, count)


def nbroute_map(url: str, folder: Path) -> Callable[[int, int], float]:
    """`router.map` as it is used; its rows go into a temporary file."""
    from decimal import Decimal

    from nbroute import Ladder, Price, Router, Tier
    from nbroute.batch import map_prompts
    from nbroute.providers.openai_compatible import OpenAICompatible

    price = Price(Decimal("0.15"), Decimal("0.6"), "configured")
    tiers = tuple(Tier(n, "loop", "m", 256, "Be brief.", price=price) for n in ("LOW", "HIGH"))
    router = Router(
        profile="simulated",
        provider=OpenAICompatible("loop", url, "sk-bench"),
        ladder=Ladder("bench", tiers, "LOW"),
        classifier="ngrams",
        ledger=folder / "ledger.sqlite",
    )

    def run(first: int, count: int) -> float:
        prompts = [prompt(number) for number in range(first, first + count)]
        began = time.perf_counter()
        batch = map_prompts(router, prompts, workers=WORKERS, progress=False)
        took = time.perf_counter() - began
        assert len(batch) == count, batch
        assert not batch.failed(), batch.failed()[0].error
        return count / took

    return run


def litellm_router(url: str) -> Callable[[int, int], float]:
    """LiteLLM's Router in a pool."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm import Router

    deployment = {"model": "openai/m", "api_base": url, "api_key": "sk-bench"}
    router = Router(model_list=[{"model_name": "cheap", "litellm_params": deployment}])

    def call(number: int) -> Any:
        messages = [*MESSAGES, {"role": "user", "content": prompt(number)}]
        return router.completion(model="cheap", messages=messages, max_tokens=256)

    return lambda first, count: in_pool(call, first, count)


def serve_rounds(url: str) -> None:
    """The peer's side: one round for each line on standard input, its rate on standard output."""
    run = litellm_router(url)
    run(-WARM_UP, WARM_UP)
    for first in sys.stdin:
        print(json.dumps(run(int(first), CALLS)), flush=True)


def measure(url: str, folder: Path, theirs: Any) -> list[tuple[float, float, float | None]]:
    sdk, ours = bare_sdk(url), nbroute_map(url, folder)
    for run in (sdk, ours):
        run(-WARM_UP, WARM_UP)
    rounds = []
    for turn in range(ROUNDS):
        first = turn * CALLS
        peer = ask(theirs, first) if theirs else None
        rounds.append((sdk(first, CALLS), ours(first, CALLS), peer))
    return rounds


def report(rounds: list[tuple[float, float, float | None]]) -> None:
    """Medians, and the median of the ratios within a round."""
    for place, name in enumerate(("bare openai SDK", "nbroute map", "LiteLLM Router")):
        if rounds[0][place] is None:
            print(f"{name:<16} not measured: make bench makes .venv-peers")
            continue
        rate = statistics.median(r[place] for r in rounds)
        ratios = [r[place] / r[0] for r in rounds]
        print(
            f"{name:<16} {rate:5.0f} requests a second: {statistics.median(ratios):.2f} of the "
            f"bare SDK ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def report_memory() -> None:
    for size in SIZES:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(size)], capture_output=True, text=True, check=True
        )
        peak, rate = map(float, done.stdout.split())
        print(f"{size:>7,} simulated prompts: peak memory {peak:.0f} MB, {rate:.0f} a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=".venv-peers/bin/python")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--peer", metavar="URL")
    chosen = parser.parse_args()
    if chosen.peer:
        serve_rounds(chosen.peer)
        return
    here = Path(__file__).resolve()
    server = (sys.executable, str(here.parent.parent / "loopback.py"), "--port", "0")
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(started(*server)).stdout.readline().strip()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = (chosen.peers, str(here), "--peer", url)
        theirs = stack.enter_context(started(*peer)) if Path(chosen.peers).exists() else None
        report(measure(url, folder, theirs))
    if not chosen.no_memory:
        report_memory()


if __name__ == "__main__":
    main()
