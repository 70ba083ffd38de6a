"""What the session would have cost under other settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.evaluate.whatif import WhatIf
from nbroute.evaluate.whatif_text import EMPTY, HEAD, cells
from nbroute.notebook import names, options, tables
from nbroute.notebook.commands.base import Command

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

ASKED = ("threshold", "classifier", "ladder", "cache")
_ON, _OFF = ("on", "yes", "true", "use", "1"), ("off", "no", "false", "0")


@dataclass(frozen=True)
class Printed(tables.Table):
    """The table of a what-if, and below it what to write to have it."""

    setting: str = ""

    def __repr__(self) -> str:
        """The table with its columns aligned."""
        told = f"\n\nto have it:\n{self.setting}" if self.setting else ""
        return f"{super().__repr__()}{told}"

    def _repr_markdown_(self) -> str:
        told = f"\n\nto have it:\n\n```toml\n{self.setting}\n```" if self.setting else ""
        return f"{super()._repr_markdown_()}{told}"


def printed(found: WhatIf) -> Printed:
    """The what-if as a table."""
    if not found.strategies:
        return Printed(HEAD, (), above=[EMPTY, *found.notes])
    rows = [cells(one) for one in found.strategies]
    return Printed(
        HEAD, rows, above=[found.headline], below=["", *found.notes], setting=found.setting
    )


def what_if(desk: Desk, rest: str) -> Any:
    """With settings the answer, in a table; with none a panel to try them in, where it is live."""
    asked = _asked(desk, rest)
    if asked or not desk.is_live:
        return printed(desk.router.what_if(**asked))
    from nbroute.notebook.whatif import WhatIfPanel

    panel = WhatIfPanel(desk.router)
    desk.followers.append(panel)
    return panel


def _asked(desk: Desk, rest: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for word in options.words(rest):
        name, equals, value = word.partition("=")
        if name not in ASKED:
            raise SettingsError(
                f"`%route whatif` takes no {name!r:.80}: {did_you_mean(name, ASKED)}"
            )
        if not equals or not value:
            raise SettingsError(f"`%route whatif {name}` has no value; write {name}=... with one")
        if name in asked:
            raise SettingsError(f"`%route whatif` has {name} twice; give it once")
        asked[name] = value
    return {name: _read(desk, name, value) for name, value in asked.items()}


def _read(desk: Desk, name: str, value: str) -> Any:
    space = desk.shell.user_ns
    if name == "classifier":
        return names.classifier(space, value)
    if name == "ladder" and hasattr(space.get(value), "tiers"):
        return space[value]
    if name != "cache":
        return value
    if value.lower() not in _ON + _OFF:
        raise SettingsError(
            f"cache={value!r:.80} is neither on nor off; write cache=on or cache=off"
        )
    return value.lower() in _ON


COMMANDS = {
    "whatif": Command(
        what_if,
        "this session under other settings: costs, tiers; nothing is sent",
        "[threshold=0.6] [classifier=NAME] [ladder=NAME] [cache=on|off]",
    ),
}
