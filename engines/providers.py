"""The services elsewhere that engines ask: how one is reached, what an owner may ask of it. No torch here.

Owner of ATELIER_CHAT_URL (an OpenAI-compatible endpoint, up to and with its version: https://.../v1),
ATELIER_CHAT_MODEL, ATELIER_CHAT_SECONDS (how long an answer may take; default 120),
ATELIER_CHAT_LENGTH_FIELD (what the service calls the limit of an answer: max_tokens, the default, or
max_completion_tokens), ATELIER_CHAT_CALLS_PER_DAY and ATELIER_CHAT_TOKENS_PER_DAY (what one owner may have of
them in a day; default 0: any number). The key is a secret (`engines.secrets`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import structlog

from engines.circuit import Circuit

#: Name -> what it is.
PROVIDERS = {"chat": "the chat service that the engine `prompts` asks"}

#: How a need (`engines.base.EngineSpec.needs`) names one.
PREFIX = "provider:"

_LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Provider:
    """A service as its operator has set it up."""

    name: str
    url: str
    model: str
    seconds: float
    #: What its protocol calls the limit of an answer.
    length_field: str
    #: Of one owner; 0: any number.
    calls_per_day: int
    tokens_per_day: int


def chat() -> Provider | None:
    """The chat service; None where it is not set up."""
    return _chat(
        os.environ.get("ATELIER_CHAT_URL") or "",
        os.environ.get("ATELIER_CHAT_MODEL") or "",
        os.environ.get("ATELIER_CHAT_SECONDS") or "120",
        os.environ.get("ATELIER_CHAT_LENGTH_FIELD") or _LENGTH_FIELDS[0],
        os.environ.get("ATELIER_CHAT_CALLS_PER_DAY") or "0",
        os.environ.get("ATELIER_CHAT_TOKENS_PER_DAY") or "0",
    )


@cache
def circuit(name: str) -> Circuit:
    """This process's circuit of a provider."""
    return Circuit(name)


def needs_met() -> tuple[str, ...]:
    """Those that are set up and may be asked now, as needs name them."""
    return tuple(PREFIX + p.name for p in (chat(),) if p is not None and not circuit(p.name).is_open)


@cache  # asked before each claim, and what is wrong is said once
def _chat(url: str, model: str, seconds: str, length: str, calls: str, tokens: str) -> Provider | None:
    if not url and not model:
        return None
    try:
        made = Provider("chat", url.rstrip("/"), model, float(seconds), length, int(calls), int(tokens))
        _check(made)
    except ValueError as error:
        _log.error("provider_not_set_up", provider="chat", why=str(error))
        return None
    return made


def _check(provider: Provider) -> None:
    """Raises ValueError where something is missing or wrong."""
    parts = urlsplit(provider.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("its URL has to begin with https:// or http://")
    if (parts.port or 1) < 1 or not provider.url.isascii():
        raise ValueError("its URL is none")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("its URL may hold no password, no query and no fragment")
    if not provider.model:
        raise ValueError("its model is not named")
    if provider.length_field not in _LENGTH_FIELDS:
        raise ValueError(f"its limit is called one of {', '.join(_LENGTH_FIELDS)}")
    if not 0 < provider.seconds <= 3600:
        raise ValueError("an answer may take up to 3600 seconds")
    if provider.calls_per_day < 0 or provider.tokens_per_day < 0:
        raise ValueError("a budget is 0 or more")
