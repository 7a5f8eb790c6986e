"""What the API may be told by its environment. Owner of every variable named here; all have defaults.

ATELIER_MAX_UPLOAD_BYTES     largest request body, in bytes, for keys without a limit of their own (64 MiB)
ATELIER_MAX_JSON_BYTES       largest JSON body, in bytes; larger files go through POST /v1/files (16 MiB)
ATELIER_MAX_NETWORK_BYTES    largest uploaded network, in bytes, for keys without a limit of their own (1 GiB)
ATELIER_MEMORY_BUDGET_BYTES  what large bodies and files may take of one process's memory at once (768 MiB)
ATELIER_RATE_PER_MINUTE      requests a minute for keys without a limit of their own; 0: unlimited (600)
ATELIER_STREAMS              event streams and `?wait`s held at once by one process; one owner a quarter (16)
ATELIER_API_THREADS          threads of one process, more than ATELIER_STREAMS (16 more)
ATELIER_READ_TIMEOUT         seconds of a client's silence in the middle of a request or of its answer (20)
ATELIER_REQUEST_SECONDS      seconds within which a whole request must have come, head and body (60)
ATELIER_REQUEST_BYTES_PER_SECOND  for each so many bytes that have come it may take a second more (100000)
ATELIER_PUBLIC_URL           put before the paths of content URLs; empty: they are paths ("")
ATELIER_DOCS                 no: /docs, the page to read and try the API on, is not served (yes)
ATELIER_CORS_ORIGINS         whose web pages may use the API: https://a.example,https://b.example; or * ("")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from api.access import cors

_PREFIX = "ATELIER_"
#: Threads for everything but streams and waits.
ORDINARY_THREADS = 16
#: The least that one picture must be able to take: a PNG of 8 megapixels.
_LEAST_PICTURE = 36 * 1024 * 1024
#: What a JSON body takes for each of its bytes: the text, a copy as a string, and a picture in it once more.
JSON_FACTOR = 5


class Settings(BaseModel):
    """The API's settings; every field is ATELIER_<NAME> in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_upload_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_json_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    max_network_bytes: int = Field(default=1024**3, gt=0)
    memory_budget_bytes: int = Field(default=768 * 1024 * 1024, gt=0)
    rate_per_minute: int = Field(default=600, ge=0)
    #: Below the threads of a process (`api.gunicorn`), so that streams never starve ordinary requests.
    streams: int = Field(default=16, ge=1)
    api_threads: int | None = Field(default=None, ge=1)
    read_timeout: int = Field(default=20, gt=0)
    request_seconds: int = Field(default=60, gt=0)
    request_bytes_per_second: int = Field(default=100_000, gt=0)
    public_url: str = ""
    docs: bool = True
    cors_origins: str = ""

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        cors.origins(value)
        return value

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables that are set. Raises pydantic's ValidationError for one that makes no sense."""
        names = {_PREFIX + name.upper(): name for name in cls.model_fields}
        return cls.model_validate({names[k]: v for k, v in environ.items() if k in names and v != ""})

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.picture_bytes < _LEAST_PICTURE:
            raise ValueError(
                "ATELIER_MEMORY_BUDGET_BYTES leaves no room for a picture next to ATELIER_MAX_JSON_BYTES: "
                f"three quarters of the one, less {JSON_FACTOR} times the other, must be {_LEAST_PICTURE} "
                "bytes or more"
            )
        return self

    @property
    def picture_bytes(self) -> int:
        """What decoding one picture may take: what an owner may have, less what the body around it takes."""
        return self.memory_budget_bytes * 3 // 4 - JSON_FACTOR * self.max_json_bytes

    @property
    def threads(self) -> int:
        """Threads of a process."""
        return self.api_threads if self.api_threads is not None else self.streams + ORDINARY_THREADS

    @property
    def long_requests(self) -> int:
        """Requests that may be long, at once: a quarter of what streams leave is always free of them."""
        return max(1, (self.threads - self.streams) * 3 // 4)

    @property
    def long_requests_each(self) -> int:
        """As many of one owner: a quarter of the threads, and never all of them."""
        return max(1, min(self.threads // 4, self.long_requests * 2 // 3))

    @property
    def streams_each(self) -> int:
        """Streams and waits of one owner."""
        return max(1, self.streams // 4)
