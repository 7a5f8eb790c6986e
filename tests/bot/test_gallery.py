"""The bot's own style pictures."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from PIL import Image
from telegram import Chat, Message, PhotoSize

from bot import dialogue
from bot.forms import Form
from bot.gallery import Gallery
from bot.words import Words
from tests.bot.engine_views import form, schema


def message(*photos: PhotoSize) -> Message:
    return Message(1, datetime.now(UTC), Chat(1, "private"), photo=photos)


def test_they_are_numbered_as_on_the_sheet_and_lead_to_their_bytes():
    found = Gallery().choices(Words("de"))
    assert [choice.title for choice in found] == ["1 Herbst", "2 Mosaik", "3 Nacht", "4 Holzschnitt"]
    for choice in found:
        source = dialogue.source(choice.value)
        assert source.kind == "gallery"
        name, data = Gallery.picture(source.id)
        assert name == f"{source.id}.jpg"
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            assert min(image.size) >= 256


@pytest.mark.parametrize("name", ["sheet", "", "../pictures/night", "README.md", "Night"])
def test_nothing_else_is_a_picture_of_it(name):
    with pytest.raises(KeyError):
        Gallery.picture(name)


def test_only_a_question_for_a_style_offers_them():
    style = form("neural_style")
    assert [field.name for field in style.fields if Gallery.suits(field)] == ["style"]
    shape = {"x-artifact": {"accept": ["image/png"]}, "type": "string", "x-ui": {"role": "style"}}
    assert not Gallery.suits(Form.of(schema({"style": shape}))["style"]), "they are JPEG"


def test_the_sheet_is_uploaded_once():
    gallery = Gallery()
    sheet = gallery.sheet()
    assert isinstance(sheet, bytes)
    gallery.sent(message())
    assert gallery.sheet() == sheet, "nobody has said what it is called"
    gallery.sent(message(PhotoSize("small", "s", 90, 90), PhotoSize("large", "l", 900, 900)))
    assert gallery.sheet() == "large"
