"""A small, real Context for engine tests: files by name, everything reported kept, stops on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import engines
from engines.base import BadInput, BudgetUsedUp, Interrupted, Output, Part, PartOutput


@dataclass(frozen=True)
class Report:
    """One call of `progress`."""

    fraction: float
    message: str


@dataclass
class RecordingLedger:
    """An account without bounds, unless `refuses` is raised; what was spent, and the kept answers."""

    refuses: BudgetUsedUp | None = None
    calls: int = 0
    tokens: int = 0
    answers: dict[str, str] = field(default_factory=dict)

    def spend(self, calls: int = 0, tokens: int = 0) -> None:
        if calls > 0 and self.refuses is not None:
            raise self.refuses
        self.calls += calls
        self.tokens += tokens

    def recall(self, request: str) -> str | None:
        return self.answers.get(request)

    def remember(self, request: str, answer: str) -> None:
        self.answers[request] = answer

    def forget(self, request: str) -> None:
        self.answers.pop(request, None)


@dataclass
class RecordingContext:
    """Stands where the worker's context stands.

    `stop_at`: the number of the `progress` call (from 1) that saves the state and raises Interrupted.
    `checkpoint`: what `restore` answers; after an interruption, what was saved.
    """

    scratch: Path
    files: dict[str, Path] = field(default_factory=dict)
    checkpoint: bytes | None = None
    #: Local files of pinned networks.
    networks: dict[str, Path] = field(default_factory=dict)
    #: What the parts that were asked for have made, by their names.
    parts: dict[str, tuple[PartOutput, ...]] = field(default_factory=dict)
    stop_at: int | None = None
    keep_previews: bool = False
    on_progress: Callable[[int], None] | None = None
    reports: list[Report] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)
    account: RecordingLedger = field(default_factory=RecordingLedger)

    def input(self, ref: str) -> Path:
        """The file registered for this reference."""
        try:
            return self.files[ref]
        except KeyError:
            raise BadInput(f"no such file: {ref}") from None

    def network(self, ref: str) -> Path:
        """The network registered for this reference."""
        return self.networks[ref]

    def progress(
        self,
        fraction: float,
        message: str = "",
        *,
        preview: Callable[[], bytes] | None = None,
        state: Callable[[], bytes] | None = None,
    ) -> None:
        """Record, and stop when it is time."""
        self.reports.append(Report(fraction, message))
        if self.keep_previews and preview is not None:
            self.previews.append(preview())
        if self.on_progress is not None:
            self.on_progress(len(self.reports))
        if self.stop_at is not None and len(self.reports) >= self.stop_at:
            self.checkpoint = state() if state is not None else None
            raise Interrupted("the test asked for a stop")

    def restore(self) -> bytes | None:
        """The checkpoint given, or saved by the interruption."""
        return self.checkpoint

    def ledger(self, provider: str, *, calls_per_day: int, tokens_per_day: int) -> RecordingLedger:  # noqa: ARG002  # one is enough
        """The one account."""
        return self.account


def run_whole(name: str, params: Any, context: RecordingContext) -> list[Output]:
    """What an engine makes, and before it the parts that it asks for, by their own engines."""
    while True:
        given = list(engines.load(name).run(params, context))
        parts = [one for one in given if isinstance(one, Part)]
        if not parts:
            return [one for one in given if isinstance(one, Output)]
        for part in parts:
            wanted = engines.spec(part.engine).params.model_validate({"seed": 1, **part.params})
            inner = replace(context, parts={}, reports=[])
            context.parts[part.name] = tuple(
                _kept(context, f"art_{len(context.files)}x{number}", output)
                for number, output in enumerate(run_whole(part.engine, wanted, inner))
            )


def _kept(context: RecordingContext, ref: str, output: Output) -> PartOutput:
    path = output.data
    if isinstance(path, bytes):
        path = context.scratch / ref
        path.write_bytes(output.data)
    context.files[ref] = path
    small = output.media_type.startswith(("text/", "application/json"))
    return PartOutput(
        ref, output.name, output.media_type, output.meta, text=path.read_text() if small else None
    )
