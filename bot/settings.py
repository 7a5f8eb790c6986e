"""What the bot may be told by its environment. Owner, in its process, of every variable named here.

ATELIER_TELEGRAM_TOKEN            what BotFather gave; the only one without a default
ATELIER_TELEGRAM_GUESTS           yes: everybody may use the bot, within a guest's limits (no)
ATELIER_TELEGRAM_ALLOW            user ids, with commas between them, that may use it as guests do ("")
ATELIER_TELEGRAM_ADMINS           user ids that may use it and see /admin ("")
ATELIER_TELEGRAM_GUEST_QUEUED     jobs of a guest that may wait; 0: any number (3)
ATELIER_TELEGRAM_GUEST_RUNNING    jobs of a guest that may run at once; 0: any number (1)
ATELIER_TELEGRAM_GUEST_KEEP_DAYS  days that a guest's results are kept; 0: for ever (7)
ATELIER_TELEGRAM_WEBHOOK          the public URL that Telegram sends updates to; empty: long polling ("")
ATELIER_TELEGRAM_SECRET           what Telegram sends with each update; a webhook needs it ("")
ATELIER_TELEGRAM_LISTEN           where the webhook and /healthz listen (127.0.0.1:8090)
ATELIER_TELEGRAM_API              the Bot API server (https://api.telegram.org)
ATELIER_TELEGRAM_FILES_MB         the largest file that server takes, in MB; larger results go as links (50)
ATELIER_URL                       where the bot finds Atelier's API (http://127.0.0.1:8080)
ATELIER_PUBLIC_URL                where people find it: what links begin with (ATELIER_URL)
ATELIER_KEY                       an admin key of it ("")
REDIS_URL                         where the bot keeps its notes (redis://127.0.0.1:6379/0)
ATELIER_LOG_LEVEL                 debug, info, warning or error (info)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_PREFIX = "ATELIER_TELEGRAM_"
#: Variables that are not of the bot alone, and so have no prefix of its own.
_SHARED = {
    "ATELIER_URL": "url",
    "ATELIER_PUBLIC_URL": "public_url",
    "ATELIER_KEY": "key",
    "REDIS_URL": "redis_url",
    "ATELIER_LOG_LEVEL": "log_level",
}
#: Telegram's own server; it sends webhooks over TLS only.
OFFICIAL = "https://api.telegram.org"


class Settings(BaseModel):
    """The bot's settings; every field is ATELIER_TELEGRAM_<NAME> in the environment, or one of `_SHARED`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Secrets stay out of logs and tracebacks.
    token: str = Field(pattern=r"^[0-9]{1,20}:[A-Za-z0-9_-]{1,100}$", repr=False)
    guests: bool = False
    allow: frozenset[int] = frozenset()
    admins: frozenset[int] = frozenset()
    guest_queued: int = Field(default=3, ge=0, lt=2**31)
    guest_running: int = Field(default=1, ge=0, lt=2**31)
    guest_keep_days: float = Field(default=7.0, ge=0, le=36_525, allow_inf_nan=False)
    webhook: str = ""
    #: The characters that the Bot API's setWebhook takes.
    secret: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,256}$", repr=False)
    listen: str = Field(default="127.0.0.1:8090", pattern=r"^.*:[0-9]{1,5}$")
    api: str = OFFICIAL
    files_mb: int = Field(default=50, ge=1, le=2000)
    url: str = "http://127.0.0.1:8080"
    public_url: str = ""
    key: str = Field(default="", repr=False)
    # May hold a password.
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("log_level", mode="before")
    @classmethod
    def _small(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("allow", "admins", mode="before")
    @classmethod
    def _ids(cls, value: Any) -> Any:
        return [part for part in value.replace(",", " ").split() if part] if isinstance(value, str) else value

    @field_validator("webhook", "api", "url", "public_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            raise ValueError("this is no http: or https: URL")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _webhook_is_safe(self) -> Self:
        if not self.webhook:
            return self
        if not self.secret:
            raise ValueError("a webhook needs ATELIER_TELEGRAM_SECRET, or anybody may send it updates")
        if self.api == OFFICIAL and not self.webhook.startswith("https:"):
            raise ValueError("Telegram sends updates to https: URLs only")
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables that are set. Raises pydantic's ValidationError for one that makes no sense."""
        own = set(cls.model_fields) - set(_SHARED.values())
        names = {_PREFIX + name.upper(): name for name in own} | _SHARED
        return cls.model_validate({names[k]: v for k, v in environ.items() if k in names and v != ""})

    @property
    def bot_id(self) -> int:
        """The bot's own user id, which its token begins with."""
        return int(self.token.partition(":")[0])

    @property
    def host(self) -> str:
        """Where to listen: the address."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Where to listen: the port."""
        return int(self.listen.rpartition(":")[2])

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls by this name: the token comes after it."""
        return f"{self.api}/bot"

    @property
    def base_file_url(self) -> str:
        """The same for files."""
        return f"{self.api}/file/bot"

    @property
    def links_url(self) -> str:
        """What the links that people get begin with."""
        return self.public_url or self.url

    @property
    def files_bytes(self) -> int:
        """The largest file that the Bot API server takes, in bytes."""
        return self.files_mb * 1_000_000
