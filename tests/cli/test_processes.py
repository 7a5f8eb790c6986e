"""`atelier migrate`, and the parts of the house that a command becomes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from cli import settings

TOKEN = "1:a"


@dataclass
class Became:
    """What this process would be now."""

    command: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> Became:
    made = Became()

    def execve(_program: str, command: list[str], environment: Mapping[str, str]) -> None:
        made.command, made.environment = command, environment

    monkeypatch.setattr(os, "execve", execve)
    return made


@pytest.fixture
def bot(run, monkeypatch):
    """`atelier bot`, with all that it needs and Telegram away."""
    for name, value in {
        "ATELIER_TELEGRAM_TOKEN": TOKEN,
        "ATELIER_TELEGRAM_API": "http://127.0.0.1:9",
        "ATELIER_KEY": "atl_k",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda: run("bot")


def test_migrating_there_and_back(run):
    assert "empty ->" in run("migrate").output
    assert "->" not in run("migrate").output
    assert "-> empty" in run("migrate", "--revision", "base").output


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (["api"], ["-m", "gunicorn", "-c", "python:api.gunicorn"]),
        (["worker"], ["-m", "workers", "--queues", "gpu,cpu,net"]),
        (["worker", "--queues", "cpu"], ["-m", "workers", "--queues", "cpu"]),
        (["sweep"], ["-m", "workers.sweep"]),
        (["dispatch"], ["-m", "workers.webhooks"]),
    ],
    ids=" ".join,
)
def test_a_command_becomes_its_part_with_the_data_folder_s_things(
    run, became, monkeypatch, tmp_path, typed, part
):
    monkeypatch.setenv("STORAGE_URL", "s3://mine")

    assert run(*typed).exit_code == 0

    assert became.command == [sys.executable, *part]
    assert became.environment["DATABASE_URL"] == f"sqlite:///{tmp_path}/data/atelier.db"
    assert became.environment["STORAGE_URL"] == "s3://mine", "what the user set stays"


@pytest.mark.parametrize("missing", ["ATELIER_TELEGRAM_TOKEN", "ATELIER_KEY"])
def test_the_bot_says_what_it_needs(bot, became, monkeypatch, missing):
    monkeypatch.delenv(missing)
    tried = bot()
    assert tried.exit_code == 1
    assert missing in tried.stderr
    assert became.command == []


def test_the_bot_is_a_client_of_the_system_of_this_folder(bot, became, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    settings.write_running(tmp_path / "data", settings.Running("http://127.0.0.1:7", 1, "redis://:p@here/0"))

    assert bot().exit_code == 0
    assert became.command == [sys.executable, "-m", "bot"]
    told = {name: became.environment[name] for name in ("ATELIER_URL", "ATELIER_KEY", "REDIS_URL")}
    assert told == {
        "ATELIER_URL": "http://127.0.0.1:7",
        "ATELIER_KEY": "atl_k",
        "REDIS_URL": "redis://:p@here/0",
    }

    # its notes are where the user says
    monkeypatch.setenv("REDIS_URL", "redis://there/0")
    assert bot().exit_code == 0
    assert became.environment["REDIS_URL"] == "redis://there/0"


def test_the_bot_takes_no_other_broker(bot, became, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "amqp://rabbitmq")
    assert "REDIS_URL names something else" in bot().stderr
    assert became.command == []
