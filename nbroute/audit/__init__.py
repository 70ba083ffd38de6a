"""What saved notebooks say they spent: the records in their outputs' metadata, with no kernel.

A notebook holds what its outputs show: a cell that was run again or cleared keeps no trace of
the call before. The ledger has every call; the audit has what a file can prove.
"""

from __future__ import annotations

from nbroute.audit.auditing import audit
from nbroute.audit.calls import Call, Place
from nbroute.audit.totals import Audit, Line, Skipped

__all__ = ["Audit", "Call", "Line", "Place", "Skipped", "audit"]
