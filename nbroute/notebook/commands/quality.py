"""Whether the routing is any good: measured, calibrated, examined."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbroute.evaluate.audit import Plan, make_plan
from nbroute.evaluate.verdicts import SYSTEM, question
from nbroute.notebook import names, options, tables
from nbroute.notebook.commands.base import command, confirmed
from nbroute.pricing import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbroute.evaluate.findings import Examination
    from nbroute.notebook.desk import Desk


@command(
    "[--sample SHARE] [--direction up|down|both] [--judge JUDGE] [--max-cost USD] [--seed N]"
    " [--again SHARE] [--all] [--yes] [--prompt] [FRAME]",
    "--sample 0.05 --max-cost 0.05",
    "router.audit(0.05, max_cost=0.05)",
)
def audit(desk: Desk, rest: str) -> Any:
    """Have a judge compare a sample of the answers with the next tier's."""
    from IPython.display import display

    takes = ("--sample", "--direction", "--judge", "--max-cost", "--seed", "--again")
    said = options.spoken("%route audit", rest, takes, ("--all", "--yes", "--prompt"))
    if "--prompt" in said:
        asked = question("(the prompt)", "(one answer)", "(the other answer)")
        return tables.Told(f"{SYSTEM}\n\n{asked}")
    space, router, bound = desk.shell.user_ns, desk.router, said.get("--max-cost")
    given = _given(said, sample=_number, again=_number, seed=_whole, direction=str)
    if judge := said.get("--judge"):
        own = not router.ladder.named(judge) and callable(space.get(judge))
        given["judge"] = space[judge] if own else judge
    if "" in said:
        given["frame"] = names.source(space, said[""])
    plan = make_plan(router, **given, max_cost=bound, everything="--all" in said)
    if "--yes" not in said:
        stopped = router.audited is not None and router.audited.stopped
        told = ["what the stopped audit has already asked is not asked again"] if stopped else []
        display(_planned(plan, told))
        line = re.sub(r"\s+", " ", f"%route audit {rest} --yes")
        if not confirmed("Send them?", line):
            return f"nothing was sent; `{line}` sends without asking"
    try:
        return router.carry_out(plan, max_cost=bound)
    finally:
        desk.refresh()


def _planned(plan: Plan, told: Sequence[str]) -> tables.Table:
    """How many calls an audit makes, and what they cost at most."""
    worst = plan.worst()
    rows = [
        [tier, what, f"{one.calls:,}", describe(one.cost)] for (tier, what), one in worst.items()
    ]
    calls = sum(one.calls for one in worst.values())
    most = tables.together([one.cost for one in worst.values()])
    count = len(plan.subjects)
    above = f"an audit of {count:,} of {plan.whole.size:,} prompts {plan.whole.source}; nothing is"
    below = f"together {calls:,} calls, at most {most}: usually far less, as few answers use up"
    head = ["tier", "what for", "calls", "at most"]
    return tables.Table(
        head, rows, above=[f"{above} sent yet"], below=[f"{below} their token budget", *told]
    )


@command(
    "[--loss SHARE] [--confidence SHARE] [--of learned|rating|logprob] [FRAME]",
    "--loss 0.02 --confidence 0.9",
    "router.calibrate(frame, loss=0.02, confidence=0.9)",
)
def calibrate(desk: Desk, rest: str) -> Any:
    """Find the threshold that keeps the loss of quality under a limit."""
    takes = ("--loss", "--confidence", "--of")
    said = options.spoken("%route calibrate", rest, takes)
    given = _given(said, loss=_number, confidence=_number, of=str)
    if "" in said:
        given["source"] = names.source(desk.shell.user_ns, said[""])
    return desk.router.calibrate(**given)


@command("[NAME]", "scores", "router.quality(scores)")
def quality(desk: Desk, rest: str) -> Any:
    """Quality against cost on a table's prompts, next to chance and each tier alone."""
    name = options.spoken("%route quality", rest).get("")
    return desk.router.quality(names.source(desk.shell.user_ns, name) if name else None)


def _given(said: Mapping[str, str], **readers: Callable[[str], Any]) -> dict[str, Any]:
    """The options that were given, by their names in Python, each through its reader."""
    return {name: read(said[f"--{name}"]) for name, read in readers.items() if f"--{name}" in said}


def _number(text: str) -> float | str:
    """`0.05` and `5%` as a number; anything else as it is, for its reader to refuse."""
    with suppress(ValueError):
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    return text


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


@command("[--send] [--yes]", "--send", "router.doctor(send=True)")
def doctor(desk: Desk, rest: str) -> Examination | str:
    """What is wrong with the set-up, and how to fix it."""
    from nbroute.evaluate.doctor import foreseen
    from nbroute.notebook.doctor import here

    router, said = desk.router, rest.split()
    if (send := "--send" in said) and "--yes" not in said:
        told = foreseen(router, router.settings, router.classifier)
        if not confirmed(f"{told}. Send them?", "%route doctor --send --yes"):
            return "nothing was sent; without --send the doctor sends nothing"
    found = router.doctor(send=send)
    desk.refresh()
    at_hand = tuple(here(desk.shell, static=router.settings.static))
    return replace(found, findings=(*found.findings, *at_hand))
