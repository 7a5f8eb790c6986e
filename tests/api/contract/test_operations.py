"""What routes say of themselves, and how their paths are written and read."""

from __future__ import annotations

import re

import pytest
from werkzeug.routing import Map, Rule

from api.contract.operations import (
    IDEMPOTENCY_KEY,
    IdConverter,
    Operation,
    idempotency,
    operation,
    operation_of,
    path_template,
)


def test_a_view_keeps_what_is_said_of_it_and_stays_itself():
    def view():
        """Words for the document."""

    said = operation("One thing", "things", {204: None}, access="admin", problems=(404,))(view)
    assert said is view
    assert operation_of(view) == Operation("One thing", "things", {204: None}, "admin", (404,))
    assert operation_of(len) is None


def test_a_route_s_usual_caller_has_a_key():
    assert Operation("One thing", "things", {}).access == "key"


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ("/v1/jobs", "/v1/jobs"),
        ('/v1/jobs/<id("job"):job_id>/events', "/v1/jobs/{job_id}/events"),
        ("/v1/engines/<string:name>", "/v1/engines/{name}"),
        ("/<a>/<int:b>", "/{a}/{b}"),
    ],
    ids=["plain", "id", "string", "two"],
)
def test_a_rule_as_documents_and_logs_write_it(rule, written):
    assert path_template(rule) == written


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("job_" + "a1" * 16, "job_" + "a1" * 16),
        ("job_" + "A1" * 16, "job_" + "0" * 32),
        ("net_" + "a1" * 16, "job_" + "0" * 32),
        ("job_" + "a1" * 16 + "0", "job_" + "0" * 32),
        ("job_" + "a1" * 16 + "%0A", "job_" + "0" * 32),
    ],
    ids=["ours", "upper", "another's", "long", "newline"],
)
def test_what_has_not_the_form_of_an_id_reads_as_one_that_nothing_has(path, read):
    rules = Map([Rule('/<id("job"):job_id>', endpoint="job")], converters={"id": IdConverter})
    assert rules.bind("example.com").match(f"/{path}".replace("%0A", "\n")) == ("job", {"job_id": read})


def test_an_idempotency_key_is_described_as_it_is_read():
    described = idempotency("job")[IDEMPOTENCY_KEY]
    assert "same job" in described["description"]
    for key, fits in {"a": True, "~" * 255: True, "a" * 256: False, "": False, "a b": False}.items():
        assert (re.search(described["pattern"], key) is not None) is fits
