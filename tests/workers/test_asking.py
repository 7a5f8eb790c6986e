"""Engines that ask for jobs: put aside without a worker, called again with results, refused plainly."""

from __future__ import annotations

import pytest

import engines
from engines.base import Output, Part
from jobs.errors import Unavailable
from tests.workers.running import TEXT, Away
from workers.runner import Runner


def echo(name, **params):
    return Part(name, "echo", {"text": name} | params)


class House:
    """A bench whose engine may ask for `echo` jobs, and a worker that runs those."""

    def __init__(self, bench, script, **spec) -> None:
        self.bench = bench(script, **({"may_ask": ("echo",)} | spec))
        self.store = self.bench.store
        self.others = Runner(self.bench.house, worker_id="wrk_2", queues=["cpu"], catalogue=engines)

    def run(self, **params):
        """A job, carried on by both workers until nothing is left to do; as it is then."""
        self.id = self.bench.submit(**params)
        while self.bench.runner.work() + self.others.work():
            pass
        return self.store.get(self.id)

    def parts(self):
        return [(part.name, part.state) for part in self.store.parts(self.id)]


@pytest.fixture
def house(bench):
    return lambda script, **spec: House(bench, script, **spec)


def test_a_chain_of_three_stages_reads_what_each_has_made(house):
    def script(_params, context):
        if "one" not in context.parts:
            yield echo("one")
        elif len(context.parts) < 4:
            (made,) = context.parts["one"]
            for n in range(3):
                yield Part(f"many-{n}", "echo", {"text": f"{made.text} {n}"}, stage="many")
        else:
            read = [context.input(rows[0].id).read_text() for rows in context.parts.values()]
            yield Output("all.txt", "text/plain", "|".join(read).encode())

    made = house(script)
    job = made.run()
    assert (job.state, job.attempt, job.failures) == ("succeeded", 3, 0)
    (artifact,) = made.store.artifacts([job.id])[job.id]
    assert [said.split() for said in artifact.text.split("|")] == [
        ["one"],
        ["one", "0"],
        ["one", "1"],
        ["one", "2"],
    ]
    assert [s.stage for s in made.store.stages([job.id])[job.id]] == ["one", "many"]
    events = [event.reason for event in made.store.events(job.id) if event.reason]
    assert events == ["waits_for_parts", "parts_ended"] * 2


def test_the_bar_goes_on_where_the_parts_left_it(house):
    seen = []

    def script(_params, context):
        if not context.parts:
            context.progress(0.7, "thinking")
            yield echo("a")
            yield echo("b")
            return
        seen.append(made.store.get(made.id).progress)
        context._lease.report = lambda progress, *_: seen.append(progress)
        context.progress(0.5)
        yield TEXT

    made = house(script)
    assert made.run().progress == 1.0
    assert seen == [pytest.approx(0.9), pytest.approx(0.95)]


def test_shares_that_are_given_count(house):
    def script(_params, context):
        if not context.parts:
            yield Part("a", "echo", {"text": "a"}, share=0.2)
            return
        seen.append(made.store.get(made.id).progress)
        yield TEXT

    seen: list[float] = []
    made = house(script)
    made.run()
    assert seen == [pytest.approx(0.2)]


def test_a_part_s_seed_comes_from_the_job_s_and_its_name(house):
    def script(_params, context):
        if not context.parts:
            yield echo("a")
            yield echo("b")
            yield echo("c", seed=5)
        else:
            yield TEXT

    made = house(script)
    made.run()
    first = [row.seed for _, row in made.store.part_jobs(made.id)]
    made.run()
    assert first == [row.seed for _, row in made.store.part_jobs(made.id)]
    assert len(set(first)) == 3
    assert first[2] == 5


def refused(house, *parts, **spec):
    def script(_params, _context):
        yield from parts

    made = house(script, **spec)
    job = made.run()
    assert job.state == "failed"
    assert made.parts() == []
    return job.error_code, job.error_detail


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([Part("a", "nonesuch", {})], "may not ask for one of nonesuch"),
        ([Part("a", "scripted", {})], "may not ask for one of scripted"),
        ([Part("a", "planets", {})], "may not ask for one of planets"),
        ([echo("a"), echo("a")], "a: two parts have this name"),
        ([echo("a"), echo("a", text="other")], "a: two parts have this name"),
        ([echo("A b/c")], "cannot be called 'A b/c'"),
        ([echo("x" * 65)], "cannot be called"),
        ([echo("a", nonesuch=1)], "a: "),
        ([echo("a", text=7)], "a: "),
        ([echo(f"{n}") for n in range(1001)], "more than 1,000 parts"),
    ],
    ids=[
        "no engine",
        "itself",
        "another",
        "twice",
        "twice different",
        "name",
        "long",
        "unknown",
        "wrong",
        "many",
    ],
)
def test_a_part_that_cannot_be_made_fails_its_job_and_says_which(house, parts, said):
    code, detail = refused(house, *parts)
    assert code == "bad_part"
    assert said in detail


def test_a_part_of_an_engine_that_is_gone_is_refused(house):
    code, detail = refused(house, Part("a", "nonesuch", {}), may_ask=("*",))
    assert code == "bad_part"
    assert detail.startswith("a: ")


def test_a_picture_where_a_text_is_needed_is_refused(house):
    def script(_params, context):
        if not context.parts:
            yield echo("words")
        else:
            yield Part("seen", "planet_classifier", {"image": context.parts["words"][0].id})

    made = house(script, may_ask=("echo", "planet_classifier"))
    job = made.run()
    assert (job.state, job.error_code) == ("failed", "bad_part")
    assert job.error_detail.startswith("seen: ")


def test_files_that_come_along_are_refused(house):
    data = "data:image/png;base64,iVBORw0KGgo="
    code, _ = refused(house, Part("a", "planet_classifier", {"image": data}), may_ask=("planet_classifier",))
    assert code == "bad_part"


def test_outputs_and_parts_at_once_are_refused(house):
    assert refused(house, TEXT, echo("a"))[0] == "engine_error"


def test_who_asks_for_the_same_again_and_again_fails(house):
    def script(_params, _context):
        yield echo("a")

    job = house(script).run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "bad_part", 2)


def test_asking_while_the_database_is_away_asks_once(house):
    def script(_params, context):
        if not context.parts:
            yield echo("a")
        else:
            yield TEXT

    made = house(script)
    made.bench.move_in(store=Away(made.store, Unavailable("away"), wait_for=2, parts=1))
    made.others = Runner(made.bench.house, worker_id="wrk_2", queues=["cpu"], catalogue=engines)
    made.run()
    assert made.store.get(made.id).failures == 0
    assert len(made.parts()) <= 1
