"""What is wrong with an answer, in one line that names the path and the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from nbroute.checks.quoting import short

#: The kinds of JSON values, in words.
KINDS = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS = {
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "multipleOf": "is no multiple of {}",
    "minLength": "has fewer than {} characters",
    "maxLength": "has more than {} characters",
    "minItems": "has fewer than {} items",
    "maxItems": "has more than {} items",
    "minProperties": "has fewer than {} keys",
    "maxProperties": "has more than {} keys",
    "const": "is not {}",
    "pattern": "does not match the pattern {}",
    "format": "has not the format {}",
}
#: pydantic's names of what is wrong, as far as a kind of JSON value says it better.
_PYDANTIC = {
    "string": "string",
    "int": "integer",
    "float": "number",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "dict": "object",
    "model": "object",
    "model_attributes": "object",
    "dataclass": "object",
}


def one_line(error: BaseException) -> str:
    """The first sentence of what the error says."""
    return re.split(r"\.\s", f"{error} ", maxsplit=1)[0].strip().replace("\n", " ")


def path_of(parts: Iterable[str | int]) -> str:
    """`items[2].price`; a key that is no word stands in brackets and quotes."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}"
        else:
            path += f"[{short(part)}]"
    return path.removeprefix(".")


def misfit(parts: Iterable[str | int], value: Any, says: str, others: int = 0) -> str:
    """The line itself: where, the value, and what is wrong with it."""
    more = f" (and {others} more)" if others else ""
    return f"{path_of(parts) or 'the answer'}: {short(value)} {says}{more}"


def of_json_schema(error: Any) -> str:
    """What is wrong, from an error of jsonschema's."""
    word, limit = error.validator, error.validator_value
    if word == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        return f"is not {' or '.join(KINDS.get(kind, kind) for kind in kinds)}"
    if word == "enum":
        return f"is not one of {', '.join(short(value) for value in limit)}"
    if word == "required":
        return f"has no {short(next(key for key in limit if key not in error.instance))}"
    if word == "additionalProperties":
        return f"has a key that the schema has not: {', '.join(_extra(error)) or 'any'}"
    if word == "uniqueItems":
        return "has the same item twice"
    return _LIMITS.get(word, "does not fit {1!r} of the schema").format(short(limit), word)


def _extra(error: Any) -> list[str]:
    known: Mapping[str, Any] = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    return [
        short(key)
        for key in error.instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ][:3]


def of_pydantic(error: Mapping[str, Any]) -> str:
    """What is wrong, from one of the errors of pydantic's."""
    kind = re.sub(r"_(?:type|parsing|from_float)$", "", error["type"])
    if error["type"] == "missing":
        return f"has no {short(error['loc'][-1])}"
    if error["type"] == "extra_forbidden":
        return "is under a key that the schema has not"
    if error["type"] in ("literal_error", "enum"):
        return f"is not {error['ctx']['expected']}"
    if kind in _PYDANTIC and kind != error["type"]:
        return f"is not {KINDS[_PYDANTIC[kind]]}"
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return " ".join(f"{'' if message.startswith('should') else 'is refused: '}{message}".split())
