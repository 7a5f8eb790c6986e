"""What the end of a part means to the job that asked for it, at the edges."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from jobs.models import JobInput
from jobs.store.parts import part_ended, read_results, stand_again
from jobs.store.statements import in_use
from tests.jobs.store.test_asking import Chain


@pytest.fixture
def chain(database) -> Chain:
    return Chain(database)


def write(chain, work, *args):
    return chain.store.database.write(lambda c: work(c, *args))


def test_parts_alone_never_make_a_job_look_done(chain):
    chain.ask(chain.part("a", share=0.7), chain.part("b", share=0.7), chain.part("c", share=0.7))
    told = []
    for _ in range(3):
        chain.make()
        told.append(chain.job.progress)
    assert told == [pytest.approx(0.7), pytest.approx(0.999), pytest.approx(0.999)]
    assert chain.job.hold is None


def test_what_a_part_made_is_kept_for_its_job_and_read_once(chain):
    chain.ask(chain.part("a"), chain.part("b"))
    made = chain.make()
    (result,) = chain.store.artifacts([made.id])[made.id]
    write(chain, read_results, chain.id, made.id)  # once more, as when another try uses it
    reading = select(JobInput.artifact_id).where(JobInput.job_id == chain.id)
    assert chain.store.database.read(lambda c: list(c.execute(reading).scalars())) == [result.id]
    assert write(chain, in_use, [result.id])
    chain.store.cancel(chain.id, chain.owner)
    assert not write(chain, in_use, [result.id])


def test_a_job_that_is_no_part_means_nothing_to_another(chain):
    chain.ask(chain.part("a"))
    alone = chain.store.get(chain.submit("part"))
    assert write(chain, part_ended, alone) is None
    assert chain.job.hold == "parts"


def test_the_end_of_a_part_is_told_once(chain):
    """A second telling of the last one finds a job that waits for nothing any more."""
    chain.ask(chain.part("a"))
    made = chain.make()
    before = chain.job
    assert write(chain, part_ended, made) is None
    assert write(chain, stand_again, chain.id) is None
    assert chain.job.version == before.version
    assert [reason for _, reason in chain.why()].count("parts_ended") == 1


def test_a_failed_job_has_left_the_line_and_says_which_part_and_why(chain):
    chain.ask(chain.part("a"), chain.part("b"))
    chain.make()
    chain.fail()
    job = chain.job
    assert (job.hold, job.turn, job.lease_owner) == (None, None, None)
    assert job.finished_at is not None
    assert job.error_detail == "b: engine_error: no paint"
    assert job.progress == pytest.approx(0.25)
