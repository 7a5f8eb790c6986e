"""What people can say and tap, who may without being let in, and what is said when it goes wrong."""

from __future__ import annotations

import pytest

from accounts.store import AccountStore
from bot.handlers import menu
from bot.handlers.routing import COMMANDS, LISTED, TAPS, TAPS_FOR_ALL
from bot.words import Words
from tests.telegram.transcript import Button

pytestmark = pytest.mark.anyio


def test_every_command_is_in_every_menu():
    for language in Words.languages:
        for name in (*LISTED, "start", "admin"):
            assert 1 <= len(Words(language).plain(f"command.{name}")) <= 256
    assert set(LISTED) < set(COMMANDS)


def test_every_open_button_is_one_of_ours():
    assert set(TAPS) > TAPS_FOR_ALL


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/HELP", "What I can do"),
        ("/help@AtelierBot", "What I can do"),
        ("/fly", "do not know this command"),
        ("/admin", "do not know this command"),
        ("/help@OtherBot", None),
        ("/fly@OtherBot", None),
        ("hello", "not sure what to do"),
    ],
)
async def test_a_command_is_for_whom_it_names_and_others_are_told(enter, telegram, said, answer):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say(said)
        await room.heard()
        heard = [m.text for m in ada.messages if m.from_bot]
        assert len(heard) == (answer is not None)
        assert answer is None or answer in heard[0]


async def test_in_a_group_nothing_is_said_of_what_may_be_another_bot_s(enter, telegram):
    group = telegram.group("Painters", telegram.user("Ada"))
    there = telegram.user("Bob").join(group)
    async with enter() as room:
        there.say("/fly")
        there.say("/fly@AtelierBot")
        await room.heard()
        (answer,) = [m for m in group.messages if m.from_bot and m.kind != "service"]
        assert "do not know this command" in answer.text


async def test_what_nobody_expected_is_told_once_and_logged(enter, telegram, monkeypatch, caplog):
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(menu.screens, "menu", broken)
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say("/new")
        await room.heard()
        assert "Something went wrong on my side" in ada.last.text
        assert any(one.exc_info and one.exc_info[0] is ZeroDivisionError for one in caplog.records)
        telegram.updates.again(next(iter(telegram.updates.log.values())))
        room.next = 0
        await room.heard()
        assert len([m for m in ada.messages if m.from_bot]) == 1


async def test_a_guest_whose_key_was_revoked_gets_another_and_the_job_is_made(enter, telegram):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say("/planet mars")
        await room.heard()
        accounts = AccountStore(room.store.database)
        newest, *_ = accounts.keys()
        assert newest.user_name == f"telegram-{ada.id}"
        accounts.revoke(newest.id)
        ada.say("/planet moon")
        await room.heard()
        assert [job.params["world"] for job in room.jobs] == ["mars", "moon"]


@pytest.mark.parametrize("data", ["", "1:zz", "0:o", "nonsense", "1:jc:" + "x" * 40], ids=repr)
async def test_a_button_that_means_nothing_any_more_is_answered(enter, telegram, data):
    ada = telegram.user("Ada")
    async with enter() as room:
        ada.say("/new")
        await room.heard()
        press = ada.press_data(ada.last, Button("x", data))
        await room.heard()
        assert press.answer(1)["text"] != ""
