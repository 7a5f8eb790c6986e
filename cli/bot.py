"""What the commands have to know of the Telegram bot, which is a process of its own (`python -m bot`)."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from cli.errors import CommandError
from cli.supervise import Child

#: Owned by bot/settings.py, like every variable of this prefix.
TOKEN = "ATELIER_TELEGRAM_TOKEN"
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,100}")
_TELEGRAM = "https://api.telegram.org"
#: More than `bot.app.STOP_SECONDS` and what is being sent meanwhile.
GRACE = 18.0
COMMAND = ("-m", "bot")


def check(token: str, environment: Mapping[str, str]) -> str:
    """The bot's user name; "" while Telegram does not answer. Raises CommandError where it cannot run."""
    if importlib.util.find_spec("telegram") is None:
        raise CommandError("the bot needs python-telegram-bot: `pip install 'atelier[bot]'`")
    if not _TOKEN.fullmatch(token):
        raise CommandError("this is no token of a bot; BotFather's look like 110201543:AAHdqTcvCH1vGWJxf")
    broker = environment.get("REDIS_URL", "redis:")
    if urlsplit(broker).scheme not in ("redis", "rediss", "unix"):
        raise CommandError("the bot keeps its notes in Redis, and REDIS_URL names something else")
    return _name(token, environment.get("ATELIER_TELEGRAM_API") or _TELEGRAM)


def child(token: str, url: str, key: str, environment: Mapping[str, str]) -> Child:
    """The bot as a part of `atelier up`; its secrets travel in its environment, which others cannot read."""
    told = {TOKEN: token, "ATELIER_URL": url, "ATELIER_KEY": key}
    if not environment.get("ATELIER_TELEGRAM_WEBHOOK"):
        # Nobody has to find it, and two systems of one machine must not meet at one port.
        told["ATELIER_TELEGRAM_LISTEN"] = environment.get("ATELIER_TELEGRAM_LISTEN") or "127.0.0.1:0"
    return Child("bot", (sys.executable, *COMMAND), grace=GRACE, stage=2, environment=told)


def hide(token: str) -> None:
    """Begin anew with the token in the environment where it is an argument: `ps` shows those to everybody.

    Does not return then.
    """
    arguments, kept = sys.orig_argv[1:], []
    words = iter(arguments)
    for word in words:
        if word == "--telegram":
            next(words, None)
        elif not word.startswith("--telegram="):
            kept.append(word)
    if kept != arguments:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *kept], {**os.environ, TOKEN: token})


def _name(token: str, api: str) -> str:
    try:
        here = urlsplit(api).hostname in ("127.0.0.1", "localhost", "::1")
        answer = httpx.get(f"{api.rstrip('/')}/bot{token}/getMe", timeout=5.0, trust_env=not here)
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return ""
    # Telegram's answers to a token that it does not know.
    if answer.status_code in (401, 404):
        raise CommandError("Telegram does not know this token. BotFather shows it again: /mybots, API Token.")
    result = found.get("result") if isinstance(found, dict) else None
    return str(result.get("username", "")) if isinstance(result, dict) else ""
