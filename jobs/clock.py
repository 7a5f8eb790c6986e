"""The database's clock as an SQL expression, so that every machine's leases are measured by one clock."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, DateTime, Dialect, Float, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement, literal


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC: `timestamptz` on PostgreSQL, ISO text in UTC on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class now(FunctionElement[datetime]):
    """The database's time, plus `seconds`. Real time, not the transaction's start."""

    type = UTCDateTime()
    inherit_cache = True
    name = "now"

    def __init__(self, seconds: ColumnElement[float] | float = 0.0) -> None:
        super().__init__(literal(seconds) if isinstance(seconds, (int, float)) else seconds)


@compiles(now, "postgresql")
def _postgresql(element: now, compiler: SQLCompiler, **kw: object) -> str:
    (seconds,) = element.clauses
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(seconds, **kw)}))"


@compiles(now, "sqlite")
def _sqlite(element: now, compiler: SQLCompiler, **kw: object) -> str:
    # Milliseconds; the text sorts with the six-digit form that SQLAlchemy writes.
    (seconds,) = element.clauses
    offset = compiler.process(seconds, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({offset}) || ' seconds')"


class seconds_since(FunctionElement[float]):
    """Seconds from a column's time to the database's time."""

    type = Float()
    inherit_cache = True
    name = "seconds_since"


@compiles(seconds_since, "postgresql")
def _since_postgresql(element: seconds_since, compiler: SQLCompiler, **kw: object) -> str:
    (then,) = element.clauses
    return f"CAST(extract(epoch FROM clock_timestamp() - {compiler.process(then, **kw)}) AS double precision)"


@compiles(seconds_since, "sqlite")
def _since_sqlite(element: seconds_since, compiler: SQLCompiler, **kw: object) -> str:
    # Good to some 50 microseconds, the resolution of a Julian day in a double.
    (then,) = element.clauses
    return f"((julianday('now') - julianday({compiler.process(then, **kw)})) * 86400.0)"
