"""What stands behind the magics: the router, the last result, and the cards it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nbroute.checks import NAMES as CHECKS
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.compare import Comparison, Grid
from nbroute.engine.plan import STRATEGIES
from nbroute.errors import NbrouteError, SettingsError
from nbroute.interpolate import hints, prompt_of, users
from nbroute.notebook import complete, names, options, render, tables
from nbroute.notebook.card import Card, unbroken
from nbroute.notebook.comparing.desk import Comparing
from nbroute.notebook.lines import Scale
from nbroute.notebook.screens import Screen, is_live, message_of, run_of, screen_for
from nbroute.notebook.versions import Version, Versions, side_by_side, versions_table
from nbroute.router import Router
from nbroute.settings import Settings
from nbroute.settings.profiles import BUILT_IN, FILE
from nbroute.types import Ladder, RouteResult

if TYPE_CHECKING:
    from nbroute.evaluate.whatif import WhatIf
    from nbroute.notebook.controls import Shelf


class Follower(Protocol):
    """A widget that goes on with the notebook's router."""

    def refresh(self, router: Router) -> None:
        """Something was done; go on with that router."""

    def announced(self, words: str) -> bool:
        """Show what a provider says that it is doing; False where that is another's matter."""


class Origin(NamedTuple):
    """Where a card comes from: its cell, that cell's source, the variable that keeps the result."""

    cell: str
    source: str
    output: str | None


class Desk:
    """One notebook's routing; made at the first `%%route`, so that loading costs little."""

    def __init__(self, shell: Any, settings: Settings) -> None:
        self.shell = shell
        self.last: RouteResult | None = None
        self.router: Router = Router(settings, announce=self._announce)
        self._before: Settings | None = None
        self._recorded_in: Path | None = None
        self._card: Card | None = None
        self._shelf: Shelf | None = None
        self._cards: dict[int, Card] = {}
        self._origins: dict[int, Origin] = {}
        self._numbers = 0
        self._versions = Versions()
        self.followers: list[Follower] = []
        self._just_shown: tuple[str, tuple[str, int]] | None = None

    def run_cell(self, line: str, cell: str) -> Any:
        """Route the cell's prompt, or show what would be sent."""
        wanted = options.parse(line)
        if wanted.help:
            return tables.Told(options.make_parser().format_help())
        prompt = prompt_of(cell, self.shell.user_ns, "%%route")
        told = hints(cell, self.shell.user_ns)
        if wanted.system is not None:
            wanted.system = names.system(self.shell.user_ns, wanted.system)
        if wanted.dry_run:
            explanation = self.router.explain(prompt, **self._call_options(wanted))
            self._assign(explanation, wanted.output)
            shown = tables.dry_run(explanation)
            return replace(shown, below=[*shown.below, *told])
        source = f"%%route {line.strip()}".rstrip() + f"\n{cell}"
        return self._route(prompt, wanted, source, told)

    @cached_property
    def comparing(self) -> Comparing:
        """What stands behind `%%route_compare`."""
        return Comparing(self)

    def use(self, profile: str) -> str:
        """Go on with another profile, in the same session and ledger; what is chosen now."""
        return self._go_on(profile=profile)

    def climb(self, ladder: Ladder | None) -> None:
        """Go on with another ladder, or with that of the settings, in the same session."""
        if self.router.replaying is not None:
            raise SettingsError("a recording has its own ladder; `%route replay off` ends it")
        self._go_on(settings=self.router.settings, ladder=ladder, classifier=self.router.classifier)

    def with_keys(self, provider: str | None) -> str:
        """Go on with the keys as they are now; on that provider, if the ladder has it nowhere."""
        used = {target.provider for tier in self.router.ladder.tiers for target in tier.targets}
        settings = self.router.settings
        mine = provider is None or provider in {*used, settings.classifier.provider}
        if mine and settings.profile not in (*BUILT_IN, FILE):
            return self.read_again()
        return self.use(settings.profile if mine else str(provider))

    def apply(self, found: WhatIf) -> str:
        """Go on with what a what-if asked about, in the same session; that it is so."""
        if self.router.replaying is not None:
            raise SettingsError("a recording answers as it is; %route replay off ends it")
        settings, asked = self.router.settings, found.asked
        classifier = replace(settings.classifier, step_up_below=asked.threshold)
        settings = replace(settings, classifier=classifier, cache="use" if asked.cache else "off")
        self._go_on(settings=settings, ladder=asked.ladder, classifier=asked.classifier)
        return "applied: this session goes on with it; nbroute.toml is as it was"

    def read_again(self) -> str:
        """Use the settings as they are now; what they choose.

        Their ledger is taken where nothing was sent so far.
        """
        sent = self.router.ledger.rows(session=self.router.session)
        return self._go_on(**({} if sent else {"ledger": None}))

    def close(self) -> None:
        """Give files and connections back; `reopen` goes on with the same session."""
        recorder = self.router.recorder
        self._recorded_in = None if recorder is None else recorder.path
        self.router.close()

    def reopen(self, *, anew: bool) -> None:
        """Go on after `close`, `anew` with the settings as they are now."""
        if anew and self.router.replaying is None:
            self.read_again()
        if self._recorded_in is not None:
            self.router.record(self._recorded_in)

    def replay(self, path: str) -> str:
        """Go on with the answers of a recording, in the same session; what is chosen now."""
        self._before = self._before or self.router.settings
        return self._go_on(replay=path)

    def end_replay(self) -> str:
        """Go on with what was there before `replay`; what is chosen now."""
        if self.router.replaying is None:
            raise SettingsError("nothing is being replayed; `%route replay FILE` begins it")
        if self._before is None:
            raise SettingsError(
                "this session began as a replay; `%route use PROFILE` switches to models"
            )
        return self._go_on(settings=self._before)

    def _go_on(self, **chosen: Any) -> str:
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
        if self.router.replaying is None:
            self._before = None
        self.refresh()
        return f"{self.router.settings.origin}{ended}"

    @property
    def newest(self) -> RouteResult:
        """The last result; SettingsError where there is none."""
        if self.last is None:
            raise SettingsError("nothing was routed yet; run a %%route cell first")
        return self.last

    def escalate(self, tier: str | None, number: int | None = None) -> RouteResult | None:
        """Answer a prompt again on the next tier, or on that one, in a card of its own.

        The last prompt, or the one of the card with that number.
        """
        last = self.newest if number is None else self.card(number).result
        if tier is None and self.router.above(last) is None:
            return self.router.escalate(last)  # it says why there is nowhere to go
        card = self._new_card(self._screen(), earlier=last.chain)
        origin = Origin("", f"%%route\n{last.prompt}", None)
        return self._show(card, lambda: card.escalate(tier), origin, quiet=False)

    def card(self, number: int) -> Card:
        """The card of that number; SettingsError where there is none with an answer."""
        if number not in self._cards:
            known = sorted(self._cards)
            told = (
                f"there is {', '.join(f'#{one}' for one in known[-9:])}"
                if known
                else "nothing was routed yet; run a %%route cell first"
            )
            raise SettingsError(f"no answer has the number {number}: {told}")
        return self._cards[number]

    def new_number(self) -> int:
        """The number by which commands reach the next card."""
        self._numbers += 1
        return self._numbers

    @property
    def shelf(self) -> Shelf:
        """The controls of the newest cards."""
        from nbroute.notebook.controls import Shelf

        if self._shelf is None:
            self._shelf = Shelf(self.router)
        return self._shelf

    def show_controls(self, number: int) -> None:
        """Show the controls of that card, here, where someone is watching."""
        from nbroute.notebook.controls import Controls

        card = self.card(number)
        if not self.is_live:
            raise SettingsError("there are no controls here: no live front end draws them")
        self.shelf.put(number, Controls(card, self.router, self))

    def took(self, result: RouteResult, card: Card) -> None:
        """The card has a new answer."""
        number, origin = card.view.number, self._origins.get(card.view.number)
        self._cards[number] = card
        self._keep(result, origin.output if origin else None)
        if origin and origin.cell:
            self._versions.keep(origin.cell, Version(number, origin.source, result))
        self.refresh()

    def source(self, card: Card) -> str:
        """The cell that would ask the same again."""
        origin = self._origins.get(card.view.number)
        return origin.source if origin else f"%%route\n{card.result.prompt}"

    def compared(self, card: Card) -> str:
        """The card's prompt on all tiers, as HTML; asks models."""
        return self.comparing.page_of(self.router.compare(card.result.prompt))

    def why(self, card: Card) -> str:
        """How the tier was found, step by step, as HTML."""
        return tables.explanation(card.result, self.router.ladder.names).html()

    def versions(self, card: Card) -> str:
        """The card's answer beside the one before it, as HTML."""
        found = self._versions.of(card.view.number)
        place = next(at for at, one in enumerate(found) if one.number == card.view.number)
        return side_by_side(found[place - 1], found[place], place + 1, card.view.scale)

    def versions_table(self, number: int | None) -> tables.Table:
        """The versions of the cell of that card, or of the newest one."""
        if number is not None:
            self.card(number)
        return versions_table(self._versions.of(number))

    def vocabulary(self, commands: tuple[str, ...]) -> complete.Vocabulary:
        """What completion offers here and now; `commands` are the words after `%route`."""
        tiers, space = self.router.ladder.tiers, self.shell.user_ns
        own = names.functions(space)
        return complete.Vocabulary(
            options=options.flags(),
            compare_options=self.comparing.flags,
            subcommands=commands,
            tiers=self.router.ladder.names,
            models=tuple(dict.fromkeys(model for tier in tiers for model in tier.models)),
            profiles=tuple(BUILT_IN),
            strategies=STRATEGIES,
            classifiers=(*CLASSIFIERS, *own),
            checks=(*CHECKS, "tests=", *own),
            threads=self.router.threads.names(),
            votes=self.comparing.choices,
            variables=tuple(users(space)),
            systems=names.prompts(),
        )

    def was_shown(self, result: object) -> bool:
        """Whether the cell that runs has shown this result as its card."""
        if type(result) is RouteResult:
            return (result.id, run_of(self.shell)) == self._just_shown
        # nothing is asked of a user's own object
        return type(result) in (Comparison, Grid) and self.comparing.was_shown(result)

    def display_result(self, result: RouteResult) -> None:
        """Show a result as a card that stays as it is."""
        from IPython.display import display

        data, metadata = render.bundle(render.View(result.chain, scale=Scale.of(self.router)))
        display(data, metadata=metadata, raw=True)

    def _route(
        self, prompt: str, wanted: Any, source: str, told: tuple[str, ...]
    ) -> RouteResult | None:
        cell = str(message_of(self.shell).get("metadata", {}).get("cellId", ""))
        cell, version = self._versions.next_of(cell, prompt)
        screen = Screen() if wanted.quiet else self._screen()
        card = self._new_card(screen, version=version)
        asked = {**self._call_options(wanted), "notices": told}
        origin = Origin(cell, source, wanted.output)
        return self._show(card, lambda: card.route(prompt, **asked), origin, quiet=wanted.quiet)

    def _new_card(self, screen: Screen, **facts: Any) -> Card:
        return Card(self.router, screen, number=self.new_number(), **facts)

    def _show(
        self, card: Card, call: Callable[[], RouteResult], origin: Origin, *, quiet: bool
    ) -> RouteResult | None:
        self._card = card
        self._origins[card.view.number] = origin
        try:
            result = call()
        except NbrouteError as error:
            with unbroken():
                self._keep_failed(error.result, card)
            raise
        finally:
            self._card = None
        with unbroken():
            self.took(result, card)
            self._controls_of(card)
        self._just_shown = (result.id, run_of(self.shell))
        return None if quiet else result

    def _controls_of(self, card: Card) -> None:
        """The controls of a card that has an answer; one that was interrupted has them too."""
        if card.screen.has_clock and card.view.results:
            self.show_controls(card.view.number)

    def _announce(self, text: str) -> None:
        """What a provider does before it can answer: in the card, else printed."""
        if self._card is not None and self._card.screen.has_clock:
            self._card.say(text)
        elif not any(widget.announced(text) for widget in self.followers):
            print(text)  # noqa: T201 - a terminal and a static notebook have no card to redraw

    def _keep_failed(self, result: RouteResult | None, card: Card) -> None:
        """The partial answer; with none, the prompt, so that it can be escalated or explained.

        A failed escalation leaves the answer that it escalates in place.
        """
        if result is not None and (result.text or result.parent is None):
            self.last = result
            if result in card.view.results:
                self.took(result, card)
                self._controls_of(card)
        if card.view.number == self._numbers and card.view.number not in self._cards:
            self._numbers -= 1
        self.refresh()

    def refresh(self) -> None:
        """Have what shows the session read the ledger again."""
        if self._shelf is not None:
            self._shelf.refresh(self.router)
        for widget in self.followers:
            widget.refresh(self.router)

    @property
    def is_live(self) -> bool:
        """Whether somebody may be looking at a front end that can be redrawn."""
        return is_live(self.shell, static=self.router.settings.static)

    def _keep(self, result: RouteResult, output: str | None) -> None:
        self.last = result
        self._assign(result, output)

    def _assign(self, value: object, name: str | None) -> None:
        if name:
            self.shell.user_ns[name] = value

    def _screen(self) -> Screen:
        return screen_for(self.shell, static=self.router.settings.static)

    def _call_options(self, wanted: Any) -> dict[str, Any]:
        return {
            "tier": wanted.tier,
            "model": wanted.model,
            "strategy": wanted.strategy,
            "start": wanted.start,
            "tiers": wanted.tiers,
            "agreement": wanted.agreement,
            "thread": wanted.thread,
            "stream": not wanted.no_stream,
            **names.answering(self.shell.user_ns, wanted),
        }
