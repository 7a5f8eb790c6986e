"""What each route says of itself: who may call it, what it takes and answers. `openapi` reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel
from werkzeug.routing import BaseConverter, Map

V = TypeVar("V", bound=Callable[..., Any])

IDEMPOTENCY_KEY = "Idempotency-Key"

#: `signed`: a key, or a signature in the query.
Access = Literal["none", "key", "admin", "signed"]

#: A model is JSON; a string is a media type.
Answer = type[BaseModel] | str | None


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    summary: str
    tag: str
    answers: Mapping[int, Answer]
    access: Access = "key"
    #: Statuses of the problem documents it may answer, besides those that every route may.
    problems: tuple[int, ...] = ()
    query: type[BaseModel] | None = None
    #: Request headers: name -> JSON Schema with a description.
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Media type -> a model, or the name of a schema that `api.contract.openapi` makes from the engines.
    bodies: Mapping[str, type[BaseModel] | str] = field(default_factory=dict)
    #: Whether there has to be one.
    body_required: bool = True
    #: Response headers of the successful answers: name -> description.
    answer_headers: Mapping[str, str] = field(default_factory=dict)


def operation(summary: str, tag: str, answers: Mapping[int, Answer], **more: Any) -> Callable[[V], V]:
    """Attach an Operation to a view."""

    def attach(view: V) -> V:
        view.operation = Operation(summary, tag, answers, **more)  # type: ignore[attr-defined]  # read back by operation_of
        return view

    return attach


def operation_of(view: Any) -> Operation | None:
    """The Operation of a view; None for what is no part of the described API."""
    return getattr(view, "operation", None)


def idempotency(what: str) -> dict[str, dict[str, str]]:
    """For `Operation.headers`: this route honours the key. Where it is not declared it is refused."""
    about = f"The same key with the same request gives the same {what}, however often it is sent."
    return {IDEMPOTENCY_KEY: {"type": "string", "pattern": "^[!-~]{1,255}$", "description": about}}


@cache
def path_template(rule: str) -> str:
    """A route's rule as OpenAPI and the logs write it: `/v1/jobs/{job_id}`."""
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule)


class IdConverter(BaseConverter):
    """`<id("job"):job_id>`: an id of ours.

    What has not the form of one reads as an id that was never given to anything, so that every route
    answers it exactly as it answers an unknown one.
    """

    def __init__(self, url_map: Map, prefix: str) -> None:
        super().__init__(url_map)
        self.pattern = f"{prefix}_[0-9a-f]{{32}}"
        self._nothing = f"{prefix}_{'0' * 32}"

    def to_python(self, value: str) -> str:
        """The id, safe for a statement."""
        return value if re.fullmatch(self.pattern, value) else self._nothing
