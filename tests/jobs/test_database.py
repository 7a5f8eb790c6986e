"""What a failed statement held of somebody's is not in the error, which goes into logs."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


def test_an_error_does_not_show_what_a_statement_held(database):
    # Each is our mistake in the eyes of its database, and no outage, which would be told in words of ours.
    wrong = "INSERT INTO job_inputs (job_id) VALUES (:url)" if database.is_sqlite else "SELECT nothing, :url"
    with pytest.raises(DBAPIError) as raised:
        database.write(lambda c: c.execute(text(wrong), {"url": "https://hook.example/secret"}))
    assert wrong[:14] in str(raised.value)
    assert "hook.example" not in str(raised.value)
