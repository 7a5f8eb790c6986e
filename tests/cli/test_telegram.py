"""`atelier telegram link`: what to send to the bot."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from click.testing import CliRunner

from cli.commands.telegram import telegram
from client import Client

CODE = "link_abcDEF-0123_456789"
MADE = {"code": CODE, "expires_at": "2026-11-21T12:10:00Z"}


@pytest.fixture
def link(monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ATELIER_DATA_DIR", str(tmp_path))
    asked = []

    def send(_client, call):
        asked.append((call.method, call.path))
        return MADE

    monkeypatch.setattr(Client, "send", send)

    def run(*arguments: str):
        return CliRunner().invoke(telegram, ["link", *arguments])

    run.asked = asked
    return run


def test_it_prints_the_code_and_what_to_send(link):
    result = link()
    assert result.exit_code == 0
    assert link.asked == [("POST", "/v1/link-codes")]
    assert result.stdout.splitlines() == [f"code  {CODE}", f"send  /start {CODE}"]
    until = datetime.fromisoformat(MADE["expires_at"]).astimezone()
    assert result.stderr == f"Send this to the bot until {until:%H:%M}. The code works once.\n"


@pytest.mark.parametrize("name", ["atelier_bot", "@atelier_bot"])
def test_with_the_bot_s_name_there_is_a_link_to_it(link, name):
    result = link("--bot", name)
    assert result.stdout.splitlines()[2] == f"open  https://t.me/atelier_bot?start={CODE}"
    assert result.stderr.startswith("Open the link, or send this")


def test_programs_get_json(link):
    found = json.loads(link("--bot", "atelier_bot", "--json").stdout)
    assert found == {**MADE, "send": f"/start {CODE}", "open": f"https://t.me/atelier_bot?start={CODE}"}
    assert link("--json").stderr == ""


@pytest.mark.parametrize("name", ["", "bot", "@@bots", "atelier bot", "https://t.me/atelier_bot", "x" * 33])
def test_what_is_no_name_of_a_bot_makes_no_code(link, name):
    result = link("--bot", name)
    assert result.exit_code == 2
    assert "--bot" in result.stderr
    assert link.asked == []
