"""What all tables share: their base, the types of their columns, an index over a part of the rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import JSON, Index, MetaData, String, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from jobs.clock import UTCDateTime
from jobs.documents import JSONObject

Id = String(40)
Document = JSON().with_variant(JSONB(), "postgresql")
OptionalDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows of which `where` is true: its size is theirs."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


class Base(DeclarativeBase):
    """Constraint names are fixed by a convention so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    if TYPE_CHECKING:
        #: No row here is of a join or a query, whose `__table__` could be less than a table.
        __table__: ClassVar[Table]

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        JSONObject: Document,
        list[str]: Document,
    }
