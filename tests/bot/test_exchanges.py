"""One update of one person: where it is answered, and what is done when Telegram will not have it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from telegram import CallbackQuery, Chat, Document, Message, Update, User
from telegram.constants import ChatType
from telegram.error import BadRequest, Forbidden, NetworkError

from bot.exchanges import Exchange
from bot.screens import Button, Screen
from bot.words import Html

pytestmark = pytest.mark.anyio

ADA = User(7, "Ada", is_bot=False)
SCREEN = Screen(Html("<b>Echo</b>"), [[Button("Go", "go")]])


class Bot:
    """Notes what it is asked for, and refuses what a test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, Exception] = {}

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **more: Any) -> str:
            self.calls.append((method, more | {"args": args}))
            if method in self.errors:
                raise self.errors[method]
            return f"what {method} made"

        return call

    @property
    def asked(self) -> list[str]:
        return [method for method, _ in self.calls]


@pytest.fixture
def bot() -> Bot:
    return Bot()


def message(kind: str = ChatType.PRIVATE, **more: Any) -> Message:
    return Message(5, datetime.now(UTC), Chat(-9 if kind != ChatType.PRIVATE else 7, kind), ADA, **more)


@pytest.fixture
def exchange(bot):
    """An update with this message, or with a tap on a button of it."""

    def make(found: Message | None = None, *, tapped: bool = False) -> Exchange:
        services: Any = SimpleNamespace(bot=bot, settings=SimpleNamespace(bot_id=42, admins=frozenset({8})))
        query = CallbackQuery("q", ADA, "c", message=found) if tapped else None
        if query is not None:
            query.set_bot(SimpleNamespace(answer_callback_query=bot.answer))
        return Exchange(services, Update(1001), ADA, "en", message=found, query=query)

    return make


def test_however_often_an_update_comes_it_asks_for_one_thing(exchange):
    assert exchange(message()).update_key == exchange(message()).update_key == "telegram-42-1001"


def test_without_a_chat_it_is_the_user_s_own(exchange):
    inline = exchange()
    assert (inline.chat_id, inline.is_group, inline.thread_id, inline.reply_to) == (7, False, None, None)
    assert not inline.is_admin


@pytest.mark.parametrize(
    ("kind", "tapped", "reply_to"),
    [
        (ChatType.PRIVATE, False, None),
        (ChatType.GROUP, False, 5),
        (ChatType.SUPERGROUP, False, 5),
        (ChatType.SUPERGROUP, True, None),
    ],
    ids=["private", "group", "supergroup", "tap"],
)
async def test_in_a_group_an_answer_belongs_to_what_was_sent(exchange, bot, kind, tapped, reply_to):
    found = exchange(message(kind), tapped=tapped)
    await found.say(Html("Hello"))
    ((_, sent),) = bot.calls
    assert (sent["reply_parameters"] and sent["reply_parameters"].message_id) == reply_to
    assert sent["args"] == (found.chat_id, "Hello")


@pytest.mark.parametrize(("topic", "thread"), [(True, 3), (False, None)], ids=["topic", "thread of replies"])
async def test_in_a_forum_it_stays_in_the_topic(exchange, bot, topic, thread):
    found = message(ChatType.SUPERGROUP, message_thread_id=3, is_topic_message=topic)
    await exchange(found).say(Html("Hello"))
    assert bot.calls[0][1]["message_thread_id"] == thread


@pytest.mark.parametrize(
    ("more", "method"),
    [({"text": "x"}, "edit_message_text"), ({"document": Document("f", "u")}, "edit_message_caption")],
    ids=["text", "media"],
)
async def test_a_screen_takes_the_place_of_what_was_tapped(exchange, bot, more, method):
    assert await exchange(message(**more), tapped=True).change(SCREEN) is None
    assert bot.asked == [method]


async def test_a_screen_that_is_there_already_is_not_sent_again(exchange, bot):
    bot.errors["edit_message_text"] = BadRequest("Message is not modified: specified new message content")
    assert await exchange(message(), tapped=True).change(SCREEN) is None
    assert bot.asked == ["edit_message_text"]


async def test_where_a_message_cannot_be_changed_a_new_one_has_the_buttons(exchange, bot):
    bot.errors["edit_message_text"] = BadRequest("message can't be edited")
    bot.errors["edit_message_reply_markup"] = BadRequest("message to edit not found")
    assert await exchange(message(), tapped=True).change(SCREEN) == "what send_message made"
    assert bot.asked == ["edit_message_text", "edit_message_reply_markup", "send_message"]


async def test_an_outage_is_no_reason_for_a_second_message(exchange, bot):
    bot.errors["edit_message_text"] = NetworkError("away")
    with pytest.raises(NetworkError):
        await exchange(message(), tapped=True).change(SCREEN)
    assert bot.asked == ["edit_message_text"]


async def test_a_tap_is_answered_once_with_what_fits(exchange, bot):
    found = exchange(message(), tapped=True)
    await found.notice("x" * 1000)
    assert not await found.notice("more")
    ((_, said),) = bot.calls
    assert len(said["text"]) <= 200
    assert not await exchange(message()).notice("nothing was tapped")


async def test_a_notice_is_plain_and_a_message_is_html(exchange, bot):
    text = Html('<b>a &lt; b</b> and <a href="https://example.com">c</a>')
    await exchange(message(), tapped=True).tell(text)
    await exchange(message()).tell(text)
    notice, sent = bot.calls
    assert (notice[0], notice[1]["text"], notice[1]["show_alert"]) == ("answer", "a < b and c", True)
    assert sent[1]["args"][1] == text


async def test_a_tap_that_waited_too_long_is_answered_with_a_message(exchange, bot):
    bot.errors["answer"] = BadRequest("Query is too old and response timeout expired")
    await exchange(message(), tapped=True).tell(Html("Too late"))
    assert bot.asked == ["answer", "send_message"]


async def test_who_has_blocked_the_bot_is_told_nothing_and_nothing_breaks(exchange, bot):
    bot.errors["send_message"] = Forbidden("bot was blocked by the user")
    await exchange(message()).tell(Html("Hello"))
    with pytest.raises(Forbidden):
        await exchange(message()).say(Html("Hello"))
