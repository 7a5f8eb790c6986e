"""Opaque ids with a type prefix. Time-ordered (UUIDv7), so that age order is id order on every index."""

from typing import Literal

from uuid_utils import uuid7

Prefix = Literal["job", "art", "usr", "key", "wrk", "whk", "msg", "net", "sch"]


def new_id(prefix: Prefix) -> str:
    """A fresh id such as `job_019312f0...` (prefix, then 32 hexadecimal digits; RFC 9562 UUIDv7)."""
    return f"{prefix}_{uuid7().hex}"
