"""The parts that an attempt asked for, made ready for the store; and what an engine sees of those made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from accept.means import Means
from accept.parts import PartRefused, new_parts
from engines.base import ANY_ENGINE, EngineError, EngineSpec, Part, PartOutput
from jobs.rows import ArtifactRow
from jobs.store import JobRow, JobStore, NewPart

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class BadPart(EngineError):
    """A job that this one asked for cannot be made."""

    code = "bad_part"


def asked_parts(means: Means, spec: EngineSpec, job: JobRow, parts: Sequence[Part]) -> list[NewPart]:
    """What `JobStore.wait_for` takes. Raises BadPart and Unavailable."""
    for part in parts:
        if _NAME.fullmatch(part.name) is None:
            raise BadPart(f"A part cannot be called {part.name[:64]!r}.")
        if part.engine == job.engine or not {part.engine, ANY_ENGINE} & set(spec.may_ask):
            raise BadPart(f"{part.name}: a job of {job.engine} may not ask for one of {part.engine[:64]}.")
    try:
        new = new_parts(means, job, parts)
    except PartRefused as error:
        raise BadPart(str(error)) from error
    if not new:
        # All of them have been made, and it was told so: it would ask for ever.
        raise BadPart("It asked once more for parts that had been made.")
    return new


def part_outputs(store: JobStore, job: JobRow) -> Mapping[str, tuple[PartOutput, ...]]:
    """`engines.base.Context.parts`. Raises Unavailable."""
    if not job.parts:
        return {}
    return {name: tuple(map(_output, rows)) for name, rows in store.part_results(job.id).items()}


def _output(row: ArtifactRow) -> PartOutput:
    return PartOutput(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        meta=row.meta,
        width=row.width,
        height=row.height,
        seconds=row.seconds,
        text=row.text,
    )
