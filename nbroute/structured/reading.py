"""What the notebook has -> Schema, and the check that holds an answer against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbroute.structured.by_json_schema import validated_by
from nbroute.structured.by_type import schema_of_type
from nbroute.structured.schema import Schema
from nbroute.types import Check, Reply, Verdict


def read_schema(spec: Any, name: str | None = None) -> Schema:
    """The schema that `spec` stands for; `name` is what it is called in messages.

    A reference within the schema may recurse; one to elsewhere is refused, and never fetched.
    A class is asked by what it takes (pydantic's "validation" schema). SettingsError for what
    is no schema.
    """
    if isinstance(spec, Schema):
        return spec
    if isinstance(spec, Mapping):
        name = name or str(spec.get("title") or "schema")
        return Schema(name, *validated_by(spec, name))
    name = name or getattr(spec, "__name__", None) or "schema"
    return Schema(name, *schema_of_type(spec, name))


def schema_check(schema: Schema) -> Check:
    """A check that fails an answer that the schema does not parse."""

    def check(reply: Reply) -> Verdict:
        try:
            schema.parse(reply.text)
        except ValueError as error:
            again = "Give the whole JSON value again, put right."
            feedback = f"The answer before did not fit the JSON schema: {error}. {again}"
            return Verdict(False, "schema", str(error), feedback)
        return Verdict(True, "schema")

    check.__name__ = "schema"
    return check
