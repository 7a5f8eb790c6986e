"""Files that people sent, from Telegram into temporary files: of a large one only pieces are in memory."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import httpx
from telegram import File
from telegram.error import BadRequest, NetworkError

#: Telegram gives bots no larger files (getFile).
MOST_BYTES = 20 * 1024 * 1024
_CHUNK = 64 * 1024
#: Up to here a file stays in memory.
_IN_MEMORY = 1024 * 1024


class Downloads:
    """The connections for it, of one process."""

    def __init__(self, api: str) -> None:
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(30.0, connect=10.0),
            limits=httpx.Limits(max_connections=8),
            # A Bot API server of one's own is near by.
            trust_env=urlsplit(api).hostname not in ("127.0.0.1", "localhost", "::1"),
        )

    async def close(self) -> None:
        """Let its connections go."""
        await self._http.aclose()

    async def fetch(self, file: File) -> BinaryIO:
        """The file, from its beginning; closing it deletes it.

        Raises BadRequest where Telegram has it no more or it is too large, and NetworkError.
        """
        into = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  # the caller's to close
        try:
            # The URL has the bot's token in it, so that no error of httpx's may be shown.
            async with self._http.stream("GET", file.file_path or "") as answer:
                if answer.status_code in (400, 401, 403, 404):
                    raise BadRequest("the file is not there (any more)")
                if answer.status_code != 200:
                    raise NetworkError(f"a file was answered {answer.status_code}")
                async for chunk in answer.aiter_bytes(_CHUNK):
                    into.write(chunk)
                    if into.tell() > MOST_BYTES:
                        raise BadRequest("file is too big")
        except httpx.RequestError as error:
            into.close()
            raise NetworkError(f"a file did not come: {type(error).__name__}") from None
        except (BadRequest, NetworkError):
            into.close()
            raise
        into.seek(0)
        return into
