"""The contract between an engine and the rest of the house: parameters, spec, context, outputs, errors.

An engine is a folder `engines/<kind>/` with a light `spec.py` (pydantic; imported by the API) and a heavy
`engine.py` (imported by workers only, through `engines.load`). An engine knows neither queue nor database.

    EngineError            the job fails with `code`; a second try would fail the same way
    ├── BadInput           this input or this combination of parameters cannot be used
    ├── OutOfMemory        did not fit, even after the engine's own smaller second try
    ├── BudgetUsedUp       the job's owner has had what they may have of a provider today
    └── Transient          worth another attempt (a device that hiccuped)
        └── Away           a service that is asked is away, or wants to be asked later: nobody's failure
    Interrupted            raised by Context.progress: stop now, the context has already noted why
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from doors.media_types import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES
from engines.ui import ui

#: A data: URI of 32 MiB of bytes, in base64; larger inputs go through `POST /v1/files`.
MAX_REF_LENGTH = 45_000_000

_REF = re.compile(r"art_[0-9a-z]+|data:[^,]*,.*|https?://.+", re.DOTALL)

#: What a network may be called; an id (`net_...`) is no name.
NETWORK_NAME = r"(?!net_)[a-z0-9][a-z0-9._-]{0,63}"
_NETWORK = re.compile(rf"net_[0-9a-f]{{32}}(?:@(?P<sha256>[0-9a-f]{{64}}))?|{NETWORK_NAME}")
#: Of a pinned one: id, `@` and SHA-256.
_NETWORK_LENGTH = 101

#: In `EngineSpec.may_ask`.
ANY_ENGINE = "*"

_Mark = TypeVar("_Mark")


class EngineError(Exception):
    """The engine could not make this job."""

    code: ClassVar[str] = "engine_error"


class BadInput(EngineError):
    """This input cannot be used by the engine."""

    code = "bad_input"

    def __init__(self, message: str, *, field: str = "") -> None:
        """`field`: the parameter that it is about, where it is one's."""
        super().__init__(message)
        self.field = field


class OutOfMemory(EngineError):
    """The job does not fit into this device's memory; a smaller size will."""

    code = "out_of_memory"


class Transient(EngineError):
    """A passing fault of the device or the machine."""

    code = "transient"


class Away(Transient):
    """A service elsewhere is away, or wants to be asked later. Neither the job nor this machine failed."""

    code = "provider_unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after`: in how many seconds to ask again, where it said so."""
        super().__init__(message)
        self.retry_after = retry_after


class BudgetUsedUp(EngineError):
    """The job's owner has had what they may have of a provider today."""

    code = "budget_used_up"


class Interrupted(Exception):
    """The job was canceled, is being given back, or no longer belongs to this worker.

    An engine lets it pass (after releasing what it holds); it never catches it to go on.
    """


class _Marked:
    """What marks a params field whose text means more than itself: checked here, and shown in the schema."""

    #: Characters.
    longest: ClassVar[int]
    #: What the text must match, as JSON Schema writes it; the same as `fits` or less strict.
    pattern: ClassVar[str]
    #: What is said of a text that does not fit.
    must_be: ClassVar[str]

    def fits(self, value: str) -> bool:
        """Whether it is such a text."""
        raise NotImplementedError

    def shown(self) -> dict[str, Any]:
        """What the schema says of the field besides, for forms, the bot and the command line."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: str) -> str:
            if not self.fits(value):
                raise ValueError(self.must_be)
            return value

        return core_schema.no_info_after_validator_function(
            check, core_schema.str_schema(max_length=self.longest)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "maxLength": self.longest, "pattern": self.pattern, **self.shown()}


@dataclass(frozen=True)
class ArtifactField(_Marked):
    """Marks a params field as a file: a file id (`art_...`), a `data:` URI or an `https:` URL.

    `accept` lists the media types; it appears in the JSON Schema as `x-artifact` so that forms, the bot
    and the command line know to offer a file chooser.
    """

    longest = MAX_REF_LENGTH
    pattern = r"^(art_[0-9a-z]+|data:[^,]*,|https?://.)"
    must_be = "must be a file id (art_...), a data: URI or an https: URL"

    accept: tuple[str, ...] = IMAGE_TYPES

    def fits(self, value: str) -> bool:
        """Whether it names a file in one of the three ways."""
        return _REF.fullmatch(value) is not None

    def shown(self) -> dict[str, Any]:
        """What is accepted."""
        return {"x-artifact": {"accept": list(self.accept)}}


ImageRef = Annotated[str, ArtifactField(IMAGE_TYPES)]
#: A sound, or a film with sound.
AudioRef = Annotated[str, ArtifactField(AUDIO_TYPES)]
#: A text in UTF-8; it may begin with a byte order mark.
TextRef = Annotated[str, ArtifactField(TEXT_TYPES)]


@dataclass(frozen=True)
class NetworkRef(_Marked):
    """Marks a params field as a network of some kind: its name, or the id of an uploaded one (`net_...`).

    `Annotated[str, NetworkRef("stylegan", shipped=("planets",))]`. At submission an uploaded one is pinned:
    the job's params then say `net_...@<sha256>`, which `Context.network` opens and `network_sha256` takes
    apart. The names of `shipped` ones, which come with the engine, stay as they are. It appears in the JSON
    Schema as `x-network` so that forms, the bot and the command line can offer a choice.
    """

    longest = _NETWORK_LENGTH
    pattern = f"^(net_[0-9a-f]{{32}}(@[0-9a-f]{{64}})?|{NETWORK_NAME})$"
    must_be = "must be a network's name or its id (net_...)"

    kind: str
    shipped: tuple[str, ...] = ()

    def fits(self, value: str) -> bool:
        """Whether it is a name or an id, pinned or not."""
        return _NETWORK.fullmatch(value) is not None

    def shown(self) -> dict[str, Any]:
        """Which networks it may be."""
        return {"x-network": {"kind": self.kind, "shipped": list(self.shipped)}}


def network_sha256(ref: str) -> str | None:
    """The hash that a pinned network was pinned with; None for one that is shipped, or not pinned yet."""
    found = _NETWORK.fullmatch(ref)
    return found["sha256"] if found else None


#: What is known of a network without opening it: the `config` that the conversion of its kind stored of it.
NetworkFacts = Mapping[str, Any]


@dataclass(frozen=True)
class ShippedNetwork:
    """A network that comes with an engine, one of the names of its `NetworkRef`."""

    name: str
    #: None, as the size is, where this machine has not its file.
    sha256: str | None = None
    bytes: int | None = None
    facts: NetworkFacts | None = None


Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Params(BaseModel):
    """Base of every engine's parameters. Unknown fields, NaN and infinities are refused.

    Every field declares a description and, where it is a number or a list, bounds: forms, the bot, the
    command line, the documentation and the validation are all drawn from this one declaration. How forms ask
    for it is said by `json_schema_extra=engines.ui.ui(...)`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    seed: Seed | None = Field(
        default=None,
        description="The same seed and parameters give the same result. Left out: one is chosen, "
        "and returned with the result.",
        json_schema_extra=ui("result", order=100, role="seed", advanced=True),
    )


def wrong(field: str, message: str) -> PydanticCustomError:
    """What a validator of the whole model raises, so that the message can stand beside one of the fields."""
    return PydanticCustomError("value_error", "{message}", {"field": field, "message": message})


@dataclass(frozen=True)
class FileParam:
    """One params field that is a file; `multiple` where it is a list of files."""

    name: str
    accept: tuple[str, ...]
    multiple: bool


@dataclass(frozen=True)
class NetworkParam:
    """One params field that is a network; `multiple` where it is a list of networks."""

    name: str
    kind: str
    shipped: tuple[str, ...]
    multiple: bool


@dataclass(frozen=True)
class Placement:
    """Where a job of certain params belongs, and how much work it is."""

    queue: str
    #: What a worker must have loaded to run it at once.
    model: str
    #: Jobs with the same text run together, at most `batch_most` of them; None: it runs alone.
    batch: str | None
    batch_most: int
    #: In about the seconds of one processor core.
    cost: float
    #: Names of what a worker must have: see `EngineSpec.needs`.
    needs: tuple[str, ...]


@dataclass(frozen=True)
class EngineSpec:
    """What the API must know of an engine, without torch."""

    name: str
    title: str
    description: str
    params: type[Params]
    #: Media types of the outputs.
    produces: tuple[str, ...]
    #: A complete, valid params object; file fields hold placeholders such as "art_photo".
    example: Mapping[str, Any]
    #: The queue its jobs wait in, a name of `queue_config.QUEUES`.
    queue: str = "gpu"
    #: A job that runs longer than this many seconds is ended as `timeout`.
    time_limit: float = 3600.0
    #: Jobs that may run together at most; more than 1 asks for `Engine.run_batch`.
    max_batch: int = 1
    #: Jobs with the same text run together; None: these params run alone.
    batch_key: Callable[[Any], str | None] = field(default=lambda _params: None)
    #: Which of the engine's models these params need, if it has several: a worker that has it loaded is best.
    model_for: Callable[[Any], str] = field(default=lambda _params: "")
    #: How much work these params are, without what every job takes: about the seconds of one processor core.
    cost: Callable[[Any], float] = field(default=lambda _params: 1.0)
    #: How many times that it is with an uploaded network of this config, which its conversion found.
    network_cost: Callable[[Mapping[str, Any]], float] = field(default=lambda _config: 1.0)
    #: What its jobs can need besides the engine itself, in the sets that some params need together: names of
    #: `engines.weights`, secrets (`secret:chat`, `engines.secrets`), services that answer (`provider:chat`,
    #: `engines.providers`). A worker asks for jobs that need nothing, or one of these sets if it has all of
    #: it.
    needs: tuple[frozenset[str], ...] = ()
    #: Which of these sets these params need; empty when there is nothing to fetch.
    weights_for: Callable[[Any], tuple[str, ...]] = field(default=lambda _params: ())
    #: What these params, valid by themselves, ask of the networks that they name: (params, facts by the names
    #: in the params) -> the params as they are run. Raises BadInput with its `field`. A network of which
    #: nothing is known yet is not among the facts.
    check: Callable[[Any, Mapping[str, NetworkFacts]], Any] = field(default=lambda params, _networks: params)
    #: Those that come with the engine, described; a name of `NetworkRef` that is not here has no facts.
    shipped_networks: Callable[[], tuple[ShippedNetwork, ...]] = field(default=tuple)
    #: What `label` in the meta of its results may be -> what that is called in English.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The engines whose jobs its jobs may ask for (`Part`); ANY_ENGINE: whichever the params name.
    may_ask: tuple[str, ...] = ()
    #: Whether the same seed and params give the same result.
    deterministic: bool = True
    #: A diagnostic engine: works like any other, but forms and galleries do not offer it.
    hidden: bool = False
    #: The kind of network (`NetworkRef.kind`) that its jobs make of an uploaded file, its one file field.
    #: An upload makes such jobs, nobody does by hand: the engine is in no list.
    converts_to: str = ""

    @cached_property
    def file_params(self) -> dict[str, FileParam]:
        """The params fields that are files, by name."""
        return {
            name: FileParam(name, mark.accept, multiple)
            for name, mark, multiple in self._marked(ArtifactField)
        }

    @cached_property
    def network_params(self) -> dict[str, NetworkParam]:
        """The params fields that are networks, by name."""
        return {
            name: NetworkParam(name, mark.kind, mark.shipped, multiple)
            for name, mark, multiple in self._marked(NetworkRef)
        }

    def accepted(self, params: Mapping[str, Any], ref: str) -> tuple[str, ...] | None:
        """The media types that are taken by every file field of such params that names this file.

        None: no field names it.
        """
        fields = [field for field in self.file_params.values() if ref in _listed(params.get(field.name))]
        if not fields:
            return None
        first, *others = [field.accept for field in fields]
        return tuple(one for one in first if all(one in accept for accept in others))

    def placement(self, params: Params, networks: Iterable[NetworkFacts] = ()) -> Placement:
        """Of these params, whose networks are pinned; `networks`: what is known of the uploaded ones."""
        model = self.model_for(params)
        key = self.batch_key(params) if self.max_batch > 1 else None
        return Placement(
            queue=self.queue,
            model=f"{self.name}:{model}" if model else self.name,
            batch=None if key is None else f"{self.name}:{hashlib.sha256(key.encode()).hexdigest()[:32]}",
            batch_most=self.max_batch,
            cost=self.cost(params) * max(map(self.network_cost, networks), default=1.0),
            needs=self.weights_for(params),
        )

    def _marked(self, kind: type[_Mark]) -> Iterator[tuple[str, _Mark, bool]]:
        """(name, mark, whether it is a list) of the params fields with such a mark."""
        for name, info in self.params.model_fields.items():
            # A plain one carries its mark in the field's metadata; list[ImageRef] and ImageRef | None carry
            # it further down.
            found = [(mark, False) for mark in info.metadata if isinstance(mark, kind)]
            found += _inner_marks(info.annotation, kind, is_list=False)
            # What may be one or a list is a list.
            yield from ((name, mark, is_list) for mark, is_list in sorted(found, key=lambda pair: pair[1]))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _inner_marks(annotation: Any, kind: type[_Mark], *, is_list: bool) -> Iterator[tuple[_Mark, bool]]:
    """The marks within a type, and whether each is that of a list's elements."""
    is_list = is_list or get_origin(annotation) in (list, tuple)
    for inner in get_args(annotation):
        if isinstance(inner, kind):
            yield inner, is_list
        else:
            yield from _inner_marks(inner, kind, is_list=is_list)


@dataclass(frozen=True)
class Output:
    """One produced file, handed over by an engine.

    `data` is the encoded file, in memory or as a path under the context's scratch folder. `meta` is
    small, JSON-able, and is shown with the artifact (the seed, the latent, the label...). `seconds` is how
    long a sound or a film is; how large a picture is, and what a small text says, the house sees for itself.
    """

    name: str
    media_type: str
    data: bytes | Path
    meta: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Part:
    """A job that this one needs first, yielded by `run` in place of outputs.

    When all parts that were yielded have ended well, `run` is called again, in a new attempt, and finds their
    results in `Context.parts`. The name is the part: yielded again, it is the same one.
    """

    #: Unique within the job: lower case letters, digits, `.`, `_` and `-`, at most 64.
    name: str
    engine: str
    #: Complete; a file field names a file of the params or a result of an earlier part (`PartOutput.id`).
    params: Mapping[str, Any]
    #: Under which it is shown with others of its kind; by itself if empty.
    stage: str = ""
    #: Of the whole job's progress, 0 to 1. None: those without one share nine tenths of what is left.
    share: float | None = None


@dataclass(frozen=True)
class PartOutput:
    """One result of a part that ended well."""

    #: What a file field takes, and `Context.input`.
    id: str
    name: str
    media_type: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    #: What it says, where it is small and a text.
    text: str | None = None


class Ledger(Protocol):
    """What the house keeps of one owner's calls to one provider."""

    def spend(self, calls: int = 0, tokens: int = 0) -> None:
        """Count what is about to be asked, or what came of it; less than nothing gives back.

        Raises BudgetUsedUp, and counts nothing, where calls are to be made and the day's are used up.
        """

    def recall(self, request: str) -> str | None:
        """What `remember` kept under this hash of a request, if it is still kept."""

    def remember(self, request: str, answer: str) -> None:
        """Keep an answer for a day, for this owner's next such request."""

    def forget(self, request: str) -> None:
        """Keep it no longer."""


class Context(Protocol):
    """What a running engine may ask of the house."""

    @property
    def parts(self) -> Mapping[str, tuple[PartOutput, ...]]:
        """What the parts that this job asked for have made, by their names, in the order of asking."""

    @property
    def scratch(self) -> Path:
        """An empty folder of this attempt's own; removed when the attempt ends."""

    def input(self, ref: str) -> Path:
        """The local file behind a file field of the params. Raises BadInput when it cannot be had."""

    def network(self, ref: str) -> Path:
        """The local file (safetensors) of a pinned network of the params, verified by its hash.

        It stays where it is until the attempt ends. Raises EngineError when it cannot be had.
        """

    def progress(
        self,
        fraction: float,
        message: str = "",
        *,
        preview: Callable[[], bytes] | None = None,
        state: Callable[[], bytes] | None = None,
    ) -> None:
        """Report `fraction` (0 to 1) and give the house a chance to stop the job.

        Call it at least every second or two: it is also the cancel check. `preview` makes a small JPEG
        and `state` a checkpoint from which a later attempt continues; both are called only when one is
        due, so pass them every time. Raises Interrupted when the job must stop, after saving `state`
        if the job is to go on elsewhere.
        """

    def restore(self) -> bytes | None:
        """The newest checkpoint an earlier attempt of this job stored, if any."""

    def ledger(self, provider: str, *, calls_per_day: int, tokens_per_day: int) -> Ledger:
        """The job's owner's account with a provider, within these bounds of a day in UTC; 0: any number."""


#: One job of a batch: its params and its own context.
BatchItem = tuple[Any, Context]


class Engine(Protocol):
    """The heavy half. One instance lives as long as its worker process and runs one job, or batch, at a time.

    An engine with several models may have an attribute `loaded`, the names (`EngineSpec.model_for`) of those
    in memory now.
    """

    #: What it runs on, for the job's record: "cpu", "cuda: NVIDIA H200".
    device: str

    def setup(self) -> None:
        """Load models. Called once per process, before the first job."""

    def run(self, params: Any, context: Context) -> Iterable[Output | Part]:
        """Make one job and yield its outputs, or the parts that it needs first; never both in one call.

        `params.seed` is never None here. Raises EngineError when it cannot, and lets Interrupted pass.
        """


class BatchEngine(Engine, Protocol):
    """An engine that can run several jobs at once: one whose spec says `max_batch`."""

    def run_batch(self, items: Sequence[BatchItem]) -> Iterable[tuple[int, Output | EngineError]]:
        """Make all these jobs; they share a `batch_key`. Yields (index of the job, one of its outputs).

        An EngineError in an output's place ends that job alone. A context's `progress` raises Interrupted
        when its own job must stop: leave that one out and go on. Whatever else is raised ends no job: the
        house then runs each of them alone, by `run`.
        """
