"""The baseline of the HTTP rates in scripts/bench/service.py: what a thin service on the same parts would do.

A Flask route that reads one row by its key, and one that inserts a row and commits; nothing else. The
database is DATABASE_URL's, through SQLAlchemy Core and the same driver and pool as Atelier's.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from flask import Flask, jsonify, request
from sqlalchemy import JSON, Column, DateTime, MetaData, String, Table, create_engine, func, insert, select
from sqlalchemy.engine import make_url

_URL = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")

app = Flask(__name__)
engine = create_engine(_URL, pool_size=16, max_overflow=0)
reader = engine.execution_options(isolation_level="AUTOCOMMIT")
things = Table(
    "things",
    MetaData(),
    Column("id", String(32), primary_key=True),
    Column("engine", String(64), nullable=False),
    Column("params", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


@app.get("/things/<thing_id>")
def get(thing_id: str) -> Any:
    """One SELECT by the primary key."""
    with reader.connect() as connection:
        row = connection.execute(select(things).where(things.c.id == thing_id)).one()
    return jsonify(dict(row._mapping))


@app.post("/things")
def post() -> Any:
    """One INSERT and its commit."""
    sent = request.get_json()
    values = {"id": uuid.uuid4().hex, "engine": sent["engine"], "params": sent["params"]}
    with engine.begin() as connection:
        row = connection.execute(insert(things).values(values).returning(things)).one()
    return jsonify(dict(row._mapping)), 201
