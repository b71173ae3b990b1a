"""Where firmware may come from, which is the newest, and what a catalogue may hold."""

from collections.abc import Callable
import json
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import Firmware, InvalidSettingError
from custom_components.homesync.firmware import (
    FirmwareRefusedError,
    NoCatalogueError,
    Refusal,
    catalogue_host,
    check_firmware,
    is_allowed,
    is_newer,
    normalise_host,
    parse,
)

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = "https://good.example/plug.bin"


def entry(**changes: Any) -> dict[str, Any]:
    """An entry of a catalogue; a value of None leaves its field out."""
    full = {"model": "Plug S", "version": "1.3.0", "url": URL, "sha256": HASH, **changes}
    return {key: value for key, value in full.items() if value is not None}


def catalogue(*entries: object) -> bytes:
    return json.dumps({"firmware": entries}).encode()


def newest_of(*versions: str) -> str:
    content = parse(catalogue(*(entry(version=each) for each in versions)))
    return content.newest["Plug S"].version


# Where it may come from


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://good.example/plug.bin", "good.example"),
        ("https://good.example", "good.example"),
        ("HTTPS://GOOD.Example/plug.bin?a=b@c#d", "good.example"),
        ("https://good.example:443/", "good.example"),
        ("https://good.example/", "good.example:443"),
        ("https://good.example./", "good.example"),
        ("https://good.example/", " Good.Example. "),
        ("https://good.example:8443/", "good.example:8443"),
        ("https://192.168.1.5/plug.bin", "192.168.1.5"),
        ("https://xn--mnchen-3ya.example/", "münchen.example"),
        ("https://xn--mnchen-3ya.example/", "MÜNCHEN.example"),
    ],
)
def test_an_image_may_come_from_a_host_that_is_listed(url: str, host: str) -> None:
    assert is_allowed(url, {host})
    assert is_allowed(url, ["other.example", host])


@pytest.mark.parametrize(
    "url",
    [
        "http://good.example/",
        "ftp://good.example/",
        "good.example/plug.bin",
        "//good.example/plug.bin",
        "https:good.example",
        "https:///good.example/",
        "https://",
        "",
        "https://good.example@evil.example/",
        "https://user:secret@good.example/",
        "https://@good.example/",
        "https://good.example:8443/",
        "https://good.example:0443/",
        "https://good.example:/",
        "https://good.example:99999/",
        "https://good.example:443:443/",
        "https://good.example.evil.example/",
        "https://evilgood.example/",
        "https://sub.good.example/",
        "https://good.example../",
        "https://.good.example/",
        "https://good.example\\@evil.example/",
        "https://good.example/\\evil.example",
        "https://evil.example\\.good.example/",
        "https://evil.example#@good.example/",
        "https://good.example#@evil.example/",
        "https://good.example?@evil.example/",
        "https://evil.example?.good.example/",
        "https://good.example%2f@evil.example/",
        "https://good%2eexample/",
        "https://good.example%00.evil.example/",
        "https://[::1]/",
        "https://[::ffff:192.168.1.5]/",
        "https://good.example[evil]/",
        "https://good.example/plug bin",
        " https://good.example/",
        "https://good.example/\n",
        "https://good.example\t/",
        "https://good.example\x00/",
        "https://good.example\r\nHost: evil.example/",
        "https://ｇood.example/",
        "https://good。example/",
        "https://127.1/",
        "https://3232235781/",
        "https://0xc0.168.1.5/",
    ],
)
def test_an_image_may_not_come_from_anywhere_else(url: str) -> None:
    assert not is_allowed(url, {"good.example", "192.168.1.5", "127.0.0.1", "[::1]", "::1"})


def test_a_list_without_hosts_allows_nothing() -> None:
    assert not is_allowed(URL, set())
    assert not is_allowed(URL, ["", "*", "*.example", ".example", "https://good.example/"])


ODD = st.sampled_from("@:/\\?#.[]%;&=- \t\r\n\x00。／＠ｇ") | st.characters()
PIECES = st.sampled_from(["good.example", "evil.example", "https:", "//", "@", ":443"])


@given(st.lists(PIECES | ODD, max_size=12).map("".join))
def test_whatever_is_allowed_lies_on_the_listed_host_for_every_reader(tail: str) -> None:
    url = f"https://{tail}"
    if is_allowed(url, {"good.example"}):
        read = urlsplit(url)
        assert read.scheme == "https"
        assert (read.hostname or "").rstrip(".") == "good.example"
        assert read.port in (None, 443)
        assert read.username is read.password is None
        assert tail.lower().startswith("good.example")
        assert url.isascii()
        assert url.isprintable()


@given(
    st.text(st.characters(codec="ascii", categories=("Ll", "Lu", "Nd")), min_size=1, max_size=63)
)
def test_a_name_of_letters_and_digits_is_a_host_that_allows_itself_alone(label: str) -> None:
    host = f"{label}.example"
    assert normalise_host(host) == f"{label.lower()}.example:443"
    assert is_allowed(f"https://{host}/plug.bin", {host})
    assert not is_allowed(f"https://{host}/plug.bin", {"good.other"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "a b",
        "a/b",
        "user@good.example",
        "https://good.example",
        "::1",
        "[::1]",
        "good.example:0",
        "good.example:70000",
        "good.example:x",
        "-good.example",
        "good..example",
        "good%2eexample",
        "good\\example",
        f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_host_is_refused_as_setting(text: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        normalise_host(text)
    assert caught.value.field == "firmware_hosts"


@pytest.mark.parametrize(
    "url",
    [
        "http://good.example/firmware.json",
        "https://user:secret@good.example/firmware.json",
        "https://[::1]/firmware.json",
        "https://good.example\\evil/",
        "https://good.example/a b",
        "firmware.json",
        "https://good.example:x/",
        "",
    ],
)
def test_a_catalogue_has_a_plain_https_address(url: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        catalogue_host(url)
    assert caught.value.field == "firmware_catalogue"
    assert "secret" not in str(caught.value)


def test_a_catalogues_host_is_told_with_its_port() -> None:
    assert catalogue_host("https://Good.Example/firmware.json?token=secret") == "good.example:443"
    assert catalogue_host("https://münchen.example:8443") == "xn--mnchen-3ya.example:8443"


def firmware(url: str) -> Firmware:
    return Firmware(version="1.3.0", url=url, sha256=HASH)


def test_firmware_from_a_listed_host_is_let_through() -> None:
    check_firmware(firmware(URL), ["good.example"])


@pytest.mark.parametrize(
    ("url", "reason", "host"),
    [
        ("https://evil.example/plug.bin", Refusal.HOST, "evil.example:443"),
        ("https://good.example:8443/plug.bin", Refusal.HOST, "good.example:8443"),
        ("https://user:secret@good.example/plug.bin", Refusal.ADDRESS, ""),
        ("https://good.example:99999/plug.bin", Refusal.ADDRESS, ""),
    ],
)
def test_other_firmware_is_refused_with_its_reason(url: str, reason: Refusal, host: str) -> None:
    with pytest.raises(FirmwareRefusedError) as caught:
        check_firmware(firmware(url), ["good.example"])
    assert (caught.value.reason, caught.value.host) == (reason, host)
    assert "secret" not in str(caught.value)


# Which is the newest


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (("1.2.0", "1.10.0", "1.9.0"), "1.10.0"),
        (("1.3.0", "1.3.0-beta.1"), "1.3.0"),
        (("2026.10.1", "2026.2.4"), "2026.10.1"),
        (("9", "10"), "10"),
        (("v1.3.0", "1.3.0"), "1.3.0"),
        (("1.3.0", "v1.3.0"), "v1.3.0"),
        (("red fox", "blue whale"), "blue whale"),
        (("1.3.0", "nightly build", "1.2.0"), "1.3.0"),
        (("1.3.0", "latest"), "1.3.0"),
    ],
)
def test_the_highest_version_is_the_newest(versions: tuple[str, ...], newest: str) -> None:
    assert newest_of(*versions) == newest


@pytest.mark.parametrize(
    ("version", "installed", "newer"),
    [
        ("1.3.0", "1.2.9", True),
        ("1.3.0", "1.3.0", False),
        ("1.3.0", "1.10.0", False),
        ("1.3.0", "v1.3.0", False),
        ("1.3", "1.3.0", False),
        ("1.3.0", None, True),
        ("blue whale", "red fox", True),
        ("blue whale", "blue whale", False),
        ("1.3.0", "built by hand", True),
        ("1.3.0", "", True),
    ],
)
def test_an_update_is_higher_or_cannot_be_compared(
    version: str, installed: str | None, newer: bool
) -> None:
    assert is_newer(version, installed) is newer


@given(st.text(max_size=64), st.text(max_size=64))
def test_no_two_texts_are_updates_of_each_other_unless_incomparable(one: str, two: str) -> None:
    assert not is_newer(one, one)
    both = is_newer(one, two) and is_newer(two, one)
    assert not (both and one.isdigit() and two.isdigit())


# What a catalogue may hold


def test_entries_become_the_newest_firmware_of_each_model() -> None:
    content = parse(
        catalogue(
            entry(size=412_672, notes="Measures twice as often.\n\n* and so on"),
            entry(version="1.2.0"),
            entry(model="Strip", url="https://good.example:8443/strip.bin", sha256=HASH.upper()),
        )
    )
    assert content.newest == {
        "Plug S": Firmware(
            version="1.3.0",
            url=URL,
            sha256=HASH,
            size=412_672,
            notes="Measures twice as often.\n\n* and so on",
        ),
        "Strip": Firmware(version="1.3.0", url="https://good.example:8443/strip.bin", sha256=HASH),
    }
    assert (content.entries, content.skipped, content.problems) == (3, 0, ())


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("text", "entry 2: entry: it is no object"),
        (entry(model=None), "entry 2 ('None' '1.3.0'): model: a text of 1 to 64"),
        (entry(model="m" * 65), f"entry 2 ({'m' * 32!r} '1.3.0'): model: a text of 1 to 64"),
        (entry(model="a\nb"), "entry 2 ('a\\nb' '1.3.0'): model: a text of 1 to 64"),
        (entry(model=["a"]), "entry 2 (\"['a']\" '1.3.0'): model: a text of 1 to 64"),
        (entry(version=""), "entry 2 ('Plug S' ''): version: a text of 1 to 64"),
        (entry(version=13), "entry 2 ('Plug S' '13'): version: a text of 1 to 64"),
        (entry(url=None), "entry 2 ('Plug S' '1.3.0'): url: an https address"),
        (entry(url=7), "entry 2 ('Plug S' '1.3.0'): url: an https address"),
        (entry(url="http://good.example/"), "entry 2 ('Plug S' '1.3.0'): url: an https address"),
        (entry(url="https://a@b/"), "entry 2 ('Plug S' '1.3.0'): url: a plain https address"),
        (entry(sha256=None), "entry 2 ('Plug S' '1.3.0'): sha256: 64 hexadecimal"),
        (entry(sha256=HASH[1:]), "entry 2 ('Plug S' '1.3.0'): sha256: 64 hexadecimal"),
        (entry(sha256="z" * 64), "entry 2 ('Plug S' '1.3.0'): sha256: 64 hexadecimal"),
        (entry(sha256=5), "entry 2 ('Plug S' '1.3.0'): sha256: 64 hexadecimal"),
        (entry(size=0), "entry 2 ('Plug S' '1.3.0'): size: 1 to 268435456 bytes"),
        (entry(size=268_435_457), "entry 2 ('Plug S' '1.3.0'): size: 1 to 268435456 bytes"),
        (entry(size=True), "entry 2 ('Plug S' '1.3.0'): size: 1 to 268435456 bytes"),
        (entry(size=1.5), "entry 2 ('Plug S' '1.3.0'): size: 1 to 268435456 bytes"),
        (entry(notes=["new"]), "entry 2 ('Plug S' '1.3.0'): notes: a text"),
    ],
)
def test_a_wrong_entry_is_skipped_and_named(wrong: object, problem: str) -> None:
    content = parse(catalogue(entry(), wrong, entry(model="Strip")))
    assert set(content.newest) == {"Plug S", "Strip"}
    assert (content.entries, content.skipped) == (2, 1)
    [told] = content.problems
    assert told.startswith(problem)


def test_limits_include_their_ends() -> None:
    content = parse(
        catalogue(
            entry(model="m" * 64, version="1" * 64, size=1), entry(size=268_435_456, notes="")
        )
    )
    assert (content.entries, content.problems) == (2, ())
    assert content.newest["Plug S"].notes is None


def test_notes_are_shortened_and_keep_no_control_characters() -> None:
    content = parse(catalogue(entry(notes="\x1b[31mred\x00\r\n" + "n" * 3000)))
    notes = content.newest["Plug S"].notes
    assert notes is not None
    assert notes == ("[31mred\n" + "n" * 3000)[:2000]


def test_entries_after_the_thousandth_are_not_read() -> None:
    content = parse(catalogue(*(entry(model=f"model {number}") for number in range(1003))))
    assert (content.entries, content.skipped) == (1000, 3)
    assert content.problems == ("3 entries after the first 1000 are not read",)


def test_only_the_first_problems_are_kept() -> None:
    content = parse(catalogue(*[{}] * 500))
    assert (content.entries, content.skipped, len(content.problems)) == (0, 500, 20)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"firmware": [', b"\xff\xfe", b"[]", b"null", b"{}", b'{"firmware": {}}'],
)
def test_what_is_no_catalogue_is_refused(body: bytes) -> None:
    with pytest.raises(NoCatalogueError):
        parse(body)


JSON: Callable[[Any], Any] = lambda each: st.lists(each) | st.dictionaries(st.text(), each)  # noqa: E731 - a strategy reads better so
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), JSON, max_leaves=8)
FIELDS = st.sampled_from(["model", "version", "url", "sha256", "size", "notes"])


@given(st.lists(VALUES | st.dictionaries(FIELDS, VALUES), max_size=5))
def test_any_entries_are_taken_or_skipped(entries: list[Any]) -> None:
    try:
        content = parse(catalogue(*entries))
    except NoCatalogueError:
        return
    assert content.entries + content.skipped == len(entries)
