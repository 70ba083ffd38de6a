"""The format of a recording: JSON documents in a text file, with an empty line between two.

The first is the header: what it takes to classify and to climb the ladder as it was recorded.
Each of the others is a request with its answer, or a text with its vector.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, field

from nbroute import errors
from nbroute.errors import ProviderError, RecordError, SettingsError
from nbroute.ladders import validate
from nbroute.storage.cache import request_key
from nbroute.types import Ladder, Message, Price, ProviderKind, Request, Tier

SCHEMA = 1
#: No number in a file is above it; beyond, sums and SQLite's integers break.
MOST = 2**53

Count = Annotated[int, Meta(ge=0, le=MOST)]
Tokens = Annotated[int, Meta(gt=0, le=MOST)]
Number = Annotated[float, Meta(ge=-MOST, le=MOST)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Role = Literal["system", "user", "assistant"]
T = TypeVar("T")


class Lines(str):
    """A text that is a list of lines in the file, so that a diff shows the one that changed."""

    __slots__ = ()


EMPTY = Lines()
Turn = Annotated[dict[Role, Lines], Meta(min_length=1, max_length=1)]


def like(value: object, kind: type[T]) -> T:
    """The `kind` whose fields are the value's, from a value of ours to what is recorded or back."""
    return msgspec.convert(value, kind, from_attributes=True, dec_hook=_lines)


class Part(msgspec.Struct, omit_defaults=True):
    """A document or a part of one: its fields in the file's order, usual values left out."""

    def fields(self) -> dict[str, Any]:
        """Plain JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_plain)
        return plain


# the header


class RecordedClassifier(Part, kw_only=True, forbid_unknown_fields=True):
    """What classified, and what it went by; `provider` and `model` are whom it asked."""

    name: str
    provider: str | None = None
    model: str | None = None
    threshold: Fraction
    step_up_below: Fraction | None = None


class RecordedEmbedder(Part):
    """A provider and its model; or "wordllama", or "auto" where there was none."""

    name: str
    model: str


class RecordedTarget(Part):
    """A fallback at another provider or at a price of its own."""

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


class Header(Part, tag_field="nbroute", tag="recording"):
    """What was recorded with; `providers` are those asked, with no address and no key."""

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
            if price and not all(-1 < one <= MOST for one in (price.input, price.output)):
                raise ValueError(f"the price of {target.model!r} is out of bounds")

    @classmethod
    def of(cls, ladder: Ladder, **others: Any) -> Self:
        """The header of that ladder and the `others` of its fields, as this version writes it."""
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


def read_header(document: Document, path: Path) -> Header:
    """The header; RecordError for another program's file, another schema, or a damaged one."""
    fields = document.fields
    if fields.get("nbroute") != "recording":
        raise not_ours(path)
    schema = fields.get("schema")
    if schema != SCHEMA:
        writer = fields.get("written_by", "another nbroute")
        newer = type(schema) is int and schema > SCHEMA
        cure = "upgrade nbroute (pip install -U nbroute)" if newer else "correct it"
        raise RecordError(
            f"{path} is of schema {schema!r:.40}, written by {writer!s:.40}, and nbroute "
            f"{_version()} reads schema {SCHEMA}; {cure}, or record again in another file"
        )
    try:
        return msgspec.convert(fields, Header, dec_hook=_lines)
    except (msgspec.ValidationError, ValueError, SettingsError) as error:
        raise RecordError(
            f"{path}, line {document.line}: the recording's header is damaged "
            f"({_fault(error, fields)}); correct it, or record again in another file"
        ) from None


# the entries


class RecordedRequest(Part, kw_only=True):
    """A `Request`, whether it was streamed or not."""

    provider: str
    model: str
    temperature: float | None = None
    max_tokens: Count
    json: bool = False
    logprobs: bool = False
    rated: bool = False
    schema: dict[str, Any] | None = None
    messages: Annotated[list[Turn], Meta(min_length=1)]

    @classmethod
    def of(cls, request: Request) -> Self:
        """What is recorded of that request."""
        told = {name: getattr(request, name) for name in cls.__struct_fields__}
        told["temperature"] = None if request.temperature is None else float(request.temperature)
        told["schema"] = request.schema or None
        told["messages"] = [{one.role: one.content} for one in request.messages]
        return msgspec.convert(told, cls, dec_hook=_lines)

    @property
    def prompt(self) -> str:
        """What the last message says."""
        return next(iter(self.messages[-1].values()))

    @property
    def key(self) -> str:
        """Told by all that shapes the answer, and by no address."""
        turns = (turn for message in self.messages for turn in message.items())
        messages = tuple(Message(role, text) for role, text in turns)
        return request_key(Request(**{**msgspec.structs.asdict(self), "messages": messages}))


class RecordedUsage(Part):
    """A `Usage`."""

    input_tokens: Count = field(name="input")
    output_tokens: Count = field(name="output")
    cached_tokens: Count = field(name="cached", default=0)
    estimated: bool = False
    billed_usd: Decimal | None = None


class RecordedReply(Part):
    """A `Reply`; its times are whole milliseconds where we write them."""

    text: Lines
    model: str
    finish_reason: str | None
    usage: RecordedUsage = field(name="tokens")
    latency_ms: Count | Number
    ttft_ms: Count | Number | None = None
    rating: Number | None = None
    logprob: Number | None = None


class RecordedError(Part):
    """The error in the place of a reply: its class, one of `nbroute.errors`, and its message."""

    kind: str = field(name="class")
    message: Lines

    def __post_init__(self) -> None:
        self.error  # noqa: B018 - raises for a class that there is not

    @classmethod
    def of(cls, error: ProviderError, message: str) -> Self:
        """The error under that message; one of a user's own class as the one of ours it is."""
        ours = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
        return cls(ours.__name__, Lines(message))

    @property
    def error(self) -> ProviderError:
        """The error that was recorded; ValueError where its class is not an error of ours."""
        kind = getattr(errors, self.kind, None)
        if not isinstance(kind, type) or not issubclass(kind, ProviderError):
            raise ValueError(f"there is no error {self.kind!r:.40}")  # noqa: TRY004 - a damaged file
        return kind(str(self.message))


class Entry(Part):
    """A request with its reply or the error in its place; the tier is for the reader's eye."""

    purpose: str
    tier: str
    request: RecordedRequest
    reply: RecordedReply | None = None
    error: RecordedError | None = None

    def __post_init__(self) -> None:
        if self.reply is None and self.error is None:
            raise ValueError("it lacks 'reply'")

    @property
    def key(self) -> str:
        """The request's."""
        return self.request.key

    @property
    def words(self) -> str:
        """Told by what the answer says; how long it took is no change worth a diff."""
        if self.reply is None:
            return f"error {_digest(self.error and (self.error.kind, self.error.message))}"
        reply = self.reply
        return _digest((reply.text, reply.model, reply.finish_reason, reply.rating))


class RecordedText(Part):
    """A text, and what embeds it."""

    provider: str
    model: str
    text: Lines

    @property
    def key(self) -> str:
        """Told by all of it."""
        return _digest(("embed", self.provider, self.model, self.text))


class VectorEntry(Part, tag_field="purpose", tag="embed"):
    """A text and the vector (float32, base64) that an embeddings endpoint made of it."""

    request: RecordedText
    vector: str

    @property
    def key(self) -> str:
        """The text's."""
        return self.request.key

    @property
    def words(self) -> str:
        """The number of dimensions: the same text never comes out quite the same again."""
        return str(len(self.vector))


def read_entry(document: Document, path: Path) -> Entry | VectorEntry:
    """The entry; RecordError that names the file, the line and the field that is damaged."""
    kind: type[Entry | VectorEntry] = (
        VectorEntry if document.fields.get("purpose") == "embed" else Entry
    )
    try:
        return msgspec.convert(document.fields, kind, dec_hook=_lines)
    except (msgspec.ValidationError, ValueError) as error:
        raise RecordError(
            f"{path}, line {document.line}: the entry that begins here is damaged "
            f"({_fault(error, document.fields)}); correct or delete it, or record that cell again"
        ) from None


# the text


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, the line of the file (from 1) that it begins on, and its text there."""

    line: int
    fields: dict[str, Any]
    text: str


_DECODER = json.JSONDecoder()
#: Line separators and half surrogate pairs: an editor would break lines there, or not save.
_AWKWARD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_CURE = "correct or delete it, or record again in another file"


def dump(fields: Mapping[str, Any]) -> str:
    """The object as it stands in the file, with a line end."""
    text = json.dumps(fields, indent=1, ensure_ascii=False)
    return _AWKWARD.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def read_text(file: Path, path: Path) -> str:
    """The file's text, without a byte-order mark; RecordError where there is none to read.

    `path` is what the user calls it.
    """
    try:
        if file.is_dir():
            raise RecordError(f"{path} is a folder; name the recording's file in it")
        if file.exists() and not file.is_file():
            raise RecordError(f"{path} is a device or a pipe; name a file")
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordError(
            f"there is no recording {str(path)!r}; correct the path, or make one with "
            f"`%route record {path.name}`"
        ) from None
    except UnicodeDecodeError:
        raise RecordError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except ValueError as error:  # a NUL in the name
        raise RecordError(f"{str(path)!r} cannot be the name of a file: {error}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None


def documents(text: str, path: Path) -> Iterator[Document]:
    """The objects of the file one by one; RecordError at the first that is damaged or cut off."""
    end, line = 0, 1
    while True:
        start = end
        while text[start : start + 1] in (" ", "\t", "\r", "\n"):
            start += 1
        line += text.count("\n", end, start)
        if start == len(text):
            return
        try:
            found, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            raise _broken(text, start, line, path, error) from None
        if not isinstance(found, dict):
            raise _no_object(text, start, line, path)
        yield Document(line, found, f"{text[start:end]}\n")
        line += text.count("\n", start, end)


def not_ours(path: Path) -> RecordError:
    """What to say of a file that nbroute did not write."""
    return RecordError(f"{path} is not a recording of nbroute; name another file")


def _no_object(text: str, start: int, line: int, path: Path) -> RecordError:
    if not text[:start].strip():
        return not_ours(path)
    begins = text[start : start + 30].partition("\n")[0]
    return RecordError(f"{path}, line {line}: {begins!r} is not an entry of a recording; {_CURE}")


def _broken(text: str, start: int, line: int, path: Path, error: Exception) -> RecordError:
    """What is wrong with the document that begins there, and what to do."""
    at = line + text.count("\n", start, getattr(error, "pos", start))
    said = getattr(error, "msg", str(error).partition(";")[0])
    if text.split("\n")[at - 1].startswith(_CONFLICT):
        return RecordError(f"{path}, line {at}: a merge conflict stands there; resolve it")
    if text[start] != "{":
        return _no_object(text, start, line, path)
    if "\n{" in text[start:]:
        return RecordError(f"{path}, line {at}: this is not JSON ({said}); {_CURE}")
    keeps = ", which keeps all before it" if text[:start].strip() else ""
    return RecordError(
        f"{path} breaks off: what begins on line {line} is not whole (line {at}: {said}); delete "
        f"the file from line {line} on{keeps}, or record again in another file"
    )


_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_WORDS |= {"array": "a list", "object": "an object"}


def _fault(error: Exception, fields: Mapping[str, Any]) -> str:
    """What msgspec says, in everyday words, with the value that stands there."""
    said, _, place = str(error).replace("`key` in ", "").partition(" - at `$")
    place, unknown, _ = place.strip(".`").partition("[...]")
    if lacking := re.fullmatch("Object missing required field `(.+)`", said):
        return f"it lacks {lacking[1]!r}{f' in {place}' if place else ''}"
    said = re.sub(", got `.+`", "", said).replace("Invalid enum value", "there is no")
    for theirs in re.findall("`(.+?)`", said):
        ours = " or ".join(_WORDS.get(one, one) for one in theirs.split(" | "))
        said = said.replace(f"`{theirs}`", ours)
    value: Any = fields
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", place):
        value = value[int(index) if index else name]
    shown = "" if unknown or (value and isinstance(value, dict | list)) else f" is {value!r:.40}"
    return f"{place}{shown}: {said[0].lower()}{said[1:]}" if place else said


def _lines(kind: type, told: Any) -> Lines:
    """Decodes `Lines`."""
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        told = "\n".join(told)
    if not isinstance(told, str):
        raise ValueError("expected text or a list of lines")  # noqa: TRY004 - a damaged file
    return kind(told) if told else EMPTY


def _plain(value: Any) -> Any:
    """Encodes `Lines`, and what else is a str or a float of another's own."""
    if isinstance(value, Lines):
        return str(value).split("\n")
    return float(value) if isinstance(value, float) else str(value)


def _digest(told: Any) -> str:
    text = json.dumps(told, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _version() -> str:
    try:
        return version("nbroute")
    except PackageNotFoundError:
        return "of an unknown version"
