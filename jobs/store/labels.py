"""Lists of jobs, and what narrows them: states, engines, times, tags and words; labels changed later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from jobs.labels import search_text, words_of
from jobs.models import JobTag
from jobs.rows import JobRow
from jobs.sql import fetch_all, fetch_the_one, newest_first
from jobs.states import State
from jobs.store.base import StoreBase
from jobs.store.statements import JOBS, get_job

_TAGS = JobTag.__table__


@dataclass(frozen=True)
class Wanted:
    """Which jobs of a list; what is left out narrows nothing."""

    ids: Sequence[str] = ()
    states: Sequence[State] = ()
    engine: str | None = None
    #: All of them.
    tags: Sequence[str] = ()
    #: Accepted at this time or later; and before that one.
    since: datetime | None = None
    until: datetime | None = None
    #: Words, each of which must occur in the job's text.
    text: str = ""


EVERY = Wanted()


class Labels(StoreBase):
    """Lists of jobs, and the labels that owners give them."""

    def page(
        self, owner_id: str | None, wanted: Wanted = EVERY, *, before: str | None = None, limit: int = 50
    ) -> list[JobRow]:
        """Newest first; `before` is the id of the last job of the page before. Parts only by their ids."""
        query = listed(owner_id, wanted.tags, before=before, limit=limit)
        if wanted.ids:
            query = query.where(JOBS.c.id.in_(wanted.ids))
        else:
            query = query.where(JOBS.c.part_of.is_(None))
        if wanted.states:
            query = query.where(JOBS.c.state.in_([s.value for s in wanted.states]))
        if wanted.engine is not None:
            query = query.where(JOBS.c.engine == wanted.engine)
        if wanted.since is not None:
            query = query.where(JOBS.c.created_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(JOBS.c.created_at < wanted.until)
        for word in words_of(wanted.text):
            query = query.where(JOBS.c.search.contains(word, autoescape=True))
        return self.database.read(lambda c: fetch_all(c, JobRow, query))

    def label(
        self,
        job_id: str,
        owner_id: str | None,
        *,
        tags: Sequence[str] | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> JobRow:
        """Replace a job's tags, its metadata, or both; None leaves them. Raises NotFound."""

        def work(connection: Connection) -> JobRow:
            row = get_job(connection, job_id, owner_id, for_update=True)
            new_tags = (row.tags or []) if tags is None else list(tags)
            new_meta = (row.meta or {}) if meta is None else dict(meta)
            if tags is not None:
                connection.execute(delete(JobTag).where(JobTag.job_id == job_id))
                tag(connection, row, new_tags)
            labels = {"tags": new_tags or None, "meta": new_meta or None}
            text = search_text(row.params, new_tags, new_meta)
            changing = update(JOBS).where(JOBS.c.id == job_id).values(**labels, search=text).returning(JOBS)
            return fetch_the_one(connection, JobRow, changing)

        return self.database.write(work)


def tag(connection: Connection, row: JobRow, tags: Sequence[str]) -> None:
    """Let the job be found by these tags."""
    if tags:
        values = [{"job_id": row.id, "tag": one, "owner_id": row.owner_id} for one in tags]
        connection.execute(insert(JobTag), values)


def listed(owner_id: str | None, tags: Sequence[str], *, before: str | None, limit: int) -> Select[Any]:
    """A page of the jobs of an owner, or of all, which have these tags."""
    if tags:
        # Led by the first tag's part of the index, which is in the order of the page.
        return newest_first(_of_tags(owner_id, tags), _TAGS.c.job_id, before=before, limit=limit)
    query = select(JOBS) if owner_id is None else select(JOBS).where(JOBS.c.owner_id == owner_id)
    return newest_first(query, JOBS.c.id, before=before, limit=limit)


def _of_tags(owner_id: str | None, tags: Sequence[str]) -> Select[Any]:
    first, *others = dict.fromkeys(tags)
    query = select(JOBS).join(_TAGS, _TAGS.c.job_id == JOBS.c.id).where(_TAGS.c.tag == first)
    if owner_id is not None:
        query = query.where(_TAGS.c.owner_id == owner_id)
    for other in others:
        also = _TAGS.alias()
        query = query.where(
            select(also.c.tag).where(also.c.job_id == _TAGS.c.job_id, also.c.tag == other).exists()
        )
    return query
