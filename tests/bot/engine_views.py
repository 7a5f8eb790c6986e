"""The engines as the API describes them, without an API."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

import engines
from bot.forms import Form
from engines.words import shown


def view(name: str, language: str = "en") -> dict[str, Any]:
    """What `GET /v1/engines/{name}?lang=` says of it, so far as the bot reads it."""
    return {"name": name, **asdict(shown(engines.spec(name), language))}


@cache
def form(name: str, language: str = "en") -> Form:
    """A real engine's form."""
    return Form.of(view(name, language))


def offered() -> list[str]:
    """The engines that are not hidden."""
    return [name for name in engines.names() if not engines.spec(name).hidden]


def schema(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """An engine nobody has yet."""
    return {
        "name": "new",
        "title": "New",
        "description": "Something new.",
        "params_schema": {"type": "object", "properties": properties, "required": list(required), **more},
    }
