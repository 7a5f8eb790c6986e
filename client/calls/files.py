"""Requests about files, and about networks, which are files with a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from client.calls.base import Call, Form, Stream, Which, get, once, page, part, thing, whole
from client.errors import Json
from client.uploads import File, Sent

#: A large file is sent for as long as it moves; the server may take its time to store the last of it.
_UPLOAD_TIMEOUT = httpx.Timeout(300.0, connect=5.0, pool=60.0)


def upload(file: File, key: str | None) -> Call[Json]:
    """Store a file."""
    body = Form({}, [("file", file)])
    return Call(
        "POST",
        "/v1/files",
        thing,
        body=body,
        headers=once(key),
        repeatable=True,
        timeout=_UPLOAD_TIMEOUT,
    )


def file(which: Which) -> Call[Json]:
    """What is known of a file, with a fresh signed URL."""
    return get(f"/v1/files/{part(which)}", thing)


def files(query: Mapping[str, Any]) -> Call[Json]:
    """A page of uploads and results, newest first."""
    return get("/v1/files", page("files"), **query)


def delete_file(which: Which) -> Call[Json]:
    """A file goes."""
    return Call("DELETE", f"/v1/files/{part(which)}", whole, repeatable=True)


def add_network(file: File, name: str, shared: bool, sent: Sent) -> Call[Json]:
    """Upload a network as it is read. Not sent twice: it may be a gigabyte, and the caller sees it go."""
    return Call(
        "POST",
        "/v1/networks",
        thing,
        query={"name": name, "shared": "true" if shared else None},
        body=Stream(file, sent),
        timeout=_UPLOAD_TIMEOUT,
    )


def network(which: Which) -> Call[Json]:
    """One network."""
    return get(f"/v1/networks/{part(which)}", thing)


def networks(query: Mapping[str, Any]) -> Call[Json]:
    """A page of networks, newest first."""
    return get("/v1/networks", page("networks"), **query)


def delete_network(which: Which) -> Call[Json]:
    """A network goes."""
    return Call("DELETE", f"/v1/networks/{part(which)}", whole, repeatable=True)
