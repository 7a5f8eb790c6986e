"""Labels of jobs, and lists narrowed by them, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from jobs.errors import NotFound
from jobs.labels import MAX_SEARCH, search_text
from jobs.models import Job, JobTag
from jobs.states import State
from jobs.store import Wanted
from jobs.store.labels import listed
from tests.jobs.conftest import owner


def ids(rows):
    return [row.id for row in rows]


def tags_of(store, job_id):
    query = select(JobTag.tag).where(JobTag.job_id == job_id)
    return store.database.read(lambda c: set(c.execute(query).scalars()))


class TestPage:
    def test_by_tag_newest_first_and_by_several_together(self, store, submit):
        a, b, c = submit(tags=["red"]), submit(tags=["red", "blue"]), submit(tags=["blue"])
        submit()
        assert ids(store.page(a.owner_id, Wanted(tags=["red"]))) == [b.id, a.id]
        assert ids(store.page(a.owner_id, Wanted(tags=["blue"]))) == [c.id, b.id]
        assert ids(store.page(a.owner_id, Wanted(tags=["red", "blue", "red"]))) == [b.id]
        assert store.page(a.owner_id, Wanted(tags=["green"])) == []

    def test_of_one_owner_or_of_all(self, store, submit):
        mine, bob = submit(tags=["red"]), owner(store.database, "bob")
        his = submit(owner_id=bob, tags=["red"])
        assert ids(store.page(mine.owner_id, Wanted(tags=["red"]))) == [mine.id]
        assert ids(store.page(None, Wanted(tags=["red"]))) == [his.id, mine.id]

    @pytest.mark.parametrize(
        "wanted", [Wanted(tags=["t"]), Wanted(text="WORD"), Wanted(engine="echo"), Wanted()]
    )
    def test_pages_follow_each_other_while_jobs_come(self, store, submit, wanted):
        made = [submit(tags=["t"], params={"text": "a word"}) for _ in range(5)]
        first = store.page(made[0].owner_id, wanted, limit=2)
        submit(tags=["t"], params={"text": "word"})
        second = store.page(made[0].owner_id, wanted, before=first[-1].id, limit=2)
        third = store.page(made[0].owner_id, wanted, before=second[-1].id, limit=2)
        assert ids([*first, *second, *third]) == ids(made)[::-1]

    def test_filters_go_together(self, store, submit):
        submit(tags=["t"], params={"text": "moon"}, engine="other")
        found = submit(tags=["t"], params={"text": "moon"})
        submit(tags=["t"], params={"text": "sun"})
        canceled = submit(tags=["t"], params={"text": "moon"})
        store.cancel(canceled.id, None)
        wanted = Wanted(tags=["t"], text="moon", engine="echo", states=[State.QUEUED])
        assert ids(store.page(None, wanted)) == [found.id]

    def test_by_time(self, store, submit):
        rows = [submit() for _ in range(3)]
        for hours, row in enumerate(rows):
            moved = (
                update(Job)
                .where(Job.id == row.id)
                .values(created_at=rows[0].created_at + timedelta(hours=hours))
            )
            store.database.write(lambda c, moved=moved: c.execute(moved))
        middle = store.get(rows[1].id).created_at
        assert ids(store.page(None, Wanted(since=middle))) == [rows[2].id, rows[1].id]
        assert ids(store.page(None, Wanted(until=middle))) == [rows[0].id]
        assert ids(store.page(None, Wanted(since=middle, until=middle + timedelta(seconds=1)))) == [
            rows[1].id
        ]


class TestText:
    @pytest.mark.parametrize(
        "words", ["żółta", "ŻÓŁTA łódź", "spring", "order=4711", "4711", "mars", "50%", "a_b", "bob\\"]
    )
    def test_every_word_is_looked_for_in_texts_tags_and_metadata(self, store, submit, words):
        job = submit(
            params={"text": "Żółta łódź 50% a_b", "world": {"mars": 1.0}, "n": 3, "file": "art_abc"},
            tags=["Spring"],
            meta={"order": 4711, "who": "Bob\\"},
        )
        submit(params={"text": "500 axb"})
        assert ids(store.page(None, Wanted(text=words))) == [job.id]

    @pytest.mark.parametrize("words", ["art_abc", "łódź nothing", "100%", "%", "n"])
    def test_and_nothing_else_is_found(self, store, submit, words):
        submit(params={"text": "łódź 100", "file": "art_abc", "x": 3})
        assert store.page(None, Wanted(text=words)) == []

    def test_of_many_words_the_last_is_the_rest(self, store, submit):
        job = submit(params={"text": "i h g f e d c b a zz yy"})
        assert ids(store.page(None, Wanted(text="a b c d e f g zz yy"))) == [job.id]
        assert store.page(None, Wanted(text="a b c d e f g yy zz")) == []

    def test_what_is_searched_is_bounded(self):
        assert len(search_text({"text": "ﷺ" * 100_000}, ["t" * 40] * 10, {})) == MAX_SEARCH


class TestLabel:
    def test_labels_are_replaced_and_found_at_once(self, store, submit):
        job = submit(tags=["old", "both"], meta={"a": 1}, params={"text": "words"})
        row = store.label(job.id, job.owner_id, tags=["both", "new"])
        assert (row.tags, row.meta) == (["both", "new"], {"a": 1})
        assert tags_of(store, job.id) == {"both", "new"}
        assert store.page(None, Wanted(tags=["old"])) == []
        assert ids(store.page(None, Wanted(tags=["new"], text="a=1 words new"))) == [job.id]
        row = store.label(job.id, None, tags=[], meta={})
        assert (row.tags, row.meta, tags_of(store, job.id)) == (None, None, set())

    def test_another_s_job_is_not_there(self, store, submit):
        job = submit()
        with pytest.raises(NotFound):
            store.label(job.id, owner(store.database, "bob"), tags=["x"])

    def test_a_deleted_job_takes_its_tags_along(self, store, submit):
        job = submit(tags=["t"])
        store.cancel(job.id, None)
        store.delete(job.id, None)
        assert tags_of(store, job.id) == set()

    def test_code_of_before_goes_on(self, store, submit):
        """It writes none of the new columns, and reads what it knows."""
        job = submit(tags=["t"])
        bare = update(Job).where(Job.id == job.id).values(tags=None, meta=None, search=None)
        store.database.write(lambda c: c.execute(bare))
        assert ids(store.page(None)) == [job.id]
        assert store.page(None, Wanted(text="t")) == []


def test_a_tag_is_found_by_its_index(store, submit):
    """Not by going through an owner's jobs, of which there may be very many."""
    job = submit(tags=["t"])
    query = listed(job.owner_id, ["t"], before=job.id, limit=50)
    plain = str(query.compile(store.database.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if store.database.is_sqlite else "EXPLAIN "

    def plan(connection):
        if not store.database.is_sqlite:
            connection.execute(text("SET enable_seqscan = off"))  # of one row PostgreSQL reads all
        return "\n".join(str(row) for row in connection.exec_driver_sql(explain + plain.replace("%", "%%")))

    told = store.database.write(plan)
    assert "ix_job_tags_tag" in told
    assert "TEMP B-TREE" not in told
