"""A nbroute.toml that was found, not named: what it may do before the user trusts it."""

from __future__ import annotations

import io
import os
import random
import stat
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import pytest
from cells import error_of, run

from nbroute import Router
from nbroute.cli import main
from nbroute.errors import SettingsError
from nbroute.settings import load

ENDPOINT = """
[providers.corp]
base_url = "{url}"
api_key_env = "CORP_KEY"
[tiers.ONLY]
provider = "corp"
model = "m"
"""
EVIL = ENDPOINT.format(url="https://evil.example/v1")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The user's data folder, where it is kept what is trusted."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CORP_KEY", "sk-corp-0123456789")
    return tmp_path / "data" / "nbroute"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The working folder, two below the one where `write` puts a nbroute.toml."""
    inner = tmp_path / "clone" / "notebooks"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return inner.parent


@pytest.fixture
def write(clone):
    def write_settings(text):
        (clone / "nbroute.toml").write_text(text, encoding="utf-8")
        return clone / "nbroute.toml"

    return write_settings


def test_no_key_is_shown_by_what_prints_settings_or_looks_into_a_provider(write):
    settings = load(write(EVIL))

    (corp,) = settings.providers
    assert corp.api_key == "sk-corp-0123456789"
    assert "sk-corp" not in f"{asdict(settings)} {settings} {[corp.api_key]}"


def opened(*args, **kwargs):
    router = Router(*args, **kwargs)
    router.close()
    return router.settings


def test_a_found_file_sends_nothing_until_it_is_trusted_and_again_once_it_changed(
    write, server, capsys
):
    text = ENDPOINT.format(url=server.url)
    file = write(text)

    with pytest.warns(UserWarning, match="is set aside until you trust it") as warned:
        router = Router()
    router.route("hello")
    router.close()
    said = str(warned[0].message)
    assert f"sends prompts and the key in CORP_KEY to {server.url}" in said
    assert f"nbroute trust {file}" in said
    assert 1 == len(said.splitlines())
    assert __file__ == warned[0].filename
    assert ("simulated", []) == (router.settings.profile, server.requests)
    assert router.settings.origin.endswith(said.removeprefix("nbroute: "))

    assert 0 == main(["trust", "--yes"])
    assert f"- sends prompts and the key in CORP_KEY to {server.url}" in capsys.readouterr().out
    trusted = Router()
    trusted.route("hello")
    trusted.close()
    assert "Bearer sk-corp-0123456789" == server.requests[0].headers["authorization"]

    write(text + "# another word\n")
    with pytest.warns(UserWarning, match="is set aside"):
        assert "simulated" == opened().profile
    write(text)
    assert "file" == opened().profile


ASKS = {
    "a key to an address of another": (
        '[providers.x]\nbase_url = "https://openrouter.ai/api/v1"\napi_key_env = "OPENAI_API_KEY"',
        "sends prompts and the key in OPENAI_API_KEY to https://openrouter.ai/api/v1",
    ),
    "a built-in name elsewhere": (
        '[providers.openai]\nbase_url = "https://evil.example"',
        "sends prompts and the key in OPENAI_API_KEY to https://evil.example",
    ),
    "a built-in name with another key": (
        '[providers.ollama]\napi_key_env = "GITHUB_TOKEN"',
        "sends prompts and the key in GITHUB_TOKEN, counted as free, to http://localhost:11434/v1",
    ),
    "an address with no key": (
        '[providers.x]\nbase_url = "http://localhost:9999"',
        "sends prompts to http://localhost:9999",
    ),
    "an offline name that sends": (
        '[providers.simulated]\nkind = "openai"\nbase_url = "https://evil.example"',
        "sends prompts, counted as free, to https://evil.example",
    ),
    "money that is not counted": ("[providers.openai]\nbilled = false", "counted as free"),
    **{
        f"{name} that is OpenAI": (
            (
                f'[providers.{name}]\nkind = "openai"\nbase_url = "https://api.openai.com/v1"\n'
                'api_key_env = "OPENAI_API_KEY"\nbilled = true'
            ),
            "sends prompts and the key in OPENAI_API_KEY to https://api.openai.com/v1",
        )
        for name in ("simulated", "local", "ollama")
    },
    "a price of nothing": (
        '[tiers.SIMPLE]\nmodel = "gpt-5.5"\nprice = { input = 0, output = 0 }',
        "counts gpt-5.5 at $0 in, $0 out per million tokens",
    ),
    "a low price of a fallback": (
        (
            '[tiers.SIMPLE]\nfallbacks = [{ provider = "openai", model = "gpt-5.5", '
            "price = { input = 0.01, output = 99 } }]"
        ),
        "counts gpt-5.5 at $0.01 in, $99.00 out per million tokens",
    ),
    "plain http that the user did not allow": (
        "[providers.openai]\nallow_http = true",
        "sends prompts and the key in OPENAI_API_KEY to https://api.openai.com/v1",
    ),
    "litellm": (
        '[providers.x]\nkind = "litellm"\n[tiers.A]\nprovider = "x"\nmodel = "huggingface/https://x"',
        "sends prompts to wherever its models are through LiteLLM",
    ),
    "a ledger": ('[nbroute]\nledger = "../../.bashrc"', "writes the ledger '"),
    "a cache": ('[nbroute]\ncache_file = "c"', "reads and writes the cache '"),
    "a recording": ('[nbroute]\nrecord = "r"', "records prompts and answers in '"),
    "a classifier": ('[nbroute]\nclassifier_file = "c.npz"', "reads and writes the classifier '"),
    "a path of a profile": ('[profiles.p]\nledger = "l"', "writes the ledger '"),
    "a model file": ('[providers.local]\ngguf = ["a.gguf"]', "loads the model '"),
    "examples from elsewhere": ('[nbroute]\nexamples_file = "/etc/passwd"', "'/etc/passwd'"),
    "a link that leads out": ('[nbroute]\nreplay = "link/x"', "answers from '"),
    "marks on the screen": ('[nbroute]\nledger = "\\u001b[2J\\n\\u202e"', r"\x1b[2J\n\u202e'"),
}


@pytest.mark.filterwarnings("ignore:nbroute")
@pytest.mark.parametrize(("text", "said"), ASKS.values(), ids=ASKS)
def test_what_a_found_file_asks_for_is_told_in_one_line_and_not_done(
    write, tmp_path, capsys, text, said
):
    (tmp_path / "clone" / "link").symlink_to(tmp_path)
    write(f"{text}\n")

    settings = opened()
    main(["trust", "--yes"])

    assert "simulated" == settings.profile
    assert settings.source_file is None
    assert settings.origin.isprintable()
    assert said in settings.origin
    assert said in capsys.readouterr().out


NEEDS_NONE = {
    "tiers, prompts and budgets": (
        '[nbroute]\nprofile = "openrouter"\nbudget_usd = 5\nstore_text = true\n'
        '[tiers.SIMPLE]\nsystem = "Be brief."\nmodel = "openai/gpt-5.4"'
    ),
    "what is built in, written out": (
        '[providers.openrouter]\nbase_url = "https://openrouter.ai/api/v1/"\n'
        'api_key_env = "OPENROUTER_API_KEY"\ntimeout_s = 5'
    ),
    "a recording and examples beside it": (
        '[nbroute]\nexamples_file = "examples.csv"\n[profiles.talk]\nreplay = "talk.rec"'
    ),
    "a price as high as the list's": (
        '[tiers.SIMPLE]\nmodel = "gpt-4o-mini"\nprice = { input = 0.15, output = 0.60 }'
    ),
    "simulated models": '[providers.mine]\nkind = "simulated"\npace = 0.1',
}


@pytest.mark.parametrize("text", NEEDS_NONE.values(), ids=NEEDS_NONE)
def test_a_found_file_of_what_is_built_in_needs_no_trust(write, capsys, text):
    file = write(text)

    assert file == opened().source_file
    assert 0 == main(["trust", "--yes"])
    assert "it needs no trust" in capsys.readouterr().out


@pytest.mark.parametrize("named", ["argument", "environment", "configuration"])
def test_a_file_that_is_named_is_trusted(write, monkeypatch, named):
    file = write(EVIL)
    if named == "environment":
        monkeypatch.setenv("NBROUTE_CONFIG", str(file))
    if named == "configuration":
        home = file.parent.parent / "nbroute"
        file.parent.rename(home)
        monkeypatch.chdir(home)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home.parent))

    assert "file" == opened(file if named == "argument" else None).profile


@pytest.mark.filterwarnings("ignore:nbroute")
def test_the_users_own_file_holds_in_place_of_one_that_is_set_aside(write, tmp_path, monkeypatch):
    own = tmp_path / "config" / "nbroute"
    own.mkdir(parents=True)
    (own / "nbroute.toml").write_text('[nbroute]\nprofile = "local"\nbudget_usd = 1\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own.parent))
    for text in (EVIL, "[nbroute]\nbudget_usd = 99", '[profiles.p]\nprofile = "openai"'):
        write(text)
        assert ("local", 1) == (opened().profile, opened().budget_usd)

    assert f"sets aside budget_usd = 1 of {own}" in opened().origin
    write('[nbroute]\nprofile = "local"\nbudget_usd = 1\nladder = "two-tier"')
    assert "two-tier" == opened().ladder.name


OWN = """
[nbroute]
profile = "work"
[providers.openai]
base_url = "https://gateway.example/v1"
[profiles.work]
provider = "openai"
budget_usd = 1
budget_usd_per_feature = { chat = 2 }
"""


@pytest.mark.filterwarnings("ignore:nbroute")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN.replace("= 1", "= 9"), "budget_usd = 1"),
        (OWN.replace("= 2", "= 9"), "budget_usd_per_feature"),
        (OWN.replace('"openai"', '"anthropic"'), "[profiles.work]"),
        (OWN.replace("gateway.example", "api.openai.com"), "[providers.openai]"),
        ('[nbroute]\nladder = "two-tier"', "[providers.openai]"),
    ],
)
def test_an_endpoint_or_a_profile_of_the_users_own_is_not_replaced_unasked(
    write, tmp_path, monkeypatch, text, said
):
    own = tmp_path / "config" / "nbroute" / "nbroute.toml"
    own.parent.mkdir(parents=True)
    own.write_text(OWN)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own.parent.parent))
    write(text)

    settings = opened()

    assert own == settings.source_file
    assert f"sets aside {said} of {own}" in settings.origin


@pytest.mark.filterwarnings("ignore:nbroute")
def test_a_file_of_another_user_is_asked_about(write, monkeypatch):
    file = write('[nbroute]\nladder = "two-tier"')
    assert "two-tier" == opened().ladder.name

    if os.getuid() == 0:
        os.chown(file, 1234, -1)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    assert "as it belongs to another user" in opened().origin
    main(["trust", "--yes"])
    assert "two-tier" == opened().ladder.name


@pytest.mark.filterwarnings("ignore:nbroute")
def test_of_two_files_that_are_set_aside_each_is_told_how_it_is_trusted(write, clone):
    outer = write(EVIL)
    Path("nbroute.toml").write_text(EVIL)

    inner, above = opened().set_aside.split(" in a terminal")[:2]

    assert "`%route trust`" in inner
    assert "%route" not in above
    assert f"`nbroute trust {outer}`" in above


PAID = {
    "a tier": '[nbroute]\nprofile = "local"\n[tiers.SIMPLE]\nprovider = "openai"',
    "a tier of a profile that is not chosen": '[tiers.SIMPLE]\nprovider = "openai"',
    "a fallback": '[tiers.SIMPLE]\nfallbacks = [{ provider = "openai", model = "gpt-5.4" }]',
    "the classifier": '[nbroute]\nclassifier = "model"\nclassifier_provider = "openai"',
    "the embedder": '[nbroute]\nprofile = "local"\nembedder = "openai"',
    "the profile": '[profiles.local]\nprovider = "openai"',
    "a profile's classifier": '[profiles.local]\nclassifier_provider = "openai"',
}


@pytest.mark.filterwarnings("ignore:nbroute")
@pytest.mark.parametrize("chosen", ["argument", "environment", "own file"])
@pytest.mark.parametrize("text", PAID.values(), ids=PAID)
def test_a_profile_that_costs_nothing_pays_nobody_in_a_cloned_folder(
    write, tmp_path, monkeypatch, text, chosen
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    write(text)
    if chosen == "environment":
        monkeypatch.setenv("NBROUTE_PROFILE", "local")
    if chosen == "own file":
        own = tmp_path / "config" / "nbroute"
        own.mkdir(parents=True)
        (own / "nbroute.toml").write_text('[nbroute]\nprofile = "local"')
        monkeypatch.setenv("XDG_CONFIG_HOME", str(own.parent))

    settings = load(profile="local" if chosen == "argument" else None)

    assert {"local"} == {one.name for one in settings.providers}


@pytest.mark.filterwarnings("ignore:nbroute")
def test_a_profile_of_a_file_that_is_set_aside_says_why_it_is_not_there(write):
    write(EVIL)

    with pytest.raises(SettingsError, match=r"'corp' is not a profile.*is set aside until"):
        Router(profile="corp")


@pytest.mark.filterwarnings("ignore:nbroute")
def test_trust_is_asked_for_listed_and_revoked_on_the_command_line(
    write, monkeypatch, capsys, data
):
    file = write(EVIL)
    for answer in ("n\n", ""):  # the second: nobody is there to answer
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert 1 == main(["trust"])
        assert "not trusted; with --yes" in capsys.readouterr().out
    assert "simulated" == opened().profile

    assert 0 == main(["trust", str(file.parent), "--yes"])
    records = list((data / "trusted").iterdir())
    assert [0o700, 0o600] == [
        stat.S_IMODE(one.stat().st_mode) for one in (data / "trusted", *records)
    ]
    capsys.readouterr()
    main(["trust", "--list"])
    assert f"{file}\n" == capsys.readouterr().out
    assert "file" == opened().profile

    file.unlink()
    main(["trust", "--list"])
    assert "changed or gone" in capsys.readouterr().out
    assert 0 == main(["trust", str(file), "--revoke"])
    write(EVIL)
    assert "simulated" == opened().profile


@pytest.mark.filterwarnings("ignore:nbroute")
@pytest.mark.parametrize("content", [b"", b"\0", b"/elsewhere", b"\xff" * 99])
def test_a_damaged_record_of_trust_is_no_trust(write, data, capsys, content):
    write(EVIL)
    main(["trust", "--yes"])
    (record,) = (data / "trusted").iterdir()
    record.write_bytes(content)

    assert "simulated" == opened().profile
    assert 0 == main(["trust", "--list"])
    main(["trust", "--yes"])
    assert "file" == opened().profile


@pytest.mark.filterwarnings("ignore:nbroute")
def test_a_copy_of_a_trusted_file_and_a_link_to_it_are_not_trusted(write, tmp_path, monkeypatch):
    file = write(EVIL)
    main(["trust", "--yes"])
    for name in ("copy", "link"):
        (tmp_path / name).mkdir()
    (tmp_path / "copy" / "nbroute.toml").write_text(EVIL)
    (tmp_path / "link" / "nbroute.toml").symlink_to(file)
    (tmp_path / "other").symlink_to(file.parent)

    profiles = []
    for name in ("copy", "link", "other"):
        monkeypatch.chdir(tmp_path / name)
        profiles.append(opened().profile)

    assert ["simulated", "simulated", "file"] == profiles


@pytest.mark.filterwarnings("ignore:nbroute")
def test_a_folder_with_marks_in_its_name_brings_none_to_the_screen(tmp_path, monkeypatch, capsys):
    odd = tmp_path / "a\x1b[2J\u202e\nb"
    odd.mkdir()
    monkeypatch.chdir(odd)
    (odd / "nbroute.toml").write_text(EVIL)

    said = [load().origin]
    main(["trust", "--yes"])
    said += [load().origin, *capsys.readouterr().out.splitlines()]
    (odd / "nbroute.toml").write_text("[x")
    main(["trust"])
    said += capsys.readouterr().err.splitlines()

    assert 6 == len(said)
    assert all(map(str.isprintable, said))


def test_trust_where_nothing_can_be_kept_or_found_is_one_line(clone, write, data, capsys):
    assert 1 == main(["trust"])
    write(EVIL)
    data.parent.mkdir(parents=True)
    data.write_text("a file")
    assert 1 == main(["trust", "--yes"])

    first, second = capsys.readouterr().err.splitlines()
    assert "there is no nbroute.toml here" in first
    assert "cannot write to" in second


def test_in_a_working_folder_that_was_deleted_there_is_no_file_to_find(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert "simulated" == opened().profile


@pytest.mark.filterwarnings("ignore:nbroute")
@pytest.mark.parametrize(
    "lines",
    [
        '["{}"]',
        '[nbroute]\n"{}" = 1',
        '[providers."{}"]',
        '[tiers."{}"]\nmax_tokens = 0',
        '[tiers."{}"]',
        '[profiles."{}"]\nprovider = "openai"\n[nbroute]\nprofile = "{}"',
    ],
)
def test_no_name_in_a_found_file_brings_marks_to_the_screen(write, lines):
    write(lines.replace("{}", r"\u001b[2J\u202e\nx"))

    try:
        said = load().origin
    except SettingsError as error:
        said = str(error)

    assert said.isprintable()
    assert "[2J x" in said


def test_a_notebook_says_what_the_file_wants_and_how_to_trust_it(shell, clone, monkeypatch, server):
    monkeypatch.delenv("NBROUTE_PROFILE")
    Path("nbroute.toml").write_text(ENDPOINT.format(url=server.url) + '[nbroute]\nledger = "l"')
    run(shell, "%unload_ext nbroute")

    main(["trust", "--yes"])
    assert "profile file" in run(shell, "%load_ext nbroute")[0]
    with Path("nbroute.toml").open("a") as file:
        file.write("# changed\n")
    loaded, _ = run(shell, "%%route\nhello")
    assert "profile simulated" in loaded
    assert f"sends prompts and the key in CORP_KEY to {server.url}" in loaded
    assert "`%route trust`" in loaded
    assert [] == server.requests

    trusted, _ = run(shell, "%route trust")
    assert "profile file: corp" in trusted
    run(shell, "%%route -t ONLY\nhello")
    assert 1 == len(server.requests)

    assert str(Path("nbroute.toml").absolute()) in run(shell, "%route trust list")[0]
    assert "profile simulated" in run(shell, "%route trust revoke")[0]
    assert "%route trust does not know 'me'" in error_of(shell, "%route trust me")


def test_the_ledger_of_a_file_trusted_before_anything_was_sent_is_used(
    shell, clone, monkeypatch, server
):
    for name in ("NBROUTE_PROFILE", "NBROUTE_LEDGER"):
        monkeypatch.delenv(name)
    Path("nbroute.toml").write_text(ENDPOINT.format(url=server.url) + '[nbroute]\nledger = "l"')

    run(shell, "%route trust")
    run(shell, "%%route -t ONLY\nhello")

    assert Path("l").is_file()


REFUSED = {
    "plain http": ('base_url = "http://box.example/v1"', "plain http.*allow_http"),
    "plain http at home": ('base_url = "http://192.168.0.7:8000/v1"', "plain http.*allow_http"),
    "plain http nearly here": ('base_url = "http://127.0.0.1.example/"', "plain http.*allow_http"),
    "a number for an address": ('base_url = "http://2130706433/"', "plain http.*allow_http"),
    "a variable that is no key": ('api_key_env = "DATABASE_URL"', "KEY nor TOKEN.*allow_any"),
    "a port": ('base_url = "https://box:99999"', "port is not a number from 1 to 65535"),
    "no port": ('base_url = "https://box:0"', "port is not"),
    "a port in words": ('base_url = "https://box:http"', "port is not"),
    "a password": ('base_url = "https://me:pass@box"', "a user name, a password"),
    "a password like a port": ('base_url = "https://me:pa/ss@box"', "port is not"),
    "a port of no number": ('base_url = "https://[::1]8000/"', "port is not"),
    "a dot behind an address": (
        'base_url = "http://127.0.0.1./"',
        "plain http.*allow_http",
    ),
    "a host with an empty part": ('base_url = "https://a..b/"', "host is not made"),
    "a space": ('base_url = "https://my box/v1"', "a space"),
    "a line end": ('base_url = "https://box\\n/v1"', "a space or a control character"),
    "half an IPv6 address": ('base_url = "https://[::1"', "IPv6"),
    "no IPv6 address": ('base_url = "https://[::zz]/"', "IPv6"),
    "letters of another script": (
        'base_url = "https://openr\u043euter.ai"',
        "host is not made",
    ),
    "a backslash": (
        r'base_url = "https://box.example\\.openai.com"',
        "host is not made",
    ),
    "a NUL": ('base_url = "https://box"\n[nbroute]\nledger = "a\\u0000b"', "a NUL character"),
    "nobody's home": ('base_url = "https://box"\n[nbroute]\nledger = "~nobody9/l"', "no such user"),
    "a number of 5,000 digits": (f"timeout_s = {'9' * 5000}", "is not TOML"),
    "a page of a megabyte": (f'fail = "{"x" * 1_000_000}"', "larger than 1 MB"),
    "tables in tables": (f"fail = {'[' * 3000}", "nested too deeply"),
}


@pytest.mark.parametrize(("lines", "said"), REFUSED.values(), ids=REFUSED)
def test_an_address_a_key_or_a_path_that_cannot_be_used_is_one_line(tmp_path, lines, said):
    usual = "" if "base_url" in lines else '\nbase_url = "https://box"'
    (tmp_path / "my.toml").write_text(f"[providers.box]\n{lines}{usual}\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=said) as refused:
        load(tmp_path / "my.toml")

    assert 1 == len(str(refused.value).splitlines())
    assert "pass" not in str(refused.value).replace("a password", "")
    frames = [frame for frame, _ in traceback.walk_tb(refused.tb)][1:]
    assert "sk-corp-" not in "".join(repr(v) for one in frames for v in one.f_locals.values())


@pytest.mark.parametrize(
    "lines",
    [
        'base_url = "http://box.example"\nallow_http = true',
        'base_url = "https://box"\napi_key_env = "SECRET"\nallow_any_variable = true',
        'base_url = "https://box:8443/v1"\napi_key_env = "hf_token"',
        *(
            f'base_url = "http://{host}/v1"'
            for host in (
                *("localhost", "LOCALHOST:80", "a.localhost", "localhost.", "127.1.2.3:8000"),
                *("[::1]", "[::1]:8000", "[::ffff:127.0.0.1]"),
            )
        ),
    ],
)
def test_what_stays_here_or_is_allowed_in_so_many_words_is_taken(tmp_path, lines):
    (tmp_path / "my.toml").write_text(f"[providers.box]\n{lines}\n")

    assert "box" == opened(tmp_path / "my.toml").providers[-1].name


@pytest.mark.parametrize("path", ["a\0b", "~nobody9/x"])
def test_a_path_that_cannot_be_one_is_one_line_wherever_it_is_named(path, monkeypatch):
    for name in ("settings", "ledger", "replay"):
        with pytest.raises(SettingsError, match=f"{name} = .* cannot be used: there is"):
            Router(**{name: path})
    for name in ("CONFIG", "LEDGER", "CACHE", "RECORD", "REPLAY", "GGUF"):
        monkeypatch.setenv(f"NBROUTE_{name}", "~nobody9/x")
        with pytest.raises(SettingsError, match=f"NBROUTE_{name} = .* there is no such user"):
            Router()
        monkeypatch.delenv(f"NBROUTE_{name}")


def test_an_address_of_the_environment_is_the_users_own_but_not_plain_http(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    assert "simulated" == opened().profile

    with pytest.raises(SettingsError, match=r"\[providers.openai\] base_url.*allow_http"):
        Router(profile="openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert "OpenAI at https://gateway.example/v1" in opened(profile="openai").origin


WHOLE = """
[nbroute]
profile = "x"
budget_usd = 1.00
agreement = 0.8
max_prompt_chars = 5000
ledger = "records/ledger.db"
[nbroute.budget_usd_per_feature]
chat = 2.5
[providers.box]
base_url = "https://box.example:8443/v1"
api_key_env = "BOX_KEY"
timeout_s = 5
[tiers.SIMPLE]
provider = "box"
fallbacks = ["n", { provider = "openai", model = "m", price = { input = 1, output = 2 } }]
price = { input = 0.15, output = 0.60 }
[profiles.x]
provider = "box"
"""
ODD = r"""
1e999999999
1e99999999999999999999
-0.0
nan
inf
0x7fffffffffffffffffff
[[[]]]
{}
{ a = 1 }
""
"\u0000"
07:32:00
[1, {}]
"~nobody9/x"
["~nobody9/x"]
"http://[v1.x]"
"https://a\u2100b"
{ provider = 1 }
{ model = {}, provider = "" }
{ input = 1e999999, output = nan }
"""
LONG = "9" * 5000, "[" * 2000, '"' + "a" * 9999 + '"'


def test_whatever_stands_in_the_file_it_is_settings_or_an_error_of_one_line(tmp_path):
    """Each value in place of each other one, and 300 seeded mutations of the bytes."""
    file, chance = tmp_path / "my.toml", random.Random(18)  # noqa: S311 - the same each time
    lines = WHOLE.splitlines()
    texts = [
        "\n".join([*lines[:at], f"{lines[at].split('=')[0]}= {value}", *lines[at + 1 :]]).encode()
        for at in range(len(lines))
        if " = " in lines[at]
        for value in (*ODD.strip().splitlines(), *LONG)
    ]
    for _ in range(300):
        text, at = bytearray(WHOLE.encode()), chance.randrange(len(WHOLE))
        text[at : at + chance.randrange(20)] = chance.randbytes(chance.randrange(3))
        texts.append(bytes(text))

    said = []
    for text in texts:
        file.write_bytes(text)
        try:
            load(file)
        except SettingsError as error:
            said.append(str(error))

    assert len(said) > 500
    assert all(len(one.splitlines()) == 1 and len(one) < 1000 for one in said)
