"""Where bytes live: `open_storage()` gives the store that STORAGE_URL names.

    file:///var/lib/atelier/objects    a local folder (the default: one in the user's data folder)
    s3://bucket/prefix?endpoint=http://minio:9000&region=us-east-1    any S3; credentials as boto3 finds them
    memory://                          this process only (tests); every call gives a new, empty one

This module owns STORAGE_URL.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.base import Storage

DEFAULT_FOLDER = "~/.local/share/atelier/objects"


def open_storage(url: str | None = None) -> Storage:
    """The store at `url`; left out: at STORAGE_URL. Touches neither disk nor network.

    Raises ValueError for a URL that names no store.
    """
    # The implementations are imported here so that a process pays for the one it uses (boto3 takes
    # a second and 40 MB): one of the two lazy imports of the tree.
    url = url or os.environ.get("STORAGE_URL") or Path(DEFAULT_FOLDER).expanduser().as_uri()
    parts = urlsplit(url)
    if parts.scheme == "file":
        absolute = url.startswith(("file:///", "file://localhost/")) and len(parts.path) > 1
        if not absolute or parts.query or parts.fragment:
            raise ValueError(f"a file: storage URL is file:///absolute/folder, not {url!r}")
        from storage.local import LocalStorage  # noqa: PLC0415  see above

        return LocalStorage(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from storage.s3 import S3Storage  # noqa: PLC0415  see above

        return S3Storage.from_url(url)
    if url == "memory://":
        from storage.memory import MemoryStorage  # noqa: PLC0415  see above

        return MemoryStorage()
    # The scheme alone: the rest may hold a password.
    raise ValueError(f"a storage URL starts with file://, s3:// or memory://, not {parts.scheme!r}")
