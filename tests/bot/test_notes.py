"""Notes in a real Redis: kept apart by bot and by user, and a chat's turns."""

from __future__ import annotations

import asyncio

import pytest

from bot.dialogue import Draft
from bot.notes import Account, Notes
from tests.bot.conftest import BOT_ID

pytestmark = pytest.mark.anyio


async def test_what_a_user_set_comes_back_and_is_nobody_else_s(notes, redis):
    assert await notes.language(1) is None
    assert await notes.settings(1) == {}
    await notes.set_language(1, "pl")
    await notes.set_settings(1, {"size": 512})
    assert await notes.language(1) == "pl"
    assert await notes.settings(1) == {"size": 512}
    assert await notes.language(2) is None
    assert await Notes(redis, 43).language(1) is None


async def test_an_account_is_kept_for_good_and_its_key_is_not_printed(notes, redis):
    account = Account(key="atl_secret", owner_id="usr_1", owner="telegram-1", guest=True)
    await notes.set_account(1, account)
    assert await notes.account(1) == account
    assert "atl_secret" not in repr(account)
    assert await redis.ttl(f"bot:{BOT_ID}:account:1") == -1
    await notes.forget_account(1)
    assert await notes.account(1) is None


async def test_a_draft_is_of_one_user_in_one_chat_and_ends_after_a_day(notes, redis):
    draft = Draft(engine="planets", values={"count": 3}, files={"style": ["a", "b"]}, asking="size")
    await notes.save_draft(1, 2, draft)
    assert await notes.draft(1, 2) == draft
    assert await notes.draft(2, 1) is None
    assert 86_000 < await redis.ttl(f"bot:{BOT_ID}:draft:1:2") <= 86_400
    await notes.drop_draft(1, 2)
    assert await notes.draft(1, 2) is None


async def test_the_lock_lets_one_in_at_a_time(notes):
    inside, most = 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with notes.lock(9):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(one() for _ in range(5)))
    assert most == 1


async def test_a_lock_that_ended_early_harms_nobody(notes, redis):
    async with notes.lock(9):
        await redis.delete(f"bot:{BOT_ID}:lock:9")
    async with notes.lock(9):
        pass


async def test_a_chat_is_edited_once_in_a_while(notes):
    assert await notes.may_edit(1, 0.2)
    assert not await notes.may_edit(1, 0.2)
    assert await notes.may_edit(2, 0.2)
    await asyncio.sleep(0.25)
    assert await notes.may_edit(1, 0.2)


async def test_a_pause_ends_by_itself(notes):
    assert await notes.paused(1) == 0
    await notes.pause(1, 0.2)
    assert 0.1 < await notes.paused(1) <= 0.2
    await asyncio.sleep(0.25)
    assert await notes.paused(1) == 0
