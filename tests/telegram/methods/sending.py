"""New messages of the bot."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.telegram import keyboards, media
from tests.telegram.chats import Chat
from tests.telegram.entities import formatted
from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json, Parameters
from tests.telegram.session import Session

ACTIONS = frozenset(
    {
        "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
        "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
    }
)  # fmt: skip


async def send_message(session: Session, call: Parameters) -> Json:
    chat = session.world.chat_to_write(call)
    text, entities = formatted(call, "text")
    content: Json = {"text": text, **({"entities": entities} if entities else {})}
    return send(session, chat, call, content)


async def send_media(kind: str, session: Session, call: Parameters) -> Json:
    """sendPhoto and its kin."""
    chat = session.world.chat_to_write(call)
    content = captioned(call)
    found = await session.world.sources.find(kind, call.values.get(kind), call, details(call), kind)
    return send(session, chat, call, media.fields(found, session.world.files) | content)


async def send_chat_action(session: Session, call: Parameters) -> bool:
    chat = session.world.chat_to_write(call, messages=0)
    action = call.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    with session.world.lock:
        chat.actions.append((time.monotonic(), action))
        chat.changed.notify_all()
    return True


async def delete_message(session: Session, call: Parameters) -> bool:
    chat = session.world.chat_to_write(call, messages=0)
    with session.world.lock:
        posted = chat.find(call.integer("message_id"))
        if posted is None:
            raise bad_request("message to delete not found")
        if chat.is_group and posted.message["from"]["id"] != session.world.bot["id"]:
            raise bad_request("message can't be deleted")
        posted.deleted_at = time.monotonic()
        chat.changed.notify_all()
    return True


async def delete_messages(session: Session, call: Parameters) -> bool:
    """Those that cannot be found are skipped."""
    chat = session.world.chat_to_write(call, messages=0)
    for id in call.structure("message_ids") or []:
        if chat.find(int(id)):
            await delete_message(session, Parameters({"chat_id": chat.id, "message_id": id}))
    return True


def send(session: Session, chat: Chat, call: Parameters, content: Json) -> Json:
    """Post the bot's message with the keyboard and the reply that its call asks for."""
    world = session.world
    markup = keyboards.read(call)
    with world.lock:
        content |= replied(chat, call)
        if markup and "inline_keyboard" in markup:
            content["reply_markup"] = markup
        elif markup and "keyboard" in markup:
            chat.keyboard = [[str(one["text"]) for one in row] for row in markup["keyboard"]]
        elif markup and markup.get("remove_keyboard"):
            chat.keyboard = []
        return world.post(chat, world.bot, content).message


def captioned(call: Parameters) -> Json:
    """The fields of a checked caption."""
    caption, entities = formatted(call, "caption")
    if not caption:
        return {}
    return {"caption": caption, **({"caption_entities": entities} if entities else {})}


def details(call: Parameters) -> Json:
    """What a call says of its file."""
    names = ("width", "height", "duration")
    return {one: call.integer(one) for one in names} | {
        "disable_content_type_detection": call.flag("disable_content_type_detection")
    }


def replied(chat: Chat, call: Parameters) -> Json:
    """The message replied to, as it is inside of the reply. Raises ApiError (400)."""
    how: Any = call.structure("reply_parameters") or {}
    wanted = how.get("message_id") or call.integer("reply_to_message_id")
    if not wanted:
        return {}
    found = chat.find(int(wanted))
    if found:
        return {"reply_to_message": {k: v for k, v in found.message.items() if k != "reply_to_message"}}
    if how.get("allow_sending_without_reply") or call.flag("allow_sending_without_reply"):
        return {}
    raise bad_request("message to be replied not found")


METHODS: dict[str, Callable[[Session, Parameters], Awaitable[Any]]] = {
    "sendMessage": send_message,
    "sendPhoto": functools.partial(send_media, "photo"),
    "sendDocument": functools.partial(send_media, "document"),
    "sendAnimation": functools.partial(send_media, "animation"),
    "sendAudio": functools.partial(send_media, "audio"),
    "sendVideo": functools.partial(send_media, "video"),
    "sendChatAction": send_chat_action,
    "deleteMessage": delete_message,
    "deleteMessages": delete_messages,
}
