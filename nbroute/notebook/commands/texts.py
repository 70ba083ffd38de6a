"""Commands about prompts and answers: try, teach, record, replay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError
from nbroute.interpolate import interpolate
from nbroute.notebook import names, tables
from nbroute.notebook.commands.base import command
from nbroute.report.table import counted, shortened

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.router import Router

_CLASSIFIER = re.compile(r"(?:-c|--classifier)[\s=]+(\S+)(?:\s+|$)")


@command(
    "[-c CLASSIFIER] TEXT",
    "Why is the sky blue?",
    "router.classify('Why is the sky blue?')",
    takes_text=True,
)
def classify(desk: Desk, rest: str) -> tables.Table:
    """Which tier a text would go to, and why."""
    named = _CLASSIFIER.match(rest)
    text = interpolate(rest[named.end() :].strip() if named else rest, desk.shell.user_ns)
    if not text:
        raise SettingsError("`%route classify` takes a text, such as `%route classify Hello`")
    asked = names.classifier(desk.shell.user_ns, named[1]) if named else None
    return tables.decision(desk.router.classify(text, asked), text)


@command(
    "[TEXT]", "Why is the sky blue?", "router.explain('Why is the sky blue?')", takes_text=True
)
def playground(desk: Desk, rest: str) -> Any:
    """Explain a prompt as you type, before you send it."""
    text = interpolate(rest, desk.shell.user_ns)
    if not desk.is_live:
        return tables.tried(desk.router, text)
    from nbroute.notebook.playground import Playground

    made = Playground(desk.router, text, sent=desk.took, number=desk.new_number)
    return desk.follow(made)


@command(
    "TIER|forget [TEXT]",
    "SIMPLE What is 2 + 2?",
    "router.teach('What is 2 + 2?', 'SIMPLE')",
    takes_text=True,
)
def teach(desk: Desk, rest: str) -> str:
    """Teach which tier a text, or the last prompt, needs; forget takes it back."""
    tier, text = (*rest.split(None, 1), "", "")[:2]
    if not tier:
        raise SettingsError("`%route teach` takes a tier or forget, and a text or the last prompt")
    if not text and desk.last is None:
        raise SettingsError(f"nothing has been routed yet; give a text: `%route teach {tier} TEXT`")
    told = interpolate(text.strip(), desk.shell.user_ns) if text else desk.answer().prompt
    if tier == "forget":
        return f"no longer an example of {desk.router.forget(told)}: {shortened(told, 60)}"
    known = desk.router.teach(told, tier)
    return f"kept as an example of {known}: {shortened(told, 60)}"


@command("code [--unconfined]", "code", "router.allow_code()")
def allow(desk: Desk, rest: str) -> str:
    """Let --check tests=NAME run the code in answers."""
    word, _, option = rest.partition(" ")
    if word != "code":
        raise SettingsError(
            "`%route allow` takes one word, `code`, to run code in answers, and `--unconfined` "
            "after it where there is no sandbox for that code"
        )
    box = desk.router.allow_code(unconfined=bool(option))
    where = f"in a box that the kernel makes ({box}): without your files, keys and network"
    if not box:
        where = "with no sandbox: it can read and change your files, and so your keys"
    return (
        f"for this session, --check tests=NAME runs code that a model wrote, {where}; its time "
        "and memory are limited."
    )


@command("[FILE|off]", "talk.rec", "router.record('talk.rec')")
def record(desk: Desk, rest: str) -> str:
    """Keep each answer in a text file, to replay with no key."""
    ends = rest.lower() in ("off", "stop")
    begins = bool(rest) and not ends
    recorder = desk.router.record(_file(rest)) if begins else desk.router.recorder
    if recorder is None:
        how = "; %route record FILE keeps each answer from now on"
        return "nothing was being recorded" if ends else f"not recording{how}"
    has, to = counted(len(recorder), "answer"), f"recording to {recorder.path}"
    if ends:
        desk.router.record(None)
    if begins or ends:
        desk.refresh()
    if begins:
        return (
            f"{to}{f' (which has {has})' if len(recorder) else ''}: each answer from here on, "
            "including those from the cache; keys are left out, prompts and answers are not. "
            f"%route record off ends it.\n{recorder.note}"
        ).rstrip()
    if ends:
        return (
            f"recording has ended: {recorder.path} has {has}. %route replay {recorder.path} "
            "answers from it, with no key and no network."
        )
    return f"{to}: {has}, {recorder.added} written since it began; %route record off ends it"


@command("[FILE|off]", "talk.rec", "nbroute.Router(replay='talk.rec')")
def replay(desk: Desk, rest: str) -> str:
    """Answer from a recording: nothing is sent, nothing is paid."""
    if rest.lower() in ("off", "stop"):
        return desk.end_replay()
    if rest:
        desk.go_on(replay=_file(rest))
    recording = desk.router.replaying
    if recording is None:
        return "not replaying; %route replay FILE answers from a recording"
    return (
        f"{desk.router.settings.origin}; {counted(len(recording), 'answer')}, each at $0. "
        "%route use PROFILE switches to models."
    )


def _file(rest: str) -> str:
    """The file's name, which may be in quotes."""
    quoted = len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "\"'"
    name = rest[1:-1] if quoted else rest
    if not name.strip():
        raise SettingsError("the file has no name; give one, such as `talk.rec`")
    return name


@command(python="router = %route router")
def router(desk: Desk, _rest: str) -> Router:
    """The Router behind these cells."""
    return desk.router
