"""What the API may be told by its environment. Owner of every variable named here; all have defaults.

ATELIER_MAX_UPLOAD_BYTES   largest request body, in bytes, for keys without a limit of their own (64 MiB)
ATELIER_MAX_NETWORK_BYTES  largest uploaded network, in bytes, for keys without a limit of their own (1 GiB)
ATELIER_RATE_PER_MINUTE    requests a minute for keys without a limit of their own; 0: unlimited (600)
ATELIER_STREAMS            event streams and `?wait`s held at once by one process (16)
ATELIER_PUBLIC_URL         put before the paths of content URLs; empty: they are paths ("")
ATELIER_DOCS               no: /docs, the page to read and try the API on, is not served (yes)
ATELIER_CORS_ORIGINS       whose web pages may use the API: https://a.example,https://b.example; or * ("")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api import cors

_PREFIX = "ATELIER_"


class Settings(BaseModel):
    """The API's settings; every field is ATELIER_<NAME> in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_upload_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_network_bytes: int = Field(default=1024**3, gt=0)
    rate_per_minute: int = Field(default=600, ge=0)
    #: Below the threads of a process (`api.gunicorn`), so that streams never starve ordinary requests.
    streams: int = Field(default=16, ge=1)
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
