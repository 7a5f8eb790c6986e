"""`atelier up --telegram` and `atelier bot`: the real bot, with a local server that speaks the Bot API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bot.handlers.routing import COMMANDS
from cli import bot
from cli.errors import CommandError
from cli.main import main
from tests.cli.conftest import ATELIER, System, clean_environment, end_system, gone, start_system, wait_until
from tests.ports import own_port
from tests.telegram.flood import NO_LIMITS
from tests.telegram.server import TOKEN, BotApi

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]
BOTFATHER = {"newbot", "setinline", "setuserpic"}


@pytest.fixture(scope="module")
def telegram() -> Iterator[BotApi]:
    with BotApi(limits=NO_LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def system(tmp_path_factory, telegram) -> Iterator[System]:
    base = tmp_path_factory.mktemp("up")
    made = begin(base / "data", base / "up.log", telegram)
    try:
        yield made
    finally:
        end_system(made)


def begin(folder, log, telegram: BotApi) -> System:
    """Started as people start it, with the token for everybody to see; nobody here has work for a worker."""
    made = start_system(folder, log, "--workers", "0", "--telegram", TOKEN, ATELIER_TELEGRAM_API=telegram.url)
    try:
        made.wait_ready()
        wait_until(lambda: "ATELIER_TELEGRAM_ALLOW" in made.said())
    except AssertionError:
        end_system(made)
        raise
    return made


def code_in(text: str) -> str:
    return re.search(r"https://t\.me/AtelierBot\?start=(\S+)", text)[1]


def process_of_the_bot(system: System) -> psutil.Process:
    (found,) = [one for one in system.tree() if one.cmdline()[1:] == ["-m", "bot"]]
    return found


def test_the_link_it_prints_lets_the_person_in(system, telegram):
    anna = telegram.user("Anna")

    anna.say(f"/start {code_in(system.said())}")

    anna.wait_for(lambda m: "account local" in m.text)


def test_who_has_no_link_is_told_how_to_get_in(system, telegram):
    eve = telegram.user("Eve")

    eve.say("/start")

    eve.wait_for(lambda m: str(eve.id) in m.text)
    assert "ATELIER_TELEGRAM_ALLOW=" in system.said()


def test_the_token_is_the_bot_s_secret(system):
    root = psutil.Process(system.process.pid)
    ours = process_of_the_bot(system)

    assert "up" in root.cmdline()
    for one in [root, *system.tree()]:
        assert not [word for word in one.cmdline() if TOKEN in word]
        if one.pid not in (root.pid, ours.pid):
            assert TOKEN not in one.environ().values(), one.cmdline()
    for log in (system.folder / "logs").iterdir():
        assert TOKEN not in log.read_text(), log
    assert TOKEN not in system.said()


def test_a_bot_that_dies_is_started_again(system, telegram):
    before = process_of_the_bot(system)

    before.kill()
    wait_until(lambda: gone(before) and "bot ended" in system.said())
    anna = telegram.user("Ann")
    anna.say("/start")

    anna.wait_for(lambda m: str(anna.id) in m.text)


def test_who_is_linked_stays_linked_when_it_is_stopped_and_started(tmp_path):
    with BotApi(limits=NO_LIMITS) as telegram:
        first = begin(tmp_path / "data", tmp_path / "up.log", telegram)
        try:
            anna = telegram.user("Anna")
            anna.say(f"/start {code_in(first.said())}")
            anna.wait_for(lambda m: "account local" in m.text)
            tree = first.tree()
            first.process.send_signal(signal.SIGINT)
            assert first.process.wait(30) == 0, first.said()
            assert [process for process in tree if not gone(process)] == []

            again = begin(first.folder, tmp_path / "again.log", telegram)
            try:
                anna.say("/start")
                anna.wait_for(lambda m: "Good to see you" in m.text)
            finally:
                end_system(again)
        finally:
            end_system(first)


def test_a_token_that_telegram_does_not_know_is_a_clear_error(tmp_path, telegram):
    wrong = "1:" + TOKEN.partition(":")[2]
    tried = subprocess.run(
        (*ATELIER, "up", "--data-dir", str(tmp_path / "data"), "--port", "0", f"--telegram={wrong}"),
        env=clean_environment() | {"ATELIER_TELEGRAM_API": telegram.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert tried.returncode == 1
    assert "BotFather" in tried.stderr
    assert wrong not in tried.stderr
    assert not (tmp_path / "data" / "key").exists()  # nothing was begun


@pytest.mark.parametrize("token", ["", "no token", "1:", "1:a b", TOKEN + "/../x"])
def test_what_is_no_token_is_not_sent_to_anybody(token):
    with pytest.raises(CommandError, match="no token"):
        bot.check(token, {"ATELIER_TELEGRAM_API": "http://127.0.0.1:9"})


def test_telegram_may_be_away():
    assert bot.check(TOKEN, {"ATELIER_TELEGRAM_API": f"http://127.0.0.1:{own_port()}"}) == ""


def test_another_broker_is_no_place_for_notes():
    with pytest.raises(CommandError, match="Redis"):
        bot.check(TOKEN, {"REDIS_URL": "amqp://rabbitmq"})


def test_only_what_is_typed_as_an_argument_is_hidden(monkeypatch):
    begun = []
    monkeypatch.setattr(os, "execve", lambda *arguments: begun.append(arguments))
    for arguments in (["--telegram", TOKEN], [f"--telegram={TOKEN}"]):
        monkeypatch.setattr(sys, "orig_argv", ["python", "atelier", "up", *arguments, "--port", "0"])
        bot.hide(TOKEN)
        program, command, environment = begun.pop()
        assert program == sys.executable
        assert command == [sys.executable, "atelier", "up", "--port", "0"]
        assert environment[bot.TOKEN] == TOKEN
        # as it goes on
        monkeypatch.setattr(sys, "orig_argv", command)
        bot.hide(TOKEN)
        assert begun == []


def test_a_webhook_listens_where_it_is_looked_for():
    told = bot.child(TOKEN, "http://a", "atl_k", {"ATELIER_TELEGRAM_WEBHOOK": "https://b"}).environment
    assert "ATELIER_TELEGRAM_LISTEN" not in told
    assert bot.child(TOKEN, "http://a", "atl_k", {}).environment["ATELIER_TELEGRAM_LISTEN"].endswith(":0")


def test_the_bot_runs_beside_a_system_that_has_none(tmp_path):
    with BotApi(limits=NO_LIMITS) as telegram:
        system = start_system(tmp_path / "data", tmp_path / "up.log", "--workers", "0")
        try:
            system.wait_ready()
            process = subprocess.Popen(
                (*ATELIER, "--data-dir", str(system.folder), "bot"),
                env=clean_environment()
                | {
                    "ATELIER_TELEGRAM_TOKEN": TOKEN,
                    "ATELIER_TELEGRAM_API": telegram.url,
                    "ATELIER_TELEGRAM_LISTEN": "127.0.0.1:0",
                    "ATELIER_TELEGRAM_GUESTS": "yes",
                },
                stderr=subprocess.DEVNULL,
            )
            try:
                anna = telegram.user("Anna")
                anna.say("/start")
                anna.wait_for(lambda m: "as a guest" in m.text)  # the API and Redis were found
            finally:
                process.terminate()
                assert process.wait(30) == 0
        finally:
            end_system(system)


def test_the_handbook_names_what_there_is():
    text = (ROOT / "docs" / "telegram.md").read_text()
    variables = (ROOT / "deploy" / "env.example").read_text()
    for name in set(re.findall(r"ATELIER_[A-Z_]*[A-Z]", text)):
        assert f"{name}=" in variables, name
    commands = {name for name in re.findall(r"`/([a-z]+)", text) if name not in BOTFATHER | {"healthz"}}
    assert commands == set(COMMANDS) - {"start"}


def test_both_are_commands():
    assert {"bot", "telegram"} <= set(main.commands)
