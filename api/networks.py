"""One uploaded network: looked at, into the object store as it comes, and a job that converts it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from pydantic import Field, field_validator
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

import engines
from accept import conversion, converters
from accept.wire import Wire
from api.access.keyring import Caller
from api.schemas.networks import NetworkConfig, NetworkView
from api.services import services
from api.telemetry.tracing import request_id
from engines.base import NETWORK_NAME, ShippedNetwork
from jobs.errors import AtelierError, BadUpload, Forbidden, NetworkTooLarge
from jobs.networks import NewNetwork
from jobs.rows import SizedNetworkRow
from jobs.states import NetworkState
from jobs.store import NewArtifact

#: The first bytes are enough to tell what is sent.
_HEAD = 16
_MEDIA_TYPE = "application/octet-stream"
#: What people take for a network, by its first bytes.
_OTHERS = {
    b"PK": "This is a ZIP archive, as torch.save writes it; send the .pkl that training wrote.",
    b"\x1f\x8b": "This is a gzip archive; unpack it first.",
    b"<": "This is a web page: the download went wrong.",
    b"version https://": "This is a pointer of Git LFS, not the file itself.",
}
#: How torch.save began before version 1.6: a pickle, of a number that says so.
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
#: A header of tensors' names and shapes; more is no network's.
_MOST_HEADER = 100 * 2**20


class NetworkRequest(Wire):
    """What is to become of an upload."""

    name: str = Field(
        max_length=64,
        description="What jobs call it: lower case letters, digits, dots, dashes and underscores.",
        json_schema_extra={"pattern": f"^{NETWORK_NAME}$"},
    )
    shared: bool = Field(default=False, description="Let everybody see and use it; for an admin key only.")
    kind: str = Field(default="stylegan", max_length=64, description="What kind of network it is.")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        # Not a `pattern`: pydantic's own know no look-ahead, and Python's end before a last newline.
        if not re.fullmatch(NETWORK_NAME, value):
            raise ValueError(
                "1 to 64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit and not net_"
            )
        return value

    @field_validator("kind")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in converters():
            raise ValueError(f"there are {', '.join(sorted(converters()))}")
        return value


def shipped() -> list[NetworkView]:
    """The networks that come with the engines, by name: ready, and for everybody."""
    found: dict[tuple[str, str], NetworkView] = {}
    for spec in map(engines.spec, engines.names()):
        described = {one.name: one for one in spec.shipped_networks()}
        for param in spec.network_params.values():
            for name in param.shipped:
                one = described.get(name, ShippedNetwork(name))
                found[param.kind, name] = _shipped_view(param.kind, one)
    return [found[key] for key in sorted(found)]


def _shipped_view(kind: str, one: ShippedNetwork) -> NetworkView:
    return NetworkView(
        id=one.name,
        name=one.name,
        kind=kind,
        shared=True,
        own=False,
        shipped=True,
        state=NetworkState.READY,
        sha256=one.sha256,
        bytes=one.bytes,
        upload_bytes=None,
        config=NetworkConfig.model_validate(one.facts) if one.facts is not None else None,
        created_at=None,
    )


def upload_limit(caller: Caller) -> int:
    """Bytes of one network: the server's limit, and the key's own where it has a lower one."""
    most = services().settings.max_network_bytes
    return min(most, caller.max_upload_bytes or most)


def check_request(caller: Caller, wanted: NetworkRequest) -> None:
    """Whether this upload may be taken. Raises Forbidden and TooManyNetworks."""
    if wanted.shared and not caller.admin:
        raise Forbidden("Only an admin key shares a network with everybody.")
    services().networks.check_room(caller.user_id, wanted.name)


def receive(
    caller: Caller,
    wanted: NetworkRequest,
    stream: BinaryIO,
    limit: int,
    *,
    length: int | None = None,
    counted: bool = True,
) -> tuple[SizedNetworkRow, bool]:
    """Store an upload and accept the job that converts it: `(its row, True)`.

    `(the row there is, False)` when the same was sent under this name before. `length` is what the client
    promised to send, if it did; not `counted` is what came without any. Raises TooMuchStored, BadUpload,
    NetworkTooLarge, NameTaken, TooManyNetworks, ClientDisconnected, Unavailable and StorageUnavailable; then
    there is no network.
    """
    coming = _Coming(stream, limit, length)
    head = coming.read(_HEAD)
    suffix = _suffix(head)
    coming.put_back(head)
    found = services()
    file_id = found.files.reserve()
    made = False
    try:
        kept = found.storage.put(
            f"files/{file_id}/network{suffix}", cast(BinaryIO, coming), media_type=_MEDIA_TYPE
        )
        if not counted:
            found.stored.check(caller.user_id, kept.size)
        upload = NewArtifact(
            f"{wanted.name}{suffix}", kept.key, _MEDIA_TYPE, kept.size, coming.hash.hexdigest()
        )
        new = NewNetwork(caller.user_id, wanted.name, wanted.kind, wanted.shared, file_id, upload)
        job = conversion(found.means, caller.user_id, wanted.kind, file_id, request_id=request_id())
        row, made = found.networks.add(new, job)
    finally:
        if not made:
            # Best effort: what is left goes by itself some hours later.
            with suppress(AtelierError):
                found.files.give_up(file_id)
    if made:
        found.doorbell.wake(converters()[wanted.kind].queue)
    return row, made


class _Coming:
    """What a client sends, hashed and counted as it is read, in pieces: nobody asks for all of it."""

    def __init__(self, source: BinaryIO, limit: int, length: int | None) -> None:
        self._source = source
        self._length = length
        self._left = limit
        self._limit = limit
        self._back = b""
        self.hash = hashlib.sha256()

    def put_back(self, data: bytes) -> None:
        """The next `read` begins with what was read just now."""
        self._back = data

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises NetworkTooLarge and ClientDisconnected."""
        if self._back:
            data, self._back = self._back[:size], self._back[size:]
            return data
        with _as_client_errors(self._limit):
            data = self._source.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._limit)
        if not data and self._length is not None and self._limit - self._left < self._length:
            # gunicorn says nothing of it: for a stream that ends by itself, the end is the end.
            raise ClientDisconnected("The upload broke off.")
        self.hash.update(data)
        return data


def too_large(limit: int) -> NetworkTooLarge:
    """The error for a network over the limit."""
    return NetworkTooLarge(f"A network may have {limit:,} bytes.", limit=limit)


@contextmanager
def _as_client_errors(limit: int) -> Iterator[None]:
    """A connection that breaks is the client's, not the object store's."""
    try:
        yield
    except RequestEntityTooLarge as error:
        raise too_large(limit) from error
    except OSError as error:
        raise ClientDisconnected("The upload broke off.") from error


def _suffix(head: bytes) -> str:
    """What kind of file begins so. Raises BadUpload; the conversion looks at the rest."""
    if not head:
        raise _bad("empty_network", "This file is empty.")
    if head.startswith(_OLD_TORCH):
        message = (
            "This is a PyTorch checkpoint (.pt), as torch.save wrote it once; send the .pkl of training."
        )
        raise _bad("unknown_network_format", message)
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return ".pkl"
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _MOST_HEADER:
        return ".safetensors"
    for begin, message in _OTHERS.items():
        if head.startswith(begin):
            raise _bad("unknown_network_format", message)
    raise _bad("unknown_network_format", "This is neither a .pkl (a pickle) nor a .safetensors.")


def _bad(code: str, message: str) -> BadUpload:
    return BadUpload(message, code=code, errors=[{"field": "file", "message": message, "code": code}])
