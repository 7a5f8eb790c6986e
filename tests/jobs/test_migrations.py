"""Every migration goes up and down, on both databases, and ends at what the models say."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from jobs.database import Database
from jobs.errors import Unavailable
from jobs.migrate import head, migrate
from jobs.models import Base


def test_up_down_up(database_url):
    database = Database(database_url)
    assert database.revision() is None
    with pytest.raises(Unavailable, match="atelier migrate"):
        database.check()

    migrate(database)
    database.check()
    assert database.revision() == head()
    assert set(Base.metadata.tables) <= set(inspect(database.engine).get_table_names())

    migrate(database, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}

    migrate(database)
    assert database.revision() == head()
    database.close()


def test_the_migrations_make_what_the_models_say(database):
    def difference(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return compare_metadata(context, Base.metadata)

    with database.engine.connect() as connection:
        assert difference(connection) == []


def test_migrating_twice_is_migrating_once(database):
    migrate(database)
    assert database.revision() == head()
