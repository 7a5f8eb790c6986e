"""Answers to pressed buttons and inline queries."""

from __future__ import annotations

import time
from typing import Any

from tests.telegram import keyboards
from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json, Parameters
from tests.telegram.queries import TOO_OLD
from tests.telegram.session import Session

NOTE_LENGTH = 200
MOST_RESULTS = 50
CACHE_SECONDS = 300

#: The field each kind of result cannot be without; a cached file's id in its place is as good.
RESULTS = {
    "article": "title", "photo": "photo_url", "gif": "gif_url", "mpeg4_gif": "mpeg4_url",
    "video": "video_url", "document": "document_url",
}  # fmt: skip
CACHED = {
    "photo": "photo_file_id", "gif": "gif_file_id", "mpeg4_gif": "mpeg4_file_id",
    "video": "video_file_id", "document": "document_file_id", "sticker": "sticker_file_id",
}  # fmt: skip


async def answer_callback_query(session: Session, call: Parameters) -> bool:
    query = session.world.queries.callbacks.get(call.text("callback_query_id"))
    if query is None:
        raise bad_request(TOO_OLD)
    if len(call.text("text")) > NOTE_LENGTH:
        raise bad_request("MESSAGE_TOO_LONG")
    with session.world.lock:
        query.take({
            "text": call.text("text"), "show_alert": call.flag("show_alert"), "url": call.text("url")
        })  # fmt: skip
    return True


async def answer_inline_query(session: Session, call: Parameters) -> bool:
    world = session.world
    query = world.queries.inlines.get(call.text("inline_query_id"))
    if query is None:
        raise bad_request(TOO_OLD)
    results: Any = call.structure("results")
    if not isinstance(results, list):
        raise bad_request("can't parse results: expected an Array")
    _check(session, results)
    answer: Json = {
        "results": results,
        "next_offset": call.text("next_offset"),
        "button": call.structure("button"),
    }
    with world.lock:
        query.take(answer)
        asked = query.update.body if query.update else {}
        person = asked["from"]["id"] if call.flag("is_personal") else 0
        until = time.monotonic() + call.integer("cache_time", CACHE_SECONDS)
        world.queries.cache[(person, asked["query"], asked["offset"])] = (until, answer)
    return True


def _check(session: Session, results: list[Any]) -> None:
    if len(results) > MOST_RESULTS:
        raise bad_request("RESULTS_TOO_MUCH")
    ids = [str(one.get("id", "")) for one in results]
    if len(set(ids)) < len(ids):
        raise bad_request("RESULT_ID_DUPLICATE")
    if not all(1 <= len(id.encode()) <= 64 for id in ids):
        raise bad_request("RESULT_ID_INVALID")
    for one in results:
        kind = one.get("type")
        cached = one.get(CACHED.get(kind, ""))
        if kind not in RESULTS and kind not in CACHED:
            raise bad_request("can't parse inline query result: type is unsupported")
        if cached and not session.world.files.find(str(cached)):
            raise bad_request("wrong file identifier/HTTP URL specified")
        if not cached and not one.get(RESULTS.get(kind, "")):
            raise bad_request(f"can't parse inline query result: Can't find field \"{RESULTS.get(kind)}\"")
        if kind == "article" and not one.get("input_message_content"):
            raise bad_request("MESSAGE_EMPTY")
        keyboards.check(one.get("reply_markup"))


METHODS = {"answerCallbackQuery": answer_callback_query, "answerInlineQuery": answer_inline_query}
