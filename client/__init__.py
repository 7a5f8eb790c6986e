"""The API's Python client: one, for the command line, the bot and everybody's programs (docs/python.md).

Pure functions build requests (`calls/`) and read answers (`answers`, `sse`); two thin transports send them.
It imports httpx and nothing of the rest of the house.
"""

from client.async_client import AsyncClient
from client.errors import (
    ApiError,
    Conflict,
    Damaged,
    Forbidden,
    Invalid,
    JobFailed,
    Json,
    NoServer,
    NotAtelier,
    NotFinished,
    NotFound,
    Oversized,
    RateLimited,
    Refused,
    TimedOut,
    Unauthorized,
    Unavailable,
)
from client.following import FINAL
from client.retrying import Retries
from client.sync_client import Client
from client.uploads import File

__all__ = [
    "FINAL",
    "ApiError",
    "AsyncClient",
    "Client",
    "Conflict",
    "Damaged",
    "File",
    "Forbidden",
    "Invalid",
    "JobFailed",
    "Json",
    "NoServer",
    "NotAtelier",
    "NotFinished",
    "NotFound",
    "Oversized",
    "RateLimited",
    "Refused",
    "Retries",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
]
