"""/v1/networks: trained networks that users bring."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from accept.uploads import bad_file
from api.access.auth import caller, owner_scope
from api.contract.operations import operation
from api.networks import NetworkRequest, check_request, receive, shipped, too_large, upload_limit
from api.requests.reading import fitted, query
from api.schemas.networks import NetworkConfig, NetworkPage, NetworkView
from api.schemas.problems import Failure
from api.services import services
from api.views import respond
from jobs.rows import SizedNetworkRow
from jobs.states import NetworkState

routes = Blueprint("networks", __name__)

#: What a form may have around the file.
_FORM_ROOM = 64 * 1024


class UploadQuery(BaseModel):
    """What is to become of an upload, where the body is the file itself."""

    name: str | None = Field(default=None, description="What jobs call it.")
    shared: str | None = Field(default=None, description="`true`: everybody sees it; for an admin key only.")
    kind: str | None = Field(default=None, description="What kind of network it is; `stylegan`.")


class NetworkQuery(BaseModel):
    """Which page of networks."""

    kind: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,64}$", description="Only of this kind.")
    state: NetworkState | None = Field(default=None, description="Only in this state.")
    cursor: str | None = Field(
        default=None, pattern=r"^net_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(
        default=50, ge=1, le=100, description="Shipped ones follow the last, and do not count."
    )


@routes.post("/networks")
@operation(
    "Upload a network",
    "networks",
    {202: NetworkView, 200: NetworkView},
    query=UploadQuery,
    bodies={"multipart/form-data": "NetworkForm", "application/octet-stream": "NetworkBytes"},
    problems=(400, 403, 409, 413, 415, 422),
    answer_headers={"Location": "The network's URL."},
)
def post_network() -> Response:
    """A .pkl of stylegan2-ada-pytorch, or a .safetensors of ours; a job converts it, running nothing in it.

    As a form, or as the body itself with `name` in the query. The same file again under the same name is
    the same network, status 200 if it is ready; another file is a 409 `name_taken`, unless the first one
    failed. Who has `ATELIER_MAX_NETWORKS` of them gets a 409 `too_many_networks`, and who stores as much as
    they may a 409 `too_much_stored`. With its state `ready` jobs may name it, by `name` or `id`.
    """
    # Before any of it is read: a form is received as a whole before a field of it is known.
    services().quota.check(caller().user_id)
    announced = request.content_length
    services().stored.check(caller().user_id, announced or 0)
    limit, length = upload_limit(caller()), None
    if request.mimetype == "multipart/form-data":
        request.max_content_length = limit + _FORM_ROOM
        wanted, stream = _form(limit)
    elif request.mimetype == "application/octet-stream":
        request.max_content_length = limit + 1
        length = announced
        if length is not None and length > limit:
            raise too_large(limit)
        wanted, stream = fitted(NetworkRequest, _said({})), cast(BinaryIO, request.stream)
        check_request(caller(), wanted)
    else:
        raise UnsupportedMediaType("Send multipart/form-data, or the file as application/octet-stream.")
    row, made = receive(caller(), wanted, stream, limit, length=length, counted=announced is not None)
    there = not made and row.state == NetworkState.READY
    return respond(_view(row), 200 if there else 202, Location=f"/v1/networks/{row.id}")


@routes.get("/networks")
@operation("The networks you may use", "networks", {200: NetworkPage}, query=NetworkQuery, problems=(400,))
def list_networks() -> Response:
    """Yours and those that are shared with everybody, newest first; then those that come with the engines."""
    wanted = query(NetworkQuery)
    rows = services().networks.page(
        caller().user_id,
        kind=wanted.kind,
        state=wanted.state,
        before=wanted.cursor,
        limit=wanted.limit + 1,
    )
    shown = rows[: wanted.limit]
    more = shown[-1].id if len(rows) > wanted.limit else None
    views = [_view(row) for row in shown]
    if more is None and wanted.state in (None, NetworkState.READY):
        views += [one for one in shipped() if wanted.kind in (None, one.kind)]
    return respond(NetworkPage(networks=views, next_cursor=more))


@routes.get('/networks/<id("net"):network_id>')
@operation("One network", "networks", {200: NetworkView}, problems=(404,))
def get_network(network_id: str) -> Response:
    """What is known of it, and whether it is ready."""
    return respond(_view(services().networks.get(network_id, owner_scope())))


@routes.delete('/networks/<id("net"):network_id>')
@operation("Delete a network", "networks", {204: None}, problems=(403, 404))
def delete_network(network_id: str) -> Response:
    """Its name is free at once, and no new job can name it; a conversion that goes on is canceled.

    Jobs that were accepted with it are made all the same: its file goes when the last of them has ended.
    """
    services().networks.delete(network_id, owner_scope())
    return Response(status=204)


def _form(limit: int) -> tuple[NetworkRequest, BinaryIO]:
    """The request and the file of a form, which by now was received, into a file where it is large."""
    try:
        fields, files = request.form, request.files
    except RequestEntityTooLarge as error:
        raise too_large(limit) from error
    wanted = fitted(NetworkRequest, _said(fields.to_dict(flat=False)))
    check_request(caller(), wanted)
    sent = files.get("file")
    if sent is None:
        raise bad_file("file", "There is no file field `file` in this form.", "missing")
    if sum(len(several) for _, several in files.lists()) > 1:
        raise bad_file("file", "Send one file and no other.", "too_many_files")
    return wanted, cast(BinaryIO, sent.stream)


def _said(fields: dict[str, list[str]]) -> dict[str, str]:
    """What the form and the query say, together. Raises BadFile for what is said twice."""
    said = dict(fields)
    for name in request.args:
        said[name] = [*said.get(name, []), *request.args.getlist(name)]
    if twice := [name for name, values in said.items() if len(values) != 1]:
        raise bad_file(twice[0][:60], "Give this once.", "given_twice")
    return {name: values[0] for name, values in said.items()}


def _view(row: SizedNetworkRow) -> NetworkView:
    own = row.owner_id == caller().user_id
    return NetworkView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        shared=row.shared,
        own=own,
        state=NetworkState(row.state),
        problem=Failure(code=row.error_code, detail=row.error_detail or "") if row.error_code else None,
        sha256=row.sha256,
        bytes=row.size,
        upload_bytes=row.upload_size,
        config=NetworkConfig.model_validate(row.config) if row.config else None,
        job_id=row.job_id if own or caller().admin else None,
        created_at=row.created_at,
    )
