"""Why something did not happen, in words: a key of the catalogues and its facts."""

from __future__ import annotations

from bot.accounts import NotAllowed
from bot.exchanges import Exchange
from bot.forms import BadValue
from bot.words import Fact, Words
from client import NoServer, Refused

#: Telegram gives bots no larger files (getFile).
DOWNLOAD_MB = 20

_BY_CODE = {
    "too_many_queued": "error.quota_full",
    "weights_missing": "error.weights_missing",
    "engine_not_found": "error.no_engine",
    "not_found": "error.job_gone",
    "gone": "error.job_gone",
}
_BY_STATUS = {401: "error.account_gone"}


class Sorry(Exception):
    """What a handler cannot do for the user; `key` says why, with these facts."""

    def __init__(self, key: str, **facts: Fact) -> None:
        super().__init__(key)
        self.key = key
        self.facts = facts


Expected = NoServer | Refused | NotAllowed | BadValue | Sorry
#: The same for `except`.
EXPECTED = (NoServer, Refused, NotAllowed, BadValue, Sorry)


async def explain(exchange: Exchange, error: Expected) -> None:
    """Tell the user."""
    key, facts = reason(error, exchange.user.id, exchange.words)
    if isinstance(error, NotAllowed) and exchange.is_group:
        # The number is for the operator's eyes.
        link = f"https://t.me/{exchange.services.bot.username}"
        key, facts = "group.may_not", {"name": exchange.user.first_name, "link": link}
    await exchange.tell(exchange.words(key, **facts))


def reason(error: Expected, user: int, words: Words) -> tuple[str, dict[str, Fact]]:
    """What to say of it."""
    match error:
        case Sorry():
            return error.key, error.facts
        case NotAllowed():
            return "welcome.not_allowed", {"user_id": str(user)}
        case NoServer():
            return "error.server_away", {}
        case BadValue():
            key = f"bad_value.{error.code}"
            return (key if words.knows(key) else "bad_value.pattern"), error.facts
        case Refused():
            return _refused(error, words)


def _refused(error: Refused, words: Words) -> tuple[str, dict[str, Fact]]:
    if error.code in _BY_CODE:
        return _BY_CODE[error.code], {}
    if error.status in _BY_STATUS:
        return _BY_STATUS[error.status], {}
    if error.status == 429:
        return "error.rate_limited", {"wait": words.duration(max(error.retry_after, 1.0))}
    if error.status == 413:
        return "error.file_too_large", {"limit": DOWNLOAD_MB}
    if error.status >= 500:
        return "error.server_away", {}
    details = [f"{one.get('field')}: {one.get('message')}" for one in error.problem.get("errors") or ()]
    return "error.invalid", {"detail": "; ".join(details) or error.detail}
