"""One run: load and faults, then peace, then the audit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import httpx

from jobs.database import Database
from scripts.chaos import report
from scripts.chaos.audit import FOLLOWED_EVENTS, Violation, audit, rows_and_objects_agree
from scripts.chaos.clients import Clients
from scripts.chaos.evidence import Evidence, in_database, in_store, over_rest, owners_clients
from scripts.chaos.faults import Faults
from scripts.chaos.house import House, running
from scripts.chaos.notes import write_down
from scripts.chaos.options import Options
from scripts.chaos.receiver import Hearing, hearing
from scripts.chaos.watch import Watch

#: Whose every job is heard of at an address of their own.
FOLLOWED = ("bob",)
#: Seconds that the sweeper may take to clean up once it may.
_CLEAN_UP = 90.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a run found."""

    evidence: Evidence
    violations: list[Violation]
    table: list[str]


def run(options: Options, say: Say) -> Outcome:
    """Everything from the start of the servers to their end."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="atelier-chaos-", ignore_cleanup_errors=True)
        )
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user when we are root
        if options.keep:
            stack.callback(copytree, Path(folder) / "logs", options.keep, dirs_exist_ok=True)
        house = stack.enter_context(running(options, Path(folder)))
        say(f"{options.workers} workers are up; {options.seconds:.0f} s of load and faults")
        secrets: dict[str, str] = {}
        ears = stack.enter_context(hearing(secrets))
        _follow(house, ears, secrets)
        watch = stack.enter_context(closing(Watch(house.database_url)))
        return _storm(house, ears, watch, options, say)


def _follow(house: House, ears: Hearing, secrets: dict[str, str]) -> None:
    """Learn the owners' secrets, and make the addresses that hear of everything."""
    for owner, client in owners_clients(house.bases, house.keys).items():
        with client:
            secrets[owner] = client.get("/v1/webhooks/secret").raise_for_status().json()["secret"]
            if owner in FOLLOWED:
                wanted = {"url": f"{ears.url}/{owner}/all", "events": list(FOLLOWED_EVENTS)}
                made = client.post("/v1/webhooks", json=wanted).raise_for_status().json()
                secrets[f"{owner}/all"] = made["secret"]


def _storm(house: House, ears: Hearing, watch: Watch, options: Options, say: Say) -> Outcome:
    with ExitStack() as stack:
        clients = stack.enter_context(
            closing(
                Clients(
                    house.bases, house.keys, ears.url, seed=options.seed, per_second=options.jobs_per_second
                )
            )
        )
        faults = stack.enter_context(
            closing(Faults(house, watch, seed=options.seed, every=options.fault_every))
        )
        until = time.monotonic() + options.seconds
        broken: list[BaseException] = []

        def harm() -> None:
            try:
                faults.run(until)
            except BaseException as error:  # noqa: BLE001  # not handled here: raised again where it is waited for
                broken.append(error)

        harming = threading.Thread(target=harm, name="faults")
        harming.start()
        stack.callback(harming.join)
        stack.callback(faults.close)
        clients.run(until)
        harming.join()
        if broken:
            raise broken[0]
        peace = time.monotonic()
        say(f"{sum(faults.log.counts.values())} faults, {len(clients.orders)} requests; now it settles")
        clients.finish(peace + options.settle)
        left = _settle(watch, peace + options.settle)
        settled = time.monotonic() - peace
        say(f"settled after {settled:.0f} s; left over: {left or 'nothing'}")
        evidence = Evidence(clients.orders, forged=ears.forged, followed=FOLLOWED, hits=faults.log.hits)
        violations = _judge(house, ears, watch, evidence, say)
        write_down(evidence, faults.log, house.logs)
        lines = report.table(evidence, faults.log, violations, settled, house.supervisor.strange_ends())
        return Outcome(evidence, violations, lines)


def _settle(watch: Watch, until: float) -> dict[str, int]:
    """Wait until all jobs have ended and all webhooks are sent; what has not by then."""
    while True:
        left = watch.left()
        found = (
            {"the database": 1} if left is None else {what: count for what, count in left.items() if count}
        )
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.5)


def _judge(house: House, ears: Hearing, watch: Watch, evidence: Evidence, say: Say) -> list[Violation]:
    """Gather the evidence and audit it; then let the clean-up come early, and look at the objects again."""
    database, storage = Database(house.database_url), house.storage()
    with closing(database):
        clients = owners_clients(house.bases, house.keys, _patient)
        over_rest(evidence, clients)
        for client in clients.values():
            client.close()
        in_database(evidence, database)
        in_store(evidence, storage)
        evidence.heard = set(ears.heard)
        violations = audit(evidence)
        if house.sweepers and not violations:
            violations += _cleaned_up(watch, database, house, say)
    return violations


def _cleaned_up(watch: Watch, database: Database, house: House, say: Say) -> list[Violation]:
    """Lost attempts' objects are kept for ten minutes, and no setting shortens that: it is ended by hand."""
    watch.end_grace()
    until = time.monotonic() + _CLEAN_UP
    while (waiting := watch.cleanups()) and time.monotonic() < until:
        time.sleep(0.5)
    after = Evidence([])
    in_database(after, database)
    in_store(after, house.storage())
    say(f"cleaned up: {len(after.objects)} objects, {len(after.artifacts)} rows")
    found = [Violation("rows_and_objects_agree", job, what) for job, what in rows_and_objects_agree(after)]
    if waiting:
        found.append(Violation("rows_and_objects_agree", "", f"{waiting} folders were never looked through"))
    return found


def _patient(**values: object) -> httpx.Client:
    """A client that tries again while an API that was just killed comes back."""
    return httpx.Client(transport=httpx.HTTPTransport(retries=8), **values)  # type: ignore[arg-type]
