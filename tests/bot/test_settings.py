"""The bot's settings: defaults, what is refused, and that secrets are not printed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.settings import Settings

TOKEN = "123456:ABC-def_1"


def read(**environ: str) -> Settings:
    return Settings.from_env({"ATELIER_TELEGRAM_TOKEN": TOKEN, **environ})


def test_a_token_is_enough():
    found = read()
    assert found.bot_id == 123456
    assert (found.guests, found.guest_queued, found.guest_running, found.guest_keep_days) == (False, 3, 1, 7)
    assert (found.host, found.port) == ("127.0.0.1", 8090)
    assert found.base_url == "https://api.telegram.org/bot"
    assert found.links_url == found.url == "http://127.0.0.1:8080"


def test_every_variable_is_read_and_others_are_left_alone():
    found = read(
        ATELIER_TELEGRAM_GUESTS="yes",
        ATELIER_TELEGRAM_ALLOW="1, 2,3",
        ATELIER_TELEGRAM_ADMINS="7",
        ATELIER_TELEGRAM_WEBHOOK="https://bot.example/hook/",
        ATELIER_TELEGRAM_SECRET="s3cret",
        ATELIER_TELEGRAM_LISTEN="[::]:9000",
        ATELIER_TELEGRAM_FILES_MB="2000",
        ATELIER_TELEGRAM_API="http://127.0.0.1:8081",
        ATELIER_URL="http://api:8080/",
        ATELIER_PUBLIC_URL="https://studio.example",
        ATELIER_KEY="atl_x",
        REDIS_URL="redis://cache:6379/3",
        ATELIER_STREAMS="16",
    )
    assert found.guests
    assert found.allow == {1, 2, 3}
    assert found.admins == {7}
    assert found.webhook == "https://bot.example/hook"
    assert (found.host, found.port) == ("::", 9000)
    assert found.files_bytes == 2_000_000_000
    assert found.base_file_url == "http://127.0.0.1:8081/file/bot"
    assert (found.url, found.links_url) == ("http://api:8080", "https://studio.example")
    assert (found.key, found.redis_url) == ("atl_x", "redis://cache:6379/3")


def test_an_empty_variable_is_as_one_that_is_not_set():
    assert read(ATELIER_TELEGRAM_FILES_MB="", ATELIER_TELEGRAM_WEBHOOK="").files_mb == 50


@pytest.mark.parametrize(
    "environ",
    [
        {"ATELIER_TELEGRAM_TOKEN": ""},
        {"ATELIER_TELEGRAM_TOKEN": "not a token"},
        {"ATELIER_TELEGRAM_ALLOW": "@ada"},
        {"ATELIER_TELEGRAM_GUESTS": "perhaps"},
        {"ATELIER_TELEGRAM_LISTEN": "8090"},
        {"ATELIER_TELEGRAM_SECRET": "with spaces"},
        {"ATELIER_TELEGRAM_WEBHOOK": "https://bot.example"},
        {"ATELIER_TELEGRAM_WEBHOOK": "http://bot.example", "ATELIER_TELEGRAM_SECRET": "s"},
        {"ATELIER_URL": "api:8080"},
        {"ATELIER_TELEGRAM_FILES_MB": "0"},
    ],
)
def test_what_makes_no_sense_is_refused(environ):
    with pytest.raises(ValidationError):
        read(**environ)


def test_a_server_of_one_s_own_may_send_plain_webhooks():
    found = read(
        ATELIER_TELEGRAM_API="http://telegram:8081",
        ATELIER_TELEGRAM_WEBHOOK="http://bot:8090",
        ATELIER_TELEGRAM_SECRET="s",
    )
    assert found.webhook == "http://bot:8090"


def test_secrets_are_not_printed():
    found = read(ATELIER_KEY="atl_x", ATELIER_TELEGRAM_SECRET="s3cret", REDIS_URL="redis://:pass@h")
    assert not {"ABC-def_1", "atl_x", "s3cret", "pass"} & set(repr(found).replace("'", " ").split())
    assert "ABC" not in repr(found)
    assert "pass" not in repr(found)
    with pytest.raises(ValidationError) as error:
        read(ATELIER_TELEGRAM_TOKEN="no:t oken")
    assert "t oken" not in str(error.value)
