"""Open jobs in a real Redis: taken by one process at a time, lost by none that dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import pytest
from redis.asyncio import Redis

from bot.open_jobs import JobNote
from tests.bot.conftest import BOT_ID

pytestmark = [pytest.mark.anyio, pytest.mark.waits]


def a_note(number: int = 1, **more) -> JobNote:
    return JobNote(
        **{
            "job_id": f"job_{number:032x}",
            "chat_id": 100 + number,
            "user_id": 7,
            "message_id": number,
            "engine": "echo",
            "language": "en",
        }
        | more
    )


async def test_a_job_that_was_taken_is_nobody_else_s_until_its_lease_ends(notes):
    await notes.open_job(a_note())
    (taken,) = await notes.due(10, 0.3)
    assert taken.note == a_note(created_at=taken.note.created_at)
    assert await notes.due(10, 0.3) == []
    await asyncio.sleep(0.35)
    (second,) = await notes.due(10, 5)
    assert second.note.job_id == taken.note.job_id


async def test_whoever_lost_the_lease_changes_nothing(notes):
    await notes.open_job(a_note())
    (slow,) = await notes.due(10, 0.1)
    await asyncio.sleep(0.15)
    (quick,) = await notes.due(10, 5)
    assert not await notes.keep(slow, 5)
    assert not await notes.put_back(slow, 0, slow.note.model_copy(update={"shown": "old"}))
    assert not await notes.closed(slow)
    assert await notes.put_back(quick, 0, quick.note.model_copy(update={"shown": "new"}))
    assert (await notes.note(slow.note.job_id)).shown == "new"


async def test_a_lease_is_made_longer(notes):
    await notes.open_job(a_note())
    (taken,) = await notes.due(10, 0.2)
    assert await notes.keep(taken, 5)
    await asyncio.sleep(0.25)
    assert await notes.due(10, 5) == []
    assert await notes.closed(taken)


async def test_put_back_it_comes_when_it_was_to_come(notes):
    await notes.open_job(a_note())
    (taken,) = await notes.due(10, 5)
    await notes.put_back(taken, 0.3)
    assert await notes.due(10, 5) == []
    await asyncio.sleep(0.35)
    assert len(await notes.due(10, 5)) == 1


async def test_on_a_grid_all_come_together_whenever_they_were_put_back(notes, redis):
    for number in range(1, 4):
        await notes.open_job(a_note(number))
    one, two, three = await notes.due(10, 5)
    await notes.put_back(one, 0.1, grid=1000.0)
    await asyncio.sleep(0.05)
    await notes.put_all_back([two], 0.1, 1000.0)
    await notes.put_back(three, 0.1, grid=1000.0)
    times = {at for _, at in await redis.zrange(f"bot:{BOT_ID}:due", 0, -1, withscores=True)}
    assert len(times) == 1
    assert times.pop() % 1000 == 0


async def test_many_are_put_back_in_one_go_but_not_those_that_were_lost(notes):
    for number in range(1, 4):
        await notes.open_job(a_note(number))
    taken = await notes.due(10, 5)
    lost = taken[0]
    assert await notes.closed(lost)
    await notes.put_all_back(taken, 0)
    assert {one.note.job_id for one in await notes.due(10, 5)} == {one.note.job_id for one in taken[1:]}


async def test_the_longest_waiting_come_first(notes):
    for number in range(1, 4):
        await notes.open_job(a_note(number))
    for pause, taken in zip((0.02, 0.0, 0.01), await notes.due(10, 5), strict=True):
        await notes.put_back(taken, pause)
    await asyncio.sleep(0.05)
    assert [one.note.message_id for one in await notes.due(2, 5)] == [2, 3]


async def test_a_job_is_opened_once_and_not_again_after_its_end(notes):
    assert await notes.open_job(a_note())
    assert not await notes.open_job(a_note(chat_id=999))
    (taken,) = await notes.due(10, 5)
    assert taken.note.chat_id == 101
    await notes.mark_delivered(taken.note.job_id, "face")
    assert await notes.delivered(taken.note.job_id) == {"face"}
    assert await notes.closed(taken)
    assert await notes.note(taken.note.job_id) is None
    assert not await notes.open_job(a_note())
    assert await notes.open_job(a_note(), again=True)
    assert await notes.delivered(taken.note.job_id) == frozenset()


async def test_a_job_whose_note_is_gone_leaves_the_set(notes, redis):
    await notes.open_job(a_note())
    await redis.hdel(f"bot:{BOT_ID}:jobs", a_note().job_id)
    assert await notes.due(10, 5) == []
    assert await notes.open_count() == 0


#: Takes jobs as fast as it can, says which and when, and puts them back after a lease's time.
_PROCESS = f"""
import asyncio, sys, time
from redis.asyncio import Redis
from bot.notes import Notes

async def main():
    notes = Notes(Redis.from_url(sys.argv[1]), {BOT_ID})
    while True:
        for taken in await notes.due(7, 1.0):
            print(taken.note.job_id, time.time(), flush=True)
            if sys.argv[2] == "works":
                await notes.put_back(taken, 1.0)
        await asyncio.sleep(0.005)

asyncio.run(main())
"""


async def test_two_processes_share_the_jobs_and_a_killed_one_loses_none(notes, redis_of_the_bot, tmp_path):
    for number in range(60):
        await notes.open_job(a_note(number))
    # Given one that works, beside one that takes and never gives back.
    logs = [tmp_path / kind for kind in ("works", "hangs")]
    processes = []
    for log in logs:
        with log.open("wb") as out:
            command = [sys.executable, "-c", _PROCESS, redis_of_the_bot.url, log.name]
            processes.append(subprocess.Popen(command, stdout=out))
    try:
        give_up = time.monotonic() + 60
        while not all(log.stat().st_size for log in logs):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        processes[1].send_signal(signal.SIGKILL)
        killed = time.time()
        await asyncio.sleep(3)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    looks = sorted(
        (float(at), job, log.name)
        for log in logs
        for job, at in (line.split() for line in log.read_text().splitlines())
    )
    # Then nobody looked at a job within another's second,
    last: dict[str, float] = {}
    for at, job, _ in looks:
        assert at - last.get(job, 0.0) > 0.97, (job, at, last[job])
        last[job] = at
    # and every job was looked at again after the other was killed.
    assert len({job for at, job, who in looks if at > killed and who == "works"}) == 60


async def test_a_flushed_redis_is_an_empty_one(notes, redis: Redis):
    await notes.open_job(a_note())
    await redis.flushall()
    assert await notes.due(10, 5) == []
    assert await notes.open_job(a_note())
