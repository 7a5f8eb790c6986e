"""What happened to whom, beside the processes' logs, for whoever looks into a violation (`--keep`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from scripts.chaos.evidence import Evidence
from scripts.chaos.faults import Log


def write_down(evidence: Evidence, log: Log, folder: Path) -> None:
    """`faults.jsonl`: the faults in order; `jobs.jsonl`: each request, its job's history and its hits."""
    faults = [
        {"began": _time(began), "ended": _time(ended), "kind": kind}
        for kind, began, ended in sorted(log.spans, key=lambda span: span[1])
    ]
    _write(folder / "faults.jsonl", faults)
    _write(folder / "jobs.jsonl", [_job(order.job_id, asdict(order), evidence) for order in evidence.orders])


def _job(job_id: str | None, order: dict[str, object], evidence: Evidence) -> dict[str, object]:
    events = evidence.events.get(job_id or "", [])
    canceled_at = order.pop("canceled_at")
    return {
        **{name: value for name, value in order.items() if value not in (None, [], False, 0)},
        "canceled_at": _time(canceled_at) if isinstance(canceled_at, float) else None,
        "hits": [
            f"{_time(hit.at)} {hit.kind} in {hit.attempt}" for hit in evidence.hits if hit.job_id == job_id
        ],
        "history": [
            f"{_time(e.at.timestamp())} {e.state} {e.attempt} {e.reason or ''}".strip() for e in events
        ],
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _write(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
