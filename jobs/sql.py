"""What the stores' statements share: rows with types, an insertion that may find its row there, pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Engine, Executable, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from jobs.models import Base

R = TypeVar("R")
S = TypeVar("S", bound=Select[Any])

#: What a statement's parameters are bound to.
Values = Mapping[str, object]


def fetch_all(
    connection: Connection, _kind: type[R], statement: Executable, values: Values | None = None
) -> list[R]:
    """All rows of a statement whose columns are those of `_kind`, one of `jobs.rows`."""
    # Nothing but this promise says so: in a statement about a table the type checker sees no columns.
    return cast("list[R]", connection.execute(statement, values).all())


def fetch_one(
    connection: Connection, _kind: type[R], statement: Executable, values: Values | None = None
) -> R | None:
    """Its one row, if there is one."""
    return cast("R | None", connection.execute(statement, values).one_or_none())


def fetch_the_one(
    connection: Connection, _kind: type[R], statement: Executable, values: Values | None = None
) -> R:
    """Its one row, which is there."""
    return cast("R", connection.execute(statement, values).one())


def insert_or(to: Connection | Engine, table: type[Base] | Table) -> postgresql.Insert | sqlite.Insert:
    """An insertion that says what to do `on_conflict`, as this database has it."""
    if to.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def newest_first(
    query: S, ids: ColumnElement[str] | InstrumentedAttribute[str], *, before: str | None, limit: int
) -> S:
    """A page of what has such ids, which grow with time; `before` is the last one of the page before."""
    query = query.order_by(ids.desc()).limit(limit)
    return query if before is None else query.where(ids < before)
