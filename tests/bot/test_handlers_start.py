"""/start and /help: how people are greeted, and where links lead."""

from __future__ import annotations

import pytest

from accounts.store import AccountStore
from client import AsyncClient
from tests.bot.room import Room

pytestmark = pytest.mark.anyio

LIMITS = "As a guest you can have 2 jobs waiting at a time."
KEPT = "Results are kept for 1 day."


async def link_code(room: Room, owner: str) -> str:
    """One of the account of this name."""
    key = AccountStore(room.store.database).create_key(owner)[0]
    async with AsyncClient("http://api.test", key, transport=room.api) as client:
        return str((await client.link_code())["code"])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"guest_queued": 2, "guest_keep_days": 1}, [LIMITS, KEPT]),
        ({"guest_queued": 0, "guest_keep_days": 1}, [KEPT]),
        ({"guest_queued": 0, "guest_keep_days": 0}, []),
    ],
    ids=["both", "no-limit", "neither"],
)
async def test_a_guest_hears_of_the_limits_that_there_are(enter, telegram, told, said):
    async with enter(**told) as room:
        ada = telegram.user("Ada <b>")
        ada.say("/start")
        await room.heard()
        assert ada.last.text.startswith("Hello Ada <b>! I am the studio's bot")
        greeting, _, _ = ada.last.text.partition("\n\n")
        assert greeting.splitlines()[2:] == said
        assert "Planets" in ada.last.labels


async def test_an_operator_is_no_guest(enter, telegram):
    olga = telegram.user("Olga")
    async with enter(guests=False, admins=frozenset({olga.id})) as room:
        olga.say("/start anything")
        await room.heard()
        assert "Good to see you" in olga.last.text
        assert "guest" not in olga.last.text


async def test_a_personal_link_lets_in_and_others_are_not_told_of_it(enter, telegram):
    ada = telegram.user("Ada")
    group = telegram.group("Painters", ada)
    async with enter(guests=False) as room:
        code = await link_code(room, "ada")
        ada.join(group).say(f"/start@{room.bot.application.bot.username} {code}")
        await room.heard()
        assert "in our private chat" in [m for m in group.messages if m.from_bot][-1].text
        ada.say(f"/start {code}")
        await room.heard()
        assert "belongs to the account ada" in ada.last.text
        ada.say(f"/start {code}")
        await room.heard()
        assert "not valid any more" in ada.last.text, "it was used"


@pytest.mark.parametrize("trouble", ["away", "refuses"])
async def test_a_studio_that_is_away_is_not_the_link_s_fault(enter, telegram, trouble):
    ada = telegram.user("Ada")
    async with enter() as room:
        setattr(room.api, trouble, 503)
        ada.say("/start link_12345678")
        await room.heard()
        assert "cannot be reached" in ada.last.text


async def test_a_link_of_ours_leads_to_what_it_names(enter, telegram):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say("/start planet-mars-moon")
        await room.heard()
        (job,) = room.jobs
        assert job.params["world"] == {"mars": 1.0, "moon": 1.0}
        ada.say("/start new-planets")
        await room.heard()
        assert "▶️ Go" in ada.last.labels
        ada.say("/start newest-planets")
        await room.heard()
        assert "Hello Ada" in ada.last.text, "no link of ours"


async def test_help_says_what_the_bot_is_called(enter, telegram):
    ada = telegram.user("Ada")
    async with enter(guests=False) as room:
        ada.say("/help")
        await room.heard()
        assert f"@{room.bot.application.bot.username} planet earth" in ada.last.text
