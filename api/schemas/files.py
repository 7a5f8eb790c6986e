"""A stored file."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from accept.wire import Wire
from jobs.documents import JSONObject


class ArtifactView(Wire):
    """One stored file."""

    id: str
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    width: int | None = Field(default=None, description="Pixels, upright.")
    height: int | None = Field(default=None, description="Pixels, upright.")
    seconds: float | None = Field(default=None, description="How long a sound or a film is.")
    text: str | None = Field(
        default=None,
        description="What a result says that is a text or JSON of at most 4,096 bytes, so that nobody has to "
        "fetch it; null for all others.",
    )
    job_id: str | None = Field(default=None, description="The job that made it; null for an upload.")
    meta: JSONObject = Field(
        default_factory=dict, description="What the engine says of it; of an upload, what the door does."
    )
    created_at: datetime
    url: str = Field(
        description="Reads the content for an hour without a key (signed), so that a page can show it."
    )
