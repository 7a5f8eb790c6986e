"""Atelier as the bot sees it: the API with its own admin key or a user's, and what it keeps of it."""

from __future__ import annotations

import asyncio
import time
from typing import BinaryIO
from urllib.parse import urljoin

from client import AsyncClient, Json, NoServer, Oversized

#: How long the list of engines is good.
ENGINES_SECONDS = 60.0


class Studio:
    """One server. Every call raises the errors of `client`."""

    def __init__(self, admin: AsyncClient, public_url: str = "") -> None:
        #: With the bot's own key, which is an admin's.
        self.admin = admin
        self._public_url = (public_url or admin.url).rstrip("/")
        #: By language: until when the list is good, and the list.
        self._engines: dict[str, tuple[float, list[Json]]] = {}
        self._engines_lock = asyncio.Lock()

    def of(self, key: str) -> AsyncClient:
        """The API with a user's key."""
        return self.admin.with_key(key)

    async def close(self) -> None:
        """Let its connections go."""
        await self.admin.close()

    async def engines(self, language: str) -> list[Json]:
        """All engines it offers, in a language; an older list for as long as nobody answers."""
        async with self._engines_lock:
            until, found = self._engines.get(language, (0.0, []))
            if time.monotonic() >= until:
                try:
                    found = await self.admin.engines(lang=language)
                except NoServer:
                    if not found:
                        raise
                self._engines[language] = (time.monotonic() + ENGINES_SECONDS, found)
            return found

    async def engine(self, name: str, language: str) -> Json:
        """One engine in a language, hidden ones too."""
        for known in await self.engines(language):
            if known["name"] == name:
                return known
        return await self.admin.engine(name, lang=language)

    async def networks(self, key: str) -> list[Json]:
        """All networks that a user may name, newest first."""
        return [one async for one in self.of(key).networks()]

    # Files, by their signed URLs and so without a key.

    def link(self, url: str) -> str:
        """A signed URL as people can open it."""
        return urljoin(f"{self._public_url}/", url)

    async def download(self, url: str, limit_bytes: int) -> bytes | None:
        """What is behind a signed URL, for small things; None when it is larger."""
        try:
            return await self.admin.read(self._inside(url), most=limit_bytes)
        except Oversized:
            return None

    async def fetch(self, url: str, into: BinaryIO, limit_bytes: int) -> bool:
        """Write what is behind a signed URL into a file as it comes; False when it is larger."""
        try:
            await self.admin.fetch(self._inside(url), into, most=limit_bytes)
        except Oversized:
            return False
        return True

    def _inside(self, url: str) -> str:
        """Inside, the way around is not needed."""
        outside = f"{self._public_url}/"
        return f"{self.admin.url}/{url.removeprefix(outside)}" if url.startswith(outside) else url
