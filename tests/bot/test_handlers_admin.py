"""/admin: what operators see of the fleet and the queue."""

from __future__ import annotations

import pytest

from bot import callbacks
from bot.handlers import admin
from fleet.store import FleetStore
from tests.bot.room import Room
from tests.telegram.people import User
from tests.telegram.transcript import Button

pytestmark = pytest.mark.anyio

WORKER = {"state": "idle", "quarantined_at": None, "draining": False, "job_ids": []}


@pytest.fixture
def olga(telegram) -> User:
    return telegram.user("Olga")


def report(room: Room, worker: str, *, engines: tuple[str, ...] = ("echo",), host: str = "here") -> None:
    FleetStore(room.store.database).report(
        worker, hostname=host, pid=1, queues=["cpu"], engines=list(engines), weights=[], device="cpu"
    )


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "idle"),
        ({"job_ids": ["job_1"]}, "working"),
        ({"job_ids": ["job_1"], "draining": True}, "draining"),
        ({"draining": True, "quarantined_at": "2026-01-01T00:00:00Z"}, "quarantined"),
        ({"draining": True, "quarantined_at": "2026-01-01T00:00:00Z", "state": "lost"}, "lost"),
    ],
    ids=["idle", "working", "draining", "quarantined", "lost"],
)
def test_of_a_worker_s_states_the_gravest_is_shown(more, state):
    assert admin._state(WORKER | more) == state


async def test_a_worker_is_named_by_the_end_of_its_id_and_drained_by_its_button(enter, olga):
    async with enter(admins=frozenset({olga.id})) as room:
        report(room, "wrk_" + "0" * 24 + "deadbeef", host="<laptop>")
        olga.say("/admin")
        await room.heard()
        assert "⚪️ idle deadbeef (<laptop>)\necho\ncpu, jobs: 0" in olga.last.text

        press = olga.press("⏸ Drain deadbeef")
        await room.heard()
        assert press.answer(1)["text"] == "deadbeef takes no new jobs and finishes what it has."
        assert "🟡 draining" in olga.last.text

        press = olga.press("▶️ Resume deadbeef")
        await room.heard()
        assert press.answer(1)["text"] == "deadbeef takes jobs again."
        assert "⚪️ idle" in olga.last.text


async def test_a_large_fleet_fits_a_message(enter, olga):
    async with enter(admins=frozenset({olga.id})) as room:
        olga.say("/admin")
        await room.heard()
        assert "No machine is at work." in olga.last.text
        for number in range(40):
            report(room, f"wrk_{number:032x}", engines=tuple(f"an_engine_of_many_{n}" for n in range(30)))
        olga.press("🔄 Refresh")
        await room.heard()
        assert olga.last.text.count("idle") == 12
        assert len(olga.last.buttons) == 13


async def test_more_jobs_than_are_counted_are_said_to_be_more(enter, olga, monkeypatch):
    monkeypatch.setattr(admin, "_COUNTED", 2)
    async with enter(admins=frozenset({olga.id})) as room:
        olga.say("/admin")
        await room.heard()
        olga.press("⏳ Queue")
        for waiting in ("0", "1", "2+", "2+"):
            await room.heard()
            shown = olga.wait_for(lambda message: "Refresh" in str(message))
            assert shown.text == f"Queue\nWaiting: {waiting}\nRunning: 0"
            olga.say("/planet mars")
            olga.press("🔄 Refresh")


@pytest.mark.parametrize("verb", [callbacks.FLEET, callbacks.QUEUE, callbacks.DRAIN, callbacks.RESUME])
async def test_a_forged_button_is_for_operators_only(enter, olga, verb):
    async with enter() as room:
        report(room, "wrk_1")
        olga.say("/settings")
        await room.heard()
        shown = olga.last
        args = ("wrk_1",) if verb in (callbacks.DRAIN, callbacks.RESUME) else ()
        press = olga.press_data(shown, Button("x", callbacks.pack(verb, *args)))
        await room.heard()
        assert "operators only" in press.answer(1)["text"]
        assert olga.last.text == shown.text
