"""What can be written under pictures, how it is broken into lines, how it looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.collage.captions import MOST_LINES, Lettering, writable
from tests.examples import examples

LETTERS = Lettering(20, (10, 20, 30))


@pytest.mark.parametrize(
    ("text", "written", "missing"),
    [
        ("Grüße", "Grüße", ""),
        ("Zażółć gęślą jaźń", "Zażółć gęślą jaźń", ""),
        ("Ещё раз", "Ещё раз", ""),
        ("Е\u0308лка", "Ёлка", ""),
        ("  two\n\n words\t", "two words", ""),
        ("party 🎉🎉 time", "party time", "🎉"),
        ("日本", "", "日本"),
        ("a\u202eb\u200bc\x00", "abc", "\u202e\u200b\x00"),
        ("Z\u0335\u0336\u0489algo", "Zalgo", "\u0335\u0336\u0489"),
        ("שלום you", "you", "שלום"),
        ("lone \ud800 half", "lone half", "\ud800"),
        ("\uffff\ue000", "", "\uffff\ue000"),
        ("★ → ♥ €", "★ → ♥ €", ""),
    ],
    ids=[str(number) for number in range(13)],
)
def test_what_the_font_lacks_is_left_out_and_named(text, written, missing):
    assert writable(text) == (written, missing)


@given(st.text(max_size=200))
@settings(max_examples=examples(60), deadline=None)
def test_any_text_becomes_one_line_that_can_be_written(text):
    written, missing = writable(text)
    assert writable(written) == (written, "")
    assert not set(written) & set(missing)
    assert "\n" not in written


@given(st.text("ab WÄ.", max_size=200), st.integers(1, 400))
@settings(max_examples=examples(60), deadline=None)
def test_lines_fit_and_lose_nothing_but_what_is_cut_at_the_end(text, width):
    written, _ = writable(text)
    lines = LETTERS.lines(written, width)
    assert len(lines) <= MOST_LINES
    for line in lines:
        assert len(line) <= 2 or LETTERS._font.getlength(line) <= width
    together = "".join(lines).replace(" ", "")
    whole = written.replace(" ", "")
    assert together == whole or whole.startswith(together.removesuffix("…"))
    assert (LETTERS.height(written, width) > 0) == bool(written)


def test_lines_break_between_words():
    assert LETTERS.lines("one two three four", 90) == ["one two", "three four"]
    assert LETTERS.lines("incomprehensibilities", 90)[0] in "incomprehensibilities"
    assert LETTERS.lines("one two three four " * 9, 90)[-1].endswith("…")


def test_a_text_is_drawn_in_its_colour_in_the_middle():
    drawn = np.asarray(LETTERS.draw("WWW", 200))
    assert drawn.shape == (LETTERS.height("WWW", 200), 200, 4)
    assert (drawn[..., :3] == (10, 20, 30)).all()
    columns = np.flatnonzero(drawn[..., 3].any(axis=0))
    assert abs(columns[0] - (199 - columns[-1])) <= 2
    assert drawn[..., 3].max() == 255
    assert not drawn[[0, -1], :, 3].any(), "letters are cut off"
