"""A fleet of real worker processes on one machine: what of their time jobs get, and what a larger one takes.

    scale   1, 2, 4, ... workers and jobs of the sleep engine, of 1 s and of 0.5 to 2 s. Efficiency is what
            the jobs asked for, divided by workers times wall time from the first start to the last start: as
            long as a job waits for every worker that has none. Of a job that runs on after that, what lies
            before it counts. So the start counts, and the tail, in which workers are idle for want of jobs,
            does not; "with the tail" does count it, from the first start to the last end
    costs   CPU seconds of PostgreSQL, Redis, sweeper, workers and API for a job, for a second that it runs,
            and for a second of a worker's life: from no workers, workers that rest, jobs of 0 s, jobs of 5 s,
            and jobs sent through the API
    model   what these costs mean for up to 10,000 workers (scripts/bench/fleet_model.py)

    python scripts/bench/whole_fleet.py                                 # everything, some 15 minutes
    python scripts/bench/whole_fleet.py --sizes 16 64 --seconds 30      # the two that have targets
    python scripts/bench/whole_fleet.py --sizes 2 --seconds 3 --rest 3 --noops 20 --requests 20

64 workers take some 10 GB.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import astuple, replace

import httpx
import psutil

from scripts.bench import fleet_model as model
from scripts.bench.fleet_runs import Fleet, Run, Used
from scripts.bench.rates import api
from scripts.bench.servers import cpu_seconds

TARGETS = {16: 0.95, 64: 0.85}
#: The second of a job that takes a while, and how many each worker gets of them.
LONG, LONG_EACH = 5.0, 6
#: Jobs each worker runs before it is measured: statements are prepared, caches full.
WARM = 12
#: Seconds of a job in the model.
LENGTHS = (1.0, 10.0, 60.0)
#: Jobs a second that no part is asked for: its cost was too small to be measured.
NEVER = 1e5
PARTS = ("database", "redis", "sweeper", "workers")


# --- the fleet that is here -------------------------------------------------------------------------


def scale(fleet: Fleet, arguments: argparse.Namespace) -> None:
    print("| workers | jobs | jobs/s | efficiency | with the tail | target | | cores used: workers, "
          "database, Redis, sweeper | transactions a job |\n" + "|---" * 9 + "|", flush=True)  # fmt: skip
    chance = random.Random(1)
    for size in arguments.sizes:
        fleet.grow(size)
        fleet.run([0.0] * WARM * size)
        each = max(1, round(arguments.seconds))
        tell(fleet.run([1.0] * each * size), f"{each * size} of 1 s", TARGETS.get(size))
        mixed = [round(chance.uniform(0.5, 2), 2) for _ in range(max(1, round(each / 1.25)) * size)]
        tell(fleet.run(mixed), f"{len(mixed)} of 0.5 to 2 s", None)


def tell(run: Run, jobs: str, target: float | None) -> None:
    used = run.used
    cores = ", ".join(
        f"{part / used.seconds:.2f}" for part in (used.workers, used.database, used.redis, used.sweeper)
    )
    verdict = "" if target is None else "met" if run.efficiency >= target else "MISSED"
    print(
        f"| {run.workers} | {jobs} | {run.jobs / run.whole:.1f} | {run.efficiency:.3f} | {run.with_tail:.3f} "
        f"| {'' if target is None else f'>= {target}'} | {verdict} | {cores} "
        f"| {used.transactions / run.jobs:.1f} |",
        flush=True,
    )  # fmt: skip


# --- what it costs ----------------------------------------------------------------------------------


def costs(fleet: Fleet, nobody: Used, arguments: argparse.Namespace) -> model.Costs:
    """From what was used without workers, and from this fleet."""
    rest, many = fleet.rest(arguments.rest), fleet.size
    fleet.shrink(8)
    long = fleet.run([LONG] * LONG_EACH * fleet.size)
    fleet.shrink(2)  # so that they do not wait for each other
    noops = fleet.run([0.0] * arguments.noops)
    asked, serving = requests(fleet, arguments)
    found, sending = {}, {}
    for part in PARTS:
        second = getattr(nobody, part) / nobody.seconds
        life = max(getattr(rest, part) / rest.seconds - second, 0.0) / many
        job = beyond(noops.used, part, second + life * noops.workers) / noops.jobs
        running = beyond(long.used, part, second + life * long.workers) - job * long.jobs
        sent = beyond(asked, part, second + life * fleet.size) / arguments.requests
        found[part] = model.Cost(job, max(running / long.asked, 0.0), life, second)
        sending[part] = max(sent - job, 0.0)
    # A worker's wall time for a no-op, less what of it was the database's: its own CPU, round trips, commits.
    pause = max(noops.window * fleet.size / noops.jobs - found["database"].job, 0.0)
    tell_costs(found, sending, serving / arguments.requests, pause)
    parts = {
        name: replace(found[name], job=found[name].job + sending[name])
        for name in ("database", "sweeper", "redis")
    }
    api_cost = model.Cost(serving / arguments.requests)
    return model.Costs(parts | {"api": api_cost}, sending["database"], pause)


def beyond(used: Used, part: str, each_second: float) -> float:
    """What a part used, less what it uses at all times."""
    return max(float(getattr(used, part)) - each_second * used.seconds, 0.0)


def tell_costs(
    found: Mapping[str, model.Cost], sending: Mapping[str, float], serving: float, pause: float
) -> None:
    print("\nCPU milliseconds of each part, for\n")
    print("| | submitting and a poll | a job | a second it runs | a second of a worker | any second |")
    print("|---" * 6 + "|")
    for name, cost in found.items():
        values = (sending[name], *astuple(cost))
        print(f"| {name} | " + " | ".join(f"{value * 1e3:.2f}" for value in values) + " |")
    print(f"| API | {serving * 1e3:.2f} | | | | |")
    print(f"\na no-op in its worker, beside the database's CPU: {pause * 1e3:.1f} ms\n", flush=True)


def requests(fleet: Fleet, arguments: argparse.Namespace) -> tuple[Used, float]:
    """What was used while no-ops were sent through the API and each asked for once; and what by the API."""
    with api(arguments.api_python, fleet.url, fleet.folder) as served, served.client() as client:
        server = psutil.Process(served.pid)
        fleet.wait(send(client, served.base, arguments.requests // 10), 60)
        before, serving = fleet.used(), cpu_seconds(server)
        first = send(client, served.base, arguments.requests)
        fleet.wait(first, 60)
        return fleet.used() - before, cpu_seconds(server) - serving


def send(client: httpx.Client, base: str, count: int) -> str:
    """Submit that many no-ops and ask for each once; the first one's id."""
    ids = []
    for _ in range(max(1, count)):
        job = {"engine": "echo", "params": {"text": ""}}
        ids.append(client.post(f"{base}/v1/jobs", json=job).raise_for_status().json()["id"])
        client.get(f"{base}/v1/jobs/{ids[-1]}").raise_for_status()
    return str(ids[0])


# --- the fleet that is not here ---------------------------------------------------------------------


def extend(measured: model.Costs, arguments: argparse.Namespace) -> None:
    for cores in arguments.database_cores:
        servers = {"database": cores, "redis": 1, "sweeper": 1, "api": arguments.api_cores}
        print(f"\nThe database on {cores} cores, the API on {arguments.api_cores}, workers elsewhere:\n")
        print(
            "| jobs of | workers | jobs/s | efficiency | a claim's answer | load: "
            + ", ".join(servers)
            + " |"
        )
        print("|---" * 6 + "|", flush=True)
        for seconds in LENGTHS:
            for workers in arguments.fleets:
                found = model.Simulation(measured, servers, workers, seconds).run()
                loads = ", ".join(f"{found.load[name]:.2f}" for name in servers)
                print(
                    f"| {seconds:.0f} s | {workers:,} | {found.rate:.0f} | {found.efficiency:.2f} "
                    f"| {found.answer * 1e3:.0f} ms | {loads} |",
                    flush=True,
                )
        tell_most(measured, servers)


def tell_most(measured: model.Costs, servers: Mapping[str, int]) -> None:
    """Which part is full first, and at what rate."""
    print("\n| jobs of | full at (jobs/s = workers), first the first |\n|---|---|")
    for seconds in LENGTHS:
        rates = {name: cost.most(servers[name], seconds) for name, cost in measured.parts.items()}
        first = sorted((rate, name) for name, rate in rates.items() if rate < NEVER)
        told = [f"{name} {rate:,.0f} = {rate * seconds:,.0f}" for rate, name in first]
        print(f"| {seconds:.0f} s | {'; '.join(told)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [1, 2, 4, 8, 16, 32, 64]
    parser.add_argument("--sizes", nargs="+", type=int, default=sizes, help="(default: 1 to 64)")
    parser.add_argument("--seconds", type=float, default=40, help="of each run (default: %(default)s)")
    parser.add_argument("--rest", type=float, default=20, help="seconds (default: %(default)s)")
    parser.add_argument("--noops", type=int, default=1500, help="jobs of 0 s (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=500, help="to the API (default: %(default)s)")
    parser.add_argument("--fleets", nargs="+", type=int, default=[64, 256, 1000, 4000, 10_000])
    parser.add_argument("--database-cores", nargs="+", type=int, default=[2, 16])
    parser.add_argument("--api-cores", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--api-python", default=sys.executable, help="interpreter of the API")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        fleet = Fleet(stack, max(arguments.sizes))
        nobody = fleet.rest(arguments.rest)
        scale(fleet, arguments)
        print(f"\nconnections to the database: {fleet.connections():.1f} a worker", flush=True)
        measured = costs(fleet, nobody, arguments)
    extend(measured, arguments)


if __name__ == "__main__":
    main()
