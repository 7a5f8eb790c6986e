"""The files a job reads: ids, data: URIs, https: URLs and uploads, made into what a worker can open."""

from __future__ import annotations

import base64
import binascii
import io
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from accept.means import Means
from accept.stored import size_of
from accept.uploads import bad_file, check_accepted, inspect, sha256_of, store_file
from doors.base import FileInfo, Room
from engines.base import EngineSpec, FileParam
from jobs.errors import AtelierError, InvalidParams
from jobs.rows import ArtifactRow

_DATA = re.compile(r"data:[^,;]{0,100}(?:;[^,;]{1,100})*;base64,", re.IGNORECASE)
_MAX_URL = 2048

#: The params fields that are files, by name.
_Files = Mapping[str, FileParam]


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
    """The files of one request as they came: nobody has looked at them.

    `check` does, and gives what alone can store them.
    """

    def __init__(
        self, spec: EngineSpec, params: dict[str, Any], uploads: Sequence[tuple[str, str, BinaryIO]] = ()
    ) -> None:
        self._files = spec.file_params
        self._pending: dict[str, Pending] = {}
        #: With a placeholder for each upload (field, file name, stream) and each data: URI.
        self.params = self._take(params, uploads)

    @property
    def brought(self) -> bool:
        """Whether a file came with the request."""
        return bool(self._pending)

    def fingerprint(self) -> dict[str, Any]:
        """The params with each file's hash for its placeholder: what makes two requests equal."""
        return _hashed(self._files, self._pending, self.params)

    def check(
        self, means: Means, owner_id: str, params: dict[str, Any], *, room: Room = nullcontext
    ) -> Checked:
        """Look at every file that these params, validated, still name.

        Raises BadFile and InvalidParams, naming the field, and what `room` raises, which is entered with the
        bytes that a picture takes.
        """
        wanted: dict[str, str] = {}
        for field, ref in _refs(self._files, params):
            if ref in self._pending:
                file = self._pending[ref]
                file.info = inspect(file.stream, self._files[field].accept, field=field, room=room)
            elif ref.startswith("art_"):
                wanted[ref] = field
            else:
                _check_url(field, ref)
        if wanted:
            self._check_stored(means.files.get_many(list(wanted), owner_id), wanted)
        return Checked(means, owner_id, self._files, params, self._pending)

    def _check_stored(self, found: Mapping[str, ArtifactRow], wanted: Mapping[str, str]) -> None:
        for ref, field in wanted.items():
            if ref not in found:
                raise bad_file(field, f"There is no file {ref[:60]}.", "file_not_found")
            check_accepted(found[ref].media_type, self._files[field].accept, field)

    def _take(
        self, params: dict[str, Any], uploads: Sequence[tuple[str, str, BinaryIO]] = ()
    ) -> dict[str, Any]:
        taken = dict(params)
        for name in self._files.keys() & params.keys():
            taken[name] = _each(params[name], partial(self._set_data_aside, name))
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


class Checked:
    """The files of validated params, each of which can be used: `Inputs.check` has looked at them."""

    def __init__(
        self,
        means: Means,
        owner_id: str,
        files: _Files,
        params: dict[str, Any],
        pending: Mapping[str, Pending],
    ) -> None:
        self._means = means
        self._owner_id = owner_id
        self._files = files
        self._params = params
        self._pending = pending
        #: Placeholder -> id of what was stored.
        self._kept: dict[str, str] = {}

    def fingerprint(self) -> dict[str, Any]:
        """The params with each file's hash for its placeholder."""
        return _hashed(self._files, self._pending, self._params)

    def size(self) -> int:
        """The bytes that `keep` would store."""
        return sum(size_of(file.stream) for file in self._pending.values() if file.info is not None)

    def keep(self) -> tuple[dict[str, Any], list[str]]:
        """Store what came with the request: the params with real ids, and the stored files that they name.

        To keep twice is to keep once.
        """
        for ref, file in self._pending.items():
            if file.info is None or ref in self._kept:
                continue  # the engine's model did not keep it
            row = store_file(self._means, self._owner_id, file.stream, file.name, file.info, file.sha256)
            self._kept[ref] = row.id
        params = self._params
        if self._kept:
            params = _replace(self._files, params, lambda ref: self._kept.get(ref, ref))
        return params, [ref for _, ref in _refs(self._files, params) if ref.startswith("art_")]

    def undo(self) -> None:
        """Delete what `keep` stored: the job was not accepted, or was accepted before."""
        while self._kept:
            _, file_id = self._kept.popitem()
            # Best effort, after a failure that the client is told about anyway.
            with suppress(AtelierError):
                self._means.files.delete(file_id, self._owner_id)


def _refs(files: _Files, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, reference) of each file that the params name."""
    for name in files:
        value = params.get(name)
        for ref in value if isinstance(value, list) else [value]:
            if isinstance(ref, str):
                yield name, ref


def _hashed(files: _Files, pending: Mapping[str, Pending], params: dict[str, Any]) -> dict[str, Any]:
    return _replace(files, params, lambda ref: f"sha256:{pending[ref].sha256}" if ref in pending else ref)


def _replace(files: _Files, params: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {k: _each(v, change) if k in files else v for k, v in params.items()}


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
