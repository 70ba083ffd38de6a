"""Keys: which addresses are this machine's own, and what is left of a text that has one in it."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest

from nbroute.providers.keys import Key, scrubbed, stays_here

KEY = "sk-proj-Zx81/Qm+Wv73TnLd20RkEe"


def each(form):
    return "".join(form.format(ord(character)) for character in KEY)


def test_a_key_is_taken_out_in_every_form_with_nothing_of_the_words_around_it():
    key = Key(KEY)
    assert "'[key]'" == repr(key)
    for shown in (
        *(KEY, KEY[:8], KEY[9:17], KEY[-8:], KEY[::-1], KEY.upper(), KEY.lower(), quote(KEY, "")),
        *(KEY.encode().hex(), KEY.encode().hex().upper()),
        *map(each, ("%{:02X}", "%{:02x}", "\\u{:04x}", "&#{};")),
        *(f"{KEY[:5]}{mask}{KEY[-4:]}" for mask in ("...", "••", "*********", "xxxxxxxx", "####")),
        *(f"{KEY[:5]}{mask}{KEY[-4:]}" for mask in ("<redacted>", "[Masked]", "(hidden)", "[***]")),
        *(f"{KEY[:a]}{mask}{KEY[b:]}" for a, mask, b in ((3, "---", -2), (0, "____", -4))),
        *(f"{KEY[:a]}…{KEY[b:]}" for a, b in ((3, -1), (4, 30), (7, -7))),
        *("sk-another-0123456789", "gsk_0123456789ab", "AIza0123456789ab"),
    ):
        assert "refused ([key]) here" == scrubbed(f"refused ({shown}) here", [key]), shown
        assert "[key]" == scrubbed(shown, [key]), shown


@pytest.mark.parametrize("code", [b64encode, urlsafe_b64encode])
def test_of_a_key_in_base64_stays_what_it_shares_with_its_neighbours(code):
    key = "sk-~~>>>~~???~~>>>~~???-012345"
    shown = [code(f"{before}{key}~~~".encode()).decode() for before in ("", "u", "ab", "abc")]
    left = [scrubbed(text, [key]).split("[key]") for text in shown]

    assert [[0, 4], [2, 7], [3, 6], [4, 4]] == [[*map(len, parts)] for parts in left]


def test_what_is_no_key_stays():
    few = f"wait... or {KEY[:3]}... {KEY[-7:]}"
    left = {
        # Dots are no key, one end of it is not enough, and the last letters are no run of eight.
        few: few,
        f"a… {KEY[:6]}...{KEY[-4:]}...{KEY[-4:]}, b…": "a… [key][key], b…",
        f"{KEY[:8]}, {KEY[:7]}": f"[key], {KEY[:7]}",
        "Bearer 0123456789ab, bearer abcdefghijk": "Bearer [key], bearer abcdefghijk",
        "Basic dXNlcjo1.": "Basic [key].",
        "http://me:secret@proxy.example:8080/a@b": "http://proxy.example:8080/a@b",
        # A short key is taken out as a word, of a server's words alone.
        "maximum: no key 'x'": "maximum: no key '[key]'",
    }
    assert left == {text: scrubbed(text, [KEY, "x"]) for text in left}
    assert "x, [key]" == scrubbed("x, 8letters", ["8letters", "x"], ours=True)


def test_a_key_goes_unencrypted_to_this_machine_alone():
    here = ("127.9.9.9:1", "[::1]:8000", "[::ffff:127.0.0.1]", "localhost", "a.LOCALHOST.")
    away = ("10.0.0.1", "[::2]", "[::ffff:10.0.0.1]", "localhost.com", "mylocalhost", "127.example")

    assert [True] * 5 == [stays_here(f"http://{host}/v1") for host in here]
    assert [False] * 7 == [stays_here(f"http://{host}") for host in (*away, "")]
