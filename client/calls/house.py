"""Requests about the rest of the house: engines, keys, owners, workers, usage; and any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.calls.base import Call, Which, get, listed, page, part, thing, whole
from client.errors import Json


def engines(hidden: bool, lang: str | None) -> Call[list[Json]]:
    """The engines there are."""
    return get("/v1/engines", listed("engines"), hidden="true" if hidden else None, lang=lang)


def engine(name: str, lang: str | None) -> Call[Json]:
    """One of them, hidden ones too."""
    return get(f"/v1/engines/{part(name)}", _engine, lang=lang)


def me() -> Call[Json]:
    """Whose key it is and what it may."""
    return get("/v1/me", thing)


def keys() -> Call[list[Json]]:
    """One's own keys."""
    return get("/v1/me/keys", listed("keys"))


def revoke_key(which: Which) -> Call[Json]:
    """End one of one's own keys."""
    return Call("DELETE", f"/v1/me/keys/{part(which)}", whole, repeatable=True)


def make_key(user: str, options: Json) -> Call[Json]:
    """A new key of the owner of this name. Twice would be two keys."""
    return Call("POST", "/v1/keys", _key, body={"user": user, **options})


def link_code() -> Call[Json]:
    """A code for a further key of one's own."""
    return Call("POST", "/v1/link-codes", whole)


def redeem(code: str, name: str) -> Call[Json]:
    """The key that a code is for; a code works once."""
    return Call("POST", "/v1/link-codes/redeem", _key, body={"code": code, "name": name})


def owners(query: Mapping[str, Any]) -> Call[Json]:
    """A page of owners."""
    return get("/v1/owners", page("owners"), **query)


def limit_owner(which: Which, limits: Json) -> Call[Json]:
    """Change what an owner may have."""
    return Call("PATCH", f"/v1/owners/{part(which)}", whole, body=limits, repeatable=True)


def workers() -> Call[list[Json]]:
    """The machines at work."""
    return get("/v1/workers", listed("workers"))


def drain(which: Which, release: bool) -> Call[Json]:
    """Let a worker take no more jobs."""
    where = f"/v1/workers/{part(which)}/drain"
    return Call("POST", where, thing, body={"release": release}, repeatable=True)


def resume(which: Which) -> Call[Json]:
    """Let a worker take jobs again."""
    return Call("POST", f"/v1/workers/{part(which)}/resume", thing, repeatable=True)


def usage(query: Mapping[str, Any]) -> Call[Json]:
    """What jobs used, a day at a time."""
    return get("/v1/usage", whole, **query)


def other(
    method: str, path: str, query: Mapping[str, Any], body: Json | None, repeatable: bool
) -> Call[Json]:
    """A request of which this package knows nothing."""
    return Call(method, path, whole, query=query, body=body, repeatable=repeatable)


def _key(answer: Json) -> Json:
    if not isinstance(answer["key"], str):
        raise TypeError("a key is text")
    return answer


def _engine(answer: Json) -> Json:
    if not isinstance(answer["params_schema"], dict):
        raise TypeError("a schema is an object")
    return answer
