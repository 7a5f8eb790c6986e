"""Stored files, and folders to clean up."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs.documents import JSONObject


class ArtifactRow(Protocol):
    """One of `jobs.models.Artifact`."""

    id: str
    owner_id: str
    job_id: str | None
    name: str
    key: str
    media_type: str
    size: int
    sha256: str
    width: int | None
    height: int | None
    seconds: float | None
    text: str | None
    meta: JSONObject
    created_at: datetime


class FolderRow(Protocol):
    """A folder to look through, of `jobs.models.Cleanup`."""

    id: int
    prefix: str


class StoredRow(Protocol):
    """Where something lies in the object store."""

    id: str
    key: str
