"""What stands behind the magics: the router, the last result, and the cards it makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from nbroute.checks import NAMES as CHECKS
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.engine.plan import STRATEGIES
from nbroute.errors import NbrouteError, SettingsError
from nbroute.interpolate import prompt_of
from nbroute.notebook import complete, names, options, render, tables
from nbroute.notebook.card import Card
from nbroute.notebook.comparing.desk import Comparing
from nbroute.notebook.screens import Live, Quiet, Screen, is_live, screen_for
from nbroute.router import Router
from nbroute.settings import Settings
from nbroute.settings.profiles import BUILT_IN
from nbroute.types import RouteResult

if TYPE_CHECKING:
    from nbroute.notebook.controls import Meter


class Follower(Protocol):
    """A widget that goes on with the notebook's router."""

    def refresh(self, router: Router) -> None:
        """Something was done; go on with that router."""

    def announced(self, words: str) -> bool:
        """Show what a provider says that it is doing; False where that is another's matter."""


class Desk:
    """One notebook's routing; made at the first `%%route`, so that loading costs little."""

    def __init__(self, shell: Any, settings: Settings) -> None:
        self.shell = shell
        self.last: RouteResult | None = None
        self.router: Router = Router(settings, announce=self._announce)
        self._before: Settings | None = None
        self._card: Card | None = None
        self._meter: Meter | None = None
        self.followers: list[Follower] = []
        self._just_shown: tuple[str, int] | None = None

    def run_cell(self, line: str, cell: str) -> Any:
        """Route the cell's prompt, or show what would be sent."""
        wanted = options.parse(line)
        if wanted.help:
            return tables.Told(options.make_parser().format_help())
        prompt = prompt_of(cell, self.shell.user_ns, "%%route")
        if wanted.dry_run:
            explanation = self.router.explain(prompt, **self._call_options(wanted))
            self._assign(explanation, wanted.output)
            return tables.dry_run(explanation)
        return self._route(prompt, wanted)

    @cached_property
    def comparing(self) -> Comparing:
        """What stands behind `%%route_compare`."""
        return Comparing(self)

    def use(self, profile: str) -> str:
        """Go on with another profile, in the same session and ledger; what is chosen now."""
        return self._go_on(profile=profile)

    def read_again(self) -> str:
        """Use the settings as they are now; what they choose.

        Their ledger is taken where nothing was sent so far.
        """
        sent = self.router.ledger.rows(session=self.router.session)
        return self._go_on(**({} if sent else {"ledger": None}))

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
        ended = f"; recording to {old.recorder.path} has ended" if old.recorder else ""
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

    def escalate(self, tier: str | None) -> RouteResult | None:
        """Answer the last prompt again on the next tier, or on that one, in a card of its own."""
        last = self.newest
        if tier is None and self.router.above(last) is None:
            return self.router.escalate(last)  # it says why there is nowhere to go
        card = Card(self.router, self._screen(), earlier=last.chain)
        return self._show(card, lambda: card.escalate(tier), output=None, quiet=False)

    def vocabulary(self, commands: tuple[str, ...]) -> complete.Vocabulary:
        """What completion offers here and now; `commands` are the words after `%route`."""
        tiers = self.router.ladder.tiers
        return complete.Vocabulary(
            options=options.flags(),
            compare_options=self.comparing.flags,
            subcommands=commands,
            tiers=self.router.ladder.names,
            models=tuple(dict.fromkeys(model for tier in tiers for model in tier.models)),
            profiles=tuple(BUILT_IN),
            strategies=STRATEGIES,
            classifiers=CLASSIFIERS,
            checks=(*CHECKS, "tests=", *self._functions()),
            threads=self.router.threads.names(),
            votes=self.comparing.choices,
            variables=tuple(name for name in self.shell.user_ns if not name.startswith("_")),
        )

    def display_result(self, result: RouteResult) -> None:
        """Show a result; in its own cell, which has just done so, no second time."""
        from IPython.display import display

        if self._just_shown == (result.id, self.shell.execution_count):
            if not hasattr(self.shell, "kernel"):  # a terminal has printed `Out[n]: ` already
                display({"text/plain": repr(result)}, raw=True)
            return
        data, metadata = render.bundle(render.View(result.chain))
        display(data, metadata=metadata, raw=True)

    def _route(self, prompt: str, wanted: Any) -> RouteResult | None:
        card = Card(self.router, Quiet() if wanted.quiet else self._screen())
        asked = self._call_options(wanted)
        return self._show(
            card, lambda: card.route(prompt, **asked), output=wanted.output, quiet=wanted.quiet
        )

    def _show(
        self, card: Card, call: Callable[[], RouteResult], *, output: str | None, quiet: bool
    ) -> RouteResult | None:
        self._card = card
        try:
            result = call()
        except NbrouteError as error:
            self._keep_failed(error.result, output)
            raise
        finally:
            self._card = None
            self.refresh()
        self._keep(result, output)
        if isinstance(card.screen, Live):
            self._show_controls(card, output)
        self._just_shown = (result.id, self.shell.execution_count)
        return None if quiet else result

    def _announce(self, text: str) -> None:
        """What a provider does before it can answer: in the card, else printed."""
        if self._card is not None and isinstance(self._card.screen, Live):
            self._card.say(text)
        elif not any(widget.announced(text) for widget in self.followers):
            print(text)  # noqa: T201 - a terminal and a static notebook have no card to redraw

    def _show_controls(self, card: Card, output: str | None) -> None:
        from IPython.display import display

        from nbroute.notebook.controls import Controls

        display(Controls(card, self.router, self.meter(), lambda new: self._keep(new, output)))

    def meter(self) -> Meter:
        """The session meter: one, shown under every card."""
        from nbroute.notebook.controls import Meter

        if self._meter is None:
            self._meter = Meter(self.router)
        return self._meter

    def _keep_failed(self, result: RouteResult | None, output: str | None) -> None:
        """The partial answer; with none, the prompt, so that it can be escalated or explained.

        A failed escalation leaves the answer that it escalates in place.
        """
        if result is not None and result.text:
            self._keep(result, output)
        elif result is not None and result.parent is None:
            self.last = result

    def refresh(self) -> None:
        """Have the session meter, if there is one, read the ledger again."""
        if self._meter is not None:
            self._meter.refresh(self.router)
        for widget in self.followers:
            widget.refresh(self.router)

    @property
    def is_live(self) -> bool:
        """Whether somebody may be looking at a front end that can be redrawn."""
        return is_live(self.shell, static=self.router.settings.static)

    def sent(self, result: RouteResult) -> None:
        """Take over a result of a widget: the last one from here on."""
        self._keep(result, None)
        self.refresh()

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

    def _functions(self) -> list[str]:
        space = self.shell.user_ns
        return [name for name in space if callable(space[name]) and not name.startswith("_")]
