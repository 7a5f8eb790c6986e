"""Files on Telegram's servers, and the ids under which the bot knows them."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from threading import Lock

from tests.telegram.errors import bad_request

#: What the real ids begin with, for those who look.
_LETTERS = {
    "photo": "AgAC",
    "document": "BQAC",
    "animation": "CgAC",
    "video": "BAAC",
    "sticker": "CAAC",
    "audio": "CQAC",
    "voice": "AwAC",
}


class Blob:
    """The bytes of one file, made when somebody asks for them."""

    def __init__(
        self, make: bytes | Callable[[], bytes], suffix: str, width: int = 0, height: int = 0
    ) -> None:
        self.unique_id = "AQAD" + secrets.token_urlsafe(9)
        self.suffix = suffix
        self.width = width
        self.height = height
        self._lock = Lock()
        self._make = make

    @property
    def data(self) -> bytes:
        with self._lock:
            if not isinstance(self._make, bytes):
                self._make = self._make()
            return self._make

    @property
    def size(self) -> int | None:
        """Bytes; None while nobody has asked for them."""
        made = self._make
        return len(made) if isinstance(made, bytes) else None


@dataclass
class Media:
    """What a message carries: a photo in its sizes (smallest first), or one file and its thumbnail."""

    kind: str
    blobs: list[Blob]
    thumbnail: Blob | None = None
    name: str | None = None
    mime: str | None = None
    duration: int = 0
    emoji: str | None = None

    @property
    def main(self) -> Blob:
        return self.blobs[-1]


@dataclass
class Files:
    """All files. An id stands for a file within its media; each message gets new ids for the same file."""

    _lock: Lock = field(default_factory=Lock)
    _ids: dict[str, tuple[Media, Blob]] = field(default_factory=dict)
    _paths: dict[str, Blob] = field(default_factory=dict)

    def new_id(self, media: Media, blob: Blob) -> str:
        """One more id of a file."""
        made = _LETTERS.get(media.kind, "BQAC") + "AgIAAxkBAA" + secrets.token_urlsafe(40)
        with self._lock:
            self._ids[made] = (media, blob)
        return made

    def find(self, file_id: str) -> tuple[Media, Blob] | None:
        with self._lock:
            return self._ids.get(file_id)

    def publish(self, file_id: str) -> tuple[Blob, str]:
        """A file and the path from which the bot may fetch it. Raises ApiError (400)."""
        found = self.find(file_id)
        if found is None:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        media, blob = found
        with self._lock:
            for path, known in self._paths.items():
                if known is blob:
                    return blob, path
            path = f"{media.kind}s/file_{len(self._paths)}{blob.suffix}"
            self._paths[path] = blob
        return blob, path

    def at(self, path: str) -> Blob | None:
        with self._lock:
            return self._paths.get(path)


def suffix_of(name: str, mime: str) -> str:
    """How a downloaded file's path ends: by its name, else by its type."""
    suffix = PurePosixPath(name).suffix
    if suffix[1:].isalnum() and len(suffix) <= 9:
        return suffix
    return mimetypes.guess_extension(mime) or ""
