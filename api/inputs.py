"""The files a job reads: ids, data: URIs, https: URLs and uploads, made into what a worker can open."""

from __future__ import annotations

import base64
import binascii
import io
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from api.services import services
from api.stored import size_of
from api.uploads import bad_file, check_accepted, inspect, sha256_of, store_file
from doors.base import FileInfo
from engines.base import EngineSpec
from jobs.errors import AtelierError, InvalidParams

_DATA = re.compile(r"data:[^,;]{0,100}(?:;[^,;]{1,100})*;base64,", re.IGNORECASE)
_MAX_URL = 2048


@dataclass
class Pending:
    """One file that came with the request and is not stored yet."""

    field: str
    name: str
    stream: BinaryIO
    sha256: str
    #: Stands in the params until the file has an id; random, so that no client can name it.
    placeholder: str
    #: What the door said of it; None before `check`.
    info: FileInfo | None = None


class Inputs:
    """The files of one request. `take`, then `check`, then `keep`; `undo` when the job came to nothing."""

    def __init__(self, owner_id: str, spec: EngineSpec) -> None:
        self._owner_id = owner_id
        self._files = spec.file_params
        self._pending: dict[str, Pending] = {}
        self._kept: list[str] = []

    def take(
        self, params: dict[str, Any], uploads: Sequence[tuple[str, str, BinaryIO]] = ()
    ) -> dict[str, Any]:
        """The params with a placeholder for each upload (field, file name, stream) and each data: URI."""
        taken = dict(params)
        for name in self._files.keys() & params.keys():
            taken[name] = self._each(params[name], partial(self._set_data_aside, name))
        for field, file_name, stream in uploads:
            if field not in self._files:
                raise _invalid(field, "This engine has no such file field.", "unknown_file_field")
            placeholder = self._add(field, file_name, stream)
            if self._files[field].multiple:
                before = taken.get(field, [])
                taken[field] = [*(before if isinstance(before, list) else [before]), placeholder]
            elif field in taken:
                raise _invalid(field, "This field takes one file.", "too_many_files")
            else:
                taken[field] = placeholder
        return taken

    def fingerprint(self, params: dict[str, Any]) -> dict[str, Any]:
        """The params with each file's hash for its placeholder: what makes two requests equal."""
        return self._replace(params, lambda ref: self._hash_of(ref))

    def check(self, params: dict[str, Any]) -> None:
        """Look at every file there is to look at. Raises BadFile and InvalidParams, naming the field."""
        wanted: dict[str, str] = {}
        for field, ref in self._refs(params):
            if ref in self._pending:
                file = self._pending[ref]
                file.info = inspect(file.stream, self._files[field].accept, field=field)
            elif ref.startswith("art_"):
                wanted[ref] = field
            else:
                _check_url(field, ref)
        if not wanted:
            return
        found = services().files.get_many(list(wanted), self._owner_id)
        for ref, field in wanted.items():
            if ref not in found:
                raise bad_file(field, f"There is no file {ref[:60]}.", "file_not_found")
            check_accepted(found[ref].media_type, self._files[field].accept, field)

    def size(self) -> int:
        """The bytes that `keep` would store."""
        return sum(size_of(file.stream) for file in self._pending.values() if file.info is not None)

    def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        """Store what came with the request; the params with real ids."""
        ids: dict[str, str] = {}
        for ref, file in self._pending.items():
            if file.info is None:
                continue  # the engine's model did not keep it
            row = store_file(self._owner_id, file.stream, file.name, file.info, file.sha256)
            ids[ref] = row.id
            self._kept.append(row.id)
        return self._replace(params, lambda ref: ids.get(ref, ref)) if ids else params

    def ids(self, params: dict[str, Any]) -> list[str]:
        """The stored files that the params name."""
        return [ref for _, ref in self._refs(params) if ref.startswith("art_")]

    def undo(self) -> None:
        """Delete what `keep` stored: the job was not accepted, or was accepted before."""
        for file_id in self._kept:
            # Best effort, after a failure that the client is told about anyway.
            with suppress(AtelierError):
                services().files.delete(file_id, self._owner_id)

    def _set_data_aside(self, field: str, ref: str) -> str:
        if ref[:5].lower() != "data:":
            return ref
        head = _DATA.match(ref)
        if head is None:
            raise _invalid(field, "A data: URI must be base64: data:image/png;base64,...", "bad_data_uri")
        try:
            data = base64.b64decode(ref[head.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise _invalid(field, "This data: URI is not valid base64.", "bad_data_uri") from error
        return self._add(field, "", io.BytesIO(data))

    def _add(self, field: str, name: str, stream: BinaryIO) -> str:
        made = Pending(field, name, stream, sha256_of(stream), f"art_{uuid4().hex}")
        self._pending[made.placeholder] = made
        return made.placeholder

    def _hash_of(self, ref: str) -> str:
        return f"sha256:{self._pending[ref].sha256}" if ref in self._pending else ref

    def _refs(self, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name in self._files:
            value = params.get(name)
            for ref in value if isinstance(value, list) else [value]:
                if isinstance(ref, str):
                    yield name, ref

    def _replace(self, params: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
        return {k: self._each(v, change) if k in self._files else v for k, v in params.items()}

    @staticmethod
    def _each(value: Any, change: Callable[[str], str]) -> Any:
        if isinstance(value, list):
            return [change(v) if isinstance(v, str) else v for v in value]
        return change(value) if isinstance(value, str) else value


def _check_url(field: str, url: str) -> None:
    """Refuse early what a worker would refuse later. It checks again, with the addresses it really meets."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError for one that is none
    except ValueError as error:
        raise _invalid(field, "This URL cannot be understood.", "bad_url") from error
    if len(url) > _MAX_URL or not host or any(c.isspace() or not c.isprintable() for c in url):
        raise _invalid(field, "This URL cannot be understood.", "bad_url")
    if parts.scheme.lower() != "https":
        raise _invalid(
            field, "Only https: URLs are fetched. Upload the file with POST /v1/files instead.", "bad_url"
        )
    if parts.username is not None or parts.password is not None:
        raise _invalid(field, "A URL with a password in it is not fetched.", "bad_url")
    if _is_private(host):
        raise _invalid(field, "This URL points into a private network and is not fetched.", "private_url")


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False  # a name: the worker looks at what it resolves to


def _invalid(field: str, message: str, code: str) -> InvalidParams:
    return InvalidParams(f"{field}: {message}", errors=[{"field": field, "message": message, "code": code}])
