"""What the second article calls good and bad figures; shares of 1."""

from __future__ import annotations

#: "What % of Tier 1 requests escalate? (<10% is good; >20% = classifier problem)"
ESCALATION_GOOD = 0.10
ESCALATION_PROBLEM = 0.20
#: "Should be >50% Tier 1 for most support/Q&A apps"
LOWEST_SHARE = 0.50
