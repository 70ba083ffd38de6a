"""Structured output: a schema read, asked for, and held against the answer.

A JSON schema, a pydantic model, a dataclass, a TypedDict or any type that pydantic takes; the
answer is always validated here, whatever the endpoint promised.
"""

from __future__ import annotations

from nbroute.checks.json_text import parse_json
from nbroute.structured.asking import response_format, schema_instruction
from nbroute.structured.reading import read_schema, schema_check
from nbroute.structured.schema import Schema

__all__ = [
    "Schema",
    "parse_json",
    "read_schema",
    "response_format",
    "schema_check",
    "schema_instruction",
]
