"""The message that a chosen inline result becomes."""

from __future__ import annotations

import asyncio

from tests.telegram import keyboards, media
from tests.telegram.entities import format_text
from tests.telegram.files import Media
from tests.telegram.methods.queries import CACHED, RESULTS
from tests.telegram.parameters import Json, Parameters
from tests.telegram.world import World

#: What a result of a kind is as media.
_MEDIA = {"gif": "animation", "mpeg4_gif": "animation"}


def content_of(world: World, result: Json) -> Json:
    """The message's fields. Raises ApiError (400) where Telegram could not make it, such as a dead URL."""
    kind = str(result["type"])
    content = _media(world, kind, result) if kind != "article" else {}
    text = result.get("input_message_content")
    if text:
        plain, entities = format_text(
            text["message_text"], text.get("parse_mode") or "", text.get("entities")
        )
        content = {"text": plain, **({"entities": entities} if entities else {})}
    elif result.get("caption"):
        plain, entities = format_text(
            result["caption"], result.get("parse_mode") or "", result.get("caption_entities")
        )
        content |= {"caption": plain, **({"caption_entities": entities} if entities else {})}
    markup = keyboards.check(result.get("reply_markup"))
    return content | ({"reply_markup": markup} if markup else {})


def _media(world: World, kind: str, result: Json) -> Json:
    cached = result.get(CACHED[kind])
    if cached:
        found = world.files.find(str(cached))
        assert found  # looked at when the bot answered
        return media.fields(found[0], world.files)
    wanted = _MEDIA.get(kind, kind)
    fetched: Media = asyncio.run(world.sources.find(wanted, result[RESULTS[kind]], Parameters(), {}))
    return media.fields(fetched, world.files)
