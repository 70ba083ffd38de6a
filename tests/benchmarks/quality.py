"""Quality against cost of the shipped router on real outcomes: python tests/benchmarks/quality.py

Reads RouteLLM's benchmark files and `agreement.jsonl.gz` from NBROUTE_DATA (default
../shared/data) and prints what `router.quality` says about each. The ladders have the models whose
outcomes these are, at today's list prices; nothing is sent.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from agreement import FLASH, GPT4O, LLAMA, LLAMA_PRO, MINI, PRO, SONNET
from checks import FILE, HERE
from routellm import FILES, load

from nbroute import Router
from nbroute.engine.context import Spec
from nbroute.errors import SettingsError
from nbroute.pricing import cost_of, estimate_tokens
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.report.metrics import wilson
from nbroute.types import Ladder, Tier, Usage

#: The models, under their names in the price list.
LISTED = {
    LLAMA: "meta-llama/llama-3.1-8b-instruct",
    LLAMA_PRO: "meta-llama/llama-3.1-8b-instruct",
    MINI: "openai/gpt-4o-mini",
    FLASH: "google/gemini-flash-1.5",
    PRO: "google/gemini-pro-1.5",
    GPT4O: "openai/gpt-4o",
    SONNET: "anthropic/claude-3.5-sonnet",
}
WEAK, STRONG = "mistralai/mixtral-8x7b-instruct", "openai/gpt-4-1106-preview"
TRIOS = {
    "mmlu-pro": (LLAMA_PRO, FLASH, PRO),
    "crux": (LLAMA, MINI, SONNET),
    "math-l5": (LLAMA, MINI, GPT4O),
}
TIERS = ("fast", "mid", "power")


def router(classifier: Spec | None = None, **models: str) -> Router:
    """A router over a ladder of those models, by tier; its provider is never asked."""
    tiers = [Tier(name, "openrouter", model, 1024) for name, model in models.items()]
    ladder = Ladder("measured", tuple(tiers), tiers[0].name)
    nobody = OpenAICompatible("openrouter", "http://127.0.0.1:9", "none")
    given = {"ladder": ladder, "provider": nobody, "classifier": classifier}
    return Router(profile="simulated", ledger=":memory:", **given)


def pairs(folder: str) -> Iterator[tuple[str, Router, pd.DataFrame]]:
    """RouteLLM's benchmarks, on a ladder of two tiers, weak and strong."""
    for name in FILES:
        frame = pd.DataFrame(load(name, folder))
        if name == "mt_bench":  # from 1 to 10
            frame[["weak", "strong"]] = (frame[["weak", "strong"]] - 1) / 9
        yield name, router(cheap=WEAK, expensive=STRONG), frame


def trios(folder: str) -> Iterator[tuple[str, Router, pd.DataFrame]]:
    """Three models on the same prompts, at what their real answers cost."""
    with gzip.open(Path(folder) / FILE, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for name, models in TRIOS.items():
        routing = router(**dict(zip(TIERS, (LISTED[model] for model in models), strict=True)))
        found = [outcome(row, models, routing.ladder) for row in rows if row["set"] == name]
        yield name, routing, pd.DataFrame(found)


def outcome(row: dict[str, Any], models: tuple[str, ...], ladder: Ladder) -> dict[str, Any]:
    """A row as `router.quality` takes it."""
    told = {"prompt": row["prompt"]}
    for tier, model in zip(ladder.tiers, models, strict=True):
        answer = row["models"][model]
        usage = Usage(estimate_tokens(row["prompt"]), estimate_tokens(answer["answer"]))
        usd = cost_of(usage, tier, tier.model, "remote").usd
        told |= {tier.name: answer["correct"], f"{tier.name}_usd": float(usd or 0)}
    return told


def by_chance(prompts: int, tables: int = 300) -> str:
    """How often it calls routing better or worse where it is neither, by simulation."""
    draw = np.random.default_rng(prompts)
    routing = router(lambda prompt: prompt.split()[0], cheap=WEAK, expensive=STRONG)
    said = 0
    for _ in range(tables):
        picked = np.where(draw.random(prompts) < 0.4, "expensive", "cheap")
        table = {"prompt": [f"{tier} {place}" for place, tier in enumerate(picked)]}
        table |= {"weak": draw.random(prompts) < 0.6, "strong": draw.random(prompts) < 0.85}
        said += routing.quality(pd.DataFrame(table)).better is not None
    low, high = wilson(said / tables, tables)
    return f"{prompts} prompts: {said / tables:.1%} [{low:.1%}, {high:.1%}] of {tables} tables"


if __name__ == "__main__":
    data = os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))
    for sets in (pairs, trios):
        try:
            for title, routing, scores in sets(data):
                print(f"\n{title}: {' < '.join(tier.model for tier in routing.ladder.tiers)}")
                print(routing.quality(scores))
        except (SettingsError, OSError) as error:
            print(f"left out: {error}")
    print("\na verdict where routing has nothing to do with the scores (5% would be right)")
    for size in (30, 100, 300):
        print(by_chance(size))
