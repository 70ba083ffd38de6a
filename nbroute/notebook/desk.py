"""The work behind the magics: the router, the last result, and the cards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nbroute.checks import NAMES as CHECKS
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.compare import Comparison, Grid
from nbroute.engine.plan import AGREE_BY, CACHE_MODES, STRATEGIES
from nbroute.errors import NbrouteError, SettingsError
from nbroute.evaluate.audit import Way
from nbroute.interpolate import hints, prompt_of, users
from nbroute.notebook import names, options, render, tables
from nbroute.notebook.card import Card, Origin, unbroken
from nbroute.notebook.comparing.desk import Comparing
from nbroute.notebook.lines import Scale
from nbroute.notebook.screens import Screen, front_end, is_live, message_of, run_of
from nbroute.notebook.versions import Version, Versions, side_by_side, versions_table
from nbroute.report.table import one_line
from nbroute.router import Router
from nbroute.settings import Settings
from nbroute.settings.profiles import BUILT_IN, FILE
from nbroute.types import EFFORTS, Ladder, RouteResult

if TYPE_CHECKING:
    import threading

    from nbroute.evaluate.whatif import WhatIf
    from nbroute.notebook.controls import Shelf
    from nbroute.notebook.live import Room


class Desk:
    """One notebook's routing; made at the first `%%route`, so that loading costs little."""

    def __init__(self, shell: Any, settings: Settings) -> None:
        self.shell = shell
        self.last: RouteResult | None = None
        self.followers: list[Room] = []
        self._before: Settings | None = None
        self._recorded_in: Path | None = None
        self._running: Card | None = None
        self._cards: dict[int, Card] = {}
        self._numbers = 0
        self._versions = Versions()
        self._just_shown: tuple[str, tuple[str, int]] | None = None
        # The last: it may announce something while it is made.
        self.router: Router = Router(settings, announce=self._announce)

    @cached_property
    def comparing(self) -> Comparing:
        """The work behind `%%route_compare`."""
        return Comparing(self)

    @cached_property
    def shelf(self) -> Shelf:
        """The controls of the newest cards."""
        from nbroute.notebook.controls import Shelf

        return Shelf(self.router)

    @property
    def is_live(self) -> bool:
        """Whether somebody may be looking at a front end that can be redrawn."""
        return is_live(self.shell, static=self.router.settings.static)

    # The router, and its successors

    def go_on(self, **chosen: Any) -> str:
        """Continue with another router in the same session and ledger; returns what is chosen now.

        What is on the screen continues with it.
        """
        old = self.router
        chosen = {"ledger": old.ledger, **chosen}
        self.router = Router(**chosen, session=old.session, announce=self._announce)
        self.router.go_on(old)
        ended = f"; recording to {old.recorder.path} has ended" if old.recorder is not None else ""
        old.record(None)
        for provider in old.parts.providers.values():
            provider.close()
        if self.router.ledger is not old.ledger:
            old.ledger.close()
        before = self._before or (old.settings if "replay" in chosen else None)
        self._before = None if self.router.replaying is None else before
        self.refresh()
        return f"{self.router.settings.origin}{ended}"

    def climb(self, ladder: Ladder | None) -> None:
        """Continue with another ladder, or with the settings' own."""
        self._not_replaying("a recording has its own ladder")
        self.go_on(settings=self.router.settings, ladder=ladder, classifier=self.router.classifier)

    def apply(self, found: WhatIf) -> str:
        """Continue with the settings of a what-if; returns a sentence that says so."""
        self._not_replaying("a recording answers as it is")
        settings, asked = self.router.settings, found.asked
        classifier = replace(settings.classifier, step_up_below=asked.threshold)
        settings = replace(settings, classifier=classifier, cache="use" if asked.cache else "off")
        self.go_on(settings=settings, ladder=asked.ladder, classifier=asked.classifier)
        return "applied for this session; nbroute.toml is unchanged"

    def _not_replaying(self, why: str) -> None:
        if self.router.replaying is not None:
            raise SettingsError(f"{why}; %route replay off ends it")

    def with_keys(self, provider: str | None) -> str:
        """Continue with the keys as they are now; on that provider if it is not in the ladder."""
        used = {target.provider for tier in self.router.ladder.tiers for target in tier.targets}
        settings = self.router.settings
        mine = provider is None or provider in {*used, settings.classifier.provider}
        if mine and settings.profile not in (*BUILT_IN, FILE):
            return self.read_again()
        return self.go_on(profile=settings.profile if mine else provider)

    def read_again(self) -> str:
        """Use the settings as they are now; returns what they choose.

        Their ledger is used if nothing has been sent yet.
        """
        sent = self.router.ledger.rows(session=self.router.session)
        return self.go_on(**({} if sent else {"ledger": None}))

    def end_replay(self) -> str:
        """Go back to the router before the replay; returns what is chosen now."""
        if self.router.replaying is None:
            raise SettingsError("nothing is being replayed; `%route replay FILE` begins it")
        if self._before is None:
            raise SettingsError(
                "this session began as a replay; `%route use PROFILE` switches to models"
            )
        return self.go_on(settings=self._before)

    def close(self) -> None:
        """Release files and connections; `reopen` continues the same session."""
        recorder = self.router.recorder
        self._recorded_in = None if recorder is None else recorder.path
        self.router.close()

    def reopen(self, *, anew: bool) -> None:
        """Continue after `close`, `anew` with the settings as they are now."""
        if anew and self.router.replaying is None:
            self.read_again()
        if self._recorded_in is not None:
            self.router.record(self._recorded_in)

    def refresh(self) -> None:
        """Make what shows the session read the ledger again."""
        if "shelf" in vars(self):
            self.shelf.refresh(self.router)
        for widget in self.followers:
            widget.refresh(self.router)

    def follow(self, widget: Room) -> Room:
        """Make the widget follow the router."""
        self.followers.append(widget)
        return widget

    def _announce(self, text: str) -> None:
        """Say what a provider is doing before it can answer: in the card, or else printed."""
        if self._running is not None and self._running.screen.live:
            self._running.say(text)
        elif not any(widget.announced(text) for widget in self.followers):
            print(text)  # noqa: T201 - a terminal and a static notebook have no card to redraw

    # Cells and their cards

    def run_cell(self, line: str, cell: str) -> Any:
        """Route the cell's prompt, or show what would be sent."""
        wanted = options.ROUTE.read(line)
        if wanted.help:
            return tables.Told(options.ROUTE.format_help())
        space = self.shell.user_ns
        prompt, told = prompt_of(cell, space, "%%route"), hints(cell, space)
        if wanted.system is not None:
            wanted.system = names.system(space, wanted.system)
        asked = {
            "tier": wanted.tier,
            "model": wanted.model,
            "strategy": wanted.strategy,
            "start": wanted.start,
            "tiers": wanted.tiers,
            "agreement": wanted.agreement,
            "by": wanted.by,
            "thread": wanted.thread,
            "stream": not wanted.no_stream,
            **names.answering(space, wanted),
        }
        if wanted.dry_run:
            explanation = self.router.explain(prompt, **asked)
            self._assign(explanation, wanted.output)
            shown = tables.dry_run(explanation)
            return replace(shown, below=[*shown.below, *told])
        name = str(message_of(self.shell).get("metadata", {}).get("cellId", ""))
        name, version = self._versions.next_of(name, prompt)
        origin = Origin(name, f"%%route {line.strip()}".rstrip() + f"\n{cell}", wanted.output)
        card = self._new_card(quiet=wanted.quiet, version=version, origin=origin)
        result = self._show(card, lambda: card.route(prompt, **asked, notices=told))
        return None if wanted.quiet else result

    def escalate(self, tier: str | None, number: int | None = None) -> RouteResult:
        """Answer the last prompt, or that of the card `number`, again in a new card.

        It goes to `tier`, or to the next one up.
        """
        last = self.answer(number)
        if tier is None and self.router.above(last) is None:
            return self.router.escalate(last)  # it says why there is nowhere to go
        if tier is not None:
            self.router.ladder.find(tier)  # an unknown tier is an error before a card is drawn
        card = self._new_card(earlier=last.chain)
        return self._show(card, lambda: card.escalate(self.router, tier))

    def answer(self, number: int | None = None) -> RouteResult:
        """The last result, or that of the card with the number; SettingsError if there is none."""
        if number is not None:
            return self.card(number).result
        if self.last is None:
            raise SettingsError("nothing has been routed yet; run a %%route cell first")
        return self.last

    def card(self, number: int) -> Card:
        """The card of that number; SettingsError if there is none with an answer."""
        if number not in self._cards:
            known = [f"#{one}" for one in sorted(self._cards)[-9:]]
            told = "nothing has been routed yet; run a %%route cell first"
            told = f"give one of {', '.join(known)}" if known else told
            raise SettingsError(f"no answer has the number {number}: {told}")
        return self._cards[number]

    def new_number(self) -> int:
        """The number by which commands reach the next card."""
        self._numbers += 1
        return self._numbers

    def took(self, result: RouteResult, card: Card) -> None:
        """The card has a new answer."""
        number, origin = card.view.number, card.origin
        self._cards[number], self.last = card, result
        self._assign(result, origin.output)
        if origin.cell:
            self._versions.keep(origin.cell, Version(number, result))
        self.refresh()

    def show_controls(self, card: Card) -> None:
        """Show the card's controls here; SettingsError if this front end cannot."""
        from nbroute.notebook.controls import Controls

        if not self.is_live:
            raise SettingsError("there are no buttons here: this front end cannot draw them")
        self.shelf.put(card.view.number, Controls(card, self))

    def panel(self, asked: str, card: Card, cancel: threading.Event | None = None) -> str:
        """Why, the previous version, or the prompt on all tiers (which asks models), as HTML."""
        if asked == "compare":
            compared = self.router.compare(card.result.prompt, cancel=cancel)
            return self.comparing.page_of(compared)
        if asked == "why":
            return tables.explanation(card.result).html()
        found = self._versions.of(card.view.number)
        place = next(at for at, one in enumerate(found) if one.number == card.view.number)
        return side_by_side(found[place - 1], found[place], place + 1, card.view.scale)

    def versions_table(self, number: int | None) -> tables.Table:
        """The versions of that card's cell, or of the newest one."""
        if number is not None:
            self.card(number)
        return versions_table(self._versions.of(number))

    def vocabulary(self, commands: tuple[str, ...]) -> dict[str, Sequence[str]]:
        """What completion offers at the moment; `commands` are the words after `%route`."""
        tiers, space = self.router.ladder.tiers, self.shell.user_ns
        own = names.functions(space)
        return {
            "options": options.ROUTE.flags,
            "compare_options": options.COMPARE.flags,
            "subcommands": commands,
            "tiers": self.router.ladder.names,
            "lessons": (*self.router.ladder.names, "forget"),
            "taught": self._taught(),
            "models": tuple(dict.fromkeys(model for tier in tiers for model in tier.models)),
            "profiles": tuple(BUILT_IN),
            "keys": tuple(name for name, one in BUILT_IN.items() if one.api_key_env),
            "cache": CACHE_MODES,
            "efforts": EFFORTS,
            "ways": AGREE_BY,
            "strategies": STRATEGIES,
            "classifiers": (*CLASSIFIERS, *own),
            "checks": (*CHECKS, "tests=", *own),
            "threads": self.router.threads.names(),
            "votes": self.comparing.choices,
            "directions": get_args(Way),
            "variables": tuple(users(space)),
            "systems": names.prompts(),
        }

    def _taught(self) -> tuple[str, ...]:
        """The prompts that were taught, each on one line; none if they cannot be read."""
        with contextlib.suppress(NbrouteError):
            return tuple(map(one_line, self.router.taught))
        return ()

    def was_shown(self, result: object) -> bool:
        """Whether the running cell has shown this; a user's own object is not asked anything."""
        if type(result) not in (RouteResult, Comparison, Grid):
            return False
        return (getattr(result, "id", ""), run_of(self.shell)) == self._just_shown

    def showed(self, result: RouteResult | Comparison | Grid) -> None:
        """Note that the running cell has shown this."""
        self._just_shown = (result.id, run_of(self.shell))

    def display_result(self, result: RouteResult) -> None:
        """Show a result as a static card."""
        from IPython.display import display

        data, metadata = render.bundle(render.View(result.chain, scale=Scale.of(self.router)))
        display(data, metadata=metadata, raw=True)

    def _new_card(self, *, quiet: bool = False, **facts: Any) -> Card:
        kind = front_end(self.shell, static=self.router.settings.static)
        screen = Screen("quiet" if quiet else kind)
        return Card(self.router, screen, number=self.new_number(), took=self.took, **facts)

    def _show(self, card: Card, call: Callable[[], RouteResult]) -> RouteResult:
        """Show an answer in the card, with controls even if it was interrupted.

        Without any answer the prompt is kept, so that it can be escalated or explained.
        """
        self._running, number = card, card.view.number
        try:
            result = call()
        except NbrouteError as error:
            if error.result is not None and error.result.parent is None:
                self.last = error.result
            raise
        finally:
            self._running = None
            with unbroken():
                if number not in self._cards:
                    self._numbers -= number == self._numbers
                    self.refresh()
                elif card.screen.live:
                    self.show_controls(card)
        self.showed(result)
        return result

    def _assign(self, value: object, name: str | None) -> None:
        if name:
            self.shell.user_ns[name] = value
