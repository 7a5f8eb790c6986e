"""Inline mode: what a text names, and the links that lead to it."""

from __future__ import annotations

import pytest

from bot.handlers import inline
from tests.bot.engine_views import form, offered
from tests.telegram.server import BotApi

pytestmark = pytest.mark.anyio

FORMS = [form(name) for name in offered()]


def payloads(text: str) -> list[str]:
    return [payload for payload, _, _ in inline._found(FORMS, text)]


def test_without_a_text_everything_is_offered():
    assert payloads("  ") == [f"new-{form.engine}" for form in FORMS]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mars", ["planet-mars"]),
        ("MARS", ["planet-mars"]),
        ("planet mars", ["planet-mars"]),
        ("planets mars", ["planet-mars"]),
        ("mars moon", ["planet-mars-moon"]),
        ("planet mar", ["planet-mars"]),
        ("stylegan", ["new-stylegan"]),
        ("krypton", []),
        ("м", []),
        ("<b>", []),
    ],
)
def test_a_text_names_worlds_and_engines(text, found):
    assert payloads(text) == found


def test_planets_and_what_begins_so_are_both_found():
    assert "new-planets" in payloads("planet")
    assert "planet-mars" in payloads("m")


def test_what_is_too_long_for_a_link_is_left_out():
    many = " ".join(str(choice.value) for choice in form("planets")["world"].choices if choice.value != "any")
    assert len(many) > inline._PAYLOAD_LENGTH
    assert payloads(many) == []


def kept_for(telegram: BotApi) -> int:
    """Seconds for which Telegram may give the last answer to others."""
    return int(telegram.calls.of("answerInlineQuery")[-1].parameters["cache_time"])


async def test_a_result_opens_the_bot_and_may_be_kept_for_all(enter, telegram):
    ada = telegram.user("Ada", language_code="de")
    async with enter() as room:
        found = await room.while_heard(lambda: ada.inline_query("mars moon"))
        (result,) = found.results
        name = room.bot.application.bot.username
        assert result["title"] == "Planeten: mars + moon"
        (button,) = result["reply_markup"]["inline_keyboard"][0]
        assert button["url"] == f"https://t.me/{name}?start=planet-mars-moon"
        assert kept_for(telegram) == 60


@pytest.mark.parametrize(
    ("away", "says"),
    [(False, "Write for example: planet earth"), (True, "cannot be reached")],
    ids=["nothing", "away"],
)
async def test_where_nothing_is_found_it_says_so_and_asks_again_next_time(enter, telegram, away, says):
    ada = telegram.user("Ada")
    async with enter() as room:
        room.api.away = away
        found = await room.while_heard(lambda: ada.inline_query("krypton"))
        assert found.results == []
        assert says in found.answer["button"]["text"]
        assert kept_for(telegram) == 0
