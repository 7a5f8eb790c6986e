"""/new: the engines there are, and settings that came in a message."""

from __future__ import annotations

import pytest

from bot import callbacks
from bot.forms import BadValue
from bot.handlers import menu
from tests.bot.house import picture
from tests.telegram.transcript import Button

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "settings"),
    [("", {}), ("  ", {}), ('{"size": 64, "content": null}', {"size": 64})],
    ids=["nothing", "blank", "without-its-files"],
)
def test_shared_settings_are_read_without_what_a_message_cannot_carry(text, settings):
    assert menu._shared(text) == settings


@pytest.mark.parametrize(
    "text", ["size=64", "[1]", "3", "{", "[" * 100_000], ids=["pairs", "list", "number", "half", "deep"]
)
def test_what_is_no_settings_is_a_complaint(text):
    with pytest.raises(BadValue, match="not_json"):
        menu._shared(text)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/new nothing", "does not offer this"),
        ('/new planets {"nothing": 1}', "I do not know nothing here"),
        ('/new planets {"size": 63}', "at least 64"),
        ("/new planets mars", "should be JSON"),
    ],
)
async def test_what_cannot_be_opened_is_said(enter, telegram, said, answer):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say(said)
        await room.heard()
        assert answer in ada.last.text


async def test_an_engine_is_named_in_any_case_and_comes_with_its_settings(enter, telegram):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say('/new PLANETS {"world": "mars", "size": 64}')
        await room.heard()
        assert {"World: Mars", "Size: 64"} <= set(ada.last.labels)


async def test_a_page_that_was_made_up_is_the_first_one(enter, telegram):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say("/new")
        await room.heard()
        shown = ada.last
        for page in ("٣", "-1", "x"):
            ada.press_data(shown, Button("x", callbacks.pack(callbacks.MENU, page)))
            await room.heard()
        assert ada.last.labels == shown.labels


@pytest.mark.parametrize("said", ["/new", "/start new-"])  # anybody may say the second
async def test_a_stranger_sees_no_menu(enter, telegram, said):
    ada = telegram.user("Ada")
    async with enter(guests=False) as room:
        ada.say(said)
        await room.heard()
        assert str(ada.id) in ada.last.text
        assert ada.last.labels == []


async def test_a_picture_goes_along_to_the_engine_that_is_chosen_instead(enter, telegram):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.send_photo(picture())
        await room.heard()
        form = ada.last
        assert "Planet classifier" in form.labels
        ada.press("Planet classifier")
        await room.heard()
        (job,) = room.jobs
        assert job.engine == "planet_classifier", "it asks nothing but the picture"
        # chosen from another message there is no picture to go along
        ada.say("/new")
        await room.heard()
        ada.press("Planet classifier")
        await room.heard()
        assert len(room.jobs) == 1
        assert "Send me a picture" in ada.last.text
