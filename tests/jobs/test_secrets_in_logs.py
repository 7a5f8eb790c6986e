"""What a failed statement held of somebody's is not in the error, which goes into logs."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


def test_an_error_does_not_show_what_a_statement_held(database):
    statement = text("SELECT no_such_column FROM users WHERE name = :name")
    with pytest.raises(DBAPIError) as raised:
        database.read(lambda c: c.execute(statement, {"name": "https://hook.example/secret"}))
    assert "no_such_column" in str(raised.value)
    assert "hook.example" not in str(raised.value)
