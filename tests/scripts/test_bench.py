"""The benchmarks explain themselves, cheap ones run at a tiny size, the model knows what is full first."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench import fleet_model as model

BENCH = Path(__file__).parents[2] / "scripts" / "bench"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / script), *arguments], capture_output=True, text=True, check=False
    )


def rows(printed: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "|" in line]


@pytest.mark.parametrize(
    "script",
    [
        "batches.py",
        "cancel.py",
        "claims.py",
        "whole_fleet.py",
        "parts.py",
        "forecasts.py",
        "neural_style.py",
        "planets.py",
        "stylegan.py",
        "stylegan_pickle.py",
        "stylegan_walk.py",
        "service.py",
        "streams.py",
        "telegram.py",
    ],
)
def test_a_benchmark_explains_itself(script):
    helped = run(script, "--help")

    assert helped.returncode == 0, helped.stderr
    assert f"scripts/bench/{script}" in helped.stdout


@pytest.mark.usefixtures("postgres")  # where there is no PostgreSQL, this says so
def test_claims_are_counted_at_a_tiny_size():
    tiny = ["--owners", "3", "--each", "400", "--processes", "2", "--seconds", "0.5", "--rounds", "1"]

    ran = run("claims.py", *tiny)

    assert ran.returncode == 0, ran.stderr
    told = {row[0]: row[1] for row in rows(ran.stdout)}
    rate = told["claims and ends, 2 processes, 1,200 queued jobs of 3 owners"]
    assert float(rate.split()[0]) > 0
    assert {
        "claim, PostgreSQL: 1,000 -> 1,200 queued, p50",
        "claim, SQLite: 1,000 -> 1,200 queued, p50",
    } <= set(told)


def costs(**changes: model.Cost) -> model.Costs:
    """A database of 4 ms a job on one core, and everything else almost free."""
    free = model.Cost(1e-6)
    parts = {"database": model.Cost(0.004), "redis": free, "sweeper": free, "api": free}
    return model.Costs(parts | changes, submit=0.0, pause=0.001)


ONE_EACH = {"database": 1, "redis": 1, "sweeper": 1, "api": 1}


def test_a_small_fleet_is_as_fast_as_its_workers():
    found = model.Simulation(costs(), ONE_EACH, 10, 1.0).run()

    assert found.rate == pytest.approx(10, rel=0.03)
    assert found.efficiency > 0.95
    assert found.load["database"] == pytest.approx(0.04, rel=0.1)


def test_a_large_fleet_is_as_fast_as_the_part_that_is_full():
    found = model.Simulation(costs(), ONE_EACH, 1000, 1.0).run()

    assert found.rate == pytest.approx(250, rel=0.03)
    assert found.load["database"] == pytest.approx(1, rel=0.03)
    assert found.answer > 0.5


def test_workers_starve_behind_an_api_that_is_full():
    slow = costs(api=model.Cost(0.02))

    found = model.Simulation(slow, ONE_EACH, 1000, 1.0).run()

    assert found.load["api"] == pytest.approx(1, rel=0.05)


def test_what_workers_report_takes_its_share():
    reporting = model.Cost(0.004, worker_second=0.0005)

    alone = reporting.most(1, 10.0)
    found = model.Simulation(costs(database=reporting), ONE_EACH, 1000, 10.0).run()

    assert alone == pytest.approx(1 / 0.009)
    assert found.load["database"] == pytest.approx(100 * 0.004 + 1000 * 0.0005, rel=0.1)
    assert replace(reporting, second=0.5).most(1, 10.0) == pytest.approx(alone / 2)
