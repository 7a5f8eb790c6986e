"""A draft's screen as somebody sees and taps it."""

from __future__ import annotations

import re

import pytest

from bot import callbacks
from bot.callbacks import unpack
from bot.dialogue import Tap, apply
from bot.screens import MAX_ROWS, screen
from bot.texts import MESSAGE_LENGTH, length
from bot.words import Words
from tests.bot.telegram_html import shown_text

ENGLISH = Words("en")


def buttons(shown):
    """All of a screen's buttons, in their order."""
    return [button for row in shown.rows for button in row]


def tap(form, draft, start_of_text, words=ENGLISH):
    """What the button with this text does."""
    for button in buttons(screen(form, draft, words)):
        if button.text.startswith(start_of_text):
            return apply(form, draft, Tap(*unpack(button.data)))
    pytest.fail(f"no {start_of_text!r} among {[b.text for b in buttons(screen(form, draft, words))]}")


def texts(form, draft, words=ENGLISH):
    """What the buttons say."""
    return [button.text for button in buttons(screen(form, draft, words))]


def assert_fits(shown):
    """Telegram takes it, and nothing in it steers the screen."""
    text = shown_text(shown.text)
    assert 1 <= length(text) <= MESSAGE_LENGTH
    assert not re.search("[\0\u202e]", text)
    assert len(shown.rows) <= MAX_ROWS
    for row in shown.rows:
        assert 1 <= len(row) <= 8
        for button in row:
            assert 1 <= length(button.text.strip()) <= 36
            assert not re.search("[\0\u202e\n]", button.text)
            assert len(button.data.encode()) <= callbacks.MAX_BYTES
