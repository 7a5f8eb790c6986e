"""The document is valid, and the server does what it says."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode

import engines
from api.access import strangers
from tests.api.helpers import Api
from tests.examples import examples


def test_the_document_is_valid_and_complete(app, anonymous):
    document = anonymous.get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    described = set(document["paths"])
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        assert path in described or path == "/" or path.startswith(("/docs", "/openapi.json")), path
    for name in engines.names():
        model = engines.spec(name).params.__name__
        assert model in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            for status, answer in operation["responses"].items():
                assert status < "400" or answer["content"], (path, status)


def test_engines_that_are_offered_come_before_hidden_ones(anonymous):
    schemas = anonymous.get("/openapi.json").json["components"]["schemas"]
    for name in ("JobSubmission", "JobForm"):
        order = [ref["$ref"].rpartition("/")[2] for ref in schemas[name]["oneOf"]]
        named = [schemas[part]["properties"]["engine"]["const"] for part in order]
        hidden = [engines.spec(engine).hidden for engine in named]
        assert hidden == sorted(hidden)
        assert hidden[-1]


#: What one request of each kind may be answered with. A schema cannot say "is an image" or "is a file of
#: yours": such requests fit it and are refused all the same.
_CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "416", "422"]
"""


@pytest.fixture
def schema(app, tmp_path, monkeypatch):
    # It tries a wrong key with every request, and expects a 401 each time.
    monkeypatch.setattr(strangers, "BURST", 1e9)
    path = tmp_path / "schemathesis.toml"
    path.write_text(_CONFIG)
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=schemathesis.Config.from_path(path))


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_server_does_what_the_document_says(schema, admin: Api, mode):
    # The operations are walked here: schemathesis 4.32's pytest plugin does not work with pytest 9.2.
    headers = {"Authorization": f"Bearer {admin.key}"}
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=examples(15), deadline=None, derandomize=True, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def check(case):
            case.call_and_validate(headers=headers)

        try:
            check()
        except Unsatisfiable:
            continue  # nothing can be wrong with a request that takes nothing
