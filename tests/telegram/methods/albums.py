"""Several photos, videos or documents as one album."""

from __future__ import annotations

import secrets
from typing import Any

from tests.telegram import media
from tests.telegram.entities import check_length, format_text
from tests.telegram.errors import ApiError, bad_request
from tests.telegram.methods.sending import replied
from tests.telegram.parameters import Json, Parameters
from tests.telegram.session import Session

FEWEST, MOST = 2, 10
KINDS = ("photo", "video", "audio", "document", "animation")


async def send_media_group(session: Session, call: Parameters) -> list[Json]:
    """All or nothing. One item is refused, as documented; the real server takes it today."""
    items: Any = call.structure("media")
    if not isinstance(items, list) or not items:
        raise bad_request("there are no messages to send")
    if len(items) > MOST:
        raise bad_request("too many messages to send as an album")
    if len(items) < FEWEST:
        raise bad_request("media must include 2-10 items")
    chat = session.world.chat_to_write(call, len(items))
    kinds = {str(one.get("type")) for one in items}
    if "animation" in kinds:
        raise bad_request("can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup")
    if "document" in kinds and len(kinds) > 1:
        raise bad_request("document can't be mixed with other media types")
    contents = []
    for number, item in enumerate(items, 1):
        try:
            contents.append(await input_media(session, item, call))
        except ApiError as error:
            words = error.description.removeprefix("Bad Request: ")
            raise bad_request(f'failed to send message #{number} with the error message "{words}"') from error
    with session.world.lock:
        head = {"media_group_id": str(secrets.randbits(53)), **replied(chat, call)}
        return [session.world.post(chat, session.world.bot, head | one).message for one in contents]


async def input_media(session: Session, item: Json, call: Parameters) -> Json:
    """The fields of a message with this InputMedia. Raises ApiError (400, 413)."""
    kind = str(item.get("type"))
    if kind not in KINDS:
        raise bad_request(f'can\'t parse InputMedia: type "{kind}" is unsupported')
    found = await session.world.sources.find(kind, item.get("media"), call, item)
    caption, entities = format_text(
        str(item.get("caption") or ""), str(item.get("parse_mode") or ""), item.get("caption_entities")
    )
    check_length(caption, "caption")
    content = media.fields(found, session.world.files)
    if caption:
        content["caption"] = caption
    if entities:
        content["caption_entities"] = entities
    return content


METHODS = {"sendMediaGroup": send_media_group}
