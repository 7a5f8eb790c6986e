"""What people can say and tap, and who may without being let in."""

from __future__ import annotations

from bot.handlers.routing import COMMANDS, LISTED, TAPS, TAPS_FOR_ALL
from bot.words import Words


def test_every_command_is_in_every_menu():
    for language in Words.languages:
        for name in (*LISTED, "start", "admin"):
            assert 1 <= len(Words(language).plain(f"command.{name}")) <= 256
    assert set(LISTED) < set(COMMANDS)


def test_every_open_button_is_one_of_ours():
    assert set(TAPS) > TAPS_FOR_ALL
