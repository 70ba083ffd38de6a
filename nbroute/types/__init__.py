"""The nouns: frozen values that each stage hands to the next, and the seams between them.

    prompt -> Decision -> Plan -> Request -> Attempt -> Verdict -> RouteResult

Money is in US dollars as `Decimal`, a price is per million tokens, durations are in
milliseconds. `None` as an amount means "not known", never zero.
"""

from __future__ import annotations

from nbroute.types.calls import (
    Attempt,
    CacheMode,
    Chunk,
    Message,
    Purpose,
    Reply,
    Request,
    Status,
    Verdict,
    equivalent_cost,
    total_cost,
)
from nbroute.types.events import (
    Attempted,
    Classified,
    Done,
    Escalated,
    Event,
    Explanation,
    Notice,
    Observer,
    Sent,
    Text,
    TierEstimate,
)
from nbroute.types.labels import Feedback, Label
from nbroute.types.ladder import (
    Ladder,
    Target,
    Tier,
)
from nbroute.types.money import (
    Cost,
    CostSource,
    Price,
    ProviderKind,
    Usage,
)
from nbroute.types.results import (
    Options,
    Plan,
    RouteResult,
    Rung,
    Step,
)
from nbroute.types.seams import (
    Cache,
    Cap,
    Check,
    Classifier,
    Decision,
    Embedded,
    Embedder,
    Ledger,
    Provider,
    Recorder,
    Refusal,
    Replay,
    Signal,
)

__all__ = [
    "Attempt",
    "Attempted",
    "Cache",
    "CacheMode",
    "Cap",
    "Check",
    "Chunk",
    "Classified",
    "Classifier",
    "Cost",
    "CostSource",
    "Decision",
    "Done",
    "Embedded",
    "Embedder",
    "Escalated",
    "Event",
    "Explanation",
    "Feedback",
    "Label",
    "Ladder",
    "Ledger",
    "Message",
    "Notice",
    "Observer",
    "Options",
    "Plan",
    "Price",
    "Provider",
    "ProviderKind",
    "Purpose",
    "Recorder",
    "Refusal",
    "Replay",
    "Reply",
    "Request",
    "RouteResult",
    "Rung",
    "Sent",
    "Signal",
    "Status",
    "Step",
    "Target",
    "Text",
    "Tier",
    "TierEstimate",
    "Usage",
    "Verdict",
    "equivalent_cost",
    "total_cost",
]
