"""The engines as the API describes them, without an API."""

from __future__ import annotations

from functools import cache
from typing import Any

import engines
from bot.forms import Form


def view(name: str) -> dict[str, Any]:
    """What `GET /v1/engines/{name}` says of it, so far as forms read it."""
    spec = engines.spec(name)
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "params_schema": spec.params.model_json_schema(),
    }


@cache
def form(name: str) -> Form:
    """A real engine's form."""
    return Form.of(view(name))


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
