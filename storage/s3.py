"""Objects in any S3: AWS, MinIO, Ceph, R2, ... through boto3.

    s3://bucket/prefix?endpoint=http://minio:9000&region=us-east-1&public_endpoint=https://files.example.org

`endpoint` is where this process finds the service (left out: AWS); `public_endpoint` is where a browser does,
for presigned URLs (left out: the same). `presign=no` hands out no presigned URLs, for a service that only the
fleet can reach. Credentials are found as boto3 finds them.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO, Self, cast
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from storage.base import (
    ObjectInfo,
    StorageUnavailable,
    check_key,
    check_prefix,
    check_range,
    forward_stream,
    round_trip,
)

_PART_SIZE = 8 * 1024 * 1024  # bytes; S3 takes 10,000 parts, so an object may have 80 GB
_DELETE_BATCH = 1000  # S3's own limit for one DeleteObjects
_MAX_EXPIRY = 7 * 24 * 3600  # seconds; the limit of signature version 4


def _transfer() -> TransferConfig:
    transfer = TransferConfig(
        multipart_threshold=_PART_SIZE, multipart_chunksize=_PART_SIZE, max_concurrency=4
    )
    # Parts read ahead and held in memory, boto3's default being 10: a put costs about 4 x 8 MiB, whatever
    # the object's size. The constructor does not offer it.
    transfer.max_in_memory_upload_chunks = 4
    return transfer


class S3Storage:
    """A `Storage` in one bucket, below one prefix. May be shared by threads and survives a fork."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        public_endpoint: str | None = None,
        presign: bool = True,
    ) -> None:
        if not bucket:
            raise ValueError("an S3 storage URL names a bucket: s3://bucket/prefix")
        self._bucket = bucket
        self._prefix = check_prefix(prefix) and prefix + "/"
        self._endpoint = endpoint
        self._region = region
        self._public_endpoint = public_endpoint or endpoint
        self._presign = presign
        self._lock = threading.Lock()
        self._clients: dict[tuple[int, str | None], Any] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The store that `url` (see the module) names. Raises ValueError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = options.keys() - {"endpoint", "region", "public_endpoint", "presign"}
        if unknown or parts.username or parts.fragment:
            raise ValueError(
                "an S3 storage URL is s3://bucket/prefix?endpoint=...&region=...&public_endpoint=...&presign=no"
            )
        return cls(
            parts.netloc,
            parts.path.strip("/"),
            endpoint=options.get("endpoint"),
            region=options.get("region"),
            public_endpoint=options.get("public_endpoint"),
            presign=options.get("presign", "yes") != "no",
        )

    def put(self, key: str, stream: BinaryIO, *, media_type: str = "application/octet-stream") -> ObjectInfo:
        name = self._name(key)
        source = _Source(stream)
        try:
            with _translated(key):
                # One part or many, it becomes visible at once and whole; on an error boto3 aborts the upload.
                self._client().upload_fileobj(
                    source, self._bucket, name, ExtraArgs={"ContentType": media_type}, Config=_transfer()
                )
        except FileNotFoundError as error:
            if error is source.error:
                raise
            raise StorageUnavailable(f"S3 has no bucket {self._bucket!r}") from error
        # Of this process's clock: asking S3 for its own costs a round trip, and could answer for
        # a later writer's object.
        return ObjectInfo(key, source.size, datetime.now(UTC))

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        check_range(start, end)
        name = self._name(key)
        if end == start:  # HTTP has no way to ask for nothing
            self.stat(key)
            return forward_stream(io.BytesIO())
        wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end else {}
        with _translated(key):
            try:
                answer = self._client().get_object(Bucket=self._bucket, Key=name, **wanted)
            except ClientError as error:
                if _status(error) == 416:  # the range begins at or after the end
                    return forward_stream(io.BytesIO())
                raise
        return forward_stream(cast(BinaryIO, _Body(key, answer["Body"])))

    def stat(self, key: str) -> ObjectInfo:
        with _translated(key):
            answer = self._client().head_object(Bucket=self._bucket, Key=self._name(key))
        return ObjectInfo(key, answer["ContentLength"], answer["LastModified"].astimezone(UTC))

    def delete(self, key: str) -> None:
        name = self._name(key)
        try:
            with _translated(key):
                self._client().delete_object(Bucket=self._bucket, Key=name)
        except FileNotFoundError:
            return  # S3 answers 204 for a key that is not there; a peer may say 404

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        return self._list(prefix)

    def delete_all(self, prefix: str) -> int:
        check_key(prefix)
        count = 0
        found = self.list(prefix)
        while batch := tuple(islice(found, _DELETE_BATCH)):
            self._delete_batch(batch)
            count += len(batch)
        return count

    def presigned_get(self, key: str, *, expires: float, filename: str | None = None) -> str | None:
        values = {"Bucket": self._bucket, "Key": self._name(key)}
        if filename is not None:
            values["ResponseContentDisposition"] = _attachment(filename)
        return self._sign("get_object", values, expires)

    def presigned_put(self, key: str, *, expires: float, media_type: str) -> str | None:
        """A URL for one PUT with the header `Content-Type: <media_type>`, which is part of the signature."""
        values = {"Bucket": self._bucket, "Key": self._name(key), "ContentType": media_type}
        return self._sign("put_object", values, expires)

    def check(self) -> None:
        round_trip(self)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _client(self, endpoint: str | None = None) -> Any:
        endpoint = endpoint or self._endpoint
        # By process, too: connections that a forked child shares with its parent mix up their answers.
        place = (os.getpid(), endpoint)
        with self._lock:
            if place not in self._clients:
                # A session of our own: boto3's default one is not safe to build from threads.
                self._clients[place] = boto3.session.Session().client(
                    "s3", endpoint_url=endpoint, region_name=self._region, config=_config(endpoint)
                )
            return self._clients[place]

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        below = self._prefix + (prefix and prefix + "/")
        request = {"Bucket": self._bucket, "Prefix": below}
        while True:
            with _bucket_there(self._bucket), _translated(prefix):
                page = self._client().list_objects_v2(**request)
            for entry in page.get("Contents", ()):
                try:
                    key = check_key(entry["Key"].removeprefix(self._prefix))
                except ValueError:
                    continue  # not one of ours: a console's folder marker, say
                yield ObjectInfo(key, entry["Size"], entry["LastModified"].astimezone(UTC))
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _delete_batch(self, batch: Sequence[ObjectInfo]) -> None:
        names = [{"Key": self._name(info.key)} for info in batch]
        with _bucket_there(self._bucket), _translated(batch[0].key):
            answer = self._client().delete_objects(
                Bucket=self._bucket, Delete={"Objects": names, "Quiet": True}
            )
        if failed := answer.get("Errors"):
            raise StorageUnavailable(f"S3 kept {len(failed)} objects: {failed[0].get('Code')}")

    def _sign(self, operation: str, values: dict[str, str], expires: float) -> str | None:
        if not 1 <= expires <= _MAX_EXPIRY:
            raise ValueError(f"a presigned URL lives 1 to {_MAX_EXPIRY} seconds, not {expires}")
        if not self._presign:
            return None
        with _translated(values["Key"]):
            client = self._client(self._public_endpoint)
            return cast(str, client.generate_presigned_url(operation, Params=values, ExpiresIn=int(expires)))


class _Source:
    """What boto3 may see of the caller's stream: it would seek in it, and close it.

    Without `seek`, boto3 buffers each part, and so can send it again. `error` is what the stream raised.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except BaseException as error:  # noted and passed on, whatever it is
            self.error = error
            raise
        self.size += len(data)
        return data


class _Body:
    """A response's body whose breaking off is StorageUnavailable."""

    def __init__(self, key: str, body: Any) -> None:
        self._key = key
        self._body = body
        self.close: Callable[[], None] = body.close

    def read(self, size: int) -> bytes:
        try:
            return cast(bytes, self._body.read(size))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageUnavailable(f"S3 broke off in {self._key!r}: {type(error).__name__}") from error


def _config(endpoint: str | None) -> Config:
    options: dict[str, Any] = {
        "signature_version": "s3v4",
        "connect_timeout": 3,  # seconds
        "read_timeout": 30,  # seconds without a byte
        "retries": {"mode": "standard", "total_max_attempts": 3},
        "max_pool_connections": 32,
        "tcp_keepalive": True,
    }
    if endpoint:
        # A service of one's own has seldom a DNS name per bucket, and often not AWS's newer checksums.
        options["s3"] = {"addressing_style": "path"}
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    return Config(**options)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn boto3's errors into the interface's."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code != "NoSuchBucket" and (code == "NoSuchKey" or _status(error) == 404):
            raise FileNotFoundError(key) from error
        # Refused credentials and odd answers too: to the house this store is out of order.
        raise StorageUnavailable(f"S3 answered {_status(error)} {code} for {key!r}") from error
    except BotoCoreError as error:
        raise StorageUnavailable(f"S3 cannot be used: {error}") from error


@contextmanager
def _bucket_there(bucket: str) -> Iterator[None]:
    """For calls that name no object, "not found" says that the bucket is not there."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageUnavailable(f"S3 has no bucket {bucket!r}") from error


def _attachment(filename: str) -> str:
    """A Content-Disposition (RFC 6266) for any file name; separators and control characters become `_`."""
    clean = "".join("_" if c in '/\\"' or not c.isprintable() else c for c in filename)[:200] or "file"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    encoded = quote(clean.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
