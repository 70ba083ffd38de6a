"""Reply -> Verdict: the confidence that the model states, and the one that is measured."""

from __future__ import annotations

import math

from nbroute.types import Check, Reply, Verdict

#: The first article's threshold, of 1 to 10.
RATING = 8.0
#: Of 0 to 1. With SmolLM2 (135M) and 50 questions of fact, 26 answered rightly, the measure told
#: right from wrong with an AUC of .74; the 11 answers at .8 or more were all right, and of the 24
#: at .7 or more 15. Models differ: measure yours.
PROBABILITY = 0.8


def rated(least: float = RATING) -> Check:
    """A check that fails an answer whose model rates it lower, or does not rate it."""

    def rated(reply: Reply) -> Verdict:
        if reply.rating is None:
            return Verdict(False, "rating", "no rating in the answer")
        reason = f"rates itself {reply.rating:g} of 10, wanted {least:g}"
        passed = reply.rating >= least
        return Verdict(passed, "rating", "" if passed else reason, score=reply.rating)

    return rated


def likely(least: float = PROBABILITY) -> Check:
    """A check that fails an answer whose tokens were less probable to the model that wrote it.

    Measured is the geometric mean of the tokens' probabilities, exp(mean log-probability).
    Where the endpoint gives none the answer passes, and the verdict says so.
    """

    def likely(reply: Reply) -> Verdict:
        if reply.logprob is None or math.isnan(reply.logprob):
            return Verdict(True, "logprob", "the endpoint gives no log-probabilities")
        probability = math.exp(min(reply.logprob, 0.0))
        passed = probability >= least
        reason = f"its tokens had a mean probability of {probability:.2f}, wanted {least:g}"
        return Verdict(passed, "logprob", "" if passed else reason, score=probability)

    return likely
