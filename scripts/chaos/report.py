"""The figures of a run, and the one table it prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from jobs.states import FINAL, State
from scripts.chaos.audit import Violation
from scripts.chaos.evidence import Evidence
from scripts.chaos.faults import OUTAGES, STORE_OUTAGES, Hit, Log
from scripts.chaos.orders import Order

#: Seconds; issue 3's figures.
RECOVERY_TARGET = 20.0
CANCEL_TARGET = 2.0
DRAIN_TARGET = 20.0
#: Violations that are written out.
_SHOWN = 40


def recoveries(evidence: Evidence, hits: Sequence[Hit]) -> Iterator[tuple[Hit, float]]:
    """For each killed attempt whose job was claimed again: the seconds from the kill to that claim."""
    for hit in hits:
        for event in evidence.events.get(hit.job_id, []):
            if event.state == State.RUNNING and event.attempt == hit.attempt + 1:
                yield hit, event.at.timestamp() - hit.at


def cancels(evidence: Evidence) -> Iterator[tuple[Order, float]]:
    """For each running job that was canceled: the seconds from the answer to its end."""
    for order in evidence.orders:
        if order.canceled_at is not None and order.canceled_as == State.RUNNING:
            for event in evidence.events.get(str(order.job_id), []):
                if event.state in FINAL:
                    yield order, max(0.0, event.at.timestamp() - order.canceled_at)


def _undisturbed(at: float, seconds: float, log: Log, kinds: Sequence[str]) -> bool:
    """Whether no fault of these kinds happened meanwhile."""
    return not any(kind in kinds and began < at + seconds and ended > at for kind, began, ended in log.spans)


def spread(values: Sequence[float]) -> str:
    """Percentiles in a line."""
    if not values:
        return "none"
    ordered = sorted(values)

    def part(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    parts = ", ".join(f"p{share * 100:.0f} {part(share):.1f}" for share in (0.5, 0.95, 0.99))
    return f"{len(values)}: {parts}, max {ordered[-1]:.1f} s"


def table(
    evidence: Evidence, log: Log, violations: Sequence[Violation], settled: float, ends: Sequence[str] = ()
) -> list[str]:
    """The lines of the table. `ends`: processes that ended in a way that no fault has."""
    rows: list[tuple[str, str]] = []
    for kind, count in sorted(log.counts.items()):
        rows.append((f"fault: {kind}", str(count)))
    rows.append(("faults", str(sum(log.counts.values()))))
    rows.append(("attempts that lost their worker", str(len(log.hits))))
    rows.append(("zombies that woke up while their job ran elsewhere", str(log.zombies)))
    rows += _jobs(evidence)
    killed = [pair for pair in recoveries(evidence, log.hits) if pair[0].kind != "frozen"]
    clean = [seconds for hit, seconds in killed if _undisturbed(hit.at, seconds, log, OUTAGES)]
    rows.append(("killed worker's job, to its next claim", spread([seconds for _, seconds in killed])))
    rows.append(("the same, PostgreSQL being there all the time", _judged(clean, 0.99, RECOVERY_TARGET)))
    rows += _cancels(evidence, log)
    rows.append(("SIGTERM, to a worker's end", _judged(log.drains, 1.0, DRAIN_TARGET)))
    rows.append(("webhooks heard", str(len(evidence.heard))))
    rows.append(("everything had ended, after the last fault", f"{settled:.0f} s"))
    rows.append(("processes that ended by themselves", ", ".join(ends) or "none"))
    rows.append(("violations", str(len(violations))))
    return ["| what | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]


def _cancels(evidence: Evidence, log: Log) -> Iterator[tuple[str, str]]:
    found = list(cancels(evidence))
    lost = {hit.job_id for hit in log.hits}
    clean = [
        seconds
        for order, seconds in found
        if order.job_id not in lost
        and _undisturbed(order.canceled_at or 0.0, seconds, log, (*OUTAGES, *STORE_OUTAGES))
    ]
    yield "cancel of a running job, to its end", spread([seconds for _, seconds in found])
    yield "the same, worker, PostgreSQL and object store being there", _judged(clean, 0.95, CANCEL_TARGET)


def _jobs(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield "requests", str(len(evidence.orders))
    yield "requests without an answer, sent again", str(sum(order.unanswered for order in evidence.orders))
    yield "jobs accepted", str(len({order.job_id for order in evidence.orders if order.job_id}))
    outcomes = Counter(
        f"{row.state}: {row.error_code}" if row.error_code else row.state for row in evidence.jobs.values()
    )
    for outcome, count in sorted(outcomes.items()):
        yield f"jobs {outcome}", str(count)
    yield "jobs that took more than one attempt", str(sum(row.attempt > 1 for row in evidence.jobs.values()))
    yield "results read and compared", str(sum(isinstance(c, bytes) for c in evidence.contents.values()))


def _judged(values: Sequence[float], share: float, target: float) -> str:
    text = spread(values)
    if not values:
        return text
    met = sorted(values)[min(len(values) - 1, int(len(values) * share))] <= target
    name = "max" if share == 1.0 else f"p{share * 100:.0f}"
    return f"{text} ({name} <= {target:.0f} s: {'met' if met else 'MISSED'})"


def told(violations: Sequence[Violation]) -> list[str]:
    """The violations, one a line."""
    lines = [f"VIOLATION {v.rule}: {v.job_id}: {v.what}" for v in violations[:_SHOWN]]
    if len(violations) > _SHOWN:
        lines.append(f"... and {len(violations) - _SHOWN} more")
    return lines
