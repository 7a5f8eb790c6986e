"""One request to the API, before anybody sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from client.errors import Json
from client.uploads import File, Sent

T = TypeVar("T")

#: A thing of the API's, or its id.
Which = str | Mapping[str, Any]


@dataclass(frozen=True)
class Form:
    """A multipart body. A file is (the field it is for, the file)."""

    fields: Mapping[str, str]
    files: Sequence[tuple[str, File]]


@dataclass(frozen=True)
class Stream:
    """A body that is a file and nothing else; `sent` hears of the bytes so far and of all of them."""

    file: File
    sent: Sent


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    path: str
    read: Callable[[Json], T]
    #: What is None is left out; a list is repeated.
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Json | Form | Stream | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether it may be sent twice: what it does twice is done once.
    repeatable: bool = False
    timeout: httpx.Timeout | None = None


def whole(answer: Json) -> Json:
    """The answer as it is."""
    return answer


def thing(answer: Json) -> Json:
    """Something with an id. Raises KeyError for what has none."""
    if not isinstance(answer["id"], str):
        raise TypeError("an id is text")
    return answer


def listed(name: str) -> Callable[[Json], list[Json]]:
    """The list of this name in an answer."""

    def read(answer: Json) -> list[Json]:
        found = answer[name]
        if not isinstance(found, list):
            raise TypeError(f"{name} is no list")
        return found

    return read


def page(name: str) -> Callable[[Json], Json]:
    """A page whose things are under this name."""
    things = listed(name)

    def read(answer: Json) -> Json:
        things(answer)
        return answer if "next_cursor" in answer else {**answer, "next_cursor": None}

    return read


def get(path: str, read: Callable[[Json], T], **query: Any) -> Call[T]:
    """A question: harmless, however often it is asked."""
    return Call("GET", path, read, query=query, repeatable=True)


def part(which: Which) -> str:
    """An id as one part of a path, whatever is in it."""
    return quote(which if isinstance(which, str) else str(which["id"]), safe="")


def once(key: str | None) -> dict[str, str]:
    """The header that makes one thing of a request that comes twice."""
    return {"Idempotency-Key": key or new_key()}


def new_key() -> str:
    """An idempotency key that nobody has."""
    return uuid4().hex
