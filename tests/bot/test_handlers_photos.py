"""Pictures without a command, and what is none."""

from __future__ import annotations

import pytest

from tests.bot.house import picture

pytestmark = pytest.mark.anyio

STYLES = "Repaint the first in the style of the others"
EACH = "Repaint each one"


def pictures(count: int) -> list[bytes]:
    return [picture(colour=colour) for colour in ("red", "green", "blue", "white", "black", "grey")[:count]]


@pytest.fixture
def ada(telegram):
    return telegram.user("Ada")


async def test_the_others_of_an_album_are_the_style_of_the_first(enter, ada):
    async with enter() as room:
        ada.send_album(pictures(3))
        await room.heard()
        assert ada.last.text == "I have 3 pictures. What shall I do with them?"
        assert ada.last.labels[:2] == [STYLES, EACH]
        ada.press(STYLES)
        await room.heard()
        assert {"Your photo: 1 picture", "Style: 2 pictures", "▶️ Go"} <= set(ada.last.labels)


async def test_more_styles_than_there_is_room_for_are_left_out_and_that_is_said(enter, ada):
    async with enter() as room:
        ada.send_album(pictures(6))
        await room.heard()
        ada.press(STYLES)
        await room.heard()
        assert "Style: 4 pictures" in ada.messages[-2].labels
        assert ada.last.text == "I can take 5 pictures at most; I leave out the rest."


async def test_each_of_an_album_may_be_repainted(enter, ada):
    async with enter() as room:
        ada.send_album(pictures(2))
        await room.heard()
        ada.press(EACH)
        await room.heard()
        received, form = [m for m in ada.messages if m.from_bot]
        assert (received.text, received.labels) == ("I have 2 pictures.", [])
        assert form.kind == "photo", "a style is chosen from the sheet"


async def test_an_album_of_one_is_a_picture(enter, ada):
    async with enter() as room:
        ada.send_photo(picture(), media_group_id="7")
        await room.heard()
        assert STYLES not in ada.last.labels
        assert ada.last.kind == "photo"


async def test_a_button_below_an_album_that_was_left_says_so(enter, ada):
    async with enter() as room:
        ada.send_album(pictures(2))
        await room.heard()
        left = ada.last
        ada.say("/new planets")
        await room.heard()
        press = ada.press(STYLES, left)
        await room.heard()
        assert "expired" in press.answer(1)["text"]


async def test_in_a_group_a_picture_is_for_the_others(enter, telegram, ada):
    group = telegram.group("Painters", ada)
    there = ada.join(group)
    async with enter() as room:
        there.say(f"/help@{room.bot.application.bot.username}")
        await room.heard()
        said = there.last
        there.send_photo(picture())
        there.send_album(pictures(2))
        await room.heard()
        # nor is it something to be repainted where nobody asked for it
        there.send_photo(picture(), reply_to=said)
        there.send_photo(picture(), reply_to=said, media_group_id="7")
        await room.heard()
        assert there.last == said


async def test_a_file_of_the_wrong_kind_is_told_by_its_kind_even_where_a_file_is_asked_for(enter, ada):
    async with enter() as room:
        ada.say("/style")
        await room.heard()
        for send, says in [
            (lambda: ada.send_sound(b"ID3"), "cannot hear"),
            (lambda: ada.send_sticker(picture(kind="WEBP")), "sticker"),
            (lambda: ada.send_video(b"film"), "videos"),
            (lambda: ada.send_document(b"%PDF", "a.pdf", "application/pdf"), "as a picture"),
        ]:
            send()
            await room.heard()
            assert says in ada.last.text
