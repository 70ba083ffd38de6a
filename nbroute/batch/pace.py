"""How many prompts may be out at once, and when there is no use in going on."""

from __future__ import annotations

from nbroute.batch.outcomes import Outcome

#: So many failures in a row that would hit every prompt alike end the sending.
HOPELESS = 20


class Pace:
    """Slows down where a budget is nearly used up, and stops where nothing more can come of it.

    A call holds its worst case back from the budget while it runs, so a prompt that is refused
    may well fit once the others have settled: it waits for them. Refused alone, it is over.
    """

    def __init__(self, most: int) -> None:
        self.limit = most
        self.stopped = ""
        self._hopeless = 0

    def heed(self, outcome: Outcome, *, alone: bool) -> bool:
        """Take note of the outcome; False where its prompt is to be tried again.

        `alone` says that nothing else was out when it was sent.
        """
        if self.stopped:
            return True
        if outcome.fate == "refused" and not alone:
            self.limit = max(self.limit - 1, 1)
            return False
        self._hopeless = self._hopeless + 1 if outcome.fate == "hopeless" else 0
        if outcome.fate == "refused":
            self.stopped = f"{outcome.row.error}"
        elif self._hopeless == HOPELESS:
            self.stopped = f"{HOPELESS} calls in a row ended with {outcome.row.error}"
        return True

    def stop(self, reason: str) -> None:
        """Send nothing more."""
        self.stopped = self.stopped or reason
