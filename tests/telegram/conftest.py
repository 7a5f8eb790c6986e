"""A server for each test."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.telegram.flood import NO_LIMITS
from tests.telegram.people import User
from tests.telegram.server import BotApi


@pytest.fixture(autouse=True)
def _timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-telegram-bot 22 warns of times that are numbers; the next one gives timedeltas."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
def telegram() -> Iterator[BotApi]:
    """Telegram without limits on how much is sent."""
    with BotApi(limits=NO_LIMITS, webhook_backoff=0.02) as server:
        yield server


@pytest.fixture
def anna(telegram: BotApi) -> User:
    """Somebody who has started the bot."""
    user = telegram.user("Anna", language_code="pl", username="anna")
    user.say("/start")
    return user


def picture(width: int = 640, height: int = 480, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, form)
    return out.getvalue()
