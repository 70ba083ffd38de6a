"""What the user taught: prompts and their tiers, kept for later sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbroute.classify.examples import Example, tier_of
from nbroute.embedders.file import SETTING, open_file
from nbroute.embedders.texts import sendable
from nbroute.errors import PromptError, SettingsError, did_you_mean
from nbroute.storage.database import FAILURES
from nbroute.types import Ladder


@dataclass(frozen=True, slots=True)
class Taught:
    """The user's last word on a prompt; `ts` is seconds since 1970."""

    prompt: str
    tier: str
    ladder: str
    ts: float


class TaughtExamples:
    """An append-only file of taught prompts; `path` None is in memory.

    Prompts are the same where they differ in nothing but the space around them. Thread-safe,
    and several processes may share the file. Its methods raise RecordError where it cannot
    be used.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        setting: str = SETTING,
    ) -> None:
        self._file = open_file(path, setting)
        self._clock = clock

    def teach(self, prompt: str, tier: str, ladder: Ladder) -> Example:
        """Keep that the tier, named in any case, should answer prompts like this one.

        PromptError for an empty prompt, SettingsError for a tier that the ladder does not have.
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise PromptError("there is no prompt to teach: give its text.")
        known = ladder.named(str(tier))
        if known is None:
            cure = did_you_mean(tier, ladder.names)
            raise SettingsError(f"unknown tier {tier!r:.80} on ladder {ladder.name!r}: {cure}")
        example = Example(sendable(prompt.strip()), known)
        self._write(example.prompt, known, ladder.name)
        return example

    def forget(self, prompt: str) -> bool:
        """Take back all that was taught of the prompt; False where there was nothing."""
        asked = sendable(prompt.strip())
        known = any(asked == one.prompt for one in self.all())
        if known:
            self._write(asked, None, "")
        return known

    def all(self) -> tuple[Taught, ...]:
        """The last word on each prompt, in the order in which the prompts were last taught."""
        return self._last_words(lambda _: True)

    def examples(self, ladder: Ladder) -> tuple[Example, ...]:
        """The last word on each prompt among those that fit the ladder."""
        fitting = self._last_words(lambda tier: tier_of(tier, ladder) is not None)
        return tuple(Example(one.prompt, one.tier) for one in fitting)

    def close(self) -> None:
        """Give the file back; a later use opens it again."""
        self._file.close()

    def _last_words(self, fits: Callable[[str], bool]) -> tuple[Taught, ...]:
        words: dict[str, Taught] = {}
        for prompt, tier, ladder, ts in self._rows():
            if tier is None:
                words.pop(prompt, None)
            elif fits(tier):
                words.pop(prompt, None)
                words[prompt] = Taught(prompt, tier, ladder, ts)
        return tuple(words.values())

    def _rows(self) -> list[tuple[str, str | None, str, float]]:
        if not self._file.exists:
            return []
        query = "SELECT prompt, tier, ladder, ts FROM taught ORDER BY id"
        try:
            with self._file.connection() as connection:
                return connection.execute(query).fetchall()
        except FAILURES as error:
            raise self._file.record_error("cannot read the taught examples", error) from error

    def _write(self, prompt: str, tier: str | None, ladder: str) -> None:
        row = (self._clock(), prompt, tier, ladder)
        try:
            with self._file.connection() as connection:
                connection.execute(
                    "INSERT INTO taught (ts, prompt, tier, ladder) VALUES (?, ?, ?, ?)", row
                )
        except FAILURES as error:
            raise self._file.record_error("cannot keep the taught example in", error) from error
