"""The schema itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer must look like. `json_schema` is plain data, for an endpoint and a cache.

    `parse` turns an answer's text into a dict or list (of a JSON schema) or an instance (of a
    class); ValueError with one line that names the path and the value that does not fit.
    """

    name: str
    json_schema: dict[str, Any]
    parse: Callable[[str], Any] = field(repr=False)
