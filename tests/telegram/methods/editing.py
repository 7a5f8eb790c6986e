"""Changes of messages that are there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.telegram import keyboards
from tests.telegram.chats import Chat, Posted
from tests.telegram.entities import formatted
from tests.telegram.errors import bad_request
from tests.telegram.methods.albums import input_media
from tests.telegram.methods.sending import captioned
from tests.telegram.parameters import Json, Parameters
from tests.telegram.session import Session

MEDIA = ("photo", "animation", "audio", "voice", "document", "video", "sticker")
CONTENT = ("text", "entities", "caption", "caption_entities", "thumbnail", *MEDIA)
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)


@dataclass
class _Target:
    chat: Chat
    posted: Posted

    def kind(self) -> str:
        return next((one for one in MEDIA if one in self.posted.message), "text")


async def edit_message_text(session: Session, call: Parameters) -> Json | bool:
    target = _target(session, call)
    text, entities = formatted(call, "text")
    if target.kind() != "text":
        raise bad_request("there is no text in the message to edit")
    return _apply(session, call, target, {"text": text, **({"entities": entities} if entities else {})})


async def edit_message_caption(session: Session, call: Parameters) -> Json | bool:
    target = _target(session, call)
    if target.kind() in ("text", "sticker"):
        raise bad_request("there is no caption in the message to edit")
    kept = {k: v for k, v in target.posted.message.items() if k in MEDIA}
    return _apply(session, call, target, kept | captioned(call))


async def edit_message_media(session: Session, call: Parameters) -> Json | bool:
    """Also of a text message. An inline message takes no upload; an album keeps its kind of media."""
    target = _target(session, call)
    item: Any = call.structure("media")
    if not isinstance(item, dict):
        raise bad_request("can't parse InputMedia: expected an Object")
    if call.text("inline_message_id") and str(item.get("media", "")).startswith("attach://"):
        raise bad_request("can't upload a new file when editing an inline message")
    content = await input_media(session, item, call)
    now = target.kind()
    if (
        "media_group_id" in target.posted.message
        and ("document" in (now, item["type"]))
        and now != item["type"]
    ):
        raise bad_request("can't change media type in the album")
    return _apply(session, call, target, content)


async def edit_message_reply_markup(session: Session, call: Parameters) -> Json | bool:
    target = _target(session, call)
    return _apply(session, call, target, {k: v for k, v in target.posted.message.items() if k in CONTENT})


def _target(session: Session, call: Parameters) -> _Target:
    """The message to edit. Raises ApiError (400, 403, 429)."""
    world = session.world
    inline_id = call.text("inline_message_id")
    if inline_id:
        posted = world.inline_messages.get(inline_id)
        if posted is None or posted.deleted_at is not None:
            raise bad_request("MESSAGE_ID_INVALID")
        chat = world.chats[posted.message["chat"]["id"]]
        world.flood.count(chat.id)
        return _Target(chat, posted)
    chat = world.chat_to_write(call)
    if not call.integer("message_id"):
        raise bad_request("message identifier is not specified")
    found = chat.find(call.integer("message_id"))
    if found is None:
        raise bad_request("message to edit not found")
    if found.message["from"]["id"] != world.bot["id"]:
        raise bad_request("message can't be edited")
    return _Target(chat, found)


def _apply(session: Session, call: Parameters, target: _Target, content: Json) -> Json | bool:
    """Without `reply_markup` the keyboard goes. Raises ApiError (400) where nothing changes."""
    markup = keyboards.read(call)
    if markup and "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    with session.world.lock:
        posted = target.posted
        if posted.deleted_at is not None:
            raise bad_request("message to edit not found")
        old = posted.message
        kept = {k: v for k, v in old.items() if k not in (*CONTENT, "reply_markup")}
        new = kept | content | ({"reply_markup": markup} if markup else {})
        if _likeness(new) == _likeness(old):
            raise bad_request(NOT_MODIFIED)
        posted.change(new)
        target.chat.changed.notify_all()
        return True if call.text("inline_message_id") else posted.message


def _likeness(message: Json) -> Json:
    """What makes a message the same: a file by its unique id, since its other id is new each time."""
    like: Json = {
        k: message.get(k) for k in ("text", "entities", "caption", "caption_entities", "reply_markup")
    }
    for kind in MEDIA:
        file = message.get(kind)
        like[kind] = (file[-1] if isinstance(file, list) else file)["file_unique_id"] if file else None
    return like


METHODS = {
    "editMessageText": edit_message_text,
    "editMessageCaption": edit_message_caption,
    "editMessageMedia": edit_message_media,
    "editMessageReplyMarkup": edit_message_reply_markup,
}
