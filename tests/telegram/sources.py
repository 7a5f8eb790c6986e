"""Where a bot's file comes from: the request itself (`attach://` too), a file id, or a URL."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import httpx

from tests.telegram import media
from tests.telegram.errors import bad_request, too_large
from tests.telegram.files import Files, Media
from tests.telegram.parameters import Json, Parameters, Upload

UPLOAD_BYTES = 50 * media.MEGABYTE
#: By URL: photos, then all others.
URL_PHOTO_BYTES = 5 * media.MEGABYTE
URL_BYTES = 20 * media.MEGABYTE
#: What sendDocument takes by URL.
URL_DOCUMENTS = ("image/gif", "application/pdf", "application/zip")
URL_SECONDS = 10.0


class Sources:
    """Finds media. Private addresses are not reachable from Telegram, but for those in `reachable`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        #: `host:port`.
        self.reachable: set[str] = set()

    async def find(self, kind: str, value: object, call: Parameters, details: Json, name: str = "") -> Media:
        """The media of `value`; `name` is the upload that stands for itself. Raises ApiError (400, 413)."""
        text = str(value or "")
        attached = text.removeprefix("attach://") if text.startswith("attach://") else name
        if attached in call.uploads and (not text or text.startswith("attach://")):
            return self.uploaded(kind, call.uploads[attached], details)
        if not text or text.startswith("attach://"):
            raise bad_request(f"there is no {kind} in the request")
        found = self._files.find(text)
        if found:
            if found[0].kind != kind:
                raise bad_request(f"can't use file of type {found[0].kind.title()} as {kind.title()}")
            return found[0]
        if urlsplit(text).scheme in ("http", "https"):
            return media.from_upload(kind, await self._fetch(kind, text), details)
        raise bad_request("wrong file identifier/HTTP URL specified")

    def uploaded(self, kind: str, upload: Upload, details: Json) -> Media:
        if len(upload.data) > UPLOAD_BYTES:
            raise too_large()
        return media.from_upload(kind, upload, details)

    async def _fetch(self, kind: str, url: str) -> Upload:
        parts = urlsplit(url)
        if is_private(parts.hostname or "") and parts.netloc not in self.reachable:
            raise bad_request("failed to get HTTP URL content")
        most = URL_PHOTO_BYTES if kind == "photo" else URL_BYTES
        data = b""
        try:
            async with (
                httpx.AsyncClient(timeout=URL_SECONDS, trust_env=False, follow_redirects=True) as client,
                client.stream("GET", url) as answer,
            ):
                answer.raise_for_status()
                mime = answer.headers.get("Content-Type", "").partition(";")[0]
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > most:
                        raise bad_request("failed to get HTTP URL content")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise bad_request("failed to get HTTP URL content") from error
        if (kind == "photo" and not mime.startswith("image/")) or (
            kind == "document" and mime not in URL_DOCUMENTS
        ):
            raise bad_request("wrong type of the web page content")
        return Upload(parts.path.rpartition("/")[2], mime, data)


def is_private(host: str) -> bool:
    """Whether only machines near by know this host."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host
