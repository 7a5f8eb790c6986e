"""/v1/files: uploads, and the bytes of everything stored."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import UnsupportedMediaType

from accept.stored import size_of
from accept.uploads import bad_file, inspect, sha256_of, store_file, store_file_once
from accept.wire import Wire
from api.access.auth import caller, owner_scope, require_key
from api.answers.content import serve
from api.contract.operations import idempotency, operation
from api.requests.admission import admission, answer_for
from api.requests.reading import idempotency_key, query
from api.schemas.files import ArtifactView
from api.services import services
from api.views import artifact_view, respond
from jobs.rows import ArtifactRow

routes = Blueprint("files", __name__)


class FileQuery(BaseModel):
    """Which page of files."""

    cursor: str | None = Field(
        default=None, pattern=r"^art_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)


class FilePage(Wire):
    """Newest first."""

    files: list[ArtifactView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class ContentQuery(BaseModel):
    """How to read a file."""

    expires: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$", description="Part of a signed URL.")
    signature: str | None = Field(default=None, max_length=100, description="Part of a signed URL.")
    download: str | None = Field(default=None, max_length=10, description="Present: save it, do not show it.")


def reader_scope(path: str) -> str | None:
    """Whose bytes this request may read at `path`: anybody's by a signature, else what its key may name.

    Raises Unauthorized, RateLimited, and what the signer raises.
    """
    wanted = query(ContentQuery)
    if wanted.signature is not None:
        services().signer.check(path, wanted.expires or "0", wanted.signature)
        return None
    require_key()
    return owner_scope()


@routes.post("/files")
@operation(
    "Upload a file",
    "files",
    {201: ArtifactView},
    headers=idempotency("file"),
    bodies={"multipart/form-data": "FileUpload"},
    problems=(400, 409, 413, 415, 422),
    answer_headers={
        "Location": "The file's URL.",
        "Idempotency-Replayed": "`true`: the file was there already.",
    },
)
def post_file() -> Response:
    """A picture, a sound (or a film with sound) or a text in UTF-8. Its bytes decide what it is; the name and
    type that were sent do not.

    With an `Idempotency-Key`, the same bytes are the same file, for as long as it is there. Who stores
    `max_stored_bytes` gets a 409 `too_much_stored` that says how much is used and allowed.
    """
    key = idempotency_key()
    services().stored.check(caller().user_id)
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send multipart/form-data with the file as `file`.")
    # By now the whole body was received, into a temporary file where it is large: a client that hangs up
    # leaves nothing behind.
    sent = request.files.get("file") or request.files.get("content")
    if sent is None:
        raise bad_file("file", "There is no file field `file` in this form.", "missing")
    stream = cast(BinaryIO, sent.stream)
    row, made = _kept(stream, sent.filename or "", key)
    replayed = {} if made else {"Idempotency_Replayed": "true"}
    return respond(artifact_view(row), 201, Location=f"/v1/files/{row.id}", **replayed)


@routes.get("/files")
@operation("Your files", "files", {200: FilePage}, query=FileQuery, problems=(400,))
def list_files() -> Response:
    """Uploads and results, newest first."""
    wanted = query(FileQuery)
    rows = services().files.page(caller().user_id, before=wanted.cursor, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    more = shown[-1].id if len(rows) > wanted.limit else None
    return respond(FilePage(files=[artifact_view(row) for row in shown], next_cursor=more))


@routes.get('/files/<id("art"):file_id>')
@operation("One file", "files", {200: ArtifactView}, problems=(404,))
def get_file(file_id: str) -> Response:
    """What is known of it, with a fresh signed URL."""
    return respond(artifact_view(services().files.get(file_id, owner_scope())))


@routes.get('/files/<id("art"):file_id>/content')
@operation(
    "A file's bytes",
    "files",
    {200: "*/*", 206: "*/*", 304: None},
    access="signed",
    query=ContentQuery,
    problems=(400, 401, 403, 404, 410, 416),
    headers={
        "Range": {"type": "string", "description": "One range of bytes.", "pattern": "^bytes=[0-9]+-[0-9]*$"}
    },
    answer_headers={"ETag": "The file's SHA-256, in quotes."},
)
def get_content(file_id: str) -> Response:
    """With a signature in the query nobody looks at the Authorization header, nor is there a redirect.

    Some clients send their key to every URL, and follow no redirect.
    """
    owner = reader_scope(f"/v1/files/{file_id}/content")
    row = services().files.get(file_id, owner)
    answer_for(services(), row.owner_id, row.size)
    return serve(services().storage, row, request)


@routes.delete('/files/<id("art"):file_id>')
@operation("Delete a file", "files", {204: None}, problems=(404, 409))
def delete_file(file_id: str) -> Response:
    """Refused while a waiting or running job reads it."""
    services().files.delete(file_id, owner_scope())
    return Response(status=204)


def _kept(stream: BinaryIO, name: str, key: str | None) -> tuple[ArtifactRow, bool]:
    """The upload's row, and whether it is new. Raises BadFile, TooMuchStored and IdempotencyConflict."""
    owner_id, sha256 = caller().user_id, sha256_of(stream)
    earlier = None if key is None else services().files.by_key(owner_id, key, sha256)
    if earlier is not None:
        return earlier, False
    info = inspect(stream, room=admission().room)
    services().stored.check(owner_id, size_of(stream))
    if key is None:
        return store_file(services().means, owner_id, stream, name, info, sha256), True
    return store_file_once(services().means, owner_id, stream, name, info, sha256, key)
