"""/v1/jobs: the requests themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field

from accept.wire import Wire
from api.access.auth import caller, let_in, owner_scope, require_key
from api.again import again, again_dry_run, retry
from api.answers.archive_answer import archived
from api.contract.operations import idempotency, operation
from api.requests.admission import answer_for
from api.requests.reading import body, has_body, idempotency_key, query, wait_seconds
from api.requests.submission import submission
from api.routes.files import ContentQuery, reader_scope
from api.schemas.job_requests import AgainRequest, LabelRequest, MoveRequest
from api.schemas.jobs import DryRun, JobPage, JobView, PartPage, PartView
from api.services import services
from api.streams import event_urls, events
from api.submit import dry_run, submit
from api.views import job_view, respond, whole_job
from jobs.dates import Moment
from jobs.errors import Forbidden, Gone, NotFound, Unavailable, WrongState
from jobs.labels import MAX_TAGS, WantedTag, WantedText
from jobs.states import State
from jobs.store import JobRow, Wanted

routes = Blueprint("jobs", __name__)

_IDEMPOTENCY = idempotency("job")
_ACCEPTED = {"Location": "The job's URL.", "Idempotency-Replayed": "`true`: the job was there already."}


class WaitQuery(BaseModel):
    """How long to hold the answer back."""

    wait: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=60,
            multiple_of=0.001,
            description="Seconds to wait for the job to end before answering, at most 60; 0 does not wait.",
        ),
    ]


class SubmitQuery(WaitQuery):
    """How to answer a submission."""

    dry_run: Annotated[
        bool,
        Field(default=False, description="Accept nothing; say what would become of it, with status 200."),
    ]


#: Ids in one request; a request line of more than 4,094 bytes is refused by gunicorn, and 100 make 4,032.
MOST_IDS = 100


class JobQuery(BaseModel):
    """Which page of jobs."""

    id: list[Annotated[str, Field(pattern=r"^job_[0-9a-f]{32}$")]] = Field(
        default=[],
        description="Only these jobs, all of them on one page unless `limit` is given, and with "
        "`queue_position` and `forecast`. Ids of no job, or of one that is not yours, are left out.",
        max_length=MOST_IDS,
    )
    state: list[State] = Field(default=[], description="Only jobs in these states.", max_length=5)
    engine: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,64}$", description="Only of this engine.")
    tag: list[WantedTag] = Field(
        default=[], max_length=MAX_TAGS, description="Only jobs with this tag; repeated: with all of them."
    )
    created_after: Moment | None = Field(default=None, description="Only those accepted since then.")
    created_before: Moment | None = Field(default=None, description="Only those accepted before then.")
    q: WantedText = Field(
        default="",
        description="Only jobs in whose tags, metadata or texts among the params each of these words occurs, "
        "in upper or lower case.",
    )
    cursor: str | None = Field(
        default=None, pattern=r"^job_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)
    all: bool = Field(default=False, description="Everybody's jobs; for an admin key only.")


class PartQuery(BaseModel):
    """Which page of a job's parts."""

    cursor: int | None = Field(default=None, ge=0, lt=2**31, description="`next_cursor` of the page before.")
    limit: int = Field(default=50, ge=1, le=100)


class EventsQuery(BaseModel):
    """A signed URL's parts."""

    key: str | None = Field(default=None, max_length=40, description="Part of a signed URL.")
    expires: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$", description="Part of a signed URL.")
    signature: str | None = Field(default=None, max_length=100, description="Part of a signed URL.")


class EventsURL(Wire):
    """Where a web page can follow a job without a key."""

    url: str = Field(description="For an EventSource: `GET /v1/jobs/{job_id}/events`, signed.")
    expires_at: datetime


@routes.post("/jobs")
@operation(
    "Submit a job",
    "jobs",
    {202: JobView, 200: DryRun},
    query=SubmitQuery,
    headers=_IDEMPOTENCY,
    bodies={"application/json": "JobSubmission", "multipart/form-data": "JobForm"},
    problems=(400, 404, 409, 413, 415, 422),
    answer_headers=_ACCEPTED,
)
def post_job() -> Response:
    """202 means that the job is on disk and will be made, whatever is restarted meanwhile."""
    wait, key = wait_seconds(), idempotency_key()
    dry = query(SubmitQuery).dry_run
    sent = submission()
    owner_id = caller().user_id
    if dry:
        found = dry_run(owner_id, sent.engine, sent.params, uploads=sent.uploads, options=sent.options)
        return respond(found)
    row, made = submit(
        owner_id,
        sent.engine,
        sent.params,
        uploads=sent.uploads,
        options=sent.options,
        idempotency_key=key,
    )
    return _accepted(row, made, wait)


@routes.get("/jobs")
@operation("Your jobs", "jobs", {200: JobPage}, query=JobQuery, problems=(400, 403))
def list_jobs() -> Response:
    """Newest first, without the jobs that jobs have asked for.

    `queue_position` and `forecast` are told of jobs that are asked for by their `id`.
    """
    wanted = query(JobQuery)
    if wanted.all and not caller().admin:
        raise Forbidden("Only an admin key lists everybody's jobs.")
    limit = MOST_IDS if wanted.id and "limit" not in wanted.model_fields_set else wanted.limit
    jobs = services().jobs
    rows = jobs.page(
        None if wanted.all else caller().user_id,
        Wanted(
            ids=wanted.id,
            states=wanted.state,
            engine=wanted.engine,
            tags=wanted.tag,
            since=wanted.created_after,
            until=wanted.created_before,
            text=wanted.q,
        ),
        before=wanted.cursor,
        limit=limit + 1,
    )
    shown = rows[:limit]
    made = jobs.artifacts([row.id for row in shown if row.state == State.SUCCEEDED])
    stages = jobs.stages([row.id for row in shown if row.parts])
    views = [job_view(row, made.get(row.id, ()), stages=stages.get(row.id, ())) for row in shown]
    if wanted.id:
        _add_forecasts(views, shown)
    more = shown[-1].id if len(rows) > limit else None
    return respond(JobPage(jobs=views, next_cursor=more))


@routes.get('/jobs/<id("job"):job_id>')
@operation("One job", "jobs", {200: JobView}, query=WaitQuery, problems=(400, 404))
def get_job(job_id: str) -> Response:
    """With `wait`: as it is when it ends, or after that many seconds."""
    wait = wait_seconds()
    row = services().jobs.get(job_id, owner_scope())
    return respond(whole_job(_waited(row, wait)))


@routes.get('/jobs/<id("job"):job_id>/parts')
@operation("A job's parts", "jobs", {200: PartPage}, query=PartQuery, problems=(400, 404))
def get_parts(job_id: str) -> Response:
    """The jobs that it asked for, in that order; none of a job that is not made of jobs."""
    wanted = query(PartQuery)
    jobs = services().jobs
    jobs.get(job_id, owner_scope())
    rows = jobs.part_jobs(job_id, after=wanted.cursor, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    made = jobs.artifacts([row.id for _, row in shown if row.state == State.SUCCEEDED])
    stages = jobs.stages([row.id for _, row in shown if row.parts])
    parts = [
        PartView(
            name=part.name,
            stage=part.stage,
            job=job_view(row, made.get(row.id, ()), stages=stages.get(row.id, ())),
        )
        for part, row in shown
    ]
    more = str(shown[-1][0].number) if len(rows) > wanted.limit else None
    return respond(PartPage(parts=parts, next_cursor=more))


@routes.patch('/jobs/<id("job"):job_id>')
@operation(
    "Label a job",
    "jobs",
    {200: JobView},
    bodies={"application/json": LabelRequest},
    problems=(400, 404, 413, 415, 422),
)
def patch_job(job_id: str) -> Response:
    """Other tags, other metadata, at any time. Nothing else of a job changes."""
    wanted = body(LabelRequest)
    given = wanted.model_fields_set
    row = services().jobs.label(
        job_id,
        owner_scope(),
        tags=(wanted.tags or []) if "tags" in given else None,
        meta=(wanted.metadata or {}) if "metadata" in given else None,
    )
    return respond(whole_job(row))


@routes.post('/jobs/<id("job"):job_id>/cancel')
@operation(
    "Cancel a job", "jobs", {200: JobView, 202: JobView}, headers=idempotency("outcome"), problems=(400, 404)
)
def cancel_job(job_id: str) -> Response:
    """200: it has ended, now or before. 202: its worker will stop it at its next report.

    To cancel twice is to cancel once, with an `Idempotency-Key` or without.
    """
    idempotency_key()  # refuses what is none
    row = services().jobs.cancel(job_id, owner_scope())
    if row.state == State.CANCELED:
        # A worker that looked while the line closed up may have seen nobody in it.
        services().doorbell.wake(row.queue)
    return respond(whole_job(row), 202 if row.state == State.RUNNING else 200)


@routes.post('/jobs/<id("job"):job_id>/hold')
@operation("Hold a queued job", "jobs", {200: JobView}, problems=(404, 409))
def hold_job(job_id: str) -> Response:
    """It waits until it is released. Its deadline `start_by` does not."""
    return respond(whole_job(services().jobs.hold(job_id, owner_scope())))


@routes.post('/jobs/<id("job"):job_id>/release')
@operation("Release a held job", "jobs", {200: JobView}, problems=(404, 409))
def release_job(job_id: str) -> Response:
    """It gets a place in line as if it had been submitted now."""
    row = services().jobs.release_hold(job_id, owner_scope())
    services().doorbell.wake(row.queue)
    return respond(whole_job(row))


@routes.post('/jobs/<id("job"):job_id>/move')
@operation(
    "Move a queued job",
    "jobs",
    {200: JobView},
    bodies={"application/json": MoveRequest},
    problems=(400, 404, 409, 413, 415, 422),
)
def move_job(job_id: str) -> Response:
    """Among your own queued jobs of the same queue and priority; others' jobs keep their places."""
    wanted = body(MoveRequest)
    jobs = services().jobs
    row = jobs.move(job_id, caller().user_id, before=wanted.before, to_end=wanted.to == "end")
    return respond(whole_job(row))


@routes.post('/jobs/<id("job"):job_id>/retry')
@operation(
    "Try again",
    "jobs",
    {202: JobView},
    query=WaitQuery,
    headers=_IDEMPOTENCY,
    problems=(400, 404, 409, 422),
    answer_headers=_ACCEPTED,
)
def retry_job(job_id: str) -> Response:
    """A new job with the parameters, seed and files of one of yours that failed or was canceled.

    For a job that succeeded, and for changes, there is `again`.
    """
    wait = wait_seconds()
    row, made = retry(caller().user_id, job_id, idempotency_key=idempotency_key())
    return _accepted(row, made, wait)


@routes.post('/jobs/<id("job"):job_id>/again')
@operation(
    "Make it again",
    "jobs",
    {202: JobView, 200: DryRun},
    query=SubmitQuery,
    headers=_IDEMPOTENCY,
    bodies={"application/json": AgainRequest},
    body_required=False,
    problems=(400, 404, 409, 413, 415, 422),
    answer_headers=_ACCEPTED,
)
def post_again(job_id: str) -> Response:
    """A new job like one of yours that has ended, however it ended: the same, or with what you change.

    Its parameters, seed, files, priority, timeout, webhook and labels are kept; what is sent goes before.
    """
    wait, key = wait_seconds(), idempotency_key()
    dry = query(SubmitQuery).dry_run
    wanted = body(AgainRequest) if has_body() else AgainRequest()
    if dry:
        return respond(again_dry_run(caller().user_id, job_id, wanted))
    row, made = again(caller().user_id, job_id, wanted, idempotency_key=key)
    return _accepted(row, made, wait)


@routes.delete('/jobs/<id("job"):job_id>')
@operation("Delete a job", "jobs", {204: None}, problems=(404, 409))
def delete_job(job_id: str) -> Response:
    """With its results. Refused while it runs, and while another job reads a result of it."""
    services().jobs.delete(job_id, owner_scope())
    return Response(status=204)


@routes.get('/jobs/<id("job"):job_id>/events')
@operation(
    "A job's events",
    "jobs",
    {200: "text/event-stream"},
    access="signed",
    query=EventsQuery,
    headers={"Last-Event-ID": {"type": "string", "description": "Only what came after this event."}},
    problems=(400, 401, 403, 404),
)
def get_events(job_id: str) -> Response:
    """Server-sent events `state`, `progress` and `done`; `id` is the job's version, `data` a JobEventView.

    Begins with the changes of state so far (after `Last-Event-ID`) and ends with `done`. With a key, or by a
    URL of POST /v1/jobs/{job_id}/events/url. A `Last-Event-ID` that is none is as if it were left out.
    """
    wanted = query(EventsQuery)
    if wanted.signature is not None:
        signed = (wanted.key or "", wanted.expires or "0", wanted.signature)
        let_in(event_urls.reader(services(), job_id, *signed))
    else:
        require_key()
    after = request.headers.get("Last-Event-ID", "")
    # An EventSource sends on what it was told elsewhere, and comes back no more after a refusal.
    last = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
    row = services().jobs.get(job_id, owner_scope())
    return events.stream(services(), caller(), row, last, events.connection_of(request))


@routes.post('/jobs/<id("job"):job_id>/events/url')
@operation("Make a URL of a job's events", "jobs", {201: EventsURL}, problems=(404,))
def post_events_url(job_id: str) -> Response:
    """For a web page's EventSource, which cannot send a key. It works for ten minutes, unless your key ends.

    It may be opened as often as a connection breaks; a stream that is open then goes on.
    """
    services().jobs.get(job_id, owner_scope())
    url, expires_at = event_urls.sign(services(), caller(), job_id)
    return respond(EventsURL(url=url, expires_at=expires_at), 201)


@routes.get('/jobs/<id("job"):job_id>/preview')
@operation(
    "The work in progress",
    "jobs",
    {200: "image/jpeg"},
    access="signed",
    query=ContentQuery,
    problems=(400, 401, 403, 404, 410),
)
def get_preview(job_id: str) -> Response:
    """The newest preview, a small JPEG."""
    owner = reader_scope(f"/v1/jobs/{job_id}/preview")
    row = services().jobs.get(job_id, owner)
    if row.preview_key is None:
        raise NotFound("This job has no preview.")
    answer_for(services(), row.owner_id, 0)
    try:
        with services().storage.open(row.preview_key) as picture:
            data = picture.read()
    except FileNotFoundError as error:
        raise Gone from error
    response = Response(data, content_type="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=60"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@routes.get('/jobs/<id("job"):job_id>/archive')
@operation(
    "A job's results as one ZIP",
    "jobs",
    {200: "application/zip"},
    problems=(404, 409, 410),
    answer_headers={"Content-Disposition": "The name of the file: the job's id."},
)
def get_archive(job_id: str) -> Response:
    """Its results, and `job.json`: the job as GET tells it, where `url` is a name in the archive."""
    row = services().jobs.get(job_id, owner_scope())
    if row.state != State.SUCCEEDED:
        raise WrongState(f"Only a job that succeeded has results; this one is {row.state}.")
    if row.data_removed:
        raise Gone("The results of this job have expired and were deleted.")
    artifacts = services().jobs.artifacts([job_id])[job_id]
    if not artifacts:
        raise NotFound("This job has no results.")
    answer_for(services(), caller().user_id, sum(artifact.size for artifact in artifacts))
    return archived(services().storage, job_view(row, artifacts), artifacts, request.method)


def _add_forecasts(views: Sequence[JobView], rows: Sequence[JobRow]) -> None:
    """Where each of them stands; not a statement for each, as `whole_job` would need."""
    places = services().jobs.positions(rows)
    for view, row in zip(views, rows, strict=True):
        view.queue_position = places.get(row.id)
        view.forecast = services().forecaster.of(row, view.queue_position, held=view.held is not None)


def _waited(row: JobRow, wait: float) -> JobRow:
    if not wait:
        return row
    connection = events.connection_of(request)
    return events.wait_until_final(services(), caller(), row, wait, connection)


def _accepted(row: JobRow, made: bool, wait: float) -> Response:
    try:
        view = whole_job(_waited(row, wait), new=made and not wait)
    except (Unavailable, NotFound):
        # The job is committed. Whatever happened since, a 503 would make its sender send it again.
        view = job_view(row)
    response = respond(view, 202, Location=f"/v1/jobs/{row.id}")
    if not made:
        response.headers["Idempotency-Replayed"] = "true"
    return response
