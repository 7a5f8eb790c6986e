"""What a chain says: its stages, what each takes of others, and whether all of it can be made.

A value of a stage's params refers to others by its first character:

    "@drawn"          what the stage `drawn` has made; one file, or all of them where a list is taken
    "@drawn/a.png"    the file of that name
    "@files/2"        the second of the chain's own files
    "@each"           the file that this job of the stage is about, where the stage has `each`
    "@@home"          the text "@home"

In a file field it stands for a file; in any other, for the text that a small text result says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import engines
from engines.base import EngineSpec, wrong

#: What is said in place of a value that is not known yet.
_SOME_FILE = "art_0"
_SOME_TEXT = "text"
_COUNTS = (1, 2, 12, 100)
#: Characters of a stage's params as JSON.
MOST_PARAMS = 65_536
#: A stage's name.
NAME = r"[a-z0-9][a-z0-9_-]{0,39}"
#: The chain's own files, as references call them.
FILES = "files"
EACH = "each"
_TEXTS = ("text/", "application/json")


class Stage(BaseModel):
    """One step of a chain: jobs of one engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{NAME}$", description="By which later stages refer to it.")
    engine: str = Field(max_length=64, description="The engine whose jobs it is made of.")
    params: dict[str, Any] = Field(
        default={}, description="The engine's parameters; may refer to other stages."
    )
    each: str | None = Field(
        default=None,
        max_length=300,
        pattern="^@.+$",
        description='"@stage": one job for each of its files, which "@each" in the parameters stands for.',
    )


@dataclass(frozen=True)
class Reference:
    """What a value stands for: the results of a stage, one of them, or the chain's own files."""

    stage: str
    file: str = ""

    @classmethod
    def of(cls, value: object) -> Reference | None:
        """That of a value of the params, if it is one."""
        if not isinstance(value, str) or not value.startswith("@") or value.startswith("@@"):
            return None
        stage, _, file = value[1:].partition("/")
        return cls(stage, file)

    def __str__(self) -> str:
        return f"@{self.stage}/{self.file}" if self.file else f"@{self.stage}"


def listed(value: Any) -> list[Any]:
    """A value's elements, or the value."""
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """A value that is no reference as the engine gets it."""
    return value[1:] if isinstance(value, str) and value.startswith("@@") else value


def references(stage: Stage) -> Iterator[tuple[str, Reference]]:
    """(where it stands in the stage, reference) of all that it refers to."""
    for field, value in stage.params.items():
        for one in listed(value):
            if (found := Reference.of(one)) is not None:
                yield f"params.{field}", found
    if stage.each is not None:
        yield EACH, Reference.of(stage.each) or Reference("")


def needed(stage: Stage) -> set[str]:
    """The names of the stages that must have ended before it."""
    return {found.stage for _, found in references(stage)} - {FILES, EACH}


def last(stages: Sequence[Stage]) -> list[Stage]:
    """Those to which no other refers: what they make is what the chain makes."""
    used = {name for stage in stages for name in needed(stage)}
    return [stage for stage in stages if stage.name not in used]


def check(stages: Sequence[Stage], files: int) -> None:
    """Whether all of it can be made, before any of it is. Raises PydanticCustomError beside the field."""
    names = [stage.name for stage in stages]
    for number, stage in enumerate(stages):
        at = f"stages.{number}"
        if stage.name in names[:number] or stage.name in (FILES, EACH):
            raise wrong(f"{at}.name", f"another stage is called {stage.name}, or it is a word of its own")
        # What a part is called says which it is.
        whole, _, number_of = stage.name.rpartition("-")
        if number_of.isdecimal() and any(one.name == whole and one.each for one in stages):
            raise wrong(f"{at}.name", f"a job of the stage {whole} is called so")
    for number, stage in enumerate(stages):
        # They are kept in the job's row; and a picture in them would be no file of the job's.
        if len(json.dumps(stage.params)) > MOST_PARAMS:
            raise wrong(f"stages.{number}.params", f"has more than {MOST_PARAMS:,} characters: name files")
        _check_references(f"stages.{number}", stage, names, files)
    _check_order(stages)
    specs = {stage.name: _spec(f"stages.{number}", stage) for number, stage in enumerate(stages)}
    for number, stage in enumerate(stages):
        _check_params(f"stages.{number}", stage, specs)


def _check_references(at: str, stage: Stage, names: Sequence[str], files: int) -> None:
    for where, found in references(stage):
        field = f"{at}.{where}"
        if found.stage == EACH:
            if where == EACH or stage.each is None:
                raise wrong(field, '"@each" needs a stage that has `each`, and is not that one itself')
        elif found.stage == FILES:
            if found.file and not (found.file.isdecimal() and 1 <= int(found.file) <= files):
                raise wrong(field, f"there is no {found}; the chain has {files} files of its own")
        elif found.stage not in names:
            there = ", ".join(names)
            message = f'there is no stage {found.stage[:40]!r}; there are {there}. Write "@@..." for a text'
            raise wrong(field, f"{message} that begins with @")


def _check_order(stages: Sequence[Stage]) -> None:
    left = {stage.name: needed(stage) for stage in stages}
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    if left:
        number = next(n for n, stage in enumerate(stages) if stage.name in left)
        raise wrong(f"stages.{number}", f"these stages wait for one another: {', '.join(left)}")


def _spec(at: str, stage: Stage) -> EngineSpec:
    try:
        spec = engines.spec(stage.engine)
    except KeyError:
        raise wrong(f"{at}.engine", f"there is no engine {stage.engine!r}") from None
    if spec.may_ask or spec.converts_to:
        raise wrong(f"{at}.engine", f"{stage.engine} is made of other jobs, and is no stage of a chain")
    return spec


def _check_params(at: str, stage: Stage, specs: Mapping[str, EngineSpec]) -> None:
    spec = specs[stage.name]
    for field, value in stage.params.items():
        if field not in spec.params.model_fields:
            raise wrong(f"{at}.params.{field[:60]}", f"the engine {stage.engine} has no such parameter")
        for one in listed(value):
            if (found := Reference.of(one)) is not None:
                _check_type(f"{at}.params.{field}", spec, field, _makes(found, stage, specs))
    # How many files a reference will stand for nobody knows; some number must do.
    faults = [_fault(spec, stage, count) for count in _COUNTS]
    if all(faults) and (fault := faults[0]) is not None:
        raise wrong(f"{at}.params.{fault[0]}".rstrip("."), fault[1])


def _fault(spec: EngineSpec, stage: Stage, count: int) -> tuple[str, str] | None:
    """(field, what is wrong) of params in which each reference to a list of files stands for so many."""
    made, unknown = {}, set()
    for field, value in stage.params.items():
        param = spec.file_params.get(field)
        if not any(map(Reference.of, listed(value))):
            made[field] = [plain(one) for one in value] if isinstance(value, list) else plain(value)
        else:
            unknown.add(field)
            several = param is not None and (param.multiple or isinstance(value, list))
            stand_in = _SOME_TEXT if param is None else _SOME_FILE
            made[field] = [stand_in] * max(count, len(listed(value))) if several else stand_in
    try:
        spec.params.model_validate_json(json.dumps(made), strict=True)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            field = fault.get("ctx", {}).get("field") or ".".join(map(str, fault["loc"]))
            if field.partition(".")[0] not in unknown:
                return field, fault["msg"]
    return None


def _makes(found: Reference, stage: Stage, specs: Mapping[str, EngineSpec]) -> tuple[str, ...] | None:
    """The media types that a reference may stand for; None: any."""
    if found.stage == EACH:
        each = Reference.of(stage.each)
        return None if each is None or each.stage == FILES else specs[each.stage].produces
    return None if found.stage == FILES else specs[found.stage].produces


def _check_type(at: str, spec: EngineSpec, field: str, makes: tuple[str, ...] | None) -> None:
    if makes is None:
        return
    param = spec.file_params.get(field)
    if param is None:
        if not any(one.startswith(_TEXTS) for one in makes):
            raise wrong(at, f"it takes a text, and that stage makes {', '.join(makes)}")
    elif not set(param.accept) & set(makes):
        raise wrong(at, f"it takes {', '.join(param.accept)}, and that stage makes {', '.join(makes)}")
