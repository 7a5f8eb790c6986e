"""Text from anywhere is short enough, steers nothing and can be sent."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.texts import bar, clean, clip, length


@given(st.text(max_size=50), st.integers(1, 40))
def test_what_is_clipped_fits_and_begins_the_same(text, limit):
    text = clean(text)
    cut = clip(text, limit)
    assert length(cut) <= limit
    assert cut == text if length(text) <= limit else cut.endswith("…")
    assert text.startswith(cut.removesuffix("…") if cut != text else text)
    cut.encode()


@given(st.text())
def test_clean_text_can_be_sent(text):
    cleaned = clean(text)
    cleaned.encode()
    assert not re.search(r"[\x00-\x08\x7f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]", cleaned)
    assert clean(cleaned) == cleaned


def test_bars():
    assert [bar(progress) for progress in (-1, 0, 0.34, 1, 7)] == [
        "▱▱▱▱▱▱▱▱▱▱",
        "▱▱▱▱▱▱▱▱▱▱",
        "▰▰▰▱▱▱▱▱▱▱",
        "▰▰▰▰▰▰▰▰▰▰",
        "▰▰▰▰▰▰▰▰▰▰",
    ]
