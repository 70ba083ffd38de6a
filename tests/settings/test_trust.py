"""A nbroute.toml that was found, not named: what it may do before the user trusts it."""

from __future__ import annotations

import io
import os
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

# What is set aside is told as a warning, too; one test looks at it.
pytestmark = pytest.mark.filterwarnings("ignore:nbroute")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The user's data folder, which remembers what is trusted."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CORP_KEY", "sk-corp-0123456789")
    return tmp_path / "data" / "nbroute"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Puts a nbroute.toml above the working folder."""
    inner = tmp_path / "clone" / "notebooks"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)

    def write_settings(text):
        (inner.parent / "nbroute.toml").write_text(text, encoding="utf-8")
        return inner.parent / "nbroute.toml"

    return write_settings


@pytest.fixture
def opened(opened):
    """What settings a router opens with."""
    return lambda *arguments, **options: opened(*arguments, **options).settings


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's own settings file, in a configuration folder; not there yet."""
    file = tmp_path / "config" / "nbroute" / "nbroute.toml"
    file.parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(file.parent.parent))
    return file


@pytest.mark.filterwarnings("error:nbroute")
def test_a_found_file_sends_nothing_until_it_is_trusted_and_again_once_it_changed(
    write, server, opened, capsys
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
    with pytest.raises(SettingsError, match=r"'corp' is not a profile.*is set aside until"):
        Router(profile="corp")

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


def test_no_folder_and_no_name_in_a_found_file_brings_marks_to_the_screen(
    write, tmp_path, monkeypatch, capsys
):
    chosen = '[profiles."{}"]\nprovider = "openai"\n[nbroute]\nprofile = "{}"'
    for lines in ('[nbroute]\n"{}" = 1', '[tiers."{}"]\nmax_tokens = 0', chosen):
        write(lines.replace("{}", r"\u001b[2J\u202e\nx"))
        try:
            said = load().origin
        except SettingsError as error:
            said = str(error)
        assert said.isprintable()
        assert "[2J x" in said

    folder = tmp_path / "a\x1b[2J\u202e\nb"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "nbroute.toml").write_text(FILES)
    said = load().origin
    assert 0 == main(["trust", "--yes"])
    assert all(map(str.isprintable, [said, load().origin, *capsys.readouterr().out.splitlines()]))


WRITES = "writes the ledger '|reads and writes the cache '|records prompts and answers in '"
PRICED = "counts gpt-5.5 at $0 in, $0 out per million tokens"
FILES = '[nbroute]\nledger = "../../.bashrc"\ncache_file = "c"\nrecord = "r"\nclassifier_file = "n"'
THERE = '[providers.x]\nbase_url = "https://openrouter.ai/api/v1"\napi_key_env = "OPENAI_API_KEY"'
FREE = '[providers.simulated]\nkind = "openai"\nbase_url = "https://x.io"'
FALLBACK = """[tiers.SIMPLE]
fallbacks = [{ provider = "openai", model = "gpt-5.5", price = { input = 0, output = 0 } }]"""
ASKS = [
    (THERE, "sends prompts and the key in OPENAI_API_KEY to https://openrouter.ai/api/v1"),
    ('[providers.openai]\nbase_url = "https://x.io"', "the key in OPENAI_API_KEY to https://x.io"),
    ('[providers.ollama]\napi_key_env = "MY_KEY"', "MY_KEY, counted as free, to http://localhost"),
    (FREE, "sends prompts, counted as free, to https://x.io"),
    ("[providers.openai]\nbilled = false", "counted as free"),
    ("[providers.openai]\nallow_http = true", "OPENAI_API_KEY to https://api.openai.com/v1"),
    ('[tiers.SIMPLE]\nmodel = "gpt-5.5"\nprice = { input = 0, output = 0 }', PRICED),
    (FALLBACK, PRICED),
    ('[providers.x]\nkind = "litellm"\n[tiers.A]\nprovider = "x"\nmodel = "m"', "through LiteLLM"),
    (FILES, f"{WRITES}|reads and writes the classifier '"),
    (f'{FILES}\nreplay = "../x"', f"{WRITES}|; 1 more such thing"),
    ('[profiles.p]\nledger = "l"', "writes the ledger '"),
    ('[providers.local]\ngguf = ["a.gguf"]', "loads the model '"),
    ('[nbroute]\nexamples_file = "/etc/passwd"', "reads the examples '/etc/passwd'"),
    ('[nbroute]\nreplay = "link/x"', "answers from '"),
    ('[nbroute]\nledger = "\\u001b[2J\\n\\u202e"', r"\x1b[2J\n\u202e'"),
]


@pytest.mark.parametrize(("text", "said"), ASKS)
def test_what_a_found_file_asks_for_is_told_in_one_line_and_not_done(
    write, opened, capsys, text, said
):
    file = write(f"{text}\n")
    (file.parent / "link").symlink_to(file.parents[1])

    settings = opened()
    main(["trust", "--yes"])

    assert ("simulated", None) == (settings.profile, settings.source_file)
    assert settings.origin.isprintable()
    told = capsys.readouterr().out
    for one in said.split("|"):
        assert one in settings.origin
        assert one in told or "more such" in one


def test_a_found_file_of_what_is_built_in_needs_no_trust(write, opened, capsys):
    for text in (
        '[nbroute]\nbudget_usd = 5\n[tiers.SIMPLE]\nsystem = "Be brief."\nmodel = "gpt-5.4"',
        '[providers.openrouter]\nbase_url = "https://openrouter.ai/api/v1/"\ntimeout_s = 5',
        '[nbroute]\nexamples_file = "examples.csv"\n[profiles.talk]\nreplay = "talk.rec"',
        '[providers.mine]\nkind = "simulated"\npace = 0.1',
    ):
        assert write(text) == opened().source_file
        assert 0 == main(["trust", "--yes"])
        assert "it needs no trust" in capsys.readouterr().out


def test_a_file_that_is_named_or_in_the_configuration_folder_is_trusted_and_shows_no_key(
    write, own, opened, monkeypatch
):
    file = write(EVIL)
    settings = opened(file)
    assert ("file", "sk-corp-0123456789") == (settings.profile, settings.providers[0].api_key)
    assert "sk-corp" not in f"{asdict(settings)} {settings}"
    own.write_text(EVIL)
    monkeypatch.chdir(own.parent)
    assert "file" == opened().profile
    own.unlink()
    monkeypatch.setenv("NBROUTE_CONFIG", str(file))
    assert "file" == opened().profile


OWN = """
[nbroute]
profile = "work"
budget_usd_per_day = 3
[providers.openai]
base_url = "https://gateway.example/v1"
[profiles.work]
provider = "openai"
budget_usd = 1
"""


def test_an_endpoint_or_a_profile_of_the_users_own_is_not_replaced_unasked(write, own, opened):
    own.write_text(OWN)
    for text, said in (
        (OWN.replace("= 1", "= 9"), "budget_usd = 1"),
        (OWN.replace("= 3", "= 9"), "budget_usd_per_day = 3"),
        (OWN.replace('"openai"', '"anthropic"'), "[profiles.work]"),
        (OWN.replace("gateway.example", "api.openai.com"), "[providers.openai]"),
        ('[nbroute]\nladder = "two-tier"', "[providers.openai]"),
    ):
        write(text)
        assert own == opened().source_file
        assert f"sets aside {said} of {own}" in opened().origin


def test_a_file_of_another_user_is_asked_about(write, opened, monkeypatch):
    file = write('[nbroute]\nladder = "two-tier"')
    assert "two-tier" == opened().ladder.name

    if os.getuid() == 0:
        os.chown(file, 1234, -1)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    assert "as it belongs to another user" in opened().origin
    main(["trust", "--yes"])
    assert "two-tier" == opened().ladder.name


def test_a_profile_that_costs_nothing_pays_nobody_in_a_cloned_folder(write, own, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    for text in (
        '[tiers.SIMPLE]\nprovider = "openai"',
        '[tiers.SIMPLE]\nfallbacks = [{ provider = "openai", model = "gpt-5.4" }]',
        '[nbroute]\nprofile = "local"\nembedder = "openai"',
        '[profiles.local]\nprovider = "openai"',
    ):
        write(text)
        chosen = [load(profile="local")]
        own.write_text('[nbroute]\nprofile = "local"')
        chosen.append(load())
        assert [{"local"}] * 2 == [{one.name for one in each.providers} for each in chosen]
        own.unlink()


def test_trust_is_asked_for_listed_and_revoked_on_the_command_line(
    write, opened, monkeypatch, capsys, data
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


def test_a_damaged_record_a_copy_of_a_trusted_file_and_a_link_to_it_are_not_trusted(
    write, opened, data, tmp_path, monkeypatch
):
    file = write(EVIL)
    for content in (b"", b"\0", b"/elsewhere", b"\xff" * 99):
        main(["trust", "--yes"])
        assert "file" == opened().profile
        (record,) = (data / "trusted").iterdir()
        record.write_bytes(content)
        assert "simulated" == opened().profile
        assert 0 == main(["trust", "--list"])
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


@pytest.fixture
def wanting(shell, write, monkeypatch, server):
    """A shell in a folder whose file asks for a ledger, and to send prompts to the server."""
    for name in ("NBROUTE_PROFILE", "NBROUTE_LEDGER"):
        monkeypatch.delenv(name)
    Path("nbroute.toml").write_text(ENDPOINT.format(url=server.url) + '[nbroute]\nledger = "l"')
    return shell


def test_a_notebook_says_what_the_file_wants_and_how_to_trust_it(wanting, server):
    run(wanting, "%unload_ext nbroute")
    main(["trust", "--yes"])
    assert "profile file" in run(wanting, "%load_ext nbroute")[0]
    with Path("nbroute.toml").open("a") as file:
        file.write("# changed\n")
    loaded, _ = run(wanting, "%%route\nhello")
    assert "profile simulated" in loaded
    assert f"sends prompts and the key in CORP_KEY to {server.url}" in loaded
    assert "`%route trust`" in loaded
    assert [] == server.requests

    assert "profile file: corp" in run(wanting, "%route trust")[0]
    run(wanting, "%%route -t ONLY\nhello")
    assert 1 == len(server.requests)
    assert str(Path("nbroute.toml").absolute()) in run(wanting, "%route trust list")[0]
    assert "profile simulated" in run(wanting, "%route trust revoke")[0]
    assert "%route trust does not know 'me'" in error_of(wanting, "%route trust me")


def test_the_ledger_of_a_file_trusted_before_anything_was_sent_is_used(wanting):
    run(wanting, "%route trust")
    run(wanting, "%%route -t ONLY\nhello")

    assert Path("l").is_file()


PLAIN_HTTP, PORT, HOST = "plain http.*allow_http", "port is not a number from 1", "host is not made"
ADDRESSES = {
    "http://127.0.0.1.example/": PLAIN_HTTP,
    "https://me:pa/ss@box": PORT,
    "https://me:pass@box": "a user name, a password",
    "https://box/v1?api-version=1&key=2": "a query",
    "https://box\\n/v1": "a space or a control character",
    "https://openr\u043euter.ai": HOST,
    r"https://box.example\\.openai.com": HOST,
}
REFUSED = {
    **{f'base_url = "{address}"': said for address, said in ADDRESSES.items()},
    'api_key_env = "DATABASE_URL"': "KEY nor TOKEN.*allow_any",
    'base_url = "https://box"\n[nbroute]\nledger = "a\\u0000b"': "a NUL character",
    f'fail = "{"x" * 1_000_000}"': "larger than 1 MB",
    f"fail = {'[' * 3000}": "nested too deeply",
}


@pytest.mark.parametrize(("lines", "said"), REFUSED.items(), ids=lambda one: one[:60])
def test_an_address_a_key_or_a_path_that_cannot_be_used_is_one_line(tmp_path, lines, said):
    usual = "" if "base_url" in lines else '\nbase_url = "https://box"'
    (tmp_path / "my.toml").write_text(f"[providers.box]\n{lines}{usual}\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=said) as refused:
        load(tmp_path / "my.toml")

    assert 1 == len(str(refused.value).splitlines())
    assert "pass" not in str(refused.value).replace("a password", "")
    frames = [frame for frame, _ in traceback.walk_tb(refused.tb)][1:]
    assert "sk-corp-" not in "".join(repr(v) for one in frames for v in one.f_locals.values())


def test_what_stays_here_or_is_allowed_in_so_many_words_is_taken(opened, tmp_path):
    for lines in (
        'base_url = "http://127.1.2.3:8000"',
        'base_url = "http://[::1]/v1"',
        'base_url = "https://box/v1?api-version=2024-10-21"',
        'base_url = "http://box.example"\nallow_http = true',
        'base_url = "https://box"\napi_key_env = "SECRET"\nallow_any_variable = true',
    ):
        (tmp_path / "my.toml").write_text(f"[providers.box]\n{lines}\n")
        assert "box" == opened(tmp_path / "my.toml").providers[-1].name


def test_an_address_of_the_environment_is_the_users_own_but_not_plain_http(opened, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    assert "simulated" == opened().profile

    with pytest.raises(SettingsError, match=r"\[providers.openai\] base_url.*allow_http"):
        Router(profile="openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert "OpenAI at https://gateway.example/v1" in opened(profile="openai").origin
