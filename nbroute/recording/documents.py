"""The format of a recording: JSON documents in a text file, with an empty line between two.

The first is the header: what it takes to classify and to climb the ladder as in the recording.
Each of the others is a request with its answer, or a text with its vector.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

import msgspec
from msgspec import Meta, field

from nbroute import errors
from nbroute.decoding import decode
from nbroute.errors import ProviderError, RecordError, SettingsError
from nbroute.ladders import validate
from nbroute.report.table import one_line
from nbroute.storage import content
from nbroute.types import Effort, Ladder, Price, ProviderKind, Request, Tier

SCHEMA = 1
#: The largest number in a file; larger ones would break sums and SQLite's integers.
MOST = 2**53
#: The errors that may be recorded instead of a reply.
ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ProviderError)
}

Count = Annotated[int, Meta(ge=0, le=MOST)]
Tokens = Annotated[int, Meta(gt=0, le=MOST)]
Number = Annotated[float, Meta(ge=-MOST, le=MOST)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
T = TypeVar("T")


class Lines(str):
    """A text that is a list of lines in the file, so that a diff shows which one changed."""

    __slots__ = ()


EMPTY = Lines()
Role = Literal["system", "user", "assistant"]
Turn = Annotated[dict[Role, Lines], Meta(min_length=1, max_length=1)]


class Part(msgspec.Struct, omit_defaults=True):
    """A document or a part of one: its fields in the file's order, without default values."""


def like(value: object, kind: type[T]) -> T:
    """The `kind` with the value's fields: from one of our values to what is recorded, or back."""
    return msgspec.convert(value, kind, from_attributes=True, dec_hook=_from_lines)


def plain(part: Part) -> dict[str, Any]:
    """The part as plain JSON."""

    def lines(value: Any) -> list[str] | str:
        return str(value).split("\n") if isinstance(value, Lines) else str(value)

    fields: dict[str, Any] = msgspec.to_builtins(part, enc_hook=lines)
    return fields


def digest(value: Any) -> str:
    """The SHA-256 of plain JSON, regardless of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()


class RecordedClassifier(Part, kw_only=True, forbid_unknown_fields=True):
    """The classifier and its settings; `provider` and `model` are the ones it asked."""

    name: str
    provider: str | None = None
    model: str | None = None
    threshold: Fraction
    step_up_below: Fraction | None = None


class RecordedEmbedder(Part):
    """A provider and its model; or "wordllama", or "auto" if there was none."""

    name: str
    model: str


class RecordedTarget(Part):
    """A fallback at another provider, or with its own price."""

    provider: str
    model: str
    price: Price | None = None


class RecordedTier(Part):
    """A `Tier`."""

    name: str
    provider: str
    model: str
    max_tokens: Tokens
    system: Lines
    fallbacks: list[str | RecordedTarget] = []
    price: Price | None = None
    reference: str | None = None
    context: Tokens | None = None
    description: Lines = EMPTY
    effort: Effort | None = None


class Header(Part, tag_field="nbroute", tag="recording"):
    """How the recording was made; `providers` are those asked, with no address and no key."""

    schema: int
    written_by: str
    profile: str
    providers: dict[str, ProviderKind]
    classifier: RecordedClassifier
    embedder: RecordedEmbedder
    agreement: Fraction
    baseline: str
    ladder_name: str = field(name="ladder")
    default: str
    tiers: list[RecordedTier]

    def __post_init__(self) -> None:
        validate(self.ladder)
        for target in (target for tier in self.ladder.tiers for target in tier.targets):
            if target.provider not in self.providers:
                raise ValueError(f"providers lacks {target.provider!r}")
            price = target.price
            if price and max(price.input, price.output, price.cached_input or 0) > MOST:
                raise ValueError(f"the price of {target.model!r} is out of bounds")

    @classmethod
    def of(cls, ladder: Ladder, **others: Any) -> Self:
        """The header for that ladder with the `others` of its fields, as this version writes it."""
        return cls(
            schema=SCHEMA,
            written_by=f"nbroute {_version()}",
            ladder_name=ladder.name,
            default=ladder.default,
            tiers=[like(tier, RecordedTier) for tier in ladder.tiers],
            **others,
        )

    @property
    def ladder(self) -> Ladder:
        """The ladder that was recorded."""
        tiers = (
            replace(like(one, Tier), system=str(one.system), description=str(one.description))
            for one in self.tiers
        )
        return Ladder(self.ladder_name, tuple(tiers), self.default)


class Asked(Part):
    """What was asked; its `key` depends on everything that shapes the answer, but no address."""

    @property
    def key(self) -> str:
        """A SHA-256."""
        return digest(plain(self))


class RecordedRequest(Asked, kw_only=True):
    """A `Request`, streamed or not."""

    provider: str
    model: str
    temperature: float | None = None
    max_tokens: int
    json: bool = False
    logprobs: bool = False
    rated: bool = False
    effort: Effort | None = None
    sample: Count = 0
    schema: dict[str, Any] | None = None
    messages: Annotated[list[Turn], Meta(min_length=1)]

    @classmethod
    def of(cls, request: Request) -> Self:
        """What is recorded of the request."""
        told = {name: getattr(request, name) for name in cls.__struct_fields__}
        told["temperature"] = None if request.temperature is None else float(request.temperature)
        told["schema"] = request.schema or None
        told["messages"] = [{one.role: one.content} for one in request.messages]
        return msgspec.convert(told, cls, dec_hook=_from_lines)

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        return next(iter(self.messages[-1].values()))


class RecordedUsage(Part):
    """A `Usage`."""

    input_tokens: Count = field(name="input")
    output_tokens: Count = field(name="output")
    cached_tokens: Count = field(name="cached", default=0)
    reasoning_tokens: Count = field(name="reasoning", default=0)
    estimated: bool = False
    billed_usd: Decimal | None = None


class RecordedReply(Part):
    """A `Reply`; we write its times as whole milliseconds."""

    text: Lines
    model: str
    finish_reason: str | None
    usage: RecordedUsage = field(name="tokens")
    latency_ms: Count | Number
    ttft_ms: Count | Number | None = None
    rating: Number | None = None
    logprob: Number | None = None
    reasoning: Lines = EMPTY
    effort: Effort | None = None


class RecordedError(Part):
    """The error instead of a reply: its class, one of `ERRORS`, and its message."""

    kind: str = field(name="class")
    message: Lines

    def __post_init__(self) -> None:
        if self.kind not in ERRORS:
            raise ValueError(f"there is no error {self.kind!r:.40}")


class Entry(Part):
    """A request with its reply or the error instead; the tier is only for readers."""

    purpose: str
    tier: str
    request: RecordedRequest
    reply: RecordedReply | None = None
    error: RecordedError | None = None

    def __post_init__(self) -> None:
        if self.reply is None and self.error is None:
            raise ValueError("it lacks 'reply'")


class RecordedText(Asked):
    """A text and the model that embeds it."""

    provider: str
    model: str
    text: Lines


class VectorEntry(Part, tag_field="purpose", tag="embed"):
    """A text and the vector (float32, base64) that an embeddings endpoint made of it."""

    request: RecordedText
    vector: str


class Document(NamedTuple):
    """A JSON object, the line of the file (from 1) on which it begins, and its text."""

    line: int
    fields: dict[str, Any]
    text: str


def opened(
    file: Path, path: Path
) -> tuple[Document, Header, Iterator[tuple[Document, Entry | VectorEntry]]]:
    """The header, as a document and decoded, and each entry likewise.

    `path` is what the user calls the file. RecordError for a file that is missing, of another
    schema, not ours, or damaged: with the line and the field.
    """
    found = documents(read_text(file, path), path)
    first = next(found, None)
    if first is None:
        raise RecordError(f"{path} is empty; make a recording with `%route record {path.name}`")
    if first.fields.get("nbroute") != "recording":
        raise RecordError(f"{path} {_NOT_OURS}")
    schema = first.fields.get("schema")
    if schema != SCHEMA:
        writer = one_line(str(first.fields.get("written_by", "another nbroute")))
        newer = type(schema) is int and schema > SCHEMA
        cure = "upgrade nbroute (pip install -U nbroute)" if newer else "correct it"
        raise RecordError(
            f"{path} is of schema {schema!r:.40}, written by {writer:.40}, and nbroute "
            f"{_version()} reads schema {SCHEMA}; {cure}, or record to another file"
        )
    what, cure = "the recording's header is", "correct it, or record to another file"

    def entry(document: Document) -> tuple[Document, Entry | VectorEntry]:
        embeds = document.fields.get("purpose") == "embed"
        kind: type[Entry | VectorEntry] = VectorEntry if embeds else Entry
        cure = "correct or delete it, or record that cell again"
        return document, _decoded(document, kind, path, "the entry beginning here is", cure)

    return first, _decoded(first, Header, path, what, cure), map(entry, found)


def _decoded(document: Document, kind: type[T], path: Path, what: str, cure: str) -> T:
    try:
        return decode(document.fields, kind, _from_lines)
    except (ValueError, SettingsError) as error:
        place = f"{path}, line {document.line}"
        raise RecordError(f"{place}: {what} damaged ({error}); {cure}") from None


#: Line separators and half surrogate pairs: an editor would break lines there, or not save.
_AWKWARD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_NOT_BLANK = re.compile(r"[^ \t\r\n]")
_NOT_OURS = "is not a recording of nbroute; name another file"
_CURE = "correct or delete it, or record to another file"


def dump(fields: Mapping[str, Any]) -> str:
    """The object as text for the file, with a line end."""
    text = json.dumps(fields, indent=1, ensure_ascii=False)
    return _AWKWARD.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def read_text(file: Path, path: Path) -> str:
    """The file's text, without a byte-order mark; RecordError if it cannot be read."""
    try:
        return content(file).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise RecordError(
            f"there is no recording {str(path)!r}; correct the path, or make one with "
            f"`%route record {path.name}`"
        ) from None
    except UnicodeDecodeError:
        raise RecordError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise RecordError(f"{str(path)!r} cannot be read: {error.strerror}; name a file") from None


def documents(text: str, path: Path) -> Iterator[Document]:
    """The objects of the file one by one; RecordError for one that is damaged or cut off."""
    parse = json.JSONDecoder().raw_decode
    end, line = 0, 1
    while begins := _NOT_BLANK.search(text, end):
        start = begins.start()
        line += text.count("\n", end, start)
        if text[start] != "{":
            raise _broken(text, start, line, path)
        try:
            found, end = parse(text, start)
        except (ValueError, RecursionError) as error:
            raise _broken(text, start, line, path, error) from None
        yield Document(line, found, f"{text[start:end]}\n")
        line += text.count("\n", start, end)


def _broken(
    text: str, start: int, line: int, path: Path, error: Exception | None = None
) -> RecordError:
    """What is wrong there, and what to do; without `error` it is not a JSON object."""
    at = line + text.count("\n", start, getattr(error, "pos", start))
    said = getattr(error, "msg", str(error).partition(";")[0])
    first = not text[:start].strip()
    if text.split("\n")[at - 1].startswith(("<<<<<<<", "|||||||", "=======", ">>>>>>>")):
        problem = f", line {at}: there is a merge conflict; resolve it"
    elif error is None and first:
        problem = f" {_NOT_OURS}"
    elif error is None:
        begins = text[start : start + 30].partition("\n")[0]
        problem = f", line {line}: {begins!r} is not an entry of a recording; {_CURE}"
    elif "\n{" in text[start:]:
        problem = f", line {at}: this is not JSON ({said}); {_CURE}"
    else:
        problem = (
            f" breaks off: what begins on line {line} is incomplete (line {at}: {said}); delete "
            f"the file from line {line} on{'' if first else ', keeping all before it'}, or record "
            "to another file"
        )
    return RecordError(f"{path}{problem}")


def _from_lines(kind: type, told: Any) -> Lines:
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        told = "\n".join(told)
    if not isinstance(told, str):
        raise ValueError("expected text or a list of lines")  # noqa: TRY004 - a damaged file
    return kind(told) if told else EMPTY


def _version() -> str:
    try:
        return version("nbroute")
    except PackageNotFoundError:
        return "of an unknown version"
