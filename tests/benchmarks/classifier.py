"""The rules' figures: python tests/benchmarks/rules.py

Reads the benchmark files from NBROUTE_DATA (default ../shared/data). Where they are absent
only speed and the accuracy on our own prompts are printed.
"""

from __future__ import annotations

import json
import os
import timeit
from pathlib import Path

from routellm import FILES, Outcome, accuracy_by, cpt, load, tier_shares

from nbroute.classify.articles import article_rules
from nbroute.classify.rules import RulesClassifier
from nbroute.errors import SettingsError
from nbroute.evaluate.training import apgr, bootstrap
from nbroute.types import Ladder, Tier

HERE = Path(__file__).parent
BLIND = HERE.parent / "data" / "blind_prompts.jsonl"
ARTICLES = ("rules:two-tier", "rules:three-tier", "rules:four-tier")
PROMPTS = HERE.parent / "data" / "tier_prompts.jsonl"
BANDS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
LADDER = Ladder("four", tuple(Tier(name, "none", name, 1) for name in BANDS), "MEDIUM")
BOOTSTRAPS = 300
RULES = RulesClassifier()

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


def microseconds(prompt: str, number: int = 500) -> tuple[float, float]:
    """The best of seven rounds: of a decision, and of `len(prompt.split())`."""
    rounds = [
        min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6
        for call in (lambda: RULES.classify(prompt, LADDER), lambda: len(prompt.split()))
    ]
    return rounds[0], rounds[1]


def speed() -> None:
    """Time and its ratio to counting words, for four sizes of prompt."""
    sizes = {
        "5 words": "Is P equal to NP?",
        f"{len(TWO_HUNDRED_WORDS.split())} words": TWO_HUNDRED_WORDS,
        "200 words, pasted": "What is it about?\n\n" + TWO_HUNDRED_WORDS.replace("?", "."),
    }
    for name, prompt in sizes.items():
        decided, counted = microseconds(prompt)
        ratio = decided / counted
        print(f"{name:>20}: {decided:7.1f} us a decision, {ratio:6.1f} times counting words")
    decided, counted = microseconds("word " * 200_000, number=3)
    print(f"{'1 MB':>20}: {decided:7.1f} us a decision, {decided / counted:6.3f} times")


def routing(name: str, rows: list[Outcome]) -> None:
    """APGR and CPT of the rules beside random, prompt length and the oracle."""
    weak = [row["weak"] for row in rows]
    strong = [row["strong"] for row in rows]
    routers = {
        "rules": [RULES.score(row["prompt"]) for row in rows],
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
    got = tier_shares(RULES.classify(row["prompt"], LADDER).tier for row in rows)
    print("MT-Bench tiers: " + ", ".join(f"{tier} {part:.0%}" for tier, part in got.items()))


def accuracy() -> None:
    """Right decisions on our own prompts: the half the rules were tuned on, and the other."""
    rows = [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]
    decisions = [RULES.classify(row["prompt"], LADDER) for row in rows]
    expected = [row["tier"] for row in rows]
    actual = [decision.tier for decision in decisions]
    halves = accuracy_by([row["half"] for row in rows], expected, actual)
    for half, (right, total) in halves.items():
        print(f"own prompts, {half}: {right / total:.3f} of {total}")
    keys = [(row["category"], row["half"]) for row in rows]
    found = accuracy_by(keys, expected, actual)
    for category in sorted({category for category, _ in keys}):
        parts = (
            f"{h} {'/'.join(map(str, found[category, h]))}"
            for h in halves
            if (category, h) in found
        )
        print(f"  {category:>10}: {', '.join(parts)}")
    bins = [f"{int((d.confidence or 0) * 10) / 10:.1f}" for d in decisions]
    for low, (right, total) in sorted(accuracy_by(bins, expected, actual).items()):
        print(f"  confidence from {low}: {right / total:.3f} of {total}")


def blind() -> None:
    """Right decisions on prompts by somebody who had not seen the rules, beside the articles'."""
    rows = [json.loads(line) for line in BLIND.read_text(encoding="utf-8").splitlines()]
    expected = [row["tier"] for row in rows]
    words = [len(row["prompt"].split()) for row in rows]
    cuts = [sorted(words)[len(rows) * part // 4] for part in (1, 2, 3)]
    guesses = {
        classifier.name: [classifier.classify(row["prompt"], LADDER).tier for row in rows]
        for classifier in (*map(article_rules, ARTICLES), RULES)
    }
    guesses["words"] = [BANDS[sum(count >= cut for cut in cuts)] for count in words]
    for name, actual in guesses.items():
        right = sum(a == b for a, b in zip(expected, actual, strict=True))
        print(f"blind prompts, {name}: {right / len(rows):.3f} of {len(rows)}")
    for key in ("category", "lang", "tier"):
        found = accuracy_by([row[key] for row in rows], expected, guesses["rules"])
        print("  " + ", ".join(f"{name} {r / n:.2f}" for name, (r, n) in sorted(found.items())))


if __name__ == "__main__":
    folder = os.environ.get("NBROUTE_DATA", str(HERE.parents[2] / "shared" / "data"))
    speed()
    accuracy()
    blind()
    try:
        for dataset in FILES:
            routing(dataset, load(dataset, folder))
        shares(load("mt_bench", folder))
    except SettingsError as error:
        print(f"APGR and MT-Bench left out: {error}")
