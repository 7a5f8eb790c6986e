"""Alembic's entry point: migrations run on the engine that `jobs.database.Database.migrate` hands over."""

from alembic import context
from sqlalchemy import text

from jobs.database import Database
from jobs.models import Base

engine = context.config.attributes.get("engine") or Database().engine

with engine.connect() as connection:
    # SQLite alters tables by copying them ("batch"); both databases run a migration in one transaction.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        if engine.dialect.name == "postgresql":
            # Two pods that start together migrate one after the other. The number is arbitrary, but ours.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(7262019)"))
        context.run_migrations()
    connection.commit()
