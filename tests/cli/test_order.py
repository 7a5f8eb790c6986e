"""`atelier hold`, `release` and `move`: one's own jobs in another order."""

from __future__ import annotations

import pytest


@pytest.fixture
def three(here) -> list[str]:
    """Jobs, in the order in which they wait."""
    return [here.submit() for _ in range(3)]


def waiting(here, jobs: list[str]) -> list[int | None]:
    """Their places."""
    return [here.store.position(here.store.get(job)) for job in jobs]


def test_held_jobs_are_passed_by_and_released_behind_the_others(run, here, three):
    first, second, third = three
    held = run("hold", first, second)
    assert held.exit_code == 0, held.output
    assert [line.partition(":")[0] for line in held.stdout.splitlines()] == [f"job {first}", f"job {second}"]
    assert held.stdout.count("on hold until you release it") == 2
    assert waiting(here, three) == [None, None, 1]

    released = run("release", first)
    assert released.stdout.startswith(f"job {first}: position 2")
    assert waiting(here, [third, first]) == [1, 2]


@pytest.mark.parametrize(
    ("where", "places"),
    [(["--front"], [2, 3, 1]), (["--before", "{second}"], [1, 3, 2]), (["--end"], [1, 2, 3])],
    ids=["front", "before", "end"],
)
def test_a_job_is_moved_among_its_own_and_told_where_it_stands(run, here, three, where, places):
    done = run("move", three[2], *(word.format(second=three[1]) for word in where))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"job {three[2]}: position {places[2]}")
    assert waiting(here, three) == places


@pytest.mark.parametrize(
    "where",
    [[], ["--front", "--end"], ["--before", "job_1", "--front"], ["--before", "", "--end"]],
    ids=["nowhere", "both-ends", "before-and-front", "before-nothing"],
)
def test_where_to_is_said_once(run, here, three, where):
    done = run("move", three[2], *where)
    assert done.exit_code == 2
    assert "Say where to: --before JOB, --front or --end." in done.stderr
    assert waiting(here, three) == [1, 2, 3]


def test_what_cannot_be_reordered_is_a_sentence_and_stops_none_of_the_others(run, here, three):
    (running,) = here.store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    done = run("hold", running.id, three[1])
    assert done.exit_code == 1
    assert f"{running.id}: " in done.stderr
    assert "1 of 2 refused" in done.stderr
    assert waiting(here, three[1:]) == [None, 1]
