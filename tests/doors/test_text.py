"""The text door: UTF-8 and nothing else, within bounds."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doors import text
from doors.base import FileInfo
from doors.text import BrokenText, EmptyText, TextRefused, TextTooLarge, UnsupportedTextType, inspect_text


def inspect(data: bytes) -> FileInfo:
    return inspect_text(io.BytesIO(data))


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        "Zażółć gęślą jaźń\nвот\t🎵\r\n".encode(),
        codecs.BOM_UTF8 + "héllo".encode(),
        b"MZ is how a rapper begins, Rar! another",
        b"two pages\fof it",
        ("é" * 40_000 + "\n").encode() * 10,
        b"a < b, and <b> is no page",
    ],
    ids=["plain", "letters", "mark", "magic", "pages", "pieces", "brackets"],
)
def test_a_text_in_utf_8_passes(data):
    assert inspect(data) == FileInfo("text/plain")


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", EmptyText, "Nothing"),
        (codecs.BOM_UTF8 + b" \n\t", EmptyText, "Nothing"),
        ("hi".encode("utf-16"), BrokenText, "UTF-16"),
        ("hi".encode("utf-32"), BrokenText, "UTF-32"),
        ("hi".encode("utf-16-le"), BrokenText, r"U\+0000 in line 1"),
        ("one\ntwo\ncafé".encode("latin-1"), BrokenText, "not UTF-8"),
        (b"x" * 70_000 + b"\xff", TextTooLarge, "50,000 characters"),
        (b"one\ntwo\0", BrokenText, r"U\+0000 in line 2"),
        (b"\x1b[2Jgone", BrokenText, r"U\+001B in line 1"),
        (b"cut off: \xc3", BrokenText, "not UTF-8"),
        (b"surrogate \xed\xa0\x80", BrokenText, "not UTF-8"),
        (b"a" * 50_001, TextTooLarge, "50,000 characters"),
        (b"a\n" * 50_000, TextTooLarge, "50,000 lines"),
        (b"abcdefg\n" * (text.MOST_BYTES // 8 + 1), TextTooLarge, "lines|bytes"),
        ((b"a" * 1000 + b"\n") * 1100, TextTooLarge, "1,048,576 bytes"),
        (b"<!doctype html><p>Sign in", UnsupportedTextType, "a web page"),
        (b"<svg xmlns=''/>", UnsupportedTextType, "an SVG drawing"),
        (b"%PDF-1.7", UnsupportedTextType, "a PDF document"),
        (b"{\\rtf1 hello}", UnsupportedTextType, "a rich text document"),
        (b"PK\3\4\0\0", UnsupportedTextType, "an office document"),
    ],
    ids=[
        "empty", "blank", "utf-16", "utf-32", "utf-16-bare", "latin-1", "long-start", "nul", "escape", "cut",
        "surrogate", "line", "lines", "many-lines", "bytes", "page", "svg", "pdf", "rtf", "office",
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data, error, said):
    with pytest.raises(error, match=said) as refused:
        inspect(data)
    assert refused.value.code


def test_a_stream_is_left_at_its_beginning():
    stream = io.BytesIO(b"hello")
    stream.seek(3)
    inspect_text(stream)
    assert stream.tell() == 0


@given(st.binary(max_size=300))
def test_what_passes_is_what_python_reads(data):
    try:
        inspect(data)
    except TextRefused:
        return
    said = data.decode("utf-8-sig")
    assert said.strip()
    assert "\0" not in said


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=200))
def test_what_people_write_passes(written):
    """But for what begins like a document of another form."""
    if written.strip() and not written.lstrip("\ufeff").lstrip().startswith(("<", "%", "{\\rtf")):
        inspect(written.encode())
