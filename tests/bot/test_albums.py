"""No part of an album is lost, and none is handed over twice, whichever process hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from bot import albums as albums_module
from bot.albums import Album, Albums
from bot.intake import NotNow
from tests.bot.conftest import BOT_ID

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(albums_module, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(albums_module, "LOOK_SECONDS", 0.02)


@pytest.fixture
def run(redis: Redis):
    """Run processes with this handler for a while."""

    async def running(handle: Callable[[Album], Awaitable[None]], seconds: float, processes: int = 2) -> None:
        tasks = [asyncio.create_task(Albums(redis, BOT_ID).run(handle)) for _ in range(processes)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return running


async def test_parts_that_reach_two_processes_are_one_album(redis, run):
    found: list[Album] = []

    async def handle(album: Album) -> None:
        found.append(album)

    one, two = Albums(redis, BOT_ID), Albums(redis, BOT_ID)
    for number in (3, 1, 2, 10):
        await (one if number % 2 else two).add(7, "g", number, {"update_id": number})
    await two.add(7, "g", 3, {"update_id": 3})  # which Telegram sent twice
    await run(handle, 0.6)

    assert [album.parts for album in found] == [tuple({"update_id": n} for n in (1, 2, 3, 10))]
    assert not found[0].is_late


async def test_it_is_waited_for_as_long_as_parts_come(redis, run):
    found: list[Album] = []

    async def handle(album: Album) -> None:
        found.append(album)

    albums = Albums(redis, BOT_ID)
    running = asyncio.create_task(run(handle, 1.2))
    for number in range(6):
        await albums.add(7, "g", number, {"update_id": number})
        await asyncio.sleep(0.1)
    await running

    assert [len(album.parts) for album in found] == [6]


async def test_it_ends_whenever_it_is_canceled(redis, monkeypatch):
    monkeypatch.setattr(albums_module, "LOOK_SECONDS", 0.001)

    async def handle(_album: Album) -> None:
        raise AssertionError

    for turn in range(60):
        tasks = {asyncio.create_task(Albums(redis, BOT_ID).run(handle)) for _ in range(2)}
        await asyncio.sleep(0.01 + turn * 0.0003)  # in the middle of all that it does with Redis
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=2)
        for task in left:
            task.cancel()
        assert not left


async def test_a_late_part_is_said_to_be_one(redis, run):
    found: list[Album] = []

    async def handle(album: Album) -> None:
        found.append(album)
        if len(found) == 1:
            await albums.add(7, "g", 2, {"update_id": 2})  # while the others are dealt with

    albums = Albums(redis, BOT_ID)
    await albums.add(7, "g", 1, {"update_id": 1})
    await run(handle, 1.0)

    assert [(len(album.parts), album.is_late) for album in found] == [(1, False), (1, True)]


async def test_what_could_not_be_handled_is_handled_when_its_lease_has_ended(redis, run, monkeypatch):
    monkeypatch.setattr(albums_module, "LEASE_SECONDS", 0.2)
    tries = []

    async def handle(album: Album) -> None:
        tries.append(album)
        if len(tries) == 1:
            raise NotNow

    await Albums(redis, BOT_ID).add(7, "g", 1, {"update_id": 1})
    await run(handle, 1.0)

    assert len(tries) == 2
    assert tries[0] == tries[1]


async def test_albums_of_two_chats_do_not_mix(redis, run):
    found: list[Album] = []

    async def handle(album: Album) -> None:
        found.append(album)

    albums = Albums(redis, BOT_ID)
    await albums.add(7, "g", 1, {"update_id": 1})
    await albums.add(8, "g", 1, {"update_id": 2})
    await run(handle, 0.6)

    assert sorted(album.parts[0]["update_id"] for album in found) == [1, 2]
