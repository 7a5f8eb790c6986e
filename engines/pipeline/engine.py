"""Asks for the jobs of each stage whose inputs are there, and gives at the end what the last ones made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import engines
from engines.base import BadInput, Context, Output, Part, PartOutput
from engines.pipeline.chain import EACH, FILES, Reference, Stage, last, listed, needed, plain
from engines.pipeline.spec import PipelineParams

#: Of the whole, what the jobs of the stages are; the rest is giving their results.
_STAGES_SHARE = 0.95


@dataclass(frozen=True)
class _File:
    """What a reference stands for."""

    id: str
    #: Empty: one of the chain's own files, whose type was looked at when it came.
    media_type: str = ""
    name: str = ""
    text: str | None = None


class Engine:
    """Holds no worker while its stages are made."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: PipelineParams, context: Context) -> Iterator[Output | Part]:
        """The parts of the stages that can begin, or the results.

        Raises BadInput when a stage needs what another has not made.
        """
        chain = _Chain(params, context.parts)
        parts = list(chain.next_parts())
        yield from parts or chain.results(context)


class _Chain:
    """A chain, as far as it has come."""

    def __init__(self, params: PipelineParams, parts: Mapping[str, tuple[PartOutput, ...]]) -> None:
        self._params = params
        self._parts = parts
        #: What each stage that has ended made, in order.
        self._made: dict[str, list[_File]] = {}
        self._waiting: list[Stage] = []
        left = list(params.stages)
        while left:
            ready = [stage for stage in left if needed(stage) <= self._made.keys()]
            if not ready:
                break
            left = [stage for stage in left if stage not in ready]
            for stage in ready:
                self._look(stage)

    def _look(self, stage: Stage) -> None:
        names = [name for name, _ in self._jobs(stage)]
        if all(name in self._parts for name in names):
            self._made[stage.name] = [
                _File(one.id, one.media_type, one.name, one.text)
                for name in names
                for one in self._parts[name]
            ]
        else:
            self._waiting.append(stage)

    def _jobs(self, stage: Stage) -> list[tuple[str, _File | None]]:
        """(name of the part, what it is about) of each job of a stage."""
        if stage.each is None:
            return [(stage.name, None)]
        files = self._files(Reference.of(stage.each))
        return [(f"{stage.name}-{number:03}", file) for number, file in enumerate(files, 1)]

    def next_parts(self) -> Iterator[Part]:
        """The jobs of the stages that can begin."""
        for stage in self._waiting:
            jobs = self._jobs(stage)
            share = _STAGES_SHARE / len(self._params.stages) / len(jobs)
            for name, about in jobs:
                yield Part(name, stage.engine, self._filled(stage, about), stage=stage.name, share=share)

    def _filled(self, stage: Stage, about: _File | None) -> dict[str, Any]:
        """A stage's params with what the references stand for."""
        spec = engines.spec(stage.engine)
        made: dict[str, Any] = {}
        for field, value in stage.params.items():
            param = spec.file_params.get(field)
            accept = None if param is None else param.accept
            many = param is not None and param.multiple
            found: list[Any] = []
            for one in listed(value):
                reference = Reference.of(one)
                if reference is None:
                    found.append(plain(one))
                    continue
                files = self._files(reference, about)
                taken = _taken(files, accept, f"{stage.name}: {field}", str(reference), many=many)
                found += [file.id if param is not None else (file.text or "").strip() for file in taken]
            made[field] = found if many or isinstance(value, list) else found[0]
        return made

    def _files(self, reference: Reference | None, about: _File | None = None) -> Sequence[_File]:
        if reference is None:
            return ()
        if reference.stage == EACH:
            return () if about is None else (about,)
        if reference.stage == FILES:
            own = [_File(ref) for ref in self._params.files]
            return [own[int(reference.file) - 1]] if reference.file else own
        made = self._made[reference.stage]
        return [file for file in made if file.name == reference.file] if reference.file else made

    def results(self, context: Context) -> Iterator[Output]:
        """What the last stages have made, under names of their own."""
        names: set[str] = set()
        ends = last(self._params.stages)
        whole = sum(len(self._made[stage.name]) for stage in ends)
        done = 0
        for stage in ends:
            parts = [name for name, _ in self._jobs(stage)]
            for part in parts:
                for one in self._parts[part]:
                    context.progress(done / max(whole, 1), "collecting the results")
                    alone = len(ends) == 1 and len(parts) == 1
                    name = _unlike(one.name if alone else f"{part}-{one.name}", names)
                    meta = dict(one.meta) | {"stage": stage.name, "seed": self._params.seed}
                    if "seed" in one.meta:
                        meta["stage_seed"] = one.meta["seed"]
                    yield Output(name, one.media_type, context.input(one.id), meta=meta, seconds=one.seconds)
                    done += 1


def _taken(
    files: Sequence[_File], accept: Sequence[str] | None, where: str, reference: str, *, many: bool
) -> Sequence[_File]:
    """Those of the files that a field takes. Raises BadInput when there is none, or too many."""
    if accept is None:
        fit = [file for file in files if file.text is not None]
    else:
        fit = [file for file in files if not file.media_type or file.media_type in accept]
    if not fit:
        raise BadInput(f"{where} needs {reference}, which has made nothing that it takes.")
    if len(fit) > 1 and not many:
        message = f"{where} takes one file, and {reference} has made {len(fit)}: name one, or use `each`."
        raise BadInput(message)
    return fit


def _unlike(name: str, names: set[str]) -> str:
    """A name that was not given yet."""
    path, number = PurePath(name), 1
    while name in names:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}"
    names.add(name)
    return name
