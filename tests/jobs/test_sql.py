"""Rows with types, insertions that may find their row there, pages."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from accounts.store import AccountStore
from jobs.database import Database
from jobs.models import Secret, User
from jobs.rows import UserRow
from jobs.sql import fetch_all, fetch_one, fetch_the_one, insert_or, newest_first

NAMED = select(User.__table__).where(User.name == bindparam("of_name"))
EVERYBODY = select(User.__table__).order_by(User.name)


@pytest.fixture
def owners(database: Database) -> list[str]:
    """The ids of three, the oldest first."""
    accounts = AccountStore(database)
    return [accounts.create_key(name)[1].user_id for name in ("ada", "bea", "cleo")]


@pytest.mark.usefixtures("owners")
def test_rows_are_fetched_all_or_one(database):
    assert [row.name for row in database.read(lambda c: fetch_all(c, UserRow, EVERYBODY))] == [
        "ada",
        "bea",
        "cleo",
    ]
    found = database.read(lambda c: fetch_one(c, UserRow, NAMED, {"of_name": "bea"}))
    assert found is not None
    assert found.max_running is None
    assert database.read(lambda c: fetch_the_one(c, UserRow, NAMED, {"of_name": "bea"})) == found


@pytest.mark.usefixtures("owners")
def test_one_row_is_none_or_one(database):
    assert database.read(lambda c: fetch_one(c, UserRow, NAMED, {"of_name": "nobody"})) is None
    with pytest.raises(NoResultFound):
        database.read(lambda c: fetch_the_one(c, UserRow, NAMED, {"of_name": "nobody"}))
    with pytest.raises(MultipleResultsFound):
        database.read(lambda c: fetch_one(c, UserRow, EVERYBODY))


@pytest.mark.parametrize("through", ["connection", "engine"])
def test_an_insertion_may_find_its_row_there(database, through):
    def put(value: str) -> None:
        def work(connection) -> None:
            made = insert_or(connection if through == "connection" else database.engine, Secret)
            connection.execute(made.values(name="n", value=value).on_conflict_do_nothing())

        database.write(work)

    put("first")
    put("second")
    assert database.read(lambda c: c.execute(select(Secret.value)).scalar_one()) == "first"


def test_pages_go_from_the_newest_to_the_oldest(database, owners):
    def page(before: str | None) -> list[str]:
        query = newest_first(select(User.__table__), User.id, before=before, limit=2)
        return [row.id for row in database.read(lambda c: fetch_all(c, UserRow, query))]

    assert page(None) == [owners[2], owners[1]]
    assert page(owners[1]) == [owners[0]]
    assert page(owners[0]) == []
