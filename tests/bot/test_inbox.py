"""Each update is begun with by one process, and comes again when that one did not finish."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from bot import inbox as inbox_module
from bot.inbox import Inbox, Taken
from tests.bot.conftest import BOT_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(redis: Redis) -> Inbox:
    return Inbox(redis, BOT_ID)


@pytest.fixture
def other(redis: Redis) -> Inbox:
    """The same inbox in another process."""
    return Inbox(redis, BOT_ID)


async def test_one_of_two_processes_gets_it(inbox, other):
    assert await inbox.take(1) is Taken.OURS
    assert await other.take(1) is Taken.BUSY
    await inbox.done(1)
    assert await other.take(1) is Taken.DONE
    assert await inbox.take(1) is Taken.DONE


async def test_what_was_given_back_is_taken_again(inbox, other):
    assert await inbox.take(1) is Taken.OURS
    assert await inbox.give_back(1)
    assert await other.take(1) is Taken.OURS


async def test_a_process_that_died_loses_it(inbox, other, monkeypatch):
    monkeypatch.setattr(inbox_module, "LEASE_SECONDS", 0.1)
    assert await inbox.take(1) is Taken.OURS
    await asyncio.sleep(0.15)
    assert await other.take(1) is Taken.OURS


async def test_a_slow_one_keeps_it(inbox, other, monkeypatch):
    monkeypatch.setattr(inbox_module, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(inbox_module, "_RENEW_SECONDS", 0.05)
    renewing = asyncio.create_task(inbox.renew())
    assert await inbox.take(1) is Taken.OURS
    await asyncio.sleep(0.6)
    assert await other.take(1) is Taken.BUSY
    await inbox.done(1)
    await asyncio.sleep(0.6)
    assert await other.take(1) is Taken.DONE, "what is done is not renewed into being held"
    renewing.cancel()


async def test_nothing_is_tried_for_ever(inbox):
    for _ in range(inbox_module.MOST_TRIES - 1):
        assert await inbox.take(1) is Taken.OURS
        assert await inbox.give_back(1)
    assert await inbox.take(1) is Taken.OURS
    assert not await inbox.give_back(1)
    assert await inbox.take(1) is Taken.DONE
