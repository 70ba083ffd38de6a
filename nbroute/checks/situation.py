"""What a check may know beside the reply."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbroute.types import Options


@dataclass(frozen=True, slots=True)
class Situation:
    """The prompt, the name of the tier that answers, whether it is the lowest, and the options."""

    prompt: str = ""
    tier: str = ""
    lowest: bool = False
    options: Options = field(default_factory=Options)
