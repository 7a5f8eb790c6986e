"""The wire models: what crosses HTTP, and nothing else. `snake_case`, opaque ids, RFC 3339 UTC times."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from jobs.dates import When
from jobs.documents import JSONObject
from jobs.labels import Metadata, Tags
from jobs.news import DEFAULT_EVENTS, Event
from jobs.states import NetworkState, State
from webhooks.addresses import MAX_URL


class Wire(BaseModel):
    """Base of every wire model."""

    model_config = ConfigDict(extra="forbid")


class WebhookRequest(Wire):
    """Where to tell of this one job. Signed with the secret of GET /v1/webhooks/secret."""

    url: str = Field(max_length=MAX_URL, description="An https: URL on the public internet.")
    events: list[Event] = Field(
        default_factory=lambda: list(DEFAULT_EVENTS),
        min_length=1,
        max_length=len(Event),
        description="Which changes to tell of.",
    )


class JobOptions(Wire):
    """How a job is to be treated, whatever its engine. No engine has a parameter of these names."""

    priority: Literal["low", "normal", "high"] = Field(
        default="normal",
        description="`high` goes some turns ahead and `low` some back, in everybody's line. Nothing waits "
        "for ever, and one owner's `high` jobs do not starve another's.",
    )
    start_by: When | None = Field(
        default=None, description="The job fails (`start_by_passed`) if it has not started by then."
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds an attempt may run, if less than the engine's own limit.",
    )
    hold: bool = Field(default=False, description="Wait until POST /v1/jobs/{job_id}/release.")
    webhook: WebhookRequest | None = Field(default=None, description="Where to tell of this job.")
    tags: Tags = Field(default=[], description="Labels of your own to find it by, at most 10.")
    metadata: Metadata = Field(
        default={},
        description="What you want to remember with it: at most 16 names with a text, number, true, false or "
        "null each, 4,096 bytes as JSON.",
    )


class JobRequest(JobOptions):
    """What `POST /v1/jobs` takes as JSON.

    A file field of `params` is a file id, a data: URI or an https: URL.
    """

    engine: str = Field(description="A name from GET /v1/engines.", max_length=64, examples=["neural_style"])
    params: JSONObject = Field(
        default_factory=dict, description="The engine's parameters, as its JSON Schema describes them."
    )


class LabelRequest(Wire):
    """New labels of a job; what is left out stays."""

    tags: Tags | None = Field(default=None, description="In place of those it has; none with `[]` or null.")
    metadata: Metadata | None = Field(default=None, description="In place of what it has; none with `{}`.")


class AgainRequest(JobOptions):
    """What to change in a job that is made once more; what is left out stays as it was.

    But for `start_by` and `hold`, which are not kept.
    """

    params: JSONObject = Field(
        default={},
        description="Parameters to change, as in a submission. null: the engine's default again.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Another seed; the same as `seed` in `params`. null: a new one is drawn.",
    )


class ArtifactView(Wire):
    """One stored file."""

    id: str
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    width: int | None = Field(default=None, description="Pixels, upright.")
    height: int | None = Field(default=None, description="Pixels, upright.")
    seconds: float | None = Field(default=None, description="How long a sound or a film is.")
    text: str | None = Field(
        default=None,
        description="What a result says that is a text or JSON of at most 4,096 bytes, so that nobody has to "
        "fetch it; null for all others.",
    )
    job_id: str | None = Field(default=None, description="The job that made it; null for an upload.")
    meta: JSONObject = Field(
        default_factory=dict, description="What the engine says of it; of an upload, what the door does."
    )
    created_at: datetime
    url: str = Field(
        description="Reads the content for an hour without a key (signed), so that a page can show it."
    )


class Failure(Wire):
    """Why a job failed."""

    code: str = Field(description="Stable and machine-readable.")
    detail: str


class Timings(Wire):
    """Seconds. Measured on the database's clock."""

    queued: float = Field(description="From acceptance to the start of the present or last attempt.")
    run: float | None = Field(description="Of the present or last attempt; null before the first.")


class JobUsage(Wire):
    """What a job has used so far, all its ended attempts together."""

    queue_seconds: float = Field(description="In line and on hold.")
    run_seconds: float
    device_seconds: float = Field(description="The same, divided among the jobs that ran together.")
    peak_memory: int | None = Field(
        description="Bytes, in the last attempt: of the device if it has its own memory, else of the process."
    )
    batch_size: int = Field(description="How many jobs ran together in the present or last attempt.")


class Held(Wire):
    """Why a queued job is not in line."""

    reason: Literal["owner", "running_cap"] = Field(
        description="`owner`: until you release it. `running_cap`: as many of your jobs are in line or "
        "running as may run at once; it moves up as they end."
    )
    detail: str


class Forecast(Wire):
    """What can be said of a job that waits or runs. Measured, not promised."""

    servable: bool = Field(description="Whether some live worker can take it.")
    reason: str | None = Field(default=None, description="Why not.")
    starts_in: float | None = Field(default=None, description="Seconds; null when nobody can tell.")
    ends_in: float | None = Field(default=None, description="Seconds; null when nobody can tell.")


class JobView(Wire):
    """One job as its owner sees it."""

    id: str
    engine: str
    state: State
    queue: str
    progress: float = Field(description="0 to 1, of the present attempt.")
    message: str = Field(description="What it is doing.")
    preview_url: str | None = Field(default=None, description="A picture of the work in progress.")
    queue_position: int | None = Field(
        default=None,
        description="1 is next; null when not queued, or on hold. Counted up to 1,000. Others' later jobs "
        "may go first: owners take turns.",
    )
    priority: Literal["low", "normal", "high"]
    held: Held | None = None
    forecast: Forecast | None = Field(
        default=None,
        description="Of a queued or running job; told by GET /v1/jobs/{job_id} and "
        "where jobs are asked for by `id`.",
    )
    start_by: datetime | None = None
    timeout: float | None = None
    webhook: WebhookRequest | None = None
    tags: list[str]
    metadata: JSONObject
    attempt: int = Field(description="0 before the first worker took it.")
    cancel_requested: bool
    params: JSONObject
    seed: int
    device: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timings: Timings
    usage: JobUsage
    artifacts: list[ArtifactView] = Field(description="Its results; empty until it succeeded.")
    expires_at: datetime | None = Field(
        default=None, description="When its results will be deleted; null: never, or not finished."
    )
    data_removed: bool = Field(description="Its results have expired and were deleted.")
    error: Failure | None = None
    version: int = Field(description="Grows with every change; the id of the job's events.")


class JobPage(Wire):
    """Newest first."""

    jobs: list[JobView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class DryRun(Wire):
    """What would become of a request. Nothing was stored or accepted."""

    engine: str
    queue: str
    params: JSONObject = Field(
        description="As the engine would get them; a file that came along is named by its SHA-256."
    )
    device_seconds: float | None = Field(
        description="What it would use, from what such jobs took lately; null before the first one."
    )
    queue_position: int | None = Field(description="Its place in line if it were accepted now.")
    forecast: Forecast


class UsageLine(Wire):
    """One owner's jobs of one engine that ended on one day."""

    day: date = Field(description="UTC.")
    owner_id: str
    engine: str
    device: Literal["gpu", "cpu"]
    state: State
    jobs: int
    queue_seconds: float
    run_seconds: float
    device_seconds: float = Field(description="What is to be charged.")


class UsageReport(Wire):
    """Oldest day first. Deleted jobs count too."""

    first: date
    last: date
    lines: list[UsageLine]
    jobs: int
    gpu_seconds: float
    cpu_seconds: float


class MoveRequest(Wire):
    """Where to put a queued job among your own of the same queue and priority: `before` or `to`."""

    before: str | None = Field(
        default=None,
        pattern=r"^job_[0-9a-f]{32}$",
        description="Directly before this one of your queued jobs.",
    )
    to: Literal["front", "end"] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.before is None) == (self.to is None):
            raise PydanticCustomError("value_error", "give either `before` or `to`", {"field": "to"})
        return self


class NetworkConfig(Wire):
    """What a network makes."""

    # As some conversion stored it, perhaps a later version's.
    model_config = ConfigDict(extra="ignore")

    resolution: int = Field(description="Side of a picture in pixels.")
    channels: int = Field(description="Of a picture; 3 is RGB.")
    classes: int = Field(description="How many classes it knows; 0: it has none.")
    z_dim: int = Field(description="Numbers in a latent z.")
    w_dim: int = Field(description="Numbers in a latent w.")
    class_names: list[str] | None = Field(
        default=None,
        description="Of the classes, in the order of their numbers; empty: they have none. Null where they "
        "are not known without opening the file.",
    )
    has_average: bool | None = Field(
        default=None, description="Whether it keeps an average to truncate towards; null where not known."
    )


class NetworkView(Wire):
    """One network: uploaded by somebody, or shipped with an engine."""

    id: str = Field(description="Of a shipped one: its name.")
    name: str = Field(description="What jobs may call it; its id does as well.")
    kind: str = Field(description="Which params can name it: those whose schema has this `x-network`.")
    shared: bool = Field(description="Everybody sees it.")
    own: bool = Field(description="It is yours.")
    shipped: bool = Field(
        default=False, description="It comes with an engine: nobody's, for everybody, and cannot be deleted."
    )
    state: NetworkState
    problem: Failure | None = Field(default=None, description="Why it failed.")
    sha256: str | None = Field(default=None, description="Of the converted file; results name it.")
    bytes: int | None = Field(default=None, description="Size of the converted file.")
    upload_bytes: int | None = Field(description="Size of what was sent; null for a shipped one.")
    config: NetworkConfig | None = Field(default=None, description="Known when it is ready.")
    job_id: str | None = Field(default=None, description="The job that converts it; of your own ones.")
    created_at: datetime | None = Field(description="Null for a shipped one.")


class NetworkPage(Wire):
    """Yours and the shared ones, newest first, and on the last page those that come with the engines."""

    networks: list[NetworkView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class EngineView(Wire):
    """One engine: everything a form, a bot or a command line needs to offer it."""

    name: str
    title: str
    description: str
    queue: str
    params_schema: JSONObject = Field(
        description="JSON Schema (2020-12) of `params`. A field's `x-ui` says how a form asks for it: its "
        "`group` and `order`, whether it is `advanced`, the field that it only means something `with`, its "
        "`role`, what its `choices` are called and what its `ends` do. `x-ui.groups` of the whole names the "
        "groups, in their order."
    )
    files: JSONObject = Field(
        description="The params that are files: name -> {accept: [media types], multiple: bool}."
    )
    produces: list[str] = Field(description="Media types of the results.")
    example: JSONObject
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="What `label` in the meta of a result may be -> what that is called.",
    )
    needs_weights: dict[str, bool] = Field(
        default_factory=dict, description="Optional weights files it knows -> whether one is installed."
    )


class EngineList(Wire):
    engines: list[EngineView]


class Problem(BaseModel):
    """An RFC 9457 problem document. `code` is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URI reference that names the kind of problem.")
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = Field(default=None, description="The request's id, as in the logs.")


class JobEventView(Wire):
    """The data of one server-sent event. `event:` is `state`, `progress` or `done`; `id:` is `version`."""

    job_id: str
    version: int
    state: State
    attempt: int
    progress: float
    message: str
    preview_url: str | None = None
    reason: str | None = None
    at: datetime
