"""The default classifier's figures: python tests/benchmarks/classifier.py

Reads the benchmark files from NBROUTE_DATA (default ../shared/data). Where they are absent
only speed and the accuracy on the blind prompts are printed.
"""

from __future__ import annotations

import json
import os
import timeit
from pathlib import Path
from typing import Any

from routellm import FILES, Outcome, accuracy_by, cpt, load, tier_shares

from nbroute.classify.articles import ARTICLES
from nbroute.classify.examples import LABELS
from nbroute.classify.ngrams import NgramClassifier
from nbroute.compare.matrix import Share, share
from nbroute.errors import SettingsError
from nbroute.evaluate.training import apgr, bootstrap
from nbroute.types import Ladder, Tier

HERE = Path(__file__).parent
#: Written by somebody who had seen neither the code nor any other prompt; never trained on.
BLIND = HERE.parent / "data" / "blind_prompts.jsonl"
LADDER = Ladder("four", tuple(Tier(name, "none", name, 1) for name in LABELS), "MEDIUM")
BOOTSTRAPS = 300
NGRAMS = NgramClassifier()

TWO_HUNDRED_WORDS = """I run a small library in a coastal town and we lend out tools as well as
books. Over the last year the tool side has grown from forty items to almost three hundred, and
the paper cards we use no longer work. People forget to bring things back, two volunteers sometimes
promise the same drill to different neighbours, and nobody can say at the end of the month which
items were out the most. We have one old laptop at the desk, a printer for labels, and about twelve
volunteers of whom perhaps four are happy with computers. There is no budget to speak of, though a
local shop has offered us a used tablet. I would like you to write a plan for moving from the cards
to something better over the summer, when it is quiet. Compare at least two ways of doing it, say
what could go wrong with each, and explain how we should train the volunteers. Please keep in mind
that the internet connection drops when the weather is bad, and that the older volunteers will not
use a telephone for this. At the end, give a short list of what to do first.""".replace("\n", " ")


def microseconds(prompt: str, number: int = 5) -> tuple[float, float]:
    """The best of 200 short rounds, for a decision and for `len(prompt.split())`."""
    rounds = [
        min(timeit.repeat(call, number=number, repeat=200)) / number * 1e6
        for call in (lambda: NGRAMS.classify(prompt, LADDER), lambda: len(prompt.split()))
    ]
    return rounds[0], rounds[1]


def speed() -> None:
    """Time and its ratio to counting words, warm, for four sizes of prompt."""
    words = (TWO_HUNDRED_WORDS + " ") * 6
    for size in (5, 50, 200, 1000):
        decided, counted = microseconds(" ".join(words.split()[:size]))
        ratio = decided / counted
        print(f"{size:>6} words: {decided:7.1f} us a decision, {ratio:6.1f} times counting words")
    decided, counted = microseconds("word " * 200_000, number=1)
    print(f"{'1 MB':>12}: {decided:7.1f} us a decision, {decided / counted:6.3f} times")


def routing(name: str, rows: list[Outcome]) -> None:
    """APGR and CPT of the classifier, of chance, of prompt length and of the oracle."""
    weak = [row["weak"] for row in rows]
    strong = [row["strong"] for row in rows]
    routers = {
        "ngrams": [NGRAMS.score(row["prompt"]) for row in rows],
        "random": [0.0] * len(rows),
        "words": [float(len(row["prompt"].split())) for row in rows],
        "oracle": [b - a for a, b in zip(weak, strong, strict=True)],
    }
    print(f"{name} ({len(rows)} prompts): APGR [95% interval], CPT(50%), CPT(80%)")
    for router, scores in routers.items():
        low, high = bootstrap(apgr, scores, weak, strong, samples=BOOTSTRAPS)
        half, most = (cpt(scores, weak, strong, part) for part in (0.5, 0.8))
        area = apgr(scores, weak, strong)
        print(f"  {router:>7}: {area:.3f} [{low:.3f}, {high:.3f}]  {half:.3f}  {most:.3f}")


def shares(rows: list[Outcome]) -> None:
    """The tiers' shares of MT-Bench."""
    got = tier_shares(NGRAMS.classify(row["prompt"], LADDER).tier for row in rows)
    print("MT-Bench tiers: " + ", ".join(f"{tier} {part:.0%}" for tier, part in got.items()))


def blind() -> None:
    """Right decisions on blind prompts: ours, the rules of the articles, word quartiles."""
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in BLIND.read_text("utf-8").splitlines()
    ]
    wanted = [row["tier"] for row in rows]
    words = [len(row["prompt"].split()) for row in rows]
    cuts = [sorted(words)[len(rows) * part // 4] for part in (1, 2, 3)]
    decisions = [NGRAMS.classify(row["prompt"], LADDER) for row in rows]
    guesses = {
        name: [rules.classify(row["prompt"], LADDER).tier for row in rows]
        for name, rules in ARTICLES.items()
    }
    guesses["words"] = [LABELS[sum(count >= cut for cut in cuts)] for count in words]
    guesses["ngrams"] = [decision.tier for decision in decisions]
    for name, got in guesses.items():
        right = share(sum(a == b for a, b in zip(wanted, got, strict=True)), len(rows))
        off = [abs(LABELS.index(a) - LABELS.index(b)) for a, b in zip(wanted, got, strict=True)]
        print(f"blind prompts, {name}: exact {told(right)}")
        print(f"    at most one tier off {told(share(sum(gap < 2 for gap in off), len(rows)))}")
    bins = [f"{min(int((decision.confidence or 0) * 10), 9) / 10:.1f}" for decision in decisions]
    fields = {key: [row[key] for row in rows] for key in ("tier", "lang", "category")}
    for key, groups in (fields | {"confidence from": bins}).items():
        found = accuracy_by(groups, wanted, guesses["ngrams"])
        for group, (right, total) in sorted(found.items()):
            print(f"  {key} {group}: {told(share(right, total))}")


def told(found: Share) -> str:
    """`72.1% [66.1, 77.4] of 240`."""
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.hits / found.of:.1f}% [{low:.1f}, {high:.1f}] of {found.of}"


if __name__ == "__main__":
    folder = os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))
    speed()
    blind()
    try:
        for dataset in FILES:
            routing(dataset, load(dataset, folder))
        shares(load("mt_bench", folder))
    except SettingsError as error:
        print(f"APGR and MT-Bench left out: {error}")
