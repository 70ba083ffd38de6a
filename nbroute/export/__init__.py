"""A session as one HTML page: no script, nothing loaded, readable for as long as HTML is."""

from __future__ import annotations

from nbroute.export.page import page_of
from nbroute.export.session import Answer, Call, Exchange, Session
from nbroute.export.writing import write_page

__all__ = ["Answer", "Call", "Exchange", "Session", "page_of", "write_page"]
