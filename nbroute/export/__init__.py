"""A session as one HTML page: no script, nothing loaded, readable as long as HTML is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from nbroute.errors import SettingsError

#: Marks our own files, which may be overwritten.
MARK = '<meta name="generator" content="nbroute export">'
SUFFIXES = (".html", ".htm")


def page_of(facts: Mapping[str, str], body: str, style: str) -> str:
    """The whole page: the facts as plain text at the top, then the body as it is."""
    head = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    frame = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    return frame.substitute(mark=MARK, style=style, facts=head, body=body)


def write_page(path: str | Path, page: str, *, force: bool = False) -> Path:
    """Write the page, whole or not at all; overwrites an export, with `force` any file.

    SettingsError for a name that does not end in .html, or if it cannot be written.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"an export is an HTML page, and {target.name!r} does not end in .html: "
            f"say {target.stem + '.html'!r}"
        )
    if not target.parent.is_dir():
        raise SettingsError(f"there is no folder {str(target.parent)!r}; make it first")
    if target.is_dir():
        raise SettingsError(f"{str(target)!r} is a folder; name a file in it")
    if target.exists() and not force and not _is_export(target):
        raise SettingsError(
            f"{str(target)!r} exists already and is not an export of nbroute; "
            "choose another name, or `--force` (in Python: force=True) to overwrite it"
        )
    part = target.with_name(f".nbroute-{secrets.token_hex(8)}.html")
    try:
        part.write_bytes(page.encode("utf-8", "replace"))
        part.replace(target)
    except OSError as error:
        raise SettingsError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return target


def _is_export(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return MARK.encode() in file.read(1_000)
    except OSError:
        return False
