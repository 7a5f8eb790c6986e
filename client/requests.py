"""A call as httpx takes it. What is opened for its body, the caller closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import httpx

from client.calls.base import Call, Form
from client.server import Server


def options(call: Call[Any], server: Server, stack: ExitStack) -> dict[str, Any]:
    """All but a streamed body. Raises OSError for a file that cannot be read."""
    found: dict[str, Any] = {
        "params": list(_query(call.query)),
        "headers": {**server.headers(), **call.headers},
        # A POST that is sent elsewhere would arrive there as a GET.
        "follow_redirects": call.method == "GET",
    }
    if call.timeout is not None:
        found["timeout"] = call.timeout
    if isinstance(call.body, Form):
        found["data"] = dict(call.body.fields)
        found["files"] = [
            (name, (file.name, stack.enter_context(file.opened()), file.media_type))
            for name, file in call.body.files
        ]
    elif isinstance(call.body, dict):
        found["json"] = call.body
    return found


def streamed(total: int) -> dict[str, str]:
    """The header fields of a streamed body."""
    return {"Content-Type": "application/octet-stream", "Content-Length": str(total)}


def stream_timeout(seconds: float) -> httpx.Timeout:
    """Of an answer that comes piece by piece."""
    return httpx.Timeout(seconds, connect=5.0, pool=60.0)


def _query(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for one in value if isinstance(value, list | tuple | set | frozenset) else [value]:
            if one is not None:
                yield name, _text(one)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
