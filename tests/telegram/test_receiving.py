"""Updates on their way to the bot: polling, webhooks, groups, pressed buttons and inline queries."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InlineQueryResultCachedPhoto,
    InputTextMessageContent,
    Update,
)
from telegram.error import BadRequest, Conflict
from telegram.ext import CallbackQueryHandler, CommandHandler, InlineQueryHandler, MessageHandler, filters

from tests.receivers import receiver
from tests.telegram.clients import App, running, use
from tests.telegram.conftest import picture
from tests.telegram.people import User
from tests.telegram.server import BotApi
from tests.workers.running import until

pytestmark = pytest.mark.waits


async def echo(update: Update, _context: Any) -> None:
    assert update.message
    size = f" {update.message.photo[-1].width}" if update.message.photo else ""
    await update.message.reply_text(f"you: {update.message.text or update.message.caption}{size}")


async def menu(update: Update, _context: Any) -> None:
    assert update.message
    button = InlineKeyboardButton("Go", callback_data="go")
    await update.message.reply_text("menu", reply_markup=InlineKeyboardMarkup([[button]]))


async def pressed(update: Update, _context: Any) -> None:
    assert update.callback_query
    await update.callback_query.answer("going")
    await update.callback_query.edit_message_text("gone")


def handlers(app: App) -> None:
    app.add_handler(CommandHandler("menu", menu))
    app.add_handler(CallbackQueryHandler(pressed))
    app.add_handler(MessageHandler(filters.TEXT | filters.PHOTO, echo))


@pytest.mark.parametrize("webhook", [False, True])
def test_a_conversation(telegram: BotApi, anna: User, webhook: bool) -> None:
    with running(telegram, handlers, webhook=webhook, secret="s3cret" if webhook else None):
        anna.wait_for(lambda m: m.text == "you: /start")
        anna.say("/menu")
        shown = anna.wait_for(lambda m: m.labels)
        press = anna.press("Go")
        assert press.answer()["text"] == "going"
        assert press.answered_at > press.delivered_at > press.query.asked_at
        assert anna.wait_for(lambda m: m.text == "gone").id == shown.id
        anna.send_photo(picture(2000, 1000), "look")
        anna.wait_for(lambda m: m.text == "you: look 1280")
    assert not telegram.updates.pending()


def test_updates_wait_until_they_are_confirmed(telegram: BotApi, anna: User) -> None:
    async def work(bot: Any) -> list[int]:
        first = await bot.get_updates()
        again = await bot.get_updates()
        assert [one.update_id for one in first] == [one.update_id for one in again]
        return [len(await bot.get_updates(offset=again[-1].update_id + 1)), len(first)]

    anna.say("two")
    assert use(telegram, work) == [0, 2]
    anna.say("three")
    anna.say("four")
    assert [one.message.text for one in use(telegram, lambda bot: bot.get_updates(offset=-1))] == ["four"]


def test_polling_waits_for_an_update(telegram: BotApi) -> None:
    started = time.monotonic()
    assert use(telegram, lambda bot: bot.get_updates(timeout=1)) == ()
    assert 1 <= time.monotonic() - started < 4


def test_only_one_may_poll(telegram: BotApi) -> None:
    def fails(app: App) -> None:
        app.bot_data["errors"] = []

    with running(telegram, fails) as app:
        assert app.updater
        assert use(telegram, lambda bot: bot.get_updates()) == ()
        # It is on record when it has been answered, which may be a little later.
        until(lambda: any(one.status == 409 for one in telegram.calls.of("getUpdates")))
        conflicts = [one for one in telegram.calls.of("getUpdates") if one.status == 409]
        assert len(conflicts) == 1
        assert "terminated by other getUpdates request" in conflicts[0].description


def test_no_polling_beside_a_webhook(telegram: BotApi) -> None:
    async def work(bot: Any) -> None:
        await bot.set_webhook("http://127.0.0.1:9/hook")
        await bot.get_updates()

    with pytest.raises(Conflict, match="while webhook is active"):
        use(telegram, work)


def test_a_webhook_gets_a_chat_in_order_until_it_takes_it(telegram: BotApi, anna: User) -> None:
    telegram.updates.clear()
    with receiver() as hook:
        hook.answer = lambda _message: (500 if len(hook.seen) < 4 else 204, {})
        use(telegram, lambda bot: bot.set_webhook(hook.url, secret_token="abc"))
        for text in ("one", "two", "three"):
            anna.say(text)
        until = time.monotonic() + 10
        while telegram.updates.pending() and time.monotonic() < until:
            time.sleep(0.01)
        info = use(telegram, lambda bot: bot.get_webhook_info())
        use(telegram, lambda bot: bot.delete_webhook())
    texts = [json.loads(one.body)["message"]["text"] for one in hook.seen]
    assert texts == ["one"] * 4 + ["two", "three"]
    assert {one.headers["x-telegram-bot-api-secret-token"] for one in hook.seen} == {"abc"}
    assert "500" in str(info.last_error_message)
    assert info.pending_update_count == 0


def test_telegrams_own_servers_want_https() -> None:
    with (
        BotApi(https_only=True) as telegram,
        pytest.raises(BadRequest, match="an https url must be provided"),
    ):
        use(telegram, lambda bot: bot.set_webhook("http://example.com/hook"))


def test_what_a_bot_hears_in_a_group(telegram: BotApi, anna: User) -> None:
    olga = telegram.user("Olga")
    group = telegram.group("Painters", anna, olga)
    here = anna.join(group)
    telegram.updates.clear()
    photo = here.send_photo(picture())
    here.say("good morning")
    here.say("/style@OtherBot")
    here.say("/style", reply_to=photo)
    here.say("/style@AtelierBot")
    sent = use(telegram, lambda bot: bot.send_message(group.id, "hello"))
    here.say("thanks", reply_to=group.messages[-1])
    heard = use(telegram, lambda bot: bot.get_updates())
    assert [one.message.text for one in heard] == ["/style", "/style@AtelierBot", "thanks"]
    assert heard[0].message.reply_to_message.photo
    assert heard[2].message.reply_to_message.message_id == sent.message_id


def test_blocking_is_an_update(telegram: BotApi, anna: User) -> None:
    telegram.updates.clear()
    anna.block_bot()
    [update] = use(telegram, lambda bot: bot.get_updates())
    assert update.my_chat_member.new_chat_member.status == "kicked"


def test_a_press_is_answered_once_and_in_time(telegram: BotApi, anna: User) -> None:
    button = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
    use(telegram, lambda bot: bot.send_message(anna.id, "a", reply_markup=button))
    first = anna.press("Go")
    use(telegram, lambda bot: bot.answer_callback_query(first.query.id, "ok"))
    with pytest.raises(BadRequest, match=r"(?i)query is too old"):
        use(telegram, lambda bot: bot.answer_callback_query(first.query.id, "ok"))
    telegram.answer_within(0.1)
    second = anna.press("go")
    time.sleep(0.2)
    with pytest.raises(BadRequest, match=r"(?i)query is too old"):
        use(telegram, lambda bot: bot.answer_callback_query(second.query.id))
    with pytest.raises(AssertionError, match="no button 'Stop'"):
        anna.press("Stop")


def test_inline_mode(telegram: BotApi, anna: User) -> None:
    known = anna.send_photo(picture()).json["photo"][-1]["file_id"]

    async def answer(update: Update, _context: Any) -> None:
        assert update.inline_query
        markup = InlineKeyboardMarkup([[InlineKeyboardButton("Another", callback_data="another")]])
        article = InlineQueryResultArticle("1", "Earth", InputTextMessageContent("a planet"), markup)
        await update.inline_query.answer([article, InlineQueryResultCachedPhoto("2", known, caption="x")])

    def setup(app: App) -> None:
        app.add_handler(InlineQueryHandler(answer))
        app.add_handler(CallbackQueryHandler(pressed))

    group = telegram.group("Painters", anna, with_bot=False)
    here = anna.join(group)
    with running(telegram, setup):
        found = here.inline_query("planet earth")
        assert [one["id"] for one in found.results] == ["1", "2"]
        assert here.choose(found, "2").kind == "photo"
        here.choose(found, "Earth")
        here.press("Another").answer()
        here.wait_until(lambda messages: messages[-1].text == "gone")
        asked = len(telegram.calls.of("answerInlineQuery"))
        here.inline_query("planet earth")
        assert len(telegram.calls.of("answerInlineQuery")) == asked == 1


def test_too_many_inline_results(telegram: BotApi, anna: User) -> None:
    async def answer(update: Update, _context: Any) -> None:
        assert update.inline_query
        content = InputTextMessageContent("x")
        results = [InlineQueryResultArticle(str(n), "x", content) for n in range(51)]
        with pytest.raises(BadRequest, match=r"(?i)results_too_much"):
            await update.get_bot().answer_inline_query(update.inline_query.id, results)
        await update.inline_query.answer(results[:50])

    with running(telegram, lambda app: app.add_handler(InlineQueryHandler(answer))):
        assert len(anna.inline_query("x").results) == 50
