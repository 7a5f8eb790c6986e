"""Networks that somebody uploaded."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs.documents import JSONObject


class NetworkRow(Protocol):
    """One of `jobs.models.Network`."""

    id: str
    owner_id: str
    name: str
    kind: str
    shared: bool
    state: str
    upload_sha256: str
    upload_size: int
    job_id: str
    sha256: str | None
    config: JSONObject | None
    error_code: str | None
    error_detail: str | None
    created_at: datetime


class SizedNetworkRow(NetworkRow, Protocol):
    """One with the size of its file, if it has one."""

    size: int | None


class NetworkFileRow(Protocol):
    """One of `jobs.models.NetworkFile`."""

    sha256: str
    key: str
    size: int
    created_at: datetime
